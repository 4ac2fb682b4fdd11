"""A node's HTTP server: what any HTTP client sees of it, curl for one. HTTP/1.1 by h11.

Rules of this file:

1. What is not whole is no request: the node hears of it when its last byte is there.
2. Whoever does not know the world's secret is a stranger: see strangers.py.
3. Nobody is taken for a stranger before the first word, which shows who speaks.
4. What comes is read a little at a time, and others have their turns in between.
5. What strangers ask reaches the node one by one, and takes no more than half of its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from http import HTTPStatus
from typing import Any

import h11

from statelab.checked import MAX_PATH, METHODS
from statelab.live.child import strangers
from statelab.live.child.life import Incarnation
from statelab.live.child.strangers import Unfit
from statelab.live.transport import http
from statelab.live.transport.control import ACCEPTS, BACKLOG, who_must_go
from statelab.message import Request, Response, copied

MAX_HEAD = 1 << 17  # bytes: a path and headers of the largest size, with all that HTTP adds
LINGER_S = 2.0  # for whoever still sends to read that nobody listens
MOST_FRAMING = 1 << 18  # bytes of a body that are not its own: the sizes of its chunks
_PIECE = 1 << 14  # bytes: h11 measures what is not whole yet, so not whatever came at once
_TURN = 50  # events of h11, a millisecond's work
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Server:
    """Takes the requests for one life of a node."""

    def __init__(self, life: Incarnation, secret: str):
        self.life = life
        self.secret = secret
        self.turns = strangers.Turns()
        self._strangers: dict[Inbound, None] = {}  # who was silent for the longest is first
        self._unknown: dict[Inbound, None] = {}  # they have not said anything yet; likewise

    async def serve(self, sock: Any) -> None:
        """Takes connections on a socket that listens."""
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Inbound(self), sock=sock, backlog=ACCEPTS)
        sock.listen(BACKLOG)  # more may wait, while the node is paused say

    def came(self, inbound: Inbound) -> None:
        """Somebody has come; of too many who say nothing, some must go."""
        self._unknown[inbound] = None
        for other in who_must_go(self._unknown, strangers.MOST_SILENT):
            other.leave()

    def hear(self, stranger: Inbound) -> None:
        """A stranger says something; of too many strangers, another must go."""
        self._unknown.pop(stranger, None)
        self._strangers.pop(stranger, None)
        if len(self._strangers) >= strangers.MOST_STRANGERS:
            first, *_ = self._strangers
            next((other for other in self._strangers if not other.waits), first).leave()
        self._strangers[stranger] = None

    def forget(self, inbound: Inbound) -> None:
        """It is gone, or no stranger."""
        self._strangers.pop(inbound, None)
        self._unknown.pop(inbound, None)
        self.turns.forget(inbound)


class Inbound(asyncio.Protocol):
    """One connection that somebody has opened to the node."""

    transport: asyncio.Transport

    def __init__(self, server: Server):
        self._server = server
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_ours = False
        self._method = ""
        self._begun: tuple[dict[str, str], str, str | None] | None = None
        self._came = bytearray()  # what is not read yet
        self._ended = False  # nothing more will come
        self._body = bytearray()
        self._size = 0  # of the body, with its framing
        self._asked = False  # and not answered yet
        self._full = False  # what was answered is not read yet
        self._deaf = False  # it is gone, or was turned away

    @property
    def waits(self) -> bool:
        """Whether it waits for the node's answer, or for that to be read."""
        return self._asked or self._full

    # --------------------------------------------------------------------------- the connection
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._peer = transport.get_extra_info("peername") or ("unknown", 0)
        self._server.came(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._came += data
        self._read()
        if not self._is_ours and not self._deaf:
            self._server.hear(self)

    def eof_received(self) -> bool:
        self._ended = True
        self._read()
        return not self._deaf  # it may still hear the answer

    def connection_lost(self, error: Exception | None) -> None:
        self._deaf = True
        self._server.forget(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._read()

    def leave(self) -> None:
        """Closes it at once; whoever is about to say the first word sees that before."""
        self._deaf = True
        self._server.forget(self)
        with contextlib.suppress(OSError):
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.transport.abort()

    # --------------------------------------------------------------------------- a request
    def _read(self) -> None:
        """Takes what has come, up to the end of a request; what follows waits for its answer."""
        if self._deaf:
            return
        try:
            for _ in range(_TURN):
                if self.waits:
                    if self._came:
                        self.transport.pause_reading()
                    return None
                event = self._http.next_event()
                if type(event) is h11.Request:
                    self._begin(event)
                elif type(event) is h11.Data:
                    self._keep(event.data)
                elif type(event) is h11.EndOfMessage:
                    self._asked = True
                    if self._is_ours:
                        self.hand_over()
                    else:
                        self._server.turns.queue(self)
                elif event is not h11.NEED_DATA:  # it is closed, or has said its last
                    return self.transport.close()
                elif not self._feed():
                    return self._await_more()
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read)
        except h11.RemoteProtocolError as wrong:
            status = wrong.error_status_hint
            if status == 431 and b"\n" not in self._http.trailing_data[0]:
                status = 414  # it is still in its first line
            self._turn_away(Unfit(status, f"this is no request of HTTP: {wrong!s:.200}"))
        except Unfit as unfit:
            self._turn_away(unfit)
        return None

    def _feed(self) -> bool:
        """Gives h11 the next piece; returns whether there was one."""
        piece = bytes(self._came[:_PIECE])
        del self._came[:_PIECE]
        if not piece and not self._ended:
            return False
        self._http.receive_data(piece)
        self._size += len(piece)
        if self._begun and self._size - len(self._body) > MOST_FRAMING:
            raise Unfit(413, "the body comes in too many small chunks")
        return True

    def _await_more(self) -> None:
        self.transport.resume_reading()
        if self._http.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    def _begin(self, request: h11.Request) -> None:
        """A request's head is there: raises Unfit if it is not for the node."""
        method = self._method = request.method.decode()
        if not request.http_version.startswith(b"1."):
            raise Unfit(505, f"this is HTTP/1.1, not HTTP/{request.http_version.decode()}")
        own = http.ours(request, self._server.secret, self._server.life.name)
        message, path, mark = own or (None, None, None)
        if message is not None:
            self._is_ours = True
            self._server.forget(self)
        else:
            strangers.admit(request, self._server.life.name)
        if method not in METHODS:
            raise Unfit(405, f"the method {method:.100} is none of {', '.join(METHODS)}")
        path = path or http.path_of(request.target)
        if path[:1] != "/":
            raise Unfit(400, "the path does not begin with '/'")
        if len(path) > MAX_PATH:
            raise Unfit(414, f"the path has more than {MAX_PATH:,} characters")
        headers = request.headers
        self._measure(int(dict(headers).get(b"content-length", 0)))
        self._begun = http.visible(headers, mark), path, message
        self._size = len(self._http.trailing_data[0])

    def _keep(self, data: bytes) -> None:
        self._body += data
        self._measure(len(self._body))

    def _measure(self, size: int) -> None:
        """Raises Unfit if a body of so many bytes is too large; this world's own never is."""
        if size > strangers.MOST_BODY and not self._is_ours:
            most = f"more than {strangers.MOST_BODY:,} bytes from outside of its world"
            raise Unfit(413, f"the body is too large: {most}")

    def hand_over(self) -> None:
        """Has the node handle the request, which is whole."""
        (headers, path, message), self._begun = self._begun, None
        data, self._body = self._body, bytearray()
        try:
            request = Request(self._method, path, headers, _json(data), self._peer[:2])
        except Unfit as unfit:
            self._turn_away(unfit)
        else:
            self._server.life.handle(request, message, self._answer)

    # --------------------------------------------------------------------------- an answer
    def _answer(self, response: Response) -> None:
        if self._deaf:  # who asked has left
            return
        self._asked = False
        self._respond(response)
        if self._http.our_state is h11.MUST_CLOSE:
            self._close()
        else:
            self._http.start_next_cycle()
            self._method = ""
            self._read()

    def _turn_away(self, unfit: Unfit) -> None:
        self._asked, self._body = False, bytearray()
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            allow = {"allow": ", ".join(METHODS)} if unfit.status == 405 else {}
            body = {"error": f"{unfit}"}
            self._respond(Response(unfit.status, body, {"connection": "close", **allow}))
        self._close()

    def _respond(self, response: Response) -> None:
        headers, data = response.headers, b""
        if response.status not in (204, 304):
            what = {"content-type": "application/json"}
            if self._method != "HEAD":  # nobody knows how long the answer to GET would be
                data = http.json_bytes(response.body)
                what["content-length"] = str(len(data))
            headers = {**what, **headers}
        head = h11.Response(
            status_code=response.status,
            headers=list(headers.items()),
            reason=_REASONS.get(response.status, ""),
        )
        self._send(head, h11.Data(data=data), h11.EndOfMessage())

    def _send(self, *events: Any) -> None:
        self.transport.write(b"".join(self._http.send(event) for event in events))

    def _close(self) -> None:
        """Closes it so that what was written is read: a reset would overtake it."""
        self._deaf = True
        self.transport.resume_reading()
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)


def _json(data: bytearray) -> Any:
    """What a body says; raises Unfit."""
    try:
        return copied(http.read_body(data))
    except TypeError as wrong:
        raise Unfit(400, str(wrong)) from None
    except http.NoJSON as wrong:
        raise Unfit(400, f"the body is not JSON: {wrong}") from None
    except ValueError as wrong:
        raise Unfit(413, str(wrong)) from None
