"""A real server of a live world as the driver knows it: the face of a node, and other insides."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

from statelab.engines import outside
from statelab.engines.engine import Command, Engine, Place
from statelab.live.driver.incarnation import LiveNode
from statelab.message import IP

if TYPE_CHECKING:
    from statelab.live.driver.loop import Hub
    from statelab.live.driver.processes import Lives

POLL_S = 0.02  # seldom enough that asking does not slow it down


class LiveEngine(LiveNode):
    """One engine. It reports nothing, so its rows are the driver's, and its memory is its own."""

    speaks_http = False
    patience_s = 30.0  # a Java runtime on a busy machine takes its time

    def __init__(self, name: str, engine: Engine, port: int, folder: Path, lives: Lives):
        super().__init__(name, b"", port, folder)
        self.engine = engine
        self.outside = engine.outside()
        if self.outside:
            named = re.search(r":(\d+)(?=[/,?#]|$)", self.outside)
            self.port = int(named[1]) if named else engine.usual_port
        self._namespace = lives.namespace(type(engine), engine.shares(name))
        self._followed: set[str] = set()
        self._lives = lives
        self._place = Place(name, self.folder, port, lives.password, self._port_of, lives.reserve)
        self._step: asyncio.Future[int] | None = None  # the exit code of what runs before it

    async def begin(self, hub: Hub, lives: Lives) -> None:
        """Has its server started; returns when it is up, or raises why it is not."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.outside:
            what = type(self.engine), self.outside, self._namespace
            hub.tell_warden("after", self.key, *outside.command("remove", *what))
            await self._finish(hub, outside.command("make", *what))
            self.pid = 0  # of this world's it has none
            self._is_up(hub)
            return
        if self.life == 1:
            commands = self.engine.prepare(self._place)
            for other in sorted(self._followed):
                await hub.links.way(self.name, other, lives.node(other).port)
            for command in commands:
                await self._finish(hub, command)
        hub.tell_warden("hold", self.key, self.port, True)
        self._spawn(hub, self.engine.command(self._place))
        while not self.up.done():
            if not await self.engine.is_up(self._place, self.life):
                await asyncio.sleep(POLL_S)
            elif not self.up.done():
                hub.tell_warden("hold", self.key, self.port, False)
                self._is_up(hub)
        await self.up

    def _port_of(self, other: str) -> int:
        """Another engine's port as seen from here: the link proxy's, so that faults work on it.

        An engine writes down what it is told, so it cannot be diverted later.
        """
        self._lives.node(other)
        self._followed.add(other)
        return self._lives.reserve(other, f"for {self.name}")

    def _is_up(self, hub: Hub) -> None:
        hub.record(self.source, "start", data=type(self.engine).__name__)
        hub.flush()
        self.status = "up"
        self.up.set_result(None)

    def _spawn(self, hub: Hub, command: Command) -> None:
        options = {"cwd": str(self.folder), **command.options}
        hub.tell_warden("program", self.key, command.argv, str(self.log), options)

    async def _finish(self, hub: Hub, command: Command) -> None:
        """Runs a command to its end; raises RuntimeError if it fails."""
        self._step = hub.loop.create_future()
        self._spawn(hub, command)
        await asyncio.wait({self._step, self.up}, return_when=asyncio.FIRST_COMPLETED)
        step, self._step = self._step, None
        if self.up.done():
            await self.up  # there is no such program: raises
        if step.result():
            raise RuntimeError(f"{self.name} did not start: {self.last_lines()}")

    def exited(self, code: int) -> bool:
        """Takes note of a process's end; returns whether that ends its life."""
        if self._step is None:
            return super().exited(code)
        self._step.set_result(code)
        return False

    @property
    def why_slow(self) -> str:
        """What it said when it took too long."""
        return f": {self.last_lines()}"

    def address(self, port: int) -> str:
        """What its client library connects to, if it is reached by that port."""
        if self.outside:
            return self.engine.within(self.outside, self._namespace)
        return self.engine.address(IP, port, self._place.password)
