"""Where a node of a live world lives, and the lives it has there, as the driver knows them."""

from __future__ import annotations

import asyncio
import enum
import os
import sys
from pathlib import Path
from typing import Any

from statelab.live.driver.merge import LiveRows
from statelab.live.driver.warden import STEP_S, WardenProcess
from statelab.live.transport.control import Channel
from statelab.message import IP


class State(enum.Enum):
    """A life, from its process's start until that has ended and all that it reported is read."""

    STARTING = "starting"
    UP = "up"
    PAUSED = "paused"
    DYING = "dying"  # it is being killed
    DEAD = "dead"


class LiveLife:
    """One life of a node, which the warden knows by `key`."""

    def __init__(self, host: LiveHost, key: int, rows: LiveRows):
        loop, before = asyncio.get_running_loop(), host.life
        self.host = host
        self.key = key
        self.number = 1 if before is None else before.number + 1
        self.state = State.STARTING
        self.source = rows.source(host.name, self.number)
        self.source.disk = {} if before is None else before.source.disk
        self.up: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.pid = 0  # until it has said so
        self.killed_us: int | None = None  # when that was decided
        self.failure = ""  # why its `__init__` failed
        self.exit_code: int | None = None
        self.channel: Channel | None = None  # while that is open; an engine has none

    def begun(self) -> None:
        """It takes requests, unless it was given up meanwhile."""
        if self.state is State.STARTING:
            self.state = State.UP
        if not self.up.done():
            self.up.set_result(None)

    @property
    def is_over(self) -> bool:
        """Whether its process has ended, and all that it reported is read."""
        return self.exit_code is not None and self.channel is None


class LiveHost:
    """Where a node lives: its class and arguments as a parcel, and its latest life.

    `told` is what all processes of its world are told. `folder` is its own. No name is ever part
    of a path: a node may be called `..`, or anything.
    """

    speaks_http = True
    patience_s = STEP_S  # the longest that its start may take
    why_slow = ": does its __init__ wait?"
    outside = ""  # the address of a server that somebody else runs

    def __init__(self, name: str, port: int, folder: Path, told: dict[str, Any]):
        self.name = name
        self.port = port
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.life: LiveLife | None = None
        self.parcel: tuple[bytes, bool] | None = None
        self._told = told

    @property
    def status(self) -> str:
        """'up', 'paused' or 'dead'."""
        state = self.life.state
        return state.value if state in (State.UP, State.PAUSED) else "dead"

    async def begin(self, warden: WardenProcess, diverted: list[str]) -> None:
        """Has its process started; returns when it is up, or raises why it is not."""
        spec = {
            **self._told, "name": self.name, "life": self.life.number, "key": self.life.key,
            "port": self.port, "parcel": self.parcel, "folder": str(self.folder),
            "log": str(self.log), "cwd": _cwd(), "path": sys.path[:], "diverted": diverted,
        }  # fmt: skip
        await self._ask(warden, "node", spec)
        await self.life.up

    async def _ask(self, warden: WardenProcess, verb: str, *args: Any) -> int:
        try:
            return await warden.ask(verb, self.life.key, *args)
        except RuntimeError as wrong:
            raise RuntimeError(f"{self.name} has no process: {wrong}") from None

    def address(self, port: int) -> str:
        """The URL that it serves, if it is reached by that port."""
        return f"http://{IP}:{port}"

    def exited(self, code: int) -> bool:
        """Takes note of a process's end; returns whether that ends its life."""
        self.life.exit_code = code
        return True


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:  # removed meanwhile
        return "/"
