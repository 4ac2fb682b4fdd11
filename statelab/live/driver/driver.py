"""The driver: what of a live world is in the notebook's kernel, put together.

It knows nothing of the `LiveWorld` above it, so that a world which nobody holds any more can go,
and its processes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from statelab.live.driver.links import RELAY, Links
from statelab.live.driver.loop import Loop
from statelab.live.driver.merge import LiveRows
from statelab.live.driver.processes import Processes
from statelab.live.driver.warden import WardenProcess, last_lines
from statelab.live.driver.whereabouts import Whereabouts
from statelab.live.transport import fdpass
from statelab.live.transport.control import Desk
from statelab.live.transport.unanswered import CLOSED
from statelab.live.warden.folder import remove


class Driver:
    """The parts of a live world's driver, and what begins and ends with its loop."""

    def __init__(self, seed: int):
        self.folder: Path  # made in `_life`, as all that must go again
        self.told: dict[str, Any] = {  # what every process of this world is told
            "seed": str(seed),
            "secret": secrets.token_hex(16),  # in each request of this world's: see http.py
        }
        self.where = Whereabouts()
        self.rows = LiveRows()
        self.desk = Desk()
        self.warden = WardenProcess(self.desk, self._exited, self._orphaned)
        self.links = Links(self.told, self.where, self.warden, self.rows, self._relay_gone)
        self.nodes = Processes(self.told, self.where, self.warden, self.rows, self.links)
        self.desk.joined = {
            "warden": self.warden.joined, "relay": self.links.joined, "node": self.nodes.joined,
        }  # fmt: skip
        self.loop = Loop(self._life)

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        name = f"statelab-live-{secrets.token_hex(4)}"  # short: see fdpass.py
        self.folder = Path(tempfile.gettempdir()).absolute() / name
        try:
            await self.desk.open()
            self.where.file = self.folder / "ports.json"
            self.told |= {
                "world": str(self.folder), "book": str(self.where.file),
                "relay": str(self.folder / fdpass.NAME), "desk": self.desk.port,
                "token": self.desk.token, "origin_ns": self.rows.origin_ns,
            }  # fmt: skip
            self.warden.begin(self.folder)
            yield
        finally:
            await self._let_go()
            if not self.warden.end():  # it sees its channel end, and does the rest
                self.nodes.kill_all()
            remove(self.folder)
            self.rows.grown.clear()

    async def _let_go(self) -> None:
        self.desk.shut()
        for _ in range(4):
            await asyncio.sleep(0)  # who has come has a channel then
        self.nodes.end()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for caller in self.where.callers.values():
            caller.close_all(CLOSED)
        await self.desk.close()
        self.rows.flush(last=True)

    def _exited(self, key: int, code: int) -> None:
        if key == RELAY:
            self.links.exited()
        else:
            self.nodes.exited(key, code)

    def _relay_gone(self) -> None:
        self._orphaned("proxy", last_lines(self.folder / "proxy.log"))

    def _orphaned(self, who: str, words: str) -> None:
        """The warden, or the relay, is gone, which nobody asked it: so the world ends."""
        if self.loop.closed:
            return
        self.loop.why_closed = f", for its {who} is gone" + (f" ({words[-500:]})" if words else "")
        self.nodes.orphaned()
        self.loop.stop()
