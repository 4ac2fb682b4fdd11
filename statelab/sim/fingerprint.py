"""Which code made a run: a few digits that stand for its source."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterable

from statelab.immutable import PYTHONS
from statelab.node import Node


def fingerprint(function: Callable, factories: Iterable[type[Node]]) -> str:
    """8 hex digits that stand for the source of the scenario and of the nodes' own classes."""
    functions = {f"scenario {function.__name__}": function}
    for cls in dict.fromkeys(factories):
        for base in cls.__mro__[: cls.__mro__.index(Node)]:
            for name, value in vars(base).items():
                value = getattr(value, "fget", getattr(value, "__func__", value))
                # Newer Pythons put functions into a class that its source does not have.
                if inspect.isfunction(value) and name not in PYTHONS:
                    functions[f"{base.__qualname__}.{name}"] = value
    return _fingerprint(tuple(functions.items()))


@functools.lru_cache(maxsize=256)  # a sweep makes a thousand run codes of the same classes
def _fingerprint(functions: tuple[tuple[str, Callable], ...]) -> str:
    sources = sorted((name, _source(function)) for name, function in functions)
    return hashlib.blake2b(json.dumps(sources).encode(), digest_size=4).hexdigest()


def _source(function: Callable) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # made by exec: its bytecode stands for it
        return function.__code__.co_code.hex()
