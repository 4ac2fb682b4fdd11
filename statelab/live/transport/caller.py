"""Who calls: a node of a live world, or one of its clients.

One connection for each (server, via), one request at a time on it; a connection that is seen
closed before a request is sent on it is opened anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from statelab.effects import Call, WrongState
from statelab.live.transport.connection import HttpConnection
from statelab.message import NoReply, Refused, Response


class Sending:
    """One request and what becomes of it; `task` goes on when it has ended."""

    __slots__ = ("call", "connection", "done", "message", "once", "task", "timer")

    def __init__(self, call: Call, task: Any, message: str, once: bool):
        self.call = call
        self.task = task
        self.message = message
        self.once = once
        self.done = False
        self.connection: HttpConnection | None = None
        self.timer: asyncio.TimerHandle | None = None


class Caller:
    """Who calls: a node or a client.

    `port_of(name)` raises UnknownNode; `record(kind, other, message, cause, data)` returns what a
    later row can give as its cause; `go_on(task, value, error)` steps a task.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        loop: asyncio.AbstractEventLoop,
        port_of: Callable[[str], int],
        record: Callable[..., int],
        go_on: Callable[..., None],
    ):
        self.name = name
        self.loop = loop
        self.port_of = port_of
        self.record = record
        self.go_on = go_on
        self.port: int | None = None  # that its connections come from; None for any
        self.secret = ""  # of its world: by it a node knows whom a request comes from
        self.handover = ""  # where the link proxy takes connections
        self.diverted: set[str] = set()  # whom it calls through the link proxy
        self.connections: dict[Any, HttpConnection] = {}
        self._prefix = prefix
        self._messages = 0

    def call(self, task: Any, call: Call, once: bool = False) -> None:
        """Begins an exchange. Raises UnknownNode."""
        self.port_of(call.to)
        self._messages += 1
        exchange = Sending(call, task, f"{self._prefix}{self._messages}", once)
        if call.timeout_us is not None:
            exchange.timer = self.loop.call_later(call.timeout_us / 1e6, self._expired, exchange)
        # Later, so that the step which called has ended and is reported first.
        self.loop.call_soon(self._place, exchange)

    def _place(self, exchange: Sending) -> None:
        call = exchange.call
        key = (call.to, exchange.message) if exchange.once else (call.to, call.via)
        connection = self.connections.get(key)
        if connection is None:
            connection = self.connections[key] = HttpConnection(self, call.to, key)
        exchange.connection = connection
        connection.add(exchange)

    def place_again(self, exchanges: deque[Sending]) -> None:
        """Finds another connection for what waited for one that is gone."""
        for exchange in exchanges:
            self._place(exchange)

    def ports(self) -> dict[str, int]:
        """The port of each open connection, by the server's name."""
        return {c.to: c.port for c in list(self.connections.values()) if c.is_open()}

    def divert(self, name: str) -> None:
        """Has all that goes to `name` from here on go through the link proxy."""
        self.diverted.add(name)
        for connection in self.connections.values():
            if connection.to == name:
                connection.divert()

    def close_all(self) -> None:
        """Closes its connections; raises WrongState if it waits for an answer on one."""
        for connection in self.connections.values():
            if connection.exchange is not None or connection.queue:
                raise WrongState(
                    f"{self.name} waits for an answer of {connection.to}: close its connections "
                    "when that has come"
                )
        for connection in list(self.connections.values()):
            connection.close("closed by the client", None)

    def give_up(self, why: str) -> None:
        """Ends what is under way: nobody will answer any more."""
        for connection in list(self.connections.values()):
            waiting, connection.queue = connection.queue, deque()
            for exchange in waiting:
                self.end(exchange, Refused(f"never sent: {why}"), why)
            if connection.exchange is not None:
                self.end(connection.exchange, NoReply(f"nobody knows: {why}"), why)
            if connection.is_open():
                connection.close(why, None)

    def _expired(self, exchange: Sending) -> None:
        call = exchange.call
        after = f"{call.method} {call.path} to {call.to} after {call.timeout_us / 1e6:g} s"
        connection = exchange.connection
        if connection is not None and connection.exchange is exchange:
            error = NoReply(f"no answer to {after}: it may or may not have happened")
            self.end(exchange, error, "timed out")
            return
        error = Refused(f"still waiting for the connection: {after}; it was never sent")
        self.end(exchange, error, "timed out before it was sent")

    def end(self, exchange: Sending, outcome: Response | Exception, why: str = "") -> None:
        """Lets the caller know what became of its request."""
        if exchange.done:
            return
        exchange.done = True
        if exchange.timer is not None:
            exchange.timer.cancel()
        call, task, connection = exchange.call, exchange.task, exchange.connection
        if isinstance(outcome, Response):
            data = (outcome.status, outcome.frozen_body(), dict(outcome.headers))
            task.cause = self.record("answer", call.to, exchange.message, task.cause, data)
            connection.exchange = None
            if exchange.once:
                connection.close("one call", task.cause)
            self.go_on(task, outcome, None)
            return
        kind = "noreply" if type(outcome) is NoReply else "refused"
        task.cause = self.record(kind, call.to, exchange.message, task.cause, why)
        if connection is not None:
            if connection.exchange is exchange:
                connection.exchange = None
                connection.close(why, task.cause)
            else:
                connection.forget(exchange)
        self.go_on(task, None, outcome)
