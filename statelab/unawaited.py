"""What a node asked for and never awaited: nothing of it happens, and that is an error.

Python itself tells of each coroutine that goes away before it began, at once and in the step in
which its last name went. It tells `warnings`, where nobody reads it; so what belongs to a step of a
node is taken from there, and becomes the error of that step.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections import deque
from typing import Any

from statelab.immutable import is_learners

# The functions in which a node's code runs, and the name of what takes the error there.
steps: dict[types.CodeType, str] = {}
_tell = warnings._warn_unawaited_coroutine
_GENERATOR, _COROUTINE = 0x20, 0x80  # inspect.CO_GENERATOR and CO_COROUTINE
_NEWEST = {list: reversed, tuple: reversed, deque: reversed, dict: lambda d: reversed(d.values())}


def effect(task: Any, what: Any):
    """Yields `what` when it is awaited; from then on `task`, if any, no longer owes that."""
    if task is not None:
        task.owed -= 1
    return (yield what)


# A coroutine that yields by itself, which no syntax makes. A generator could be iterated over, and
# Python says nothing of one that goes away.
effect = types.FunctionType(
    effect.__code__.replace(co_flags=effect.__code__.co_flags & ~_GENERATOR | _COROUTINE),
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
        if type(value) is types.CoroutineType and _never_began(value):
            error = unawaited(node._door, value, None, name and f"self.{name}")
            value.close()
            return error
    return None


def _never_began(coroutine: types.CoroutineType) -> bool:
    began = coroutine.cr_running or coroutine.cr_suspended or coroutine.cr_frame is None
    return not began


def owed(door: Any) -> TypeError:
    """The error for an effect that was asked for by a task that has ended, and not awaited."""
    from statelab.loose import EFFECTS, lines_of

    return kept(door.node) or TypeError(
        f"{door.name} did not await what it asked for, so it did not happen: write await before it"
        f"{lines_of(door, EFFECTS, None)}"
    )


def unawaited(door: Any, coroutine: Any, frame: Any = None, keeper: str = "") -> TypeError:
    """The error for `coroutine`; `frame` is the learner's in which its last name went away."""
    from statelab.loose import lines_of

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
        f"write await before it{lines_of(door, (verb,), frame, keeper)}"
    )
