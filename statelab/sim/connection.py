"""Connections of the simulated world, and the ports they come from."""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING, Any

from statelab.effects import Call, WrongState
from statelab.message import IP, shown
from statelab.sim.link import Link

if TYPE_CHECKING:
    from statelab.sim.life import ClientEnd, Host, Life

FIRST_PORT, PORTS = 49152, 16384  # RFC 6335, section 6: the dynamic ports


class Connection:
    """A caller's connection to a node: one call at a time, the others wait in `queue`."""

    __slots__ = (
        "back", "call", "caller", "host", "key", "life", "open", "peer", "queue", "reply_due_us",
        "there",
    )  # fmt: skip

    def __init__(self, caller: Life | ClientEnd, host: Host, key: Any, port: int, links: tuple):
        self.caller = caller
        self.host = host
        self.key = key
        self.peer = (IP, port)
        self.there: Link
        self.back: Link
        self.there, self.back = links
        self.life: Life | None = None  # that took the connection, when the first request arrived
        self.call: Call | None = None  # the one under way
        self.queue: deque[Call] = deque()
        self.open = True
        self.reply_due_us = 0

    def next(self) -> Call | None:
        """Takes the call that has waited longest out of the queue; one that has failed is gone."""
        queue = self.queue
        while queue:
            call = queue.popleft()
            if not call.done:
                return call
        return None


class Ports:
    """Which connection holds which port; a port may hold one connection to each server."""

    def __init__(self):
        self._held: dict[tuple[int, str], Connection] = {}

    def __iter__(self):
        return iter(self._held.values())

    def choose(self, caller: Life | ClientEnd, server: str) -> int:
        """The port of `caller`'s next connection. Raises WrongState if the one it wants is held."""
        if caller.port is not None:
            if (caller.port, server) in self._held:
                raise WrongState(self._use_of(caller.port, server))
            return caller.port
        # Ports go by the caller's name, so that a connection more of one caller does not move the
        # ports of all others.
        first = zlib.crc32(caller.name.encode(errors="surrogatepass"))
        while True:
            port = FIRST_PORT + (first + caller.opened) % PORTS
            caller.opened += 1
            if (port, server) not in self._held:
                return port

    def hold(self, connection: Connection) -> None:
        """Keeps the port of `connection` until it is freed."""
        self._held[connection.peer[1], connection.host.name] = connection

    def free(self, connection: Connection) -> None:
        """Lets the port of `connection` be taken again."""
        self._held.pop((connection.peer[1], connection.host.name), None)

    def check(self, port: int) -> None:
        """Raises WrongState if a connection holds the port, ValueError if there is no such port."""
        if type(port) is not int or not 1 <= port <= 65535:
            raise ValueError(f"port {shown(port)} is not an int from 1 to 65535")
        for held, server in self._held:
            if held == port:
                raise WrongState(self._use_of(port, server))

    def _use_of(self, port: int, server: str) -> str:
        owner = self._held[port, server].caller.name
        return f"port {port} is in use by {owner}'s connection to {server}: close that first"
