"""A real server of a live world as the driver knows it: the face of a node, and other insides."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from statelab.engines import outside
from statelab.engines.engine import Command, Engine, Place
from statelab.live.driver.host import LiveHost
from statelab.live.driver.merge import LiveRows
from statelab.live.driver.warden import WardenProcess, last_lines
from statelab.message import IP

POLL_S = 0.02  # seldom enough that asking does not slow it down


class LiveEngine(LiveHost):
    """One engine. It reports nothing, so its rows are the driver's, and its memory is its own.

    `place` is where it lives, and `namespace` its own in a server that somebody else runs.
    `follow()` opens the ways to the engines whose ports the place was asked for.
    """

    speaks_http = False
    patience_s = 30.0  # a Java runtime on a busy machine takes its time

    def __init__(
        self, name: str, port: int, folder: Path, told: dict[str, Any], engine: Engine,
        rows: LiveRows, place: Place, namespace: str, follow: Callable[[], Awaitable[None]],
    ):  # fmt: skip
        super().__init__(name, port, folder, told)
        self.engine = engine
        self.outside = engine.outside()
        if self.outside:
            named = re.search(r":(\d+)(?=[/,?#]|$)", self.outside)
            self.port = int(named[1]) if named else engine.usual_port
        self._rows = rows
        self._place = place
        self._namespace = namespace
        self._follow = follow
        self._step: asyncio.Future[int] | None = None  # the exit code of what runs before it

    async def begin(self, warden: WardenProcess, diverted: list[str]) -> None:
        """Has its server started; returns when it is up, or raises why it is not."""
        life = self.life
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.outside:
            what = type(self.engine), self.outside, self._namespace
            await self._ask(warden, "after", *outside.command("remove", *what))
            await self._finish(warden, outside.command("make", *what))
            life.pid = 0  # of this world's it has none
            self._begun()
            return
        if life.number == 1:
            commands = self.engine.prepare(self._place)
            await self._follow()
            for command in commands:
                await self._finish(warden, command)
        await self._ask(warden, "hold", self.port, True)
        await self._spawn(warden, self.engine.command(self._place))
        while not life.up.done():
            if not await self.engine.is_up(self._place, life.number):
                await asyncio.sleep(POLL_S)
            elif not life.up.done():
                warden.tell("hold", life.key, self.port, False)
                self._begun()
        await life.up

    def _begun(self) -> None:
        self._rows.record(self.life.source, "start", data=type(self.engine).__name__)
        self._rows.flush()
        self.life.begun()

    async def _spawn(self, warden: WardenProcess, command: Command) -> None:
        options = {"cwd": str(self.folder), **command.options}
        argv, log = command.argv, str(self.log)
        self.life.pid = await self._ask(warden, "program", argv, log, options)

    async def _finish(self, warden: WardenProcess, command: Command) -> None:
        """Runs a command to its end; raises RuntimeError if it fails."""
        self._step = asyncio.get_running_loop().create_future()
        await self._spawn(warden, command)
        code, self._step = await self._step, None
        if code:
            raise RuntimeError(f"{self.name} did not start: {last_lines(self.log)}")

    def exited(self, code: int) -> bool:
        """Takes note of a process's end; returns whether that ends its life."""
        if self._step is None:
            return super().exited(code)
        if not self._step.done():
            self._step.set_result(code)
        return False

    @property
    def why_slow(self) -> str:
        """What it said when it took too long."""
        return f": {last_lines(self.log)}"

    def address(self, port: int) -> str:
        """What its client library connects to, if it is reached by that port."""
        if self.outside:
            return self.engine.within(self.outside, self._namespace)
        return self.engine.address(IP, port, self._place.password)
