"""The link proxy: one process per live world, between callers and those whom they call.

It is a process of its own, a child of the warden: so neither a paused node nor a busy cell of the
notebook holds up what it carries, and it ends with the world. It starts with the first fault of a
link; links that never had one go without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import random
import socket
import sys
import time
from typing import Any, NoReturn

from statelab.live.relay.stream import Line, Relayed
from statelab.live.transport import fdpass
from statelab.live.transport.control import Frames, connect, say
from statelab.live.transport.fdpass import Handed
from statelab.live.transport.ports import listener

_ROUNDS = 4  # of the loop, from a reset at one end to the closed socket of the other

FULL_S = 0.1  # how long to wait for a place, where too many files are open


class Proxy:
    """All links of one world that go through it. Does what the driver says, over `channel`."""

    def __init__(self, spec: dict[str, Any], loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._origin_ns: int = spec["origin_ns"]
        self._links: dict[frozenset[str], Relayed] = {}
        self._next_place = itertools.count(1).__next__
        self._tasks: set[asyncio.Task] = set()
        self._frames = Frames()
        unix = socket.socket(socket.AF_UNIX)
        with fdpass.as_address(spec["relay"]) as address:
            unix.bind(address)
        os.chmod(spec["relay"], 0o600)
        self._listen(unix, self._handed)
        self._channel = connect(spec["desk"], spec["token"], ("relay", os.getpid()))
        loop.add_reader(self._channel, self._told)

    # --------------------------------------------------------------------------- the driver
    def _told(self) -> None:
        data = self._channel.recv(1 << 16)
        if not data:
            os._exit(0)
        for verb, number, *args in self._frames.feed(data):
            result = getattr(self, f"_do_{verb}")(*args)
            self._later(_ROUNDS, ("done", number, result, ""))

    def _later(self, rounds: int, message: tuple) -> None:
        """Says something when what came in before is done with, closings included."""
        if rounds:
            self._loop.call_soon(self._later, rounds - 1, message)
        else:
            say(self._channel, *message)

    def _do_set(self, a: str, b: str, held: bool, cut: bool, latency: tuple[float, float]) -> None:
        link = self._link(a, b)
        link.held, link.cut, link.latency = held, cut, latency
        link.go_on()

    def _do_lose(self, sender: str, receiver: str) -> None:
        self._link(sender, receiver).lose[sender] += 1

    def _do_settle(self) -> None:
        """Nothing: the answer comes when all that came in before is done with."""

    def _do_way(self, caller: str, target: str, port: int, before: int) -> None:
        """Opens the port `before`, which stands before the target's."""
        self._listen(listener(before), self._called, Handed(caller, target, port, False, False))

    def _link(self, a: str, b: str) -> Relayed:
        key = frozenset((a, b))
        if key not in self._links:
            self._links[key] = Relayed(random.uniform)
        return self._links[key]

    # --------------------------------------------------------------------------- new lines
    def _listen(self, sock: socket.socket, came: Any, *args: Any) -> None:
        def accept() -> None:
            try:
                near = sock.accept()[0]
            except OSError as wrong:
                if wrong.errno in (errno.EMFILE, errno.ENFILE):  # it would be told at once again
                    self._loop.remove_reader(sock)
                    self._loop.call_later(FULL_S, self._loop.add_reader, sock, accept)
            else:
                near.setblocking(False)
                came(near, *args)

        sock.listen(2048)
        sock.setblocking(False)
        self._loop.add_reader(sock, accept)

    def _handed(self, near: socket.socket) -> None:
        """A caller hands its connection over: that takes it a moment, in which it may be paused."""

        def take() -> None:
            self._loop.remove_reader(near)
            try:
                handed, far = fdpass.take(near)
            except OSError:
                near.close()
            else:
                self._begin(handed, near, far, whole=True)

        self._loop.add_reader(near, take)

    def _called(self, near: socket.socket, handed: Handed) -> None:
        """Somebody has connected to a port that stands before a target's."""
        try:
            far = socket.socket()
        except OSError:  # too many files are open
            near.close()
            return
        for sock in (near, far):
            with contextlib.suppress(OSError):  # it may have hung up already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin(handed, near, far, whole=False)

    def _begin(self, handed: Handed, near: socket.socket, far: socket.socket, whole: bool) -> None:
        link = self._link(handed.caller, handed.target)
        line = Line(self._loop, link, handed, whole, self._next_place, self._lost)
        task = self._loop.create_task(line.begin(near, far))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lost(self, sender: str, receiver: str, message: str, why: str) -> None:
        now_us = (time.monotonic_ns() - self._origin_ns) // 1000
        say(self._channel, "dropped", now_us, sender, receiver, message, why)


def live(spec: dict[str, Any]) -> None:
    """Is the link proxy that `spec` describes."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_failed)
    Proxy(spec, loop)
    loop.run_forever()


def _failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> NoReturn:
    """An error of the proxy's own: it ends, and so its world does, which says what it was."""
    loop.default_exception_handler(context)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    live(next(Frames().feed(sys.stdin.buffer.read())))
