"""One real connection of a caller to a node: TCP, and HTTP/1.1 by h11.

Rules of this file:

1. What was never sent is `Refused`; what was sent and has no answer is `NoReply`.
2. A row is recorded before the bytes it tells of leave, so no row can come before its cause.
3. The socket is the caller's own until its link has a fault; then the link proxy gets it, and what
   is said goes through the proxy, in the middle of a request too. The server sees no difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

import h11

from statelab.effects import Call, UnknownNode
from statelab.live.transport import http
from statelab.live.transport.fdpass import NOBODY, RESET, Handed, hand_over
from statelab.message import IP, NoReply, Refused, Response, copied
from statelab.rows import LOST, NOBODY_THERE

if TYPE_CHECKING:
    from statelab.live.transport.caller import Caller, Sending

_INFORMS = h11.InformationalResponse


class HttpConnection(asyncio.Protocol):
    """One TCP connection, from the moment it is wanted."""

    def __init__(self, caller: Caller, to: str, key: Any):
        self.caller = caller
        self.to = to
        self.key = key
        self.port: int | None = None  # its own, once it is open
        self.exchange: Sending | None = None  # the one that is on its way
        self.queue: deque[Sending] = deque()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._made = False  # it has been opened
        self._open = True
        self._by_proxy = False
        self._sent = b""  # the request that is on its way
        self._rest = b""  # what the connection had not taken of it yet
        self._http = self._parts = None
        self._opening = caller.loop.create_task(self._connect())

    # --------------------------------------------------------------------------- the caller's side
    def is_open(self) -> bool:
        """Whether it has been opened, and not closed yet."""
        return self._made and self._open

    def is_idle(self) -> bool:
        """Whether it is open, and no request is on its way."""
        return self._transport is not None and self.exchange is None

    def _is_gone(self) -> bool:
        """Whether the other side has closed an idle connection, told by the kernel or not yet."""
        try:
            came = self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return came != NOBODY  # its end, or bytes that nobody asked for

    def add(self, exchange: Sending) -> None:
        """Sends the request, at once or when those before it have ended."""
        self.queue.append(exchange)
        self._launch()

    def forget(self, exchange: Sending) -> None:
        """Lets a request go that was not sent yet."""
        if exchange in self.queue:
            self.queue.remove(exchange)
        if not self._made and not self.queue:
            self._opening.cancel()
            self.caller.connections.pop(self.key, None)

    def close(self, why: str, cause: int | None) -> None:
        """Closes it; requests that were not sent yet get another one."""
        if not self._open:
            return
        self._open = False
        caller = self.caller
        if caller.connections.get(self.key) is self:
            del caller.connections[self.key]
        caller.record("close", self.to, None, cause, why)
        if self._transport is None:
            pass  # it is being diverted: `connection_made` ends it
        elif why != "timed out" or caller.port or self._transport.get_write_buffer_size():
            # Of a request that has timed out the server may still read every byte, as it may of
            # a real client's; all else ends at once.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        else:
            self._transport.close()
        waiting, self.queue = self.queue, deque()
        caller.place_again(waiting)

    # --------------------------------------------------------------------------- opening
    async def _connect(self) -> None:
        caller = self.caller
        try:
            sock = socket.socket()
        except OSError as wrong:  # this process has too many files open
            self._refused(wrong)
            return
        try:
            sock.setblocking(False)
            if caller.port is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # A port that connect() chose could be shared with another program's connection to
            # elsewhere, and then nobody could take it again; one that bind() chose is held alone.
            sock.bind((IP, caller.port or 0))
            self.port = sock.getsockname()[1]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.to in caller.diverted:
                sock = self._given(sock, connected=False)
            else:
                await caller.loop.sock_connect(sock, (IP, caller.port_of(self.to)))
            self._socket = sock
            await caller.loop.create_connection(lambda: self, sock=sock)
        except (OSError, UnknownNode) as wrong:
            sock.close()
            self._refused(wrong)
        except asyncio.CancelledError:
            sock.close()
            raise

    def _given(self, sock: socket.socket, *, connected: bool) -> socket.socket:
        """Gives its socket to the link proxy; returns what to use in its place."""
        caller = self.caller
        port, resets = caller.port_of(self.to), caller.port is not None
        handed = Handed(caller.name, self.to, port, connected, resets)
        near = hand_over(caller.handover, sock, handed)
        self._by_proxy = True
        if not connected:
            sock.close()
        return near

    def divert(self) -> None:
        """Goes through the link proxy from here on."""
        if self._transport is None or self._by_proxy or not self._open:
            return  # what is being opened sees to it when that is done
        unsent = self._transport.get_write_buffer_size()
        self._rest = self._sent[len(self._sent) - unsent :]
        try:
            near = self._given(self._socket, connected=True)
        except OSError:  # the proxy is gone, and so the world is about to end
            self._lost()
            return
        old, self._transport, self._socket = self._transport, None, near
        old.set_protocol(asyncio.Protocol())
        old.abort()  # of this process' hold on it: the proxy has its own
        loop = self.caller.loop
        self._opening = loop.create_task(loop.create_connection(lambda: self, sock=near))

    def _refused(self, wrong: Exception) -> None:
        """Nobody took the connection: that is the first request's outcome; the others try again."""
        caller = self.caller
        caller.connections.pop(self.key, None)
        self._open = False
        waiting, self.queue = self.queue, deque()
        if not waiting:
            return
        exchange = waiting.popleft()
        exchange.connection = None
        call = exchange.call
        if isinstance(wrong, ConnectionRefusedError):
            caller.end(exchange, *_nobody(call))
        else:
            why = f"port {caller.port} is in use" if caller.port else str(wrong)
            text = f"{call.method} {call.path} to {self.to} could not be sent: {why}; "
            caller.end(exchange, Refused(f"{text}it did not happen"), why)
        caller.place_again(waiting)

    def connection_made(self, transport: Any) -> None:
        if not self._open:  # closed while it was diverted
            transport.abort()
            return
        self._transport = transport
        if self._made:
            transport.write(self._rest)
            self._launch()
            return
        self._made = True
        if self.to in self.caller.diverted:  # meanwhile, perhaps
            self.divert()
        if self.queue:  # else the one who wanted it has just given up
            task = self.queue[0].task
            task.cause = self.caller.record("connect", self.to, None, task.cause, self.port)
        self._launch()

    # --------------------------------------------------------------------------- the exchange
    def _launch(self) -> None:
        if not self.is_idle() or not self._open or not self.queue:
            return
        if self._is_gone():  # what was never sent can go by another one
            self.close("reset", None)
            return
        exchange = self.queue.popleft()
        caller, call, task = self.caller, exchange.call, exchange.task
        if self._http is None or self._http.our_state is not h11.IDLE:
            self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
        try:
            host = f"{IP}:{caller.port_of(self.to)}"
            events = http.request_events(call, host, exchange.message, caller.secret)
            data = b"".join(self._http.send(event) for event in events)
        except (h11.LocalProtocolError, ValueError) as wrong:
            self._http = None
            why = f"HTTP has no form for it: {wrong}"
            caller.end(exchange, Refused(f"{call.method} {call.path} was not sent: {why}"), why)
            self._launch()
            return
        self.exchange, self._parts = exchange, []
        content = (call.method, call.path, call.body, call.headers)
        task.cause = caller.record("send", self.to, exchange.message, task.cause, content)
        self._sent = data
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._open:
            self._take(data)

    def eof_received(self) -> None:
        if self._open:
            self._take(b"")

    def connection_lost(self, error: Exception | None) -> None:
        if self._open:
            self._lost()

    def _lost(self) -> None:
        self._fail("died during", LOST)

    def _fail(self, how: str, why: str) -> None:
        exchange = self.exchange
        if exchange is None:
            self.close("reset", None)
            return
        call = exchange.call
        what = f"{call.method} {call.path} to {call.to}"
        error = NoReply(f"{call.to} {how} {what}: it may or may not have happened")
        self.caller.end(exchange, error, why)

    def _take(self, data: bytes) -> None:
        """Reads what came; an empty one is the end."""
        if self.exchange is None:
            self._lost()
            return
        if self._by_proxy and not self._parts and data == NOBODY:
            self.caller.end(self.exchange, *_nobody(self.exchange.call))
            return
        try:
            self._http.receive_data(data)
            while type(event := self._http.next_event()) in (h11.Response, h11.Data, _INFORMS):
                if type(event) is not _INFORMS:
                    self._parts.append(event)
            response = self._whole() if type(event) is h11.EndOfMessage else None
        except (h11.RemoteProtocolError, TypeError, ValueError) as wrong:
            if data:
                self._fail(f"gave an answer that makes no sense ({wrong!s:.200}) to", "no sense")
            else:
                self._lost()
            return
        if response is not None:
            self._answered(response)
        elif not data:
            self._lost()

    def _whole(self) -> Response:
        """The answer that has come; raises TypeError or ValueError if no node can have said it."""
        head, *rest = self._parts
        body = copied(http.read_body(b"".join(bytes(part.data) for part in rest)))
        response = Response(head.status_code, body, http.visible(head.headers))
        response.frozen = True
        return response

    def _answered(self, response: Response) -> None:
        exchange = self.exchange
        reusable = self._http.their_state is h11.DONE and self._http.our_state is h11.DONE
        if reusable:
            self._http.start_next_cycle()
        self.caller.end(exchange, response)
        if self._open and not reusable:
            self.close("the server closed it", exchange.task.cause)
        self._launch()


def _nobody(call: Call) -> tuple[Refused, str]:
    """The outcome of a request that nobody took, and why."""
    text = f"nobody took {call.method} {call.path} to {call.to}: {call.to} is dead; "
    return Refused(f"{text}it did not happen"), NOBODY_THERE
