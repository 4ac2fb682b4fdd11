"""Links and connections of the simulated world: latency, loss, duplication, partition, hold.

Rules of this file:

1. A request or a reply always draws three numbers from its link's own stream (delay, loss,
   duplication), so that a fault on one link leaves every other as it was.
2. What blocks a link (a partition, a hold) is looked at when a message arrives.
3. Loss, duplication and reordering concern requests and replies. Connections are kept by TCP, so
   a reset is never lost, only cut off by a partition, and comes after the replies before it.
"""

from __future__ import annotations

import zlib
from collections import deque
from heapq import heappush
from typing import TYPE_CHECKING, Any

from statelab.link import Link
from statelab.message import NoReply, Refused, Request, Response, copied
from statelab.node import Call, Task, UnknownNode, WrongState, answer, said

if TYPE_CHECKING:
    from statelab.world import Caller, Host, Life, World

IP = "127.0.0.1"
FIRST_PORT, PORTS = 49152, 16384


class Connection:
    """A caller's connection to a node: one exchange at a time, the others wait in `queue`."""

    __slots__ = (
        "back", "caller", "exchange", "host", "key", "life", "once", "open", "port", "queue",
        "reply_due_us", "there",
    )  # fmt: skip

    def __init__(self, caller: Caller, host: Host, key: Any, there: Link, back: Link):
        self.caller = caller
        self.host = host
        self.key = key
        self.there = there
        self.back = back
        self.life: Life | None = None  # that took the connection, when the first request arrived
        self.port: int | None = None
        self.exchange: Exchange | None = None
        self.queue: deque[Exchange] | None = None
        self.open = True
        self.once = False  # closed after one exchange
        self.reply_due_us = 0


class Exchange:
    """One request and what becomes of it. `task` goes on when it has ended."""

    __slots__ = ("blame", "call", "connection", "done", "number", "sent", "task")

    def __init__(self, number: int, call: Call, task: Any):
        self.number = number
        self.call = call
        self.task = task
        self.connection: Connection | None = None
        self.done = False
        self.sent: int | None = None  # the row of its sending
        self.blame: int | None = None  # the latest row that tells why no answer has come


class Network:
    """Carries exchanges between the callers and the hosts of one world."""

    def __init__(self, world: World):
        self._world = world
        self._clock = world._clock
        self._heap = world._clock.heap
        self._count = world._clock.count
        self._record = world._record
        self._links: dict[tuple[str, str], Link] = {}
        self._ports: dict[tuple[int, str], Connection] = {}
        self._messages = 0

    def link(self, sender: str, receiver: str) -> Link:
        """The link from one name to another."""
        link = self._links.get((sender, receiver))
        if link is None:
            link = self._links[sender, receiver] = Link(self._world.seed, sender, receiver)
        return link

    # --------------------------------------------------------------------------- the caller's side
    def call(self, caller: Caller, task: Any, call: Call, once: bool = False) -> None:
        """Begins an exchange; `task.step` is called when it has ended. Raises UnknownNode."""
        host = self._world._hosts.get(call.to)
        if host is None:
            raise UnknownNode(self._world._unknown(call.to))
        self._messages += 1
        exchange = Exchange(self._messages, call, task)
        if call.timeout_us is not None:
            self._clock.after(call.timeout_us, self._expired, exchange)
        self._place(caller, host, exchange, once)

    def _place(self, caller: Caller, host: Host, exchange: Exchange, once: bool) -> None:
        key = host.name if exchange.call.via is None else (host.name, exchange.call.via)
        connection = caller.connections.get(key)
        if connection is None:
            there, back = self.link(caller.name, host.name), self.link(host.name, caller.name)
            connection = caller.connections[key] = Connection(caller, host, key, there, back)
            connection.once = once
        exchange.connection = connection
        if connection.port is None:
            try:
                exchange.task.cause = self._connect(connection, exchange.task.cause)
            except WrongState:
                exchange.done = True
                del caller.connections[key]
                raise
        if connection.exchange is None:
            self._launch(connection, exchange)
        elif connection.queue is None:
            connection.queue = deque((exchange,))
        else:
            connection.queue.append(exchange)

    def _launch(self, connection: Connection, exchange: Exchange) -> None:
        connection.exchange = exchange
        caller, task, call = connection.caller, exchange.task, exchange.call
        task.cause = exchange.sent = exchange.blame = self._record(
            "send", caller.name, caller.number, call.to, exchange.number, task.cause,
            (call.method, call.path, call.body, call.headers),
        )  # fmt: skip
        self._transmit(connection.there, self._request_arrives, exchange, exchange)

    def _connect(self, connection: Connection, cause: int | None) -> int:
        caller, server = connection.caller, connection.host.name
        port = caller.port
        if port is None:
            while port is None or (port, server) in self._ports:
                # Ports go by the caller's name, so that a new connection of one caller does not
                # move the ports of all others.
                place = zlib.crc32(caller.name.encode()) + caller.opened
                port = FIRST_PORT + place % PORTS
                caller.opened += 1
        elif (port, server) in self._ports:
            owner = self._ports[port, server].caller.name
            raise WrongState(f"port {port} is in use by {owner}'s connection to {server}")
        connection.port = port
        self._ports[port, server] = connection
        return self._record("connect", caller.name, caller.number, server, None, cause, port)

    def check_port(self, port: int) -> None:
        """Raises WrongState if a connection uses the port, ValueError if there is no such port."""
        if type(port) is not int or not 1 <= port <= 65535:
            raise ValueError(f"port {port!r} is not an int from 1 to 65535")
        for (used, server), connection in self._ports.items():
            if used == port:
                owner = connection.caller.name
                raise WrongState(f"port {port} is in use by {owner}'s connection to {server}")

    def waiting(self) -> str:
        """Who waits for what."""
        return "; ".join(
            f"{c.caller.name} for {c.exchange.call.method} {c.exchange.call.path} of {c.host.name}"
            for c in self._ports.values()
            if c.exchange is not None
        )

    def close(self, connection: Connection, why: str, cause: int | None) -> None:
        """Closes a connection at its caller's side; exchanges not sent yet get another one."""
        self.forget(connection)
        caller = connection.caller
        caller.connections.pop(connection.key, None)
        host = connection.host
        self._record("close", caller.name, caller.number, host.name, None, cause, why)
        for exchange in connection.queue or ():
            self._place(caller, host, exchange, connection.once)

    def forget(self, connection: Connection) -> None:
        """Frees the connection's port and the server's memory of it."""
        connection.open = False
        self._ports.pop((connection.port, connection.host.name), None)
        if connection.life is not None:
            connection.life.incoming.pop(connection, None)

    def _end(self, exchange: Exchange, error: Exception, cause: int | None, why: str) -> None:
        """Lets the caller know that there is no answer."""
        exchange.done = True
        connection = exchange.connection
        caller, task = connection.caller, exchange.task
        kind = "noreply" if type(error) is NoReply else "refused"
        task.cause = self._record(
            kind, caller.name, caller.number, connection.host.name, exchange.number, cause, why
        )
        if connection.exchange is exchange:
            connection.exchange = None
            self.close(connection, why, task.cause)
        self._world._stepped = caller
        task.step(None, error)

    def _expired(self, exchange: Exchange) -> None:
        """The caller's time-out."""
        connection = exchange.connection
        caller = connection.caller
        if exchange.done or caller.shut:
            return
        if caller.stalled is not None:
            caller.stalled.append((self._expired, exchange))
            return
        call = exchange.call
        after = f"{call.method} {call.path} to {call.to} after {call.timeout_us / 1e6:g} s"
        if connection.exchange is exchange:
            error = NoReply(f"no answer to {after}: it may or may not have happened")
            self._end(exchange, error, exchange.blame, "timed out")
        else:
            connection.queue.remove(exchange)
            error = Refused(f"still waiting for the connection: {after}; it was never sent")
            self._end(exchange, error, exchange.task.cause, "timed out before it was sent")

    # --------------------------------------------------------------------------- on the way
    def _transmit(self, link: Link, arrive: Any, what: Any, exchange: Exchange) -> int:
        """Sends a request or a reply on its way; returns when it will arrive, 0 if it is lost."""
        draw = link.random
        delay, loss, twice = draw(), draw(), draw()
        if link.lose or loss < link.loss:
            cause = link.lose.pop(0) if link.lose else exchange.blame
            self._drop(link, exchange, cause, "lost on the way")
            return 0
        now_us = self._clock.now_us + link.low_us
        due_us = now_us + int(delay * link.span_us)
        heappush(self._heap, (due_us, next(self._count), arrive, what))
        if twice < link.duplicate:
            late_us = now_us + int(twice / link.duplicate * link.span_us)
            heappush(self._heap, (late_us, next(self._count), arrive, what))
        return due_us

    def _drop(self, link: Link, exchange: Exchange, cause: int | None, why: str) -> None:
        connection = exchange.connection
        caller, server = connection.caller, connection.host.name
        ends = (server, caller.name) if link is connection.there else (caller.name, server)
        life = caller.number if link is connection.back else connection.host.lives
        seq = self._record("drop", ends[0], life, ends[1], exchange.number, cause, why)
        if not exchange.done:
            exchange.blame = seq

    def _stopped(self, link: Link, arrive: Any, what: Any, exchange: Exchange | None) -> bool:
        """Whether a hold or a partition keeps from arriving what would arrive now."""
        if link.held is not None:
            link.held.append((arrive, what))
            return True
        if link.cut is not None:
            if exchange is not None:
                self._drop(link, exchange, link.cut, "cut off by the partition")
            return True
        return False

    # --------------------------------------------------------------------------- the server's side
    def _request_arrives(self, exchange: Exchange) -> None:
        connection = exchange.connection
        if connection.there.blocked and self._stopped(
            connection.there, self._request_arrives, exchange, exchange
        ):
            return
        life = connection.host.life
        if life is None or connection.life is not life:
            if life is None or connection.life is not None:
                # Nobody listens here, or somebody who never saw this connection: TCP says so.
                died = connection.host.died
                self._drop(connection.there, exchange, died, "nobody is there to take it")
                self.reset(connection, died)
                return
            if connection.open:
                connection.life = life
                life.incoming[connection] = None
        if life.stalled is not None:
            if not exchange.done:
                exchange.blame = life.stopped
            life.stalled.append((self._receive, exchange))
            return
        self._receive(exchange)

    def _receive(self, exchange: Exchange) -> None:
        connection, call = exchange.connection, exchange.call
        life = connection.host.life
        seq = self._record(
            "receive", life.name, life.number, connection.caller.name, exchange.number,
            exchange.sent, connection.port,
        )  # fmt: skip
        if not exchange.done:
            exchange.blame = seq
        headers = dict(call.headers) if call.headers else {}
        peer = (IP, connection.port)
        request = Request(call.method, call.path, headers, copied(call.body), peer)
        task = Task(life, life.node.handle(request), self._reply, seq, exchange)
        life.tasks[task] = None
        self._world._stepped = life
        task.step()

    def _reply(self, task: Task, value: Any, error: BaseException | None) -> None:
        life, exchange = task.door, task.tag
        del life.tasks[task]
        connection = exchange.connection
        name, caller, number = life.name, connection.caller.name, exchange.number
        response = answer(value, error)
        if error is not None:
            task.cause = self._record(
                "error", name, life.number, caller, number, task.cause, said(error)
            )
        data = (response.status, response.body, response.headers)
        seq = self._record("reply", name, life.number, caller, number, task.cause, data)
        if not exchange.done:
            exchange.blame = seq
        arrival = (exchange, seq, data)
        connection.reply_due_us = self._transmit(
            connection.back, self._reply_arrives, arrival, exchange
        )

    def _reply_arrives(self, arrival: tuple[Exchange, int, tuple]) -> None:
        exchange, cause, data = arrival
        connection = exchange.connection
        back, caller = connection.back, connection.caller
        if back.blocked and self._stopped(back, self._reply_arrives, arrival, exchange):
            return
        if caller.stalled is not None:
            caller.stalled.append((self._reply_arrives, arrival))
            return
        if exchange.done or caller.shut:
            self._drop(back, exchange, cause, "the caller is dead" if caller.shut else "too late")
            return
        exchange.done = True
        connection.exchange = None
        task, host = exchange.task, connection.host
        task.cause = self._record(
            "answer", caller.name, caller.number, host.name, exchange.number, cause, data
        )
        if connection.once:
            self.close(connection, "one call", task.cause)
        elif connection.queue:
            self._launch(connection, connection.queue.popleft())
        status, body, headers = data
        self._world._stepped = caller
        task.step(Response(status, copied(body), dict(headers) if headers else {}))

    def reset(self, connection: Connection, cause: int | None) -> None:
        """Tells the caller that the connection is gone."""
        due_us = self._clock.now_us + connection.back.low_us
        due_us = max(due_us, connection.reply_due_us + 1)
        self._clock.at(due_us, self._reset_arrives, (connection, cause))

    def _reset_arrives(self, arrival: tuple[Connection, int | None]) -> None:
        connection, cause = arrival
        back, caller = connection.back, connection.caller
        if back.blocked and self._stopped(back, self._reset_arrives, arrival, None):
            return
        if not connection.open or caller.shut:
            return
        if caller.stalled is not None:
            caller.stalled.append((self._reset_arrives, arrival))
            return
        exchange = connection.exchange
        if exchange is None:
            self.close(connection, "reset", cause)
            return
        call = exchange.call
        what = f"{call.method} {call.path} to {call.to}"
        if connection.life is None:
            error = Refused(f"nobody took {what}: {call.to} is dead, so it did not happen")
            self._end(exchange, error, cause, "connection refused")
        else:
            error = NoReply(f"{call.to} died during {what}: it may or may not have happened")
            self._end(exchange, error, cause, "connection reset")
