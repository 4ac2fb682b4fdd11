"""How a caller hands its connection over to the link proxy, which is another process.

The socket itself travels (SCM_RIGHTS), so the server goes on seeing the caller's own port. What
carries its descriptor, a Unix-domain connection, is what the caller reads and writes from then on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from statelab.live.transport.control import LENGTH, Frames, pack

POSSIBLE = hasattr(socket, "send_fds")
NAME = "links"  # of the proxy's socket, in the world's folder
# SO_LINGER of zero: closing sends a reset, and the port is free at once.
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
# What the caller reads if nobody took the connection: no answer of HTTP begins so.
NOBODY = b"\0"

_LONGEST = 100  # bytes; Linux has room for 107


class Handed(NamedTuple):
    """What is said about a socket that is handed over."""

    caller: str
    target: str
    port: int  # of the target
    connected: bool
    resets: bool  # its port must be free as soon as the caller closes


@contextlib.contextmanager
def as_address(path: str) -> Iterator[str]:
    """The path of a Unix-domain socket as an address, which has no room for a long one.

    On Linux a long one is named by its folder's descriptor; TMPDIR may be of any length there.
    """
    if len(os.fsencode(path)) < _LONGEST or sys.platform != "linux":
        yield path
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def hand_over(path: str, sock: socket.socket, handed: Handed) -> socket.socket:
    """Gives a socket away; returns what to use in its place. Raises OSError if nobody takes it."""
    near = socket.socket(socket.AF_UNIX)
    try:
        with as_address(path) as address:
            near.connect(address)
        socket.send_fds(near, [pack(tuple(handed))], [sock.fileno()])
        near.setblocking(False)
    except BaseException:
        near.close()
        raise
    return near


def take(near: socket.socket) -> tuple[Handed, socket.socket]:
    """What `hand_over` has sent. Raises OSError if the caller ended before it had."""
    head, descriptors, _, _ = socket.recv_fds(near, LENGTH.size, 1)
    if not descriptors:
        raise ConnectionResetError("the caller ended while it handed a connection over")
    sock = socket.socket(fileno=descriptors[0])
    data = near.recv(LENGTH.unpack(head)[0])  # sent as one with the head, so it is there
    return Handed(*next(Frames().feed(head + data))), sock
