"""One connection that goes through the link proxy: two ends, and what is on its way between them.

Rules of this file:

1. It carries bytes and does not know what they mean, but for the number of a message.
2. What blocks a link is looked at when bytes would arrive: what is held waits, in its order; else
   what is cut off vanishes. A connection that has lost bytes carries no more, for its stream has a
   hole: it stays open and silent until an end closes it.
3. An end that has closed hears no more. The other end learns of it by TCP's own means: at once,
   or, when that news was cut off, when it next says something.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from statelab.live.transport.fdpass import NOBODY, RESET, Handed
from statelab.message import IP
from statelab.rows import CUT_OFF, LOST_ON_THE_WAY

MOST_BYTES = 1 << 20  # bytes that may wait on one way before their sender has to
_NUMBER = re.compile(rb"\r\nstatelab: \S+ (\S+)")

# What is on a way, besides bytes:
_OPEN, _END, _BROKEN, _NOBODY = "open", "end", "broken", "nobody"


class Relayed:
    """The state of a link between two names, for both directions and all its lines."""

    def __init__(self, random: Callable[[float, float], float]):
        self.held = self.cut = False
        self.latency = (0.0, 0.0)  # seconds: the bounds of an even spread
        self.lose: Counter[str] = Counter()  # messages to lose, by who sends them
        self.lines: set[Line] = set()
        self._random = random

    def delay(self) -> float:
        """Seconds that the next bytes take."""
        return self._random(*self.latency)

    def go_on(self) -> None:
        """Delivers what may arrive now; what came first arrives first."""
        ways = [way for line in self.lines for way in (line.there, line.back) if way.queue]
        for way in sorted(ways, key=lambda way: way.queue[0][:2]):
            way.go_on()


class End(asyncio.Protocol):
    """One end of a line."""

    way: Way  # what it says goes this way
    other: Way  # what it hears comes that way

    def __init__(self, line: Line, name: str):
        self.line = line
        self.name = name
        self.transport: asyncio.Transport | None = None
        self.gone = False  # it hears no more
        self.full = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.way.put(data)

    def eof_received(self) -> bool:
        self.line.ended(self, _END)
        return True  # it may still hear

    def connection_lost(self, error: Exception | None) -> None:
        if not self.gone:
            self.gone = True
            self.line.ended(self, _BROKEN)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self.other.go_on()

    def close(self) -> None:
        """Closes it when all that was written is gone."""
        self.gone = True
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Closes it as the connection of a dead process is closed."""
        self.gone = True
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()


class Way:
    """One direction of a line: what is on its way from one end to the other."""

    def __init__(self, line: Line, sender: End, receiver: End):
        self.line = line
        self.sender = sender
        self.receiver = receiver
        self.queue: deque[tuple[float, int, Any]] = deque()  # (when due, place, what)
        self._size = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        sender.way = receiver.other = self

    def put(self, what: Any) -> None:
        """Sends something on its way."""
        line = self.line
        self._due = max(self._due, line.loop.time() + line.link.delay())
        self.queue.append((self._due, line.next_place(), what))
        if type(what) is bytes:
            self._size += len(what)
        self.go_on()
        if self._size > MOST_BYTES and self.sender.transport and not self.sender.gone:
            self.sender.transport.pause_reading()

    def go_on(self) -> None:
        """Lets arrive what is due and not kept."""
        line = self.line
        while self.queue and not (line.link.held or line.opening or self.receiver.full):
            due, _, what = self.queue[0]
            if due > line.loop.time():
                if self._timer is None:
                    self._timer = line.loop.call_at(due, self._wake)
                return
            self.queue.popleft()
            if type(what) is bytes:
                self._size -= len(what)
                if self._size <= MOST_BYTES and self.sender.transport and not self.sender.gone:
                    self.sender.transport.resume_reading()
            line.arrives(self, what)

    def _wake(self) -> None:
        self._timer = None
        self.go_on()

    def forget(self) -> None:
        """Lets go of what is on its way."""
        self.queue.clear()
        if self._timer is not None:
            self._timer.cancel()


class Line:
    """A caller's connection to a target, as far as it goes through the proxy.

    With `whole`, both directions of the near end are closed as one: so it is with a connection
    that was handed over. `next_place` counts what goes through the proxy; `told(sender, receiver,
    message, why)` hears of messages that reached nobody.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, link: Relayed, handed: Handed, whole: bool,
        next_place: Callable[[], int], told: Callable[[str, str, str, str], None],
    ):  # fmt: skip
        self.loop = loop
        self.link = link
        self.near, self.far = End(self, handed.caller), End(self, handed.target)
        self.there, self.back = Way(self, self.near, self.far), Way(self, self.far, self.near)
        self.next_place = next_place
        self.opening = True  # an end is being connected
        self._handed = handed
        self._whole = whole
        self._told = told
        self._message = ""  # the latest, by its number
        self._lost: set[tuple[Way, str]] = set()
        self._unanswered = False
        self._holed = False  # it has lost bytes
        self._ended: set[Way] = set()
        link.lines.add(self)

    async def begin(self, near: socket.socket, far: socket.socket) -> None:
        """Takes the sockets of both ends; what comes in on them is carried from here on."""
        self._far_socket = far
        for sock in (near, far):
            sock.setblocking(False)
        await self.loop.create_connection(lambda: self.near, sock=near)
        if self._handed.connected:
            await self.loop.create_connection(lambda: self.far, sock=far)
        self.opening = False
        if self.near.gone and not self.there.queue:  # it ended meanwhile
            self._close_far()
            return
        if not self._handed.connected:
            self.there.queue.appendleft((0.0, 0, _OPEN))
        self.link.go_on()

    # --------------------------------------------------------------------------- ends
    def ended(self, end: End, how: str) -> None:
        """An end has closed, or its connection is broken."""
        if self._whole:
            if end is self.near and not any(type(what) is bytes for *_, what in self.there.queue):
                self._close_far()  # nothing of it is on its way, so its port is free now
                return
            end.close()
        end.way.put(how)

    def _close_far(self) -> None:
        self.near.close()
        if self._handed.resets or not self._unanswered:
            self.far.reset()
        else:  # of a request that has timed out the server may still read every byte
            self.far.close()
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self.near.gone and self.far.gone:
            self.there.forget()
            self.back.forget()
            if self.far.transport is None and not self.opening:
                self._far_socket.close()
            self.link.lines.discard(self)

    # --------------------------------------------------------------------------- arrivals
    def arrives(self, way: Way, what: Any) -> None:
        """Something would be at the other end now: is it, or does something keep it away?"""
        link, is_bytes = self.link, type(what) is bytes
        if is_bytes and self._whole and way is self.there:
            number = _NUMBER.search(what)
            self._message = number[1].decode() if number else self._message
        if link.cut:
            if self._whole and way is self.there and what in (_END, _BROKEN):
                self._close_far()  # the caller has closed it, whoever hears of that
            elif is_bytes or what is _OPEN:
                self._lose(way, is_bytes, CUT_OFF)
        elif is_bytes and link.lose[way.sender.name] and not self._holed:
            link.lose[way.sender.name] -= 1
            self._lose(way, is_bytes, LOST_ON_THE_WAY)
        elif is_bytes or what is _OPEN:
            if not self._holed:
                self._come(way, what)
        else:
            self._end_comes(way, what)

    def _lose(self, way: Way, is_bytes: bool, why: str) -> None:
        self._holed = True
        if is_bytes and (way, self._message) not in self._lost:
            self._lost.add((way, self._message))
            self._told(way.sender.name, way.receiver.name, self._message, why)

    def _come(self, way: Way, what: Any) -> None:
        if what is _OPEN:
            self.opening = True
            self._task = self.loop.create_task(self._open())
        elif way.receiver.gone:
            way.sender.other.put(_BROKEN)  # as a reset says it
        else:
            self._unanswered = way is self.there
            way.receiver.transport.write(what)

    def _end_comes(self, way: Way, how: str) -> None:
        end = way.receiver
        self._ended.add(way)
        if self._whole and end is self.far:
            self._close_far()
        elif self._whole and how is _NOBODY and not end.gone:
            end.transport.write(NOBODY)  # the caller closes it when it has read that
        elif self._whole:
            end.close()
        elif how is not _END or end.transport is None:
            end.reset()
        elif len(self._ended) == 2:
            self.near.close()
            self.far.close()
        elif not end.gone:
            end.transport.write_eof()
        self._end_if_over()

    # --------------------------------------------------------------------------- the far end
    async def _open(self) -> None:
        try:
            await self.loop.sock_connect(self._far_socket, (IP, self._handed.port))
            await self.loop.create_connection(lambda: self.far, sock=self._far_socket)
        except OSError:
            self.far.gone = True
            self._far_socket.close()
            self.there.forget()
            self.opening = False
            self.back.put(_NOBODY)
            return
        self.opening = False
        if self.far.gone:  # given up meanwhile
            self.far.reset()
        elif self.near.gone and not self.there.queue:
            self._close_far()
        self.link.go_on()
