"""A node's coroutine, stepped by hand: it yields effects, a door performs them, its end answers."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from statelab.checked import checked_headers
from statelab.effects import Call, Door, Killed, UnknownNode
from statelab.immutable import is_learners
from statelab.message import (
    NoReply,
    NotAwaited,
    Refused,
    Response,
    copied,
    said,
    shown,
    text_of,
)
from statelab.unawaited import owed, steps, unawaited, within


class Task:
    """One coroutine of a node, stepped by hand.

    `done(task, value, error)` is called once, when the coroutine has ended. `cause` is the trace
    row that made it go on, and `tag` belongs to whoever made the task. `owed` counts the effects
    that it has asked for and not awaited; `wrong` is an error that ends it at its next effect.
    """

    __slots__ = ("cause", "children", "coro", "done", "door", "owed", "tag", "wrong")

    def __init__(self, door: Door, coro: Coroutine, done: Callable, cause: int | None, tag=None):
        self.door = door
        self.coro = coro
        self.done = done
        self.cause = cause
        self.tag = tag
        self.children = None
        self.owed = 0
        self.wrong: TypeError | None = None

    def step(self, value: Any = None, error: BaseException | None = None) -> None:
        """Runs the coroutine to its next effect and asks the door to perform that."""
        door = self.door
        while True:
            door.current = self
            try:
                effect = self.coro.send(value) if error is None else self.coro.throw(error)
            except StopIteration as stop:
                if self.owed and self.wrong is None:
                    self.wrong = owed(door)
                return self.done(self, stop.value, self.wrong)
            except Killed:
                return None
            except Exception as raised:
                return self.done(self, None, self.wrong or _seen(raised, door))
            except BaseException as fatal:  # such as sys.exit(): it ends a process, and so the node
                return door.die(self, fatal)
            if self.wrong is not None:
                return self._stop()
            kind = type(effect)
            if kind is int:
                return door.sleep(self, effect)
            try:
                if kind is Call:
                    return door.call(self, effect)
                if kind is tuple:
                    return self._gather(effect)
            except (TypeError, UnknownNode) as wrong:
                value, error = None, wrong
                continue
            self.wrong = _foreign(door, _FOREIGN.get(kind, kind.__name__))
            return self._stop()

    def _stop(self) -> None:
        """Ends the coroutine where it stands, by an error that no line of it can catch."""
        with contextlib.suppress(Exception, SystemExit):
            self.coro.close()
        self.done(self, None, self.wrong)

    def close(self) -> None:
        """Ends the coroutine where it stands.

        The door is shut: what it still runs has no effect, and whatever it raises on the way
        concerns nobody, for the process is dead.
        """
        for child in self.children or ():
            child.close()
        with contextlib.suppress(Killed, Exception):
            self.coro.close()

    def _gather(self, coroutines: tuple) -> None:
        for coroutine in coroutines:
            if isinstance(coroutine, types.GeneratorType) or not hasattr(coroutine, "send"):
                while (lost := within(coroutines)) is not None:
                    lost.close()  # this error tells of them
                raise TypeError(_GATHERED)
        results: list = [None] * len(coroutines)
        errors: list = [None] * len(coroutines)
        left = len(coroutines)

        def ended(child: Task, value: Any, error: BaseException | None) -> None:
            nonlocal left
            results[child.tag], errors[child.tag] = value, error
            left -= 1
            if not left:
                self.cause = child.cause
                self.children = None
                self.step(results, next((e for e in errors if e is not None), None))

        if not coroutines:
            return self.step([])
        self.children = [
            Task(self.door, coroutine, ended, self.cause, place)
            for place, coroutine in enumerate(coroutines)
        ]
        for child in self.children:
            child.step()
        return None


steps[Task.step.__code__] = steps[Task.close.__code__] = "self"


class _NoLoop:
    """What asyncio finds as the running loop while a node is stepped: nothing can be asked of it.

    Else it finds the notebook's loop or the live world's, and what a node gives to that is lost.
    """

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no running event loop")


class loopless:
    """Hides the thread's asyncio loop, if any: a node waits by its own effects only."""

    def __enter__(self) -> None:
        self._asyncio = sys.modules.get("asyncio.events")
        if self._asyncio is not None:
            self._loop = self._asyncio._get_running_loop()
            self._asyncio._set_running_loop(_NO_LOOP)

    def __exit__(self, *_: Any) -> None:
        if self._asyncio is not None:
            self._asyncio._set_running_loop(self._loop)


_NO_LOOP = _NoLoop()
_GATHERED = (
    "gather takes coroutines like self.call(...), one argument each: of several in a list or in a "
    "generator, write self.gather(*those)"
)
_FOREIGN = {type(None): "a bare yield, such as asyncio's"}
_LOOPS = {"asyncio", "anyio"}  # anyio is what others, such as httpx, ask it by
_LOOPLESS = "RuntimeError: no running event loop"


def _seen(raised: Exception, door: Door) -> Exception:
    """What a coroutine raised; if that came of asyncio, for there is no loop of its own, say so."""
    at, came_by = raised.__traceback__, set()
    while at is not None:
        came_by.add(str(at.tb_frame.f_globals.get("__name__")).partition(".")[0])
        at = at.tb_next
    if came_by & _LOOPS or said(raised) == _LOOPLESS:
        return _foreign(door, "asyncio")
    coroutine = getattr(raised, "coroutine" if type(raised) is NotAwaited else "obj", None)
    is_known = type(coroutine) is types.CoroutineType or text_of(raised) in (None, _GATHERED)
    if not is_known and "coroutine" in text_of(raised):
        coroutine = within([raised.args, *_locals(raised)])
    return _not_awaited(door, coroutine, _learners(raised)) or raised


def _not_awaited(door: Door, coroutine: Any, frame: Any = None) -> TypeError | None:
    """The error for a coroutine that stands where its result should; it cannot begin any more."""
    if type(coroutine) is not types.CoroutineType:
        return None
    wrong = unawaited(door, coroutine, frame)
    coroutine.close()
    return wrong


def _locals(raised: Exception) -> Iterator[Any]:
    """What the functions hold that an error came through."""
    at = raised.__traceback__
    while at is not None:
        if at.tb_frame.f_globals is not globals():
            yield from at.tb_frame.f_locals.values()
        at = at.tb_next


def _learners(raised: Exception) -> types.FrameType | None:
    """The last frame of the learner's that an error came through."""
    frame, at = None, raised.__traceback__
    while at is not None:
        frame = at.tb_frame if is_learners(at.tb_frame.f_globals.get("__name__")) else frame
        at = at.tb_next
    return frame


def _foreign(door: Door, what: str) -> TypeError:
    return TypeError(
        f"{door.name} awaited something foreign ({what}): a node waits with self.sleep, self.call "
        "and self.gather only"
    )


# What a handler did not catch, as the status that its caller gets.
STATUS_OF_ERROR = {Refused: 502, NoReply: 504}


def answer(
    door: Door, value: Any, error: BaseException | None, method: str
) -> tuple[tuple[int, Any, dict[str, str]], BaseException | None]:
    """The status, body and headers sent when `handle` returned `value` or raised `error`.

    The body is a copy. What cannot be sent is an error, too, and the second of what is returned.
    `method` is that of the request: HTTP has no room for a body in an answer to HEAD, or of some
    statuses.
    """
    if error is None:
        try:
            if type(value) is not Response:
                status, body, headers = 200, copied(value), {}
            elif not _is_status(value.status):
                raise ValueError(f"the status {shown(value.status)} is not an int from 200 to 599")
            else:
                status, body = int(value.status), value.frozen_body()
                headers = checked_headers(value.headers)
        except NotAwaited as wrong:
            error = _not_awaited(door, wrong.coroutine)
        except Exception as wrong:  # a class of the learner's may raise whatever it is asked
            parts = [value.status, value.headers] if type(value) is Response else [value]
            error = _not_awaited(door, within(parts)) or wrong
    if error is not None:
        status, body, headers = STATUS_OF_ERROR.get(type(error), 500), {"error": said(error)}, {}
    if status == 204 or status == 304 or method == "HEAD":
        body = None
    return (status, body, headers), error


def _is_status(status: Any) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 599
