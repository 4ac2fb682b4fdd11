"""The links of a live world that have, or had, a fault: what the driver knows, and asks for.

Everything here runs on the hub's loop. Two names have one link; what one of them says to the other
goes through the link proxy from its first fault on.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statelab.live.transport import fdpass as handover
from statelab.node import UnknownNode, WrongState, checked_name

if TYPE_CHECKING:
    from statelab.live.driver.desk import Desk
    from statelab.live.driver.loop import Hub

PROXY_S = 10.0  # the longest that the proxy may take for anything
PROXY = 0  # its key at the warden; nodes' begin with 1
LISTENS_S = 1.0  # how long to wait for a node that is up, and may be busy


@dataclass
class LiveLink:
    """What is set about a link."""

    held: bool = False
    cut: bool = False
    latency: tuple[float, float] = (0.0, 0.0)  # seconds


class Links:
    """Starts the link proxy when it is needed, and tells it and the nodes what to do."""

    def __init__(self, hub: Hub):
        self._hub = hub
        self._links: dict[frozenset[str], LiveLink] = {}
        self._ways: dict[tuple[str, str], int] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future] = {}
        self._proxy: Desk | None = None
        self._begun: asyncio.Future[None] | None = None
        self.pid: int | None = None  # of the proxy

    @property
    def handover(self) -> str:
        """Where the link proxy takes connections."""
        return str(self._hub.folder / handover.NAME)

    # --------------------------------------------------------------------------- verbs
    async def change(self, kind: str, a: str, b: str, row: Any = None, **settings: Any) -> None:
        """Changes what is set about a link; a row of that kind tells of it.

        Raises WrongState if that is set already, UnknownNode.
        """
        link = await self._link(a, b)
        for what, value in settings.items():
            if isinstance(value, bool) and getattr(link, what) is value:
                raise WrongState(f"the link between {a} and {b} {_WRONG[kind]}")
        for what, value in settings.items():
            setattr(link, what, value)
        await self._divert(a, b)
        self._record(kind, a, b, row)
        await self._ask("set", a, b, link.held, link.cut, link.latency)

    async def lose_next(self, sender: str, receiver: str) -> None:
        """Has the next message of that direction vanish."""
        await self._link(sender, receiver)
        await self._divert(sender, receiver)
        self._record("lose_next", sender, receiver)
        await self._ask("lose", sender, receiver)

    async def way(self, caller: str, target: str, port: int) -> int:
        """The port that stands before `port`, the target's, for this caller."""
        if caller == target:
            raise ValueError(f"{target} has no link to itself")
        await self._begin()
        self._links.setdefault(frozenset((caller, target)), LiveLink())
        if (caller, target) not in self._ways:
            before = self._hub.nodes.reserve(target, f"for {caller}")
            self._ways[caller, target] = before
            await self._ask("way", caller, target, port, before)
        return self._ways[caller, target]

    async def settled(self) -> None:
        """Waits until the proxy has passed on what came in by now, the ends of connections too."""
        if self._proxy is not None:
            for _ in range(2):
                await asyncio.sleep(0)  # what was closed here is closed by then
            await self._ask("settle")

    def of(self, name: str) -> list[str]:
        """Those to whom `name` has a link that goes through the proxy."""
        others = (key - {name} for key in self._links if name in key)
        return sorted(other for names in others for other in names)

    async def _link(self, a: str, b: str) -> LiveLink:
        hub = self._hub
        known = {*hub.nodes.nodes, *hub.clients.callers, *itertools.chain(*self._links)}
        for name in (a, b):
            if checked_name(name, "somebody") not in known:
                names = ", ".join(sorted(known)) or "none yet"
                raise UnknownNode(f"nobody is named {name!r}; nothing was done. There are: {names}")
        if a == b:
            raise ValueError(f"{a} has no link to itself")
        for name, other in ((a, b), (b, a)):
            engine = hub.nodes.nodes.get(other)
            if engine is not None and not engine.speaks_http and not self._has_way(a, b):
                raise WrongState(
                    f"what {name} says to {other} goes straight there, so no fault works on it: "
                    f"give {name} the address world.address({other!r}, caller={name!r})"
                )
        await self._begin()
        return self._links.setdefault(frozenset((a, b)), LiveLink())

    def _has_way(self, a: str, b: str) -> bool:
        return (a, b) in self._ways or (b, a) in self._ways

    def _record(self, kind: str, a: str, b: str, data: Any = None) -> None:
        hub = self._hub
        source = hub.journal.source(a, 0)
        hub.record(source, kind, b, data=data)
        source.ended = True
        hub.flush()

    # --------------------------------------------------------------------------- both ends
    async def _divert(self, a: str, b: str) -> None:
        """Has what the two say to each other go through the proxy, from here on."""
        hub, asked = self._hub, []
        for name, other in ((a, b), (b, a)):
            if name in hub.clients.callers:
                hub.clients.callers[name].divert(other)
            desk = hub.nodes.desk(name)
            if desk is not None:
                future = self.tell(desk, [other])
                if hub.nodes.nodes[name].status == "up":
                    asked.append(future)
        if asked:
            # One that is busy, or dies now, says nothing meanwhile; it hears this first of all.
            await asyncio.wait(asked, timeout=LISTENS_S)

    def tell(self, desk: Desk, names: list[str]) -> asyncio.Future:
        """Tells a node to whom its connections go through the proxy; done when it has heard it."""
        number, future = self._future()
        desk.tell(number, names)
        return future

    def joined(self, name: str, desk: Desk) -> None:
        """A node has opened its channel: it may have missed something."""
        if names := self.of(name):
            self.tell(desk, names)

    def diverted(self, number: int) -> None:
        """A node has done what it was told."""
        self._done(number, None)

    # --------------------------------------------------------------------------- the proxy
    async def _begin(self) -> None:
        """Starts the proxy, unless it runs."""
        if not handover.POSSIBLE:
            raise NotImplementedError(
                "a live world has faults of links only where a connection can be handed from one "
                "process to another (Linux, macOS); the simulated World has them everywhere"
            )
        hub = self._hub
        if self._begun is None:
            self._begun = hub.loop.create_future()
            spec = {
                "name": handover.NAME, "desk": hub.port, "token": hub.token,
                "origin_ns": hub.origin_ns, "handover": self.handover,
                "log": str(hub.folder / "proxy.log"),
            }  # fmt: skip
            hub.tell_warden("proxy", PROXY, spec)
        await asyncio.wait_for(asyncio.shield(self._begun), PROXY_S)

    def begun(self, desk: Desk, pid: int) -> None:
        """The proxy is there."""
        self._proxy, self.pid = desk, pid
        self._begun.set_result(None)

    def told(self, what: str, *args: Any) -> None:
        """The proxy says something."""
        if what == "done":
            self._done(*args)
            return
        time_us, sender, receiver, message, why = args
        hub = self._hub
        node = hub.nodes.nodes.get(receiver)
        source = hub.journal.source(receiver, 1 if node is None else node.life)
        hub.record(source, "drop", sender, message or None, None, why, time_us)
        source.ended = True

    def _future(self) -> tuple[int, asyncio.Future]:
        number = next(self._numbers)
        future = self._asked[number] = self._hub.loop.create_future()
        return number, future

    def _done(self, number: int, result: Any) -> None:
        future = self._asked.pop(number, None)
        if future is not None and not future.done():
            future.set_result(result)

    async def _ask(self, verb: str, *args: Any) -> Any:
        number, future = self._future()
        self._proxy.tell(verb, number, *args)
        return await asyncio.wait_for(future, PROXY_S)


_WRONG = {
    "partition": "is cut already",
    "heal": "is not cut, so it cannot heal",
    "hold": "is held already",
    "release": "is not held",
}
