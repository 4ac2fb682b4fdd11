"""How the processes of one live world talk to one another: frames of plain data over loopback TCP.

The driver listens; the warden, the relay and each node connect, and say the world's token first,
again and again until they are heard: of too many who are silent some must go, and it may be them.
A frame is a length and a pickle. Reading one makes as_plain values and `Soft` only, and runs no
code. What asks for something gives it a number, and `("done", number, result, why not)` is the
answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import io
import itertools
import os
import pickle
import secrets
import selectors
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from statelab.message import IP
from statelab.node import Soft

TOKEN_BYTES = 32
MOST_UNKNOWN = 50  # connections that have not said the token yet
HEARD = b"\0"
# New connections at once, and how many may wait. When no more files may be open, asyncio tries each
# of those at once again by itself: several would soon be thousands.
ACCEPTS, BACKLOG = 1, 2048
LENGTH = struct.Struct("!Q")
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (Soft.__module__, Soft.__name__):
            return Soft
        raise pickle.UnpicklingError(f"a frame holds {module}.{name}, which is no plain data")


def pack(message: Any) -> bytes:
    """One frame, ready to be sent."""
    data = pickle.dumps(message, 5)
    return LENGTH.pack(len(data)) + data


class Frames:
    """Puts frames together from the bytes that come in."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Takes some bytes; yields each message that is now complete."""
        self._bytes += data
        while len(self._bytes) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._bytes)[0]
            if len(self._bytes) < end:
                return
            frame = bytes(self._bytes[LENGTH.size : end])
            del self._bytes[:end]
            yield _Reader(io.BytesIO(frame)).load()


def let_go(selector: selectors.BaseSelector) -> None:
    """In a fork: lets go of all that the loop which uses this selector looks at.

    A connection ends when its last holder has closed it; so a fork would keep it open. What takes
    each place is nothing, and not a hole, which another file would fill.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in list(selector.get_map() or ()):
        os.dup2(nothing, file, inheritable=False)
    os.close(nothing)


def connect(port: int, token: bytes, hello: tuple) -> socket.socket:
    """A channel to the driver that listens on `port`, once it has heard `hello`: who we are.

    The socket blocks: what `sendall` has taken is in the kernel's hands, and so arrives even if
    this process is killed the moment after. Raises OSError if the driver is gone.
    """
    while True:
        channel = socket.create_connection((IP, port))
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            channel.sendall(token + pack(hello))
            if channel.recv(len(HEARD)):
                return channel
        channel.close()  # it was sent away before it could say a word


def say(channel: socket.socket, *message: Any) -> None:
    """Says something to the driver."""
    channel.sendall(pack(message))


def unread(transport: asyncio.BaseTransport) -> bytes | None:
    """The beginning of what has come and was not read yet: b'' is its end, None nothing so far."""
    with transport.get_extra_info("socket").dup() as sock:
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""


def who_must_go(unknown: Collection[Any], most: int) -> list[Any]:
    """Who must go if more than `most` have said nothing yet, of whom the first came first.

    It is who has gone already, else who is silent for the longest: half of them, for a look at all
    takes time. Whose word has come, but was not read yet, is not silent.
    """
    if len(unknown) <= most:
        return []
    words = {each: unread(each.transport) for each in unknown}
    gone = [each for each, word in words.items() if word == b""]
    silent = [each for each, word in words.items() if word is None]
    return gone or silent[: most // 2]


# ------------------------------------------------------------------------------- the driver's end
class Desk:
    """Where the others report. `joined[kind](channel, *more)` hears of who has come."""

    def __init__(self):
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.port = 0
        self.joined: dict[str, Callable[..., None]] = {}
        self.channels: dict[Channel, None] = {}  # who came first is first
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens from here on."""
        loop = asyncio.get_running_loop()
        listening = socket.create_server((IP, 0))
        make = partial(Channel, self)
        self._server = await loop.create_server(make, sock=listening, backlog=ACCEPTS)
        listening.listen(BACKLOG)
        self.port = listening.getsockname()[1]

    def shut(self) -> None:
        """Takes nobody in any more; who is coming in comes, or asyncio would lose the socket."""
        for listening in self._server.sockets if self._server is not None else ():
            asyncio.get_running_loop().remove_reader(listening.fileno())

    async def close(self) -> None:
        """Ends all channels."""
        if self._server is not None:
            self._server.close()
        for channel in list(self.channels):
            # Closed alone, it would stay open as long as a fork of this process holds it, too.
            with contextlib.suppress(OSError):
                channel.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            channel.transport.abort()
        await asyncio.sleep(0)  # what was aborted closes


class Channel(asyncio.Protocol):
    """The driver's end of a channel; who does not know the token is turned away.

    `hears` says by the first word of a message who hears the rest; `ended` hears of the end.
    """

    transport: asyncio.Transport

    def __init__(self, desk: Desk):
        self.hears: dict[str, Callable[..., None]] = {"done": self._done}
        self.ended: Callable[[], None] | None = None  # nobody, until it is known who speaks
        self._desk = desk
        self._token = bytearray()
        self._frames = Frames()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._desk.channels[self] = None
        self._bound()

    def _bound(self) -> None:
        unknown = [each for each in self._desk.channels if len(each._token) < TOKEN_BYTES]
        for channel in who_must_go(unknown, MOST_UNKNOWN):
            channel.transport.abort()
            del self._desk.channels[channel]

    def data_received(self, data: bytes) -> None:
        if len(self._token) < TOKEN_BYTES:
            missing = TOKEN_BYTES - len(self._token)
            self._token += data[:missing]
            data = data[missing:]
            if len(self._token) < TOKEN_BYTES:
                self._bound()
                return
            if not hmac.compare_digest(self._token, self._desk.token):
                self.transport.abort()
                return
            self.transport.write(HEARD)
        for what, *rest in self._frames.feed(data):
            if self.ended is None:
                self._desk.joined[what](self, *rest)
            else:
                self.hears[what](*rest)

    def connection_lost(self, error: Exception | None) -> None:
        self._desk.channels.pop(self, None)
        for future in self._asked.values():
            future.cancel()
        if self.ended is not None:
            self.ended()

    def ask(self, verb: str, *args: Any) -> asyncio.Future[Any]:
        """Asks for something; what is returned ends with (result, why not), or is cancelled."""
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        if not self.transport.is_closing():
            self.transport.write(pack((verb, number, *args)))
        return future

    def _done(self, number: int, result: Any, why: str) -> None:
        future = self._asked.pop(number)
        if not future.done():
            future.set_result((result, why))

    async def caught_up(self) -> None:
        """Returns when all that has come by now is read."""
        while unread(self.transport):
            await asyncio.sleep(0)


def as_plain(value: Any, depth: int = 0) -> Any:
    """`value` as it can travel.

    None, bool, int, float, str, bytes, their containers and `Soft` stay what they are; anything
    else becomes its text.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > 50:
        return "..."
    if kind is dict:
        return {_hashable(k, depth): as_plain(v, depth + 1) for k, v in value.items()}
    if kind is Soft:
        return Soft(as_plain(value.value, depth + 1), value.until)
    if kind in (set, frozenset):
        return kind(_hashable(item, depth) for item in value)
    if kind in (list, tuple):
        return kind(as_plain(item, depth + 1) for item in value)
    try:
        return repr(value)
    except Exception as wrong:
        return f"<a {kind.__name__} whose repr raises {type(wrong).__name__}>"


def _hashable(value: Any, depth: int) -> Any:
    form = as_plain(value, depth + 1)
    try:
        hash(form)
    except TypeError:
        return repr(form)
    return form
