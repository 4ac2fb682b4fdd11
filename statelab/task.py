"""A node's coroutine, stepped by hand: it yields its effects, and a door performs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from statelab.node import Call, Door, Killed, UnknownNode


class Task:
    """One coroutine of a node, stepped by hand.

    `done(task, value, error)` is called once, when the coroutine has ended. `cause` is the trace
    row that made it go on, and `tag` belongs to whoever made the task.
    """

    __slots__ = ("cause", "children", "coro", "done", "door", "tag")

    def __init__(self, door: Door, coro: Coroutine, done: Callable, cause: int | None, tag=None):
        self.door = door
        self.coro = coro
        self.done = done
        self.cause = cause
        self.tag = tag
        self.children = None

    def step(self, value: Any = None, error: BaseException | None = None) -> None:
        """Runs the coroutine to its next effect and asks the door to perform that."""
        door = self.door
        while True:
            door.current = self
            try:
                effect = self.coro.send(value) if error is None else self.coro.throw(error)
            except StopIteration as stop:
                return self.done(self, stop.value, None)
            except Killed:
                return None
            except Exception as raised:
                if str(raised) == "no running event loop":
                    raised = _foreign(door, "asyncio")
                return self.done(self, None, raised)
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
                raise TypeError(f"gather takes coroutines like self.call(...), not {coroutine!r}")
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


def _foreign(door: Door, what: str) -> TypeError:
    return TypeError(
        f"{door.name} awaited something foreign ({what}): a node waits with self.sleep, self.call "
        "and self.gather only"
    )
