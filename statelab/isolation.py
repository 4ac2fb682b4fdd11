"""Refuses a class some of whose state would survive a simulated kill, unlike a real one."""

from __future__ import annotations

import collections
import dis
import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any

from statelab.node import Node

_MUTABLE = (list, dict, set, bytearray, collections.deque)


def vet(factory: Any, options: Mapping[str, Any] | None = None) -> None:
    """Raises TypeError, with a sentence, unless `factory` is a Node class that shares no state.

    A real server is none, and only such a one takes `options`.

    State shared by all lives of a node is a mutable class attribute, a mutable in a closure or in
    a module's global that the class's code reads, or a global that it assigns.
    """
    if isinstance(factory, Node) or hasattr(type(factory), "only_live"):
        name = type(factory).__name__
        raise TypeError(
            f"start takes the class, since restart makes it anew: write {name}, not {name}()"
        )
    if not (isinstance(factory, type) and issubclass(factory, Node)):
        if hasattr(factory, "only_live"):
            raise TypeError(f"{factory.__name__} is {factory.only_live}")
        raise TypeError(f"start takes a subclass of Node, not {factory!r}")
    if options:
        raise TypeError(
            f"start gives a node its arguments in their order, so that restart can: write "
            f"{', '.join(map(repr, options.values()))} without {', '.join(options)}"
        )
    for cls in factory.__mro__:
        if cls is Node:
            break
        for name, value in vars(cls).items():
            if not name.startswith("__") and isinstance(value, _MUTABLE):
                raise TypeError(
                    f"{cls.__name__}.{name} is one {type(value).__name__} that all lives would "
                    f"share, so a kill would not erase it: set self.{name} in __init__"
                )
            function = getattr(value, "__func__", value)
            if isinstance(function, property):
                function = function.fget
            if isinstance(function, types.FunctionType):
                _vet_function(cls, function)
    for name in ("handle", "run"):
        if not inspect.iscoroutinefunction(getattr(factory, name)):
            raise TypeError(f"{factory.__name__}.{name} is not a coroutine: write async def {name}")


def _vet_function(cls: type, function: types.FunctionType) -> None:
    where = f"{cls.__name__}.{function.__name__}"
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        if isinstance(value, _MUTABLE):
            raise TypeError(
                f"{where} closes over {name}, a {type(value).__name__} that a kill would not "
                f"erase: keep it in self, or give start what is needed as an argument"
            )
    for assigned, name in _globals_of(function.__code__):
        if assigned:
            raise TypeError(
                f"{where} assigns the global {name}, which a kill would not erase: use self.{name}"
            )
        value = function.__globals__.get(name)
        if isinstance(value, _MUTABLE):
            raise TypeError(
                f"{where} uses the global {name}, a {type(value).__name__} that a kill would "
                "not erase: keep it in self, or make it a tuple, a frozenset or a "
                "types.MappingProxyType if it never changes"
            )


@functools.lru_cache(maxsize=4096)  # a sweep starts the same classes a thousand times
def _globals_of(code: types.CodeType) -> tuple[tuple[bool, str], ...]:
    """The globals that code names, each with whether it assigns it."""
    return tuple(
        (instruction.opname == "STORE_GLOBAL", instruction.argval)
        for part in _codes(code)
        for instruction in dis.get_instructions(part)
        if instruction.opname in ("STORE_GLOBAL", "LOAD_GLOBAL")
    )


def _codes(code: types.CodeType):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
