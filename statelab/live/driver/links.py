"""The links of a live world that have, or had, a fault: what the driver knows, and asks for.

Everything here runs on the thread of the driver's loop. Two names have one link; what one of them
says to the other goes through the relay from its first fault on.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from statelab.checked import checked_name
from statelab.effects import WrongState, unknown_node
from statelab.live.driver.merge import LiveRows
from statelab.live.driver.warden import WardenProcess, last_lines
from statelab.live.driver.whereabouts import Whereabouts
from statelab.live.transport import fdpass
from statelab.live.transport.control import Channel

RELAY_S = 10.0  # the longest that the relay may take for anything
RELAY = 0  # its key at the warden; nodes' begin with 1
LISTENS_S = 1.0  # how long to wait for a node that is up, and may be busy


class Block(enum.Flag):
    """What keeps the messages of a link from arriving; it may be both."""

    NOTHING = 0
    HELD = enum.auto()
    CUT = enum.auto()


# verb: (what it is about, whether it begins it, what is wrong where it does not apply)
_VERBS = {
    "partition": (Block.CUT, True, "is cut already"),
    "heal": (Block.CUT, False, "is not cut, so it cannot heal"),
    "hold": (Block.HELD, True, "is held already"),
    "release": (Block.HELD, False, "is not held"),
}


@dataclass
class LiveLink:
    """What is set about a link."""

    block: Block = Block.NOTHING
    latency: tuple[float, float] = (0.0, 0.0)  # seconds


class Links:
    """Starts the relay when it is needed, and tells it and the nodes what to do.

    `told` is what all processes of its world are told. `orphaned` hears that the relay is gone,
    which nobody asked it.
    """

    def __init__(
        self, told: dict[str, Any], where: Whereabouts, warden: WardenProcess, rows: LiveRows,
        orphaned: Callable[[], None],
    ):  # fmt: skip
        self._told = told
        self._where = where
        self._warden = warden
        self._rows = rows
        self._orphaned = orphaned
        self._links: dict[frozenset[str], LiveLink] = {}
        self._ways: dict[tuple[str, str], int] = {}
        self._begun: asyncio.Future[Channel] | None = None
        self.pid: int | None = None  # of the relay

    # --------------------------------------------------------------------------- verbs
    async def block(self, verb: str, a: str, b: str) -> None:
        """Begins or ends what blocks a link. Raises UnknownNode; WrongState where it is so."""
        link = await self._link(a, b)
        block, begins, wrong = _VERBS[verb]
        if (block in link.block) is begins:
            raise WrongState(f"the link between {a} and {b} {wrong}")
        link.block ^= block
        await self._set(link, verb, a, b)

    async def delay(self, a: str, b: str, bounds: tuple[float, float]) -> None:
        """Sets a link's latency, in seconds. Raises UnknownNode."""
        link = await self._link(a, b)
        link.latency = bounds
        await self._set(link, "link", a, b, (*bounds, 0.0, 0.0))

    async def _set(self, link: LiveLink, kind: str, a: str, b: str, data: Any = None) -> None:
        await self._divert(a, b)
        self._record(kind, a, b, data)
        held, cut = Block.HELD in link.block, Block.CUT in link.block
        await self._ask("set", a, b, held, cut, link.latency)

    async def lose_next(self, sender: str, receiver: str) -> None:
        """Has the next message of that direction vanish."""
        await self._link(sender, receiver)
        await self._divert(sender, receiver)
        self._record("lose_next", sender, receiver)
        await self._ask("lose", sender, receiver)

    async def way(self, caller: str, target: str) -> int:
        """The port that stands before the target's, for this caller."""
        if caller == target:
            raise ValueError(f"{target} has no link to itself")
        await self._relay()
        self._links.setdefault(frozenset((caller, target)), LiveLink())
        if (caller, target) not in self._ways:
            before = self._where.reserve(target, f"for {caller}")
            self._ways[caller, target] = before
            await self._ask("way", caller, target, self._where.hosts[target].port, before)
        return self._ways[caller, target]

    async def settled(self) -> None:
        """Waits until the relay has passed on what came in by now, the ends of connections too."""
        if self.pid is not None:
            await self._ask("settle")

    def of(self, name: str) -> list[str]:
        """Those to whom `name` has a link that goes through the relay."""
        return sorted(other for key in self._links if name in key for other in key - {name})

    async def _link(self, a: str, b: str) -> LiveLink:
        hosts = self._where.hosts
        known = {*hosts, *self._where.callers, *itertools.chain(*self._links)}
        for name in (a, b):
            if checked_name(name, "somebody") not in known:
                raise unknown_node(name, hosts)
        if a == b:
            raise ValueError(f"{a} has no link to itself")
        for name, other in ((a, b), (b, a)):
            by_way = (a, b) in self._ways or (b, a) in self._ways
            if other in hosts and not hosts[other].speaks_http and not by_way:
                raise WrongState(
                    f"what {name} says to {other} goes straight there, so no fault works on it: "
                    f"give {name} the address world.address({other!r}, caller={name!r})"
                )
        await self._relay()
        return self._links.setdefault(frozenset((a, b)), LiveLink())

    def _record(self, kind: str, a: str, b: str, data: Any = None) -> None:
        source = self._rows.source(a, 0)
        self._rows.record(source, kind, b, data=data)
        source.ended = True
        self._rows.flush()

    async def _divert(self, a: str, b: str) -> None:
        """Has what the two say to each other go through the relay, from here on."""
        asked = []
        for name, other in ((a, b), (b, a)):
            if name in self._where.callers:
                self._where.callers[name].divert(other)
            host = self._where.hosts.get(name)
            if host is not None and host.life.channel is not None:
                future = host.life.channel.ask("divert", [other])
                if host.status == "up":
                    asked.append(future)
        if asked:
            # One that is busy, or dies now, says nothing meanwhile; it hears this first of all.
            await asyncio.wait(asked, timeout=LISTENS_S)

    # --------------------------------------------------------------------------- the relay
    async def _ask(self, verb: str, *args: Any) -> None:
        relay = await self._relay()
        await asyncio.wait_for(relay.ask(verb, *args), RELAY_S)

    async def _relay(self) -> Channel:
        """The channel to the relay, which is started unless it runs."""
        if not fdpass.POSSIBLE:
            raise NotImplementedError(
                "a live world has faults of links only where a connection can be handed from one "
                "process to another (Linux, macOS); the simulated World has them everywhere"
            )
        if self._begun is None:
            begun = self._begun = asyncio.get_running_loop().create_future()
            spec = {**self._told, "name": fdpass.NAME, "log": str(self._log)}
            try:
                await self._warden.ask("relay", RELAY, spec)
            except RuntimeError as wrong:
                self._failed(f"{wrong}")
        else:
            begun = self._begun
        return await asyncio.wait_for(asyncio.shield(begun), RELAY_S)

    @property
    def _log(self) -> Path:
        return Path(self._told["world"], "proxy.log")

    def exited(self) -> None:
        """The relay has ended: if it was never there, who waits for it hears why."""
        if self._begun is None or self._begun.done():
            self._orphaned()
        else:
            self._failed(last_lines(self._log))

    def _failed(self, why: str) -> None:
        begun, self._begun = self._begun, None
        begun.set_exception(
            RuntimeError(f"the link proxy did not start, so nothing was done: {why}")
        )

    def joined(self, relay: Channel, pid: int) -> None:
        """The relay is there."""
        if self._begun is None:  # and has ended, as was told meanwhile
            relay.transport.abort()
            return
        self.pid = pid
        relay.hears["dropped"] = self._dropped
        relay.ended = self._orphaned
        self._begun.set_result(relay)

    def _dropped(self, time_us: int, sender: str, receiver: str, message: str, why: str) -> None:
        host = self._where.hosts.get(receiver)
        source = self._rows.source(receiver, 1 if host is None else host.life.number)
        self._rows.record(source, "drop", sender, message or None, None, why, time_us)
        source.ended = True
