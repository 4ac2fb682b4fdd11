"""The ports of live nodes: below the range that the system gives to whoever asks for any port.

So no client's connection, of this world or another program, takes the port of a node that is dead
for the moment.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from statelab.message import IP

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ELSEWHERE = 49152  # IANA's: macOS and Windows follow it
_LOWEST = 10_000


def first_ephemeral() -> int:
    """The lowest port that the system gives out by itself."""
    try:
        return int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _ELSEWHERE


def held(port: int) -> socket.socket:
    """Keeps `port` of loopback from all others; raises OSError if somebody has it already.

    While its node is dead, nobody else can hear what is said to it, or answer: it is refused.
    """
    sock = socket.socket()
    with _closed_if_taken(sock, port):
        sock.bind((IP, port))
    return sock


def share(sock: socket.socket, shared: bool) -> None:
    """Lets another socket that shares have the port of one that does not listen, or nobody."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)


def listener(port: int, holder: socket.socket | None = None) -> socket.socket:
    """A socket that listens on `port` of loopback; raises OSError if the port is taken.

    `holder` keeps the port for it, and lets go of it for as long as two system calls take.
    """
    # With the protocol named, else asyncio does not set TCP_NODELAY on what it accepts (40 ms).
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    share(sock, sys.platform != "win32")  # there it would let two servers share the port
    with _closed_if_taken(sock, port):
        try:
            if holder is not None:
                share(holder, True)
            sock.bind((IP, port))
            sock.listen(2048)
        finally:
            if holder is not None:
                share(holder, False)
    return sock


@contextlib.contextmanager
def _closed_if_taken(sock: socket.socket, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as wrong:
        sock.close()
        raise OSError(f"port {port} is in use by another program ({wrong.strerror})") from None


def choose(taken: set[int]) -> int:
    """A free port for a node, outside the ephemeral range."""
    end = first_ephemeral()
    low = _LOWEST if end > _LOWEST + 1000 else 1024
    for _ in range(200):
        port = random.SystemRandom().randrange(low, end)
        if port in taken:
            continue
        try:
            held(port).close()
            return port
        except OSError:
            continue
    raise OSError(f"found no free port from {low} to {end - 1} for a node")
