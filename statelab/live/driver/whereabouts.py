"""Who is where in a live world: its nodes and clients by name, and their ports."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import NoReturn

from statelab.checked import checked_name
from statelab.effects import UnknownNode, unknown_node
from statelab.live.driver.host import LiveHost
from statelab.live.transport import ports
from statelab.live.transport.http_client import Caller


class _Book(dict[str, int]):
    """The port of each node that serves HTTP; `[name]` raises UnknownNode."""

    def __init__(self, where: Whereabouts):
        self._where = where

    def __missing__(self, name: str) -> NoReturn:
        self._where.unknown(name)


class Whereabouts:
    """`hosts` are the nodes and engines, `callers` the clients, and `book` is who serves HTTP."""

    def __init__(self):
        self.hosts: dict[str, LiveHost] = {}
        self.callers: dict[str, Caller] = {}
        self.book = _Book(self)
        self.file: Path | None = None  # by it the nodes' processes know the book
        self._ports: dict[tuple[str, str], int] = {}  # by name and purpose

    def add(self, host: LiveHost) -> None:
        """Somebody has come."""
        self.hosts[host.name] = host
        if host.speaks_http:
            self.book[host.name] = host.port
            self._write()

    def add_caller(self, caller: Caller) -> None:
        """A client has come; if the disk is full, no node can say that it is one."""
        self.callers[caller.name] = caller
        with contextlib.suppress(OSError):
            self._write()

    def remove(self, host: LiveHost) -> None:
        """Somebody who could not begin is not there, and has no port."""
        del self.hosts[host.name], self._ports[host.name, ""]
        if host.speaks_http:
            del self.book[host.name]
            with contextlib.suppress(OSError):  # nobody listens at its port; the next start tells
                self._write()

    def _write(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([self.book, list(self.callers)]))
        os.replace(new, self.file)

    def host(self, name: str) -> LiveHost:
        """The node or engine of that name; raises UnknownNode."""
        return self.hosts.get(checked_name(name, "somebody")) or self.unknown(name)

    def unknown(self, name: str) -> NoReturn:
        """Raises UnknownNode: nobody of that name takes requests."""
        if name in self.hosts:
            raise UnknownNode(
                f"{name} takes no HTTP; nothing was sent: give its address, "
                f"world.address({name!r}), to its client"
            )
        raise unknown_node(checked_name(name, "somebody"), self.hosts, self.callers)

    def reserve(self, name: str, purpose: str = "") -> int:
        """A port for that name, chosen when first asked for."""
        if (name, purpose) not in self._ports:
            self._ports[name, purpose] = ports.choose(set(self._ports.values()))
        return self._ports[name, purpose]
