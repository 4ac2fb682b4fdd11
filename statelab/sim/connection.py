"""Connections of the simulated world: who is at either end, and the ports they come from."""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

from statelab.effects import Call, WrongState, unknown_node
from statelab.message import IP, shown
from statelab.node import Node
from statelab.sim.link import Link

FIRST_PORT, PORTS = 49152, 16384  # RFC 6335, section 6: the dynamic ports


class Endpoint:
    """Where connections begin: a life of a node, or a client."""

    __slots__ = (
        "connections", "fresh", "name", "number", "opened", "port", "seen", "shut", "stalled",
        "unclear",
    )  # fmt: skip

    def __init__(self, name: str, number: int, opened: int):
        self.name = name
        self.number = number
        self.port: int | None = None  # the one that its next connections take; None for any
        self.opened = opened  # its next connection's place among the ports
        self.fresh = False  # whether each call has a connection of its own
        self.connections: dict[Any, Connection] = {}
        self.shut: list[bool] = []  # empty while it lives
        self.stalled: list[tuple[Callable, Any]] | None = None  # while paused: what waits
        self.seen: dict[str, Any] = {}  # its memory when last observed, in canonical form
        self.unclear = False  # whether it was said that its memory has no canonical form

    @property
    def memory(self) -> dict[str, Any]:
        """What a kill erases."""
        raise NotImplementedError


class Host:
    """Where a node lives: its name, its class and arguments, its disk, and its current life.

    `keeps` is whether the code of the class may keep what it does not await.
    """

    __slots__ = ("args", "died", "disk", "factory", "keeps", "life", "lives", "name")

    def __init__(self, name: str, factory: type[Node], args: tuple, keeps: bool):
        self.name = name
        self.factory = factory
        self.keeps = keeps
        try:
            self.args = pickle.dumps(args)
        except Exception as wrong:  # an argument may say itself how it is pickled
            raise TypeError(
                f"the arguments of {name} cannot be given anew at each restart: {wrong}"
            ) from None
        self.disk: dict[str, Any] = {}
        self.lives = 0
        self.life: Any = None  # a Life (life.py)
        self.died: int | None = None  # the row of the last death

    @property
    def status(self) -> str:
        """'up', 'paused' or 'dead'."""
        if self.life is None:
            return "dead"
        return "up" if self.life.stalled is None else "paused"


class Hosts(dict[str, Host]):
    """The hosts by name; who asks for another name is told which there are."""

    def __init__(self, clients: dict[str, Endpoint]):
        super().__init__()
        self._clients = clients

    def __missing__(self, name: Any) -> Host:
        raise unknown_node(name, self, self._clients)


class Connection:
    """A caller's connection to a node: one call at a time, the others wait in `queue`."""

    __slots__ = (
        "back", "call", "caller", "host", "key", "life", "open", "peer", "queue", "reply_due_us",
        "there",
    )  # fmt: skip

    def __init__(self, caller: Endpoint, host: Host, key: Any, port: int, there: Link, back: Link):
        self.caller = caller
        self.host = host
        self.key = key
        self.peer = (IP, port)
        self.there = there
        self.back = back
        self.life: Any = None  # that took the connection, when the first request arrived
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

    def waiting(self) -> str:
        """Who waits for what."""
        return "; ".join(
            f"{c.caller.name} for {c.call.method} {c.call.path} of {c.host.name}"
            for c in self._held.values()
            if c.call is not None
        )

    def choose(self, caller: Endpoint, server: str) -> int:
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
