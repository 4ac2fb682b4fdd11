"""What the operating system remembers of one TCP connection, looked at from outside of it.

On Linux the system itself tells (`TCP_INFO`, and `/proc/net/tcp` for the other end, if that is on
this machine). Elsewhere it tells a program only the state of its connection: the rest is '?'.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
import unicodedata
from html import escape
from pathlib import Path
from typing import NamedTuple

from statelab.language import marked, spoken

LINUX = sys.platform == "linux"
ACKNOWLEDGED_S = 2.0  # for an acknowledgement, which may lag by some hundredths of a second
# RFC 9293, section 3.3.2, numbered as Linux does.
STATES = (
    "", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait",
    "closed", "close-wait", "last-ack", "listen", "closing",
)  # fmt: skip
_ENDED_THERE = ("close-wait", "last-ack", "closing", "time-wait")
ONLY_LINUX = marked(
    "This system tells a program only the state of its connection; the rest is '?'."
)


class Counts(NamedTuple):
    """What is remembered of a connection, in bytes since it was opened; None where nobody tells.

    `sent` is what this end has sent, `acknowledged` how much of it the other end's *system* has
    taken, `unread` how much of that the other end's *program* has not read yet, and `received`
    what has come to this end.
    """

    sent: int | None
    acknowledged: int | None
    unread: int | None
    received: int | None
    state: str


def counts(sock: socket.socket) -> Counts:
    """What the system remembers of a connection that `sock` has opened."""
    if not LINUX:
        return Counts(None, None, None, None, _state_elsewhere(sock))
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    acknowledged, received = struct.unpack_from("2Q", data, 120)
    sent, again = struct.unpack_from("2Q", data, 200)
    state = STATES[data[0]]
    # The wish to connect (SYN) counts as a byte, and so does the end (FIN).
    acknowledged = max(0, acknowledged - 1)
    received -= state in _ENDED_THERE
    return Counts(sent - again, acknowledged, _unread_there(sock), received, state)


def _unread_there(sock: socket.socket) -> int | None:
    """What waits at the other end for its program; None if that end is gone, or elsewhere."""
    try:
        here, there = sock.getsockname(), sock.getpeername()
    except OSError:  # the connection is broken
        return None
    wanted = [_hex(there), _hex(here)]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[4].partition(":")[2], 16)
    return None


def _hex(address: tuple[str, int]) -> str:
    """The address as /proc/net/tcp writes it: the machine's byte order for the IP address."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _state_elsewhere(sock: socket.socket) -> str:
    import psutil

    for connection in psutil.Process().net_connections("tcp"):
        if connection.fd == sock.fileno() or connection.laddr == sock.getsockname():
            return connection.status.lower().replace("_", "-")
    return "closed"


class Ledger:
    """A table of what was remembered of a connection, moment by moment.

    Printing it shows the same for the same requests: it counts bytes, and names no port or time.
    """

    def __init__(self, sock: socket.socket):
        self._sock = sock
        self.rows: list[tuple[str, Counts]] = []

    def look(self, when: str) -> Counts:
        """Adds a line: what is remembered now. Waits until what was sent is acknowledged."""
        end = time.monotonic() + ACKNOWLEDGED_S
        now = counts(self._sock)
        while now.sent != now.acknowledged and time.monotonic() < end:
            time.sleep(0.001)
            now = counts(self._sock)
        self.rows.append((when, now))
        return now

    def frame(self):
        """The table as a pandas DataFrame."""
        import pandas

        index = pandas.Index([when for when, _ in self.rows], name="when")
        return pandas.DataFrame([now for _, now in self.rows], index, columns=Counts._fields)

    def _cells(self) -> list[list[str]]:
        heads = [spoken("sent"), spoken("acknowledged"), spoken("unread there"), spoken("received")]
        lines = [["", *heads, spoken("state")]]
        for when, now in self.rows:
            lines.append([spoken(when), *("?" if value is None else str(value) for value in now)])
        return lines

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
        lines = []
        for when, *values, state in cells:
            gaps = [" " * (most - _width(v)) for v, most in zip(values, widths[1:-1], strict=True)]
            numbers = "  ".join(gap + v for gap, v in zip(gaps, values, strict=True))
            lines.append(f"{when}{' ' * (widths[0] - _width(when))}  {numbers}  {state}")
        return "\n".join(lines if LINUX else [*lines, spoken(ONLY_LINUX)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        lines = [_html("th", head), *(_html("td", row) for row in rows)]
        note = "" if LINUX else f"<p>{escape(spoken(ONLY_LINUX))}</p>"
        return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>{note}"


def _width(text: str) -> int:
    """How many letters wide a text is on a terminal: Hangul is two for each."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _html(kind: str, cells: list[str]) -> str:
    sides = ["left", *["right"] * (len(cells) - 2), "left"]
    return "".join(
        f'<{kind} style="padding:2px 12px;text-align:{side}">{escape(text)}</{kind}>'
        for side, text in zip(sides, cells, strict=True)
    )
