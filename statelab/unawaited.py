"""What a node asked for and never awaited: nothing of it happens, and that is an error.

Python itself tells of each coroutine that goes away before it began, at once and in the step in
which its last name went. It tells `warnings`, where nobody reads it; so what belongs to a step of a
node is taken from there, and becomes the error of that step.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
import warnings
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

from statelab.immutable import ATOMS, is_learners

# The functions in which a node's code runs, and the name of what takes the error there.
steps: dict[types.CodeType, str] = {}
_tell = warnings._warn_unawaited_coroutine
_GENERATOR, _COROUTINE = 0x20, 0x80  # inspect.CO_GENERATOR and CO_COROUTINE
_MOST = 10_000  # objects of a node's memory that are looked through

# Each node that is there, by its id: one that Python's collector is about to take is not.
nodes: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


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
    node, step = _owner(coroutine), frame and frame.f_locals.get(steps[frame.f_code])
    if node is not None and (node._door.shut or nodes.get(id(node)) is not node):
        return  # of a dead node, or of a world that nobody has any more, all goes away
    if step is not None and node in (None, step.door.node):
        if not step.door.shut:
            step.wrong = step.wrong or unawaited(step.door, coroutine, learners)
    else:
        _tell(coroutine)


def _owner(coroutine: types.CoroutineType) -> Any:
    """The node that asked for it, if that can be told."""
    for value in coroutine.cr_frame.f_locals.values():
        for name in ("_door", "door"):  # of a node, of a task
            with contextlib.suppress(AttributeError):
                return object.__getattribute__(value, name).node  # no code of a learner's is asked
    return None


warnings._warn_unawaited_coroutine = _lost


def kept(node: Any, returned: Any = None) -> TypeError | None:
    """The error for a coroutine that was `returned` or is kept in `self`, and never began.

    From now on it cannot begin.
    """
    for name, value in [("", returned), *vars(node).items()]:
        coroutine = None if name == "_door" else within([value])
        if coroutine is not None:
            error = unawaited(node._door, coroutine, None, name and f"self.{name}")
            coroutine.close()
            return error
    return None


def within(values: Iterable[Any]) -> types.CoroutineType | None:
    """A coroutine that never began and is kept by one of the values, however deep."""
    todo, met = deque(values), set()
    while todo and len(met) < _MOST:
        value = todo.popleft()
        kind = type(value)
        if kind is types.CoroutineType and _never_began(value):
            return value
        if kind in ATOMS or issubclass(kind, _BESIDE) or id(value) in met:
            continue
        met.add(id(value))
        if kind is types.FunctionType:
            todo.append(value.__defaults__)
            for cell in value.__closure__ or ():
                todo += gc.get_referents(cell)
        elif nodes.get(id(value)) is value:
            todo += [item for name, item in vars(value).items() if name != "_door"]
        elif not str(_module_of(kind)).startswith("statelab."):  # else it leads to all of a world
            todo += gc.get_referents(value)
    return None


_module_of = type.__dict__["__module__"].__get__  # no metaclass of a learner's is asked
_BESIDE = (type, types.ModuleType, types.FrameType, types.CodeType)  # no place to keep one


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
