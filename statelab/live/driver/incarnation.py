"""A node of a live world as the driver knows it, through all its lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statelab.live.driver.loop import STEP_S, Hub
from statelab.live.driver.merge import Source
from statelab.message import IP

if TYPE_CHECKING:
    from statelab.live.driver.desk import Desk
    from statelab.live.driver.processes import Lives


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:  # removed meanwhile
        return "/"


class LiveNode:
    """One node: where it is, and what is known of its current life.

    `folder` is its own. No name is ever part of a path: a node may be called `..`, or anything.
    """

    speaks_http = True
    patience_s = STEP_S  # the longest that its start may take
    why_slow = ": does its __init__ wait?"
    desk: Desk | None = None  # what it is told things by; an engine has none
    outside = ""  # the address of a server that somebody else runs

    def __init__(self, name: str, parcel: bytes, port: int, folder: Path):
        self.name = name
        self.parcel = parcel
        self.port = port
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.status = "dead"
        self.starting = False  # dead, but not for long
        self.life = 0
        self.memory: dict[str, Any] = {}
        self.disk: dict[str, Any] = {}

    def reborn(self, hub: Hub, key: int) -> None:
        """Begins the next life, which the warden knows by `key`: nothing is known of it yet."""
        self.life += 1
        self.key = key
        self.source: Source = hub.journal.source(self.name, self.life)
        self.up: asyncio.Future[None] = hub.loop.create_future()
        self.gone: asyncio.Future[None] = hub.loop.create_future()
        self.starting = True
        self.pid = 0
        self.memory = {}
        self.killed_us: int | None = None
        self.crashed = False  # its own report said so
        self.failure = ""  # why its `__init__` failed
        self.exit_code: int | None = None
        self.desk: Desk | None = None  # while its channel is open

    async def begin(self, hub: Hub, lives: Lives) -> None:
        """Has its process started; returns when it is up, or raises why it is not."""
        spec = {
            "name": self.name, "life": self.life, "key": self.key, "port": self.port,
            "seed": str(lives.seed), "origin_ns": hub.origin_ns, "parcel": self.parcel,
            "folder": str(self.folder), "log": str(self.log), "book": str(hub.book),
            "desk": hub.port, "token": hub.token, "secret": hub.secret, "cwd": _cwd(),
            "path": sys.path[:],
            "handover": hub.links.handover, "diverted": hub.links.of(self.name),
        }  # fmt: skip
        hub.tell_warden("node", self.key, spec)
        await self.up

    def address(self, port: int) -> str:
        """The URL that it serves, if it is reached by that port."""
        return f"http://{IP}:{port}"

    def exited(self, code: int) -> bool:
        """Takes note of its process's end; returns whether that ends its life."""
        self.exit_code = code
        return True

    def last_lines(self) -> str:
        """The end of what its process has printed."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        return ""
