"""Inputs as lines of Python: what was clicked, as a learner would write it."""

from __future__ import annotations

import inspect
from typing import Any

from statelab.sim.inputs import VERBS

_CLIENT_METHODS = ("GET", "POST", "PUT", "DELETE")


def line_of(verb: str, *args: Any) -> str:
    """One input as a line of Python."""
    if verb == "attempt":
        return f"world.attempt({', '.join(map(repr, args))})"
    if verb != "request":
        if verb == "reconnect":
            return f"world.client({args[0]!r}).reconnect()"
        name = "client" if verb == "add_client" else verb
        names = list(inspect.signature(VERBS[verb]).parameters.values())[1:]
        said = [
            repr(value) if parameter.default is parameter.empty else f"{parameter.name}={value!r}"
            for parameter, value in zip(names, args, strict=False)
            if value != parameter.default
        ]
        return f"world.{name}({', '.join(said)})"
    client, method, to, path, body, headers, timeout = args
    options = f", headers={headers!r}" if headers else ""
    options += f", timeout={timeout!r}" if timeout != 1.0 else ""
    options += ", wait=False"
    if client == "you":
        options += f", method={method!r}" if method != "POST" else ""
        return f"world.call({to!r}, {path!r}, {body!r}{options})"
    text = "" if body is None else f", {body!r}"
    bodiless = method in ("GET", "DELETE")
    if (bodiless and body is not None) or method not in _CLIENT_METHODS:
        return f"world.client({client!r}).send({method!r}, {to!r}, {path!r}{text}{options})"
    return f"world.client({client!r}).{method.lower()}({to!r}, {path!r}{text}{options})"


def seconds(time_us: int) -> str:
    """A time in seconds, written exactly."""
    return f"{time_us / 1_000_000:.6f}".rstrip("0").rstrip(".")


def arg_text(value: Any) -> str:
    """A scenario's argument, as a run code keeps it."""
    is_class = isinstance(value, dict) and set(value) == {"class"}
    return value["class"] if is_class else repr(value)
