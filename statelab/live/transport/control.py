"""How the processes of one live world talk to one another: frames of plain data over loopback TCP.

The driver listens; the warden and each node connect, and say the world's token first. A frame is a
length and a pickle. Reading one makes as_plain values and `Soft` only, and runs no code.
"""

from __future__ import annotations

import io
import os
import pickle
import selectors
import socket
import struct
from collections.abc import Iterator
from typing import Any

from statelab.message import IP
from statelab.node import Soft

TOKEN_BYTES = 32
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
    """A channel to the driver that listens on `port`; `hello` says who we are.

    The socket blocks: what `sendall` has taken is in the kernel's hands, and so arrives even if
    this process is killed the moment after.
    """
    channel = socket.create_connection((IP, port))
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    channel.sendall(token + pack(hello))
    return channel


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
