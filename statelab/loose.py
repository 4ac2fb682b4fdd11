"""Lines of a node's code that ask for an effect, or for a coroutine, and do not await it."""

from __future__ import annotations

import dis
import functools
import inspect
import linecache
import sys
import types
from collections.abc import Iterator
from typing import Any

from statelab.immutable import is_learners

EFFECTS = ("sleep", "call", "gather")


def lines_of(door: Any, names: tuple[str, ...], frame: Any, keeper: str = "") -> str:
    """The lines that ask for one of `names` without awaiting it, as part of a sentence.

    A frame that has ended is gone before its names are: then they are looked for in what the next
    frame awaits, at last in all that the node may run.
    """
    text, likely = "", [getattr(getattr(door.current, "coro", None), "cr_code", None)]
    if frame is not None:
        at = frame.f_code.co_filename, frame.f_lineno or 0  # an instruction of no line
        text, likely = linecache.getline(*at), [frame.f_code]
        if any(name in text for name in names):
            return _quoted([at])
    codes = list(_codes(getattr(door, "node", None)))
    called = [code for code in codes if f"{code.co_name}(" in text]
    for group in (called, likely, codes):
        lines = {
            (code.co_filename, line)
            for code in group
            if code is not None
            for line in loose(code, names)
        }
        if lines:
            keeping = {at for at in lines if keeper in linecache.getline(*at)}
            return _quoted(sorted(keeping or lines))
    return "" if frame is None or not at[1] else _quoted([at])


def _quoted(lines: list[tuple[str, int]]) -> str:
    texts = (linecache.getline(*at).strip() for at in lines)  # '' of a cell, in another process
    told = [
        f"line {line}: {text}" if text else f"line {line}"
        for (_, line), text in zip(lines[:3], texts, strict=False)
    ]
    return f" ({', or '.join(told)})"


def _codes(node: Any) -> Iterator[types.CodeType]:
    """The code of the learner's functions that a node may run: its methods, those beside them."""
    for cls in type(node).__mro__:
        if not is_learners(cls.__module__):
            continue
        beside = getattr(sys.modules.get(cls.__module__), "__dict__", {})
        for value in [*vars(cls).values(), *beside.values()]:
            function = getattr(value, "__func__", value)
            if isinstance(function, types.FunctionType) and is_learners(function.__module__):
                yield function.__code__


@functools.lru_cache(maxsize=1024)
def loose(code: types.CodeType, names: tuple[str, ...]) -> tuple[int, ...]:
    """The lines in which code says one of `names` outside of all that it awaits."""
    asked, awaited = [], []
    for it in dis.get_instructions(code):
        at = it.positions
        if it.opname == "GET_AWAITABLE":
            awaited.append(((at.lineno, at.col_offset), (at.end_lineno, at.end_col_offset)))
        elif it.opname.startswith("LOAD_") and it.argval in names and at.lineno is not None:
            asked.append((at.lineno, at.col_offset))
    inner = (loose(c, names) for c in code.co_consts if isinstance(c, types.CodeType))
    lines = {at[0] for at in asked if not any(start <= at < end for start, end in awaited)}
    return (*sorted(lines), *(line for found in inner for line in found))


def coroutines(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function, if it makes a coroutine, and of each such function within."""
    if code.co_flags & inspect.CO_COROUTINE:
        yield code
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from coroutines(inner)
