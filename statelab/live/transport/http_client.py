"""Who calls over HTTP/1.1, by h11: a node of a live world, or one of its clients.

Rules of this file:

1. One connection for each (server, via), and one request at a time on it, in their order.
2. What was never sent is `Refused`; what was sent and has no answer is `NoReply`.
3. A row is recorded before the bytes it tells of leave, so no row can come before its cause.
4. The socket is the caller's own until its link has a fault; then the relay gets it, and what
   is said goes through the relay, in the middle of a request too. The server sees no difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h11

from statelab.effects import Call, WrongState
from statelab.live.transport import http
from statelab.live.transport.fdpass import NOBODY, RESET, Handed, hand_over
from statelab.live.transport.unanswered import FAILURES, TIMED_OUT, unanswered
from statelab.message import IP, NoReply, Response, copied


@dataclass(eq=False)
class Caller:
    """Who calls: a node or a client.

    `prefix` begins the numbers of its messages. `port_of(name)` raises UnknownNode; `record(kind,
    other, message, cause, data)` returns what a later row can give as its cause; `go_on(task,
    value, error)` steps a task. By the world's `secret` a node knows whom a request comes from;
    what goes to those in `diverted` goes through the relay, which takes connections at `relay`.
    """

    name: str
    prefix: str
    loop: asyncio.AbstractEventLoop
    port_of: Callable[[str], int]
    record: Callable[..., int]
    go_on: Callable[..., None]
    secret: str
    relay: str
    diverted: set[str]
    port: int | None = None  # that its connections come from; None for any
    connections: dict[Any, HttpConnection] = field(default_factory=dict)
    messages: int = 0

    def call(self, task: Any, call: Call, once: bool = False) -> None:
        """Begins an exchange, on a connection of its own if `once`. Raises UnknownNode."""
        self.port_of(call.to)
        self.messages += 1
        message = f"{self.prefix}{self.messages}"
        key = (call.to, message) if once else (call.to, call.via)
        if key not in self.connections:
            self.connections[key] = HttpConnection(self, call.to, key, once)
        connection = self.connections[key]
        until = None if call.timeout_us is None else self.loop.time() + call.timeout_us / 1e6
        # It begins when the step which called has ended and is reported.
        running = self.loop.create_task(self._exchange(connection, task, call, message, until))
        connection.exchanges.add(running)
        running.add_done_callback(connection.exchanges.discard)

    async def _exchange(
        self, connection: HttpConnection, task: Any, call: Call, message: str, until: float | None
    ) -> None:
        """One request, from the wait for its turn to what becomes of it."""
        sent = False
        try:
            async with asyncio.timeout_at(until), connection.turn:
                while not connection.is_there():
                    await connection.open()
                    what = call.to, None, task.cause, connection.port
                    task.cause = self.record("connect", *what)
                data = connection.request(call, message)
                content = (call.method, call.path, call.body, call.headers)
                task.cause = self.record("send", call.to, message, task.cause, content)
                sent = True
                connection.send(data)
                outcome, why = await connection.answer(), ""
        except FAILURES as wrong:
            outcome, why = unanswered(wrong, call, sent, self.port)
        connection.exchanges.discard(asyncio.current_task())
        if isinstance(outcome, Response):
            data = (outcome.status, outcome.frozen_body(), dict(outcome.headers))
            task.cause = self.record("answer", call.to, message, task.cause, data)
            if not connection.is_reusable():
                why = "one call" if connection.once else "the server closed it"
                connection.close(why, task.cause)
            self.go_on(task, outcome, None)
        else:
            kind = "noreply" if isinstance(outcome, NoReply) else "refused"
            task.cause = self.record(kind, call.to, message, task.cause, why)
            if sent:
                # Of a request that has timed out the server may still read every byte, as of any.
                connection.close(why, task.cause, resets=why != TIMED_OUT)
            connection.forget_if_unused()
            self.go_on(task, None, outcome)

    def ports(self) -> dict[str, int]:
        """The port of each open connection, by the server's name."""
        return {c.to: c.port for c in list(self.connections.values()) if c.socket}

    def divert(self, name: str) -> None:
        """Has all that goes to `name` from here on go through the relay."""
        self.diverted.add(name)
        for connection in self.connections.values():
            if connection.to == name:
                connection.divert()

    def close_all(self, why: str = "closed by the client") -> None:
        """Closes its connections; raises WrongState if it waits for an answer on one."""
        for connection in self.connections.values():
            if connection.exchanges:
                raise WrongState(
                    f"{self.name} waits for an answer of {connection.to}: close its connections "
                    "when that has come"
                )
        for connection in list(self.connections.values()):
            connection.close(why, None)


class HttpConnection:
    """A caller's connection to one server: TCP while it is open, and whose turn it is on it."""

    def __init__(self, caller: Caller, to: str, key: Any, once: bool):
        self.caller = caller
        self.to = to
        self.once = once
        self.socket: socket.socket | None = None  # while it is open
        self.port = 0  # its own, once it is open
        self.turn = asyncio.Lock()
        self.exchanges: set[asyncio.Task] = set()  # those that wait for their turn, too
        self._key = key
        self._relayed = False
        self._rest = b""  # what the connection has not taken of a request yet
        self._came: asyncio.Future[bytes] | None = None  # while an answer is awaited
        self._http: h11.Connection | None = None

    def is_there(self) -> bool:
        """Whether it is open at both ends, told by the system or not yet; else it is closed."""
        if self.socket is None:
            return False
        try:
            came = self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            came = b""
        if came != NOBODY:  # its end, or bytes that nobody asked for
            self.close("reset", None)
        return came == NOBODY

    async def open(self) -> None:
        """Opens it. Raises OSError, UnknownNode."""
        caller, sock = self.caller, socket.socket()
        try:
            sock.setblocking(False)
            if caller.port is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # A port that connect() chose could be shared with another program's connection to
            # elsewhere, and then nobody could take it again; one that bind() chose is held alone.
            sock.bind((IP, caller.port or 0))
            self.port = sock.getsockname()[1]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._relayed = self.to in caller.diverted
            if self._relayed:
                sock = self._given(sock, connected=False)
            else:
                await caller.loop.sock_connect(sock, (IP, caller.port_of(self.to)))
            await asyncio.sleep(0)  # so that time can run out, whatever the server does
        except BaseException as wrong:
            sock.close()
            if isinstance(wrong, TimeoutError):  # the system's, and not the call's
                raise ConnectionAbortedError(wrong) from None
            raise
        self.socket = sock
        caller.loop.add_reader(sock.fileno(), self._readable)
        if self.to in caller.diverted:  # meanwhile, perhaps
            self.divert()

    def _given(self, sock: socket.socket, *, connected: bool) -> socket.socket:
        """Gives its socket to the relay; returns what to use in its place. Raises OSError."""
        caller = self.caller
        what = (caller.port_of(self.to), connected, caller.port is not None)
        near = hand_over(caller.relay, sock, Handed(caller.name, self.to, *what))
        sock.close()
        return near

    def divert(self) -> None:
        """Goes through the relay from here on."""
        old, loop = self.socket, self.caller.loop
        if old is None or self._relayed:
            return  # what is being opened sees to it when that is done
        self._relayed = True
        loop.remove_reader(old.fileno())
        loop.remove_writer(old.fileno())
        try:
            self.socket = self._given(old, connected=True)
        except OSError:
            self._take(b"")
            return
        loop.add_reader(self.socket.fileno(), self._readable)
        self._write()

    def close(self, why: str, cause: int | None, *, resets: bool = True) -> None:
        """Closes it, unless it is closed; a row says why."""
        sock, self.socket = self.socket, None
        if sock is not None:
            self.caller.loop.remove_reader(sock.fileno())
            if self._rest:
                self.caller.loop.remove_writer(sock.fileno())
            self.caller.record("close", self.to, None, cause, why)
            if resets or self.caller.port or self._rest:
                with contextlib.suppress(OSError):  # it is broken
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._rest = b""
            sock.close()
        self.forget_if_unused()

    def forget_if_unused(self) -> None:
        """Has no place any more, if it is closed and nobody waits for it."""
        if self.socket is None and not self.exchanges:
            self.caller.connections.pop(self._key, None)

    def request(self, call: Call, message: str) -> bytes:
        """The request as HTTP has it. Raises ProtocolError or ValueError if HTTP has no form."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
        host = f"{IP}:{self.caller.port_of(self.to)}"
        events = http.request_events(call, host, message, self.caller.secret)
        return b"".join(self._http.send(event) for event in events)

    def send(self, data: bytes) -> None:
        """Sends the request, or what the system takes of it; the rest follows."""
        self._came, self._rest = self.caller.loop.create_future(), data
        self._write()

    def _write(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[self.socket.send(self._rest) :]
        except BlockingIOError:
            self.caller.loop.add_writer(self.socket.fileno(), self._write)
            return
        except OSError:  # it is broken, as who reads it will see
            self._rest = b""
        self.caller.loop.remove_writer(self.socket.fileno())

    async def answer(self) -> Response:
        """Reads the answer. Raises OSError if none comes, others for what no node can have said."""
        head, body, data = None, [], None
        try:
            while type(event := self._http.next_event()) is not h11.EndOfMessage:
                if event is h11.NEED_DATA:
                    data = await self._came
                    if self._relayed and head is None and data == NOBODY:
                        raise ConnectionRefusedError
                    self._came = self.caller.loop.create_future()
                    self._http.receive_data(data)
                elif type(event) is h11.Response:
                    head = event
                elif type(event) is h11.Data:
                    body.append(bytes(event.data))
        except h11.RemoteProtocolError:
            if data == b"":  # it has ended in the middle
                raise ConnectionResetError from None
            raise
        finally:
            self._came = None
        answer = copied(http.read_body(b"".join(body)))
        response = Response(head.status_code, answer, http.visible(head.headers))
        response.frozen = True
        return response

    def is_reusable(self) -> bool:
        """Whether another request can follow the one that was answered."""
        states = {self._http.our_state, self._http.their_state}
        return states == {h11.DONE} and not self._http.trailing_data[0] and not self.once

    def _readable(self) -> None:
        if self._came is not None and self._came.done():
            return  # the last piece is not looked at yet
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Something has come, b'' if it is the end."""
        if self._came is None:  # nobody has asked for it
            self.close("reset", None)
        elif not self._came.done():
            self._came.set_result(data)
