"""What nodes say to one another: a request, a response, and the two ways a call fails.

A message is JSON. Both worlds copy it on its way, so two nodes never share an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_BODY = 1_000_000  # values plus characters: a larger body is refused in both worlds
MAX_DEPTH = 100


class Refused(Exception):
    """The call definitely did not happen: nobody was there to take it."""


class NoReply(Exception):
    """Nobody knows whether the call happened: it was sent, and no answer came."""


@dataclass(slots=True)
class Request:
    """A request as the server sees it; `peer` is the (ip, port) that the connection comes from."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    peer: tuple[str, int]


@dataclass(slots=True)
class Response:
    """An answer: an HTTP status, a JSON body, and headers (names in lower case)."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


# A body is copied twice on its way (out of the sender, into the receiver), so this is hot:
# scalars return at once, and the flat dict of scalars, which most bodies are, is one pass.
_SCALARS = frozenset({str, int, bool, type(None)})


def copied(body: Any) -> Any:
    """Returns what `json.loads(json.dumps(body))` would, and shares nothing mutable with `body`.

    Raises TypeError (a value JSON has no form for, NaN and infinities included; or nested deeper
    than MAX_DEPTH) and ValueError (larger than MAX_BODY), saying where in the body.
    """
    kind = type(body)
    if kind in _SCALARS and (kind is not str or len(body) <= MAX_BODY):
        return body
    return _copy(body, [MAX_BODY], 0, ())


def _copy(value: Any, budget: list[int], depth: int, where: tuple) -> Any:
    kind = type(value)
    if kind is dict or isinstance(value, dict):
        _spend(len(value) + 1, budget, depth, where)
        copy = {}
        for key, item in value.items():
            if type(key) is not str:
                key = _key(key, where)
            kind = type(item)
            if kind in _SCALARS and kind is not str:
                copy[key] = item
            else:
                copy[key] = _copy(item, budget, depth + 1, (where, key))
            if len(key) > 64:
                _spend(len(key), budget, depth, where)
        return copy
    if kind is str or isinstance(value, str):
        _spend(len(value), budget, depth, where)
        return value if kind is str else str.__str__(value)
    if value is None or kind is bool or kind is int:
        return value
    if isinstance(value, (list, tuple)):
        _spend(len(value) + 1, budget, depth, where)
        return [_copy(item, budget, depth + 1, (where, i)) for i, item in enumerate(value)]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value - value != 0.0:
            raise TypeError(f"{_place(where)} is {value!r}, which JSON has no form for")
        return float(value)
    raise TypeError(
        f"{_place(where)} is a {kind.__name__}, which JSON has no form for: "
        "send None, bool, int, float, str, list or dict"
    )


def _spend(amount: int, budget: list[int], depth: int, where: tuple) -> None:
    if depth > MAX_DEPTH:
        raise TypeError(f"the body is nested more than {MAX_DEPTH} deep: does it contain itself?")
    budget[0] -= amount
    if budget[0] < 0:
        raise ValueError(
            f"the body is too large: more than {MAX_BODY:,} values and characters "
            f"(it ran over at {_place(where)})"
        )


def _key(key: Any, where: tuple) -> str:
    """A dict key as JSON writes it."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float) and key - key == 0.0:
        return float.__repr__(key)
    raise TypeError(f"{_place(where)} has the key {key!r}, which JSON has no form for: use a str")


def _place(where: tuple) -> str:
    path = ""
    while where:
        where, step = where
        path = f"[{step!r}]{path}"
    return f"body{path}"
