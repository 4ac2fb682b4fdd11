"""A node's coroutine, stepped by hand: it yields its effects, and a door performs them."""

from __future__ import annotations

import contextlib
import linecache
import sys
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from statelab.message import shown
from statelab.node import Call, Door, Killed, UnknownNode, said


class Task:
    """One coroutine of a node, stepped by hand.

    `done(task, value, error)` is called once, when the coroutine has ended. `cause` is the trace
    row that made it go on, and `tag` belongs to whoever made the task. `wrong` is an error that its
    coroutine shall get, for an effect that it did not await.
    """

    __slots__ = ("cause", "children", "coro", "done", "door", "tag", "wrong")

    def __init__(self, door: Door, coro: Coroutine, done: Callable, cause: int | None, tag=None):
        self.door = door
        self.coro = coro
        self.done = done
        self.cause = cause
        self.tag = tag
        self.children = None
        self.wrong: TypeError | None = None

    def step(self, value: Any = None, error: BaseException | None = None) -> None:
        """Runs the coroutine to its next effect and asks the door to perform that."""
        door = self.door
        while True:
            door.current = self
            try:
                effect = self.coro.send(value) if error is None else self.coro.throw(error)
            except StopIteration as stop:
                return self.done(self, stop.value, self.wrong)
            except Killed:
                return None
            except Exception as raised:
                return self.done(self, None, self.wrong or _seen(raised, door))
            except BaseException as fatal:  # such as sys.exit(): it ends a process, and so the node
                return door.die(self, fatal)
            if self.wrong is not None:
                value, error, self.wrong = None, self.wrong, None
                continue
            kind = type(effect)
            if kind is int:
                return door.sleep(self, effect)
            try:
                if kind is Call:
                    return door.call(self, effect)
                if kind is tuple:
                    return self._gather(effect)
                raise _foreign(door, kind.__name__)
            except (TypeError, UnknownNode) as wrong:
                value, error = None, wrong

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
            if not hasattr(coroutine, "send"):
                raise TypeError(
                    f"gather takes coroutines like self.call(...), not {shown(coroutine)}"
                )
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


class _NoLoop:
    """What asyncio finds as the running loop while a node is stepped: nothing can be asked of it.

    Else it finds the notebook's loop or the live world's, and what a node gives to that is lost.
    """

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no running event loop")


@contextlib.contextmanager
def loopless() -> Iterator[None]:
    """Hides the thread's asyncio loop, if any: a node waits by its own effects only."""
    if (asyncio := sys.modules.get("asyncio.events")) is None:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(_NO_LOOP)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


_NO_LOOP = _NoLoop()
_LOOPLESS = "RuntimeError: no running event loop"


def _seen(raised: Exception, door: Door) -> Exception:
    """What a coroutine raised; if asyncio raised it, for there is no loop of its own, say so."""
    at = raised.__traceback__
    while at.tb_next is not None:
        at = at.tb_next
    module = at.tb_frame.f_globals.get("__name__", "")
    if module.partition(".")[0] == "asyncio" or said(raised) == _LOOPLESS:
        return _foreign(door, "asyncio")
    if isinstance(raised, AttributeError) and isinstance(raised.obj, types.GeneratorType):
        line = linecache.getline(at.tb_frame.f_code.co_filename, at.tb_lineno).strip()
        return TypeError(f"{raised}: await is missing in line {at.tb_lineno}, {line}")
    return raised


def _foreign(door: Door, what: str) -> TypeError:
    return TypeError(
        f"{door.name} awaited something foreign ({what}): a node waits with self.sleep, self.call "
        "and self.gather only"
    )
