"""What a server is.

Rules of this file:

1. It does not know which world it is in. All effects pass one door, which a world provides.
2. A node's coroutine yields its effects; a task (`task.py`) steps it by hand and asks the door to
   perform them. So both worlds switch at `await` and nowhere else, and a dead node can be left
   where it stood, with nothing of it run again.
3. If you are adding a feature, don't add it here.
"""

from __future__ import annotations

import random
import types
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from statelab.checked import DEFAULT_TIMEOUT, micros
from statelab.effects import Call, Disk, Door, opened
from statelab.message import Request, Response, shown
from statelab.unawaited import effect, nodes, steps


class _Nowhere:
    """The door of a node that no world has made."""

    def __get__(self, node: Node | None, owner: type) -> Door:
        raise AttributeError(
            f"this {owner.__name__} is in no world, so it can do nothing: let a world make it, as "
            f"world.start('web', {owner.__name__})"
        )


class Node:
    """A server, or a client that acts on its own: subclass it and write `handle`, `run` or both.

    Public attributes are its memory: a kill erases them. `self.disk` is its disk: a kill does not.
    `__init__` sets attributes and has no effects; it may read the disk, the clock and `random`.
    """

    _door: Door = _Nowhere()

    async def handle(self, request: Request) -> Any:
        """Answers one request: returns a Response, or a JSON body (status 200)."""
        return Response(404, {"error": f"{type(self).__name__} handles no requests"})

    async def run(self) -> None:
        """Does work of the node's own, from its start to its end."""

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Waits for `seconds` of the world's time, 1 µs at least."""
        door = self._door
        if door.shut:
            opened(door)
        if type(seconds) is float and 0.0 < seconds < 1e9:
            us = round(seconds * 1_000_000) or 1
        else:
            us = micros(seconds, "the sleep") or 1
        return effect(_owing(door, "sleep") if door.keeps else None, us)

    def call(
        self,
        to: str,
        path: str = "/",
        body: Any = None,
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        via: str | int | tuple | None = None,
    ) -> Awaitable[Response]:
        """Sends a request to the node named `to` and returns its Response, whatever its status.

        One connection for each (caller, to, via), one request at a time on it; `via`, a str, an int
        or a tuple of such, names one of one's own where one per server is not enough.
        Raises Refused (it did not happen), NoReply (nobody knows), UnknownNode, and TypeError or
        ValueError for what cannot be sent. `timeout` is in seconds; None waits for ever.
        """
        door = self._door
        if door.shut:
            opened(door)
        call = Call(to, path, body, method, headers, timeout, via)
        return effect(_owing(door, "call") if door.keeps else None, call)

    def gather(self, *coroutines: Awaitable) -> Awaitable[list]:
        """Runs coroutines side by side; returns their results in order when all have ended.

        If some fail, the first of them in order raises here, after all have ended.
        """
        door = self._door
        if door.shut:
            for coroutine in coroutines:
                coroutine.close()
            opened(door)
        return effect(_owing(door, "gather") if door.keeps else None, coroutines)

    def now(self) -> float:
        """Seconds since the world began."""
        return opened(self._door).now_us() / 1_000_000

    @property
    def random(self) -> random.Random:
        """This life's own stream of random numbers, seeded by the world, the name and the life."""
        return opened(self._door).random

    def log(self, text: str) -> None:
        """Writes one line to the trace."""
        opened(self._door).log(str(text))

    @property
    def disk(self) -> Disk:
        """This node's durable store, a mapping of str to JSON."""
        return self._door.disk


def born(factory: Callable[..., Node], args: tuple, door: Door) -> Node:
    """Makes a node with `door` already in place, as `factory(*args)` would make it."""
    node = factory.__new__(factory, *args)
    if type(node) is not factory:
        raise TypeError(
            f"{factory.__name__}.__new__ made {shown(node)}: let it make a {factory.__name__}"
        )
    node._door, door.node = door, node
    nodes[id(node)] = node
    birth = types.SimpleNamespace(door=door, wrong=None)
    if (given := node.__init__(*args)) is not None:
        what = "a coroutine" if hasattr(given, "cr_code") else shown(given)
        birth.wrong = TypeError(
            f"{factory.__name__}.__init__ returned {what}: write def __init__, and return nothing"
        )
    given = None
    if birth.wrong is not None:
        raise birth.wrong
    return node


steps[born.__code__] = "birth"


class Soft(NamedTuple):
    """A value that expires by itself at `until`, in seconds since the world began."""

    value: Any
    until: float


def _owing(door: Door, verb: str) -> Any:
    """The task that asks for an effect now, and owes its await from here on."""
    task = door.current
    if task is None:
        raise RuntimeError(f"{door.name}.__init__ has an effect ({verb}): move it to run()")
    task.owed += 1
    return task
