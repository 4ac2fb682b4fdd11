"""What a node asked for and never awaited: nothing of it happens, and that is an error.

Python itself tells of each coroutine that goes away before it began, at once and in the step in
which its last name went. It tells `warnings`, where nobody reads it; so what belongs to a step of a
node is taken from there, and becomes the error of that step.
"""

from __future__ import annotations

import dis
import functools
import inspect
import linecache
import sys
import types
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Any

from statelab.immutable import is_learners

EFFECTS = ("sleep", "call", "gather")
# The functions in which a node's code runs, and the name of what takes the error there.
steps: dict[types.CodeType, str] = {}
_tell = warnings._warn_unawaited_coroutine
_CREATED = inspect.CORO_CREATED
_NEWEST = {list: reversed, tuple: reversed, deque: reversed, dict: lambda d: reversed(d.values())}


def effect(task: Any, what: Any):
    """Yields `what` when it is awaited; from then on `task`, if any, no longer owes that."""
    if task is not None:
        task.owed -= 1
    return (yield what)


# A coroutine that yields by itself, which no syntax makes. A generator could be iterated over, and
# Python says nothing of one that goes away.
effect = types.FunctionType(
    effect.__code__.replace(
        co_flags=effect.__code__.co_flags & ~inspect.CO_GENERATOR | inspect.CO_COROUTINE
    ),
    {},
)


def _lost(coroutine: types.CoroutineType) -> None:
    """Python calls this for each coroutine that goes away before it began."""
    frame, learners = sys._getframe().f_back, None  # none, when Python itself ends
    while frame is not None and frame.f_code not in steps:
        if learners is None and is_learners(frame.f_globals.get("__name__")):
            learners = frame
        frame = frame.f_back
    if frame is not None:
        step = frame.f_locals[steps[frame.f_code]]
        if not step.door.shut:
            step.wrong = step.wrong or unawaited(step.door, coroutine, learners)
        return
    first = next(iter(coroutine.cr_frame.f_locals.values()), None)
    door = getattr(first, "door", None) or getattr(first, "_door", None)
    if door is None or not door.shut:  # of a dead node, all goes away
        _tell(coroutine)


warnings._warn_unawaited_coroutine = _lost


def kept(node: Any, returned: Any = None) -> TypeError | None:
    """The error for a coroutine that was `returned` or is kept in `self`, and never began.

    From now on it cannot begin.
    """
    for name, value in [("", returned), *vars(node).items()]:
        if type(value) in _NEWEST:
            value = next(_NEWEST[type(value)](value), None)
        if type(value) is types.CoroutineType and inspect.getcoroutinestate(value) == _CREATED:
            error = unawaited(node._door, value, None, name and f"self.{name}")
            value.close()
            return error
    return None


def owed(door: Any) -> TypeError:
    """The error for an effect that was asked for by a task that has ended, and not awaited."""
    return kept(door.node) or TypeError(
        f"{door.name} did not await what it asked for, so it did not happen: write await before it"
        f"{_where(door, EFFECTS, None)}"
    )


def unawaited(door: Any, coroutine: Any, frame: Any = None, keeper: str = "") -> TypeError:
    """The error for `coroutine`; `frame` is the learner's in which its last name went away."""
    code, nothing = coroutine.cr_code, "so it did not happen"
    asked = coroutine.cr_frame.f_locals["what"] if code is effect.__code__ else None
    if asked is None:
        verb = code.co_name
        what, nothing = f"{verb}()", "so nothing of it happened"
    elif type(asked) is int:
        verb, what = "sleep", f"a sleep of {asked / 1e6:g} s"
    elif type(asked) is tuple:
        verb, what = "gather", "a gather"
    else:
        verb, what = "call", f"a call, {asked.method} {asked.path:.100} to {asked.to}"
    return TypeError(
        f"{door.name} {keeper and f'keeps {keeper} and '}did not await {what}, {nothing}: "
        f"write await before it{_where(door, (verb,), frame, keeper)}"
    )


# ------------------------------------------------------------------------------- the line
def _where(door: Any, names: tuple[str, ...], frame: Any, keeper: str = "") -> str:
    """The lines that ask for one of `names` without awaiting it, as part of a sentence.

    A frame that has ended is gone before its names are: then they are looked for in what the next
    frame awaits, at last in all that the node may run.
    """
    text, likely = "", [getattr(getattr(door.current, "coro", None), "cr_code", None)]
    if frame is not None:
        at = frame.f_code.co_filename, frame.f_lineno
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
    return "" if frame is None else _quoted([at])


def _quoted(lines: list[tuple[str, int]]) -> str:
    told = [f"line {line}: {linecache.getline(file, line).strip()}" for file, line in lines[:3]]
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
