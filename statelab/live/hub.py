"""The driver's loop: one thread owns all I/O of a live world in the notebook's kernel.

It knows nothing of the `LiveWorld` above it, so that a world which nobody holds any more can go,
and its processes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import statelab
from statelab.live.channel import IP, TOKEN_BYTES, Frames, pack
from statelab.live.connection import Caller
from statelab.live.journal import Entry, Journal, Source
from statelab.live.watch import Watch
from statelab.node import UnknownNode

STEP_S = 10.0  # the longest that the warden may take for anything


class Desk(asyncio.Protocol):
    """Where the warden and the nodes report; who does not know the token is turned away."""

    def __init__(self, hub: Hub):
        self._hub = hub
        self._token = bytearray()
        self._frames = Frames()
        self._who: tuple | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._hub.desks.add(self)

    def data_received(self, data: bytes) -> None:
        if len(self._token) < TOKEN_BYTES:
            missing = TOKEN_BYTES - len(self._token)
            self._token += data[:missing]
            data = data[missing:]
            if len(self._token) < TOKEN_BYTES:
                return
        if not hmac.compare_digest(self._token, self._hub.token):
            self.transport.abort()
            return
        for message in self._frames.feed(data):
            if self._who is None:
                self._who = message
                self._hub.joined(self, message)
            else:
                self._hub.told(self._who, message)

    def connection_lost(self, error: Exception | None) -> None:
        self._hub.desks.discard(self)
        if self._who is not None:
            self._hub.left(self._who)


class Hub:
    """The loop, the desk, the warden, and the callers and the rows of one live world.

    `nodes` does the part that concerns the lives of nodes: see lives.py.
    """

    def __init__(self, fork: bool, nodes: Callable[[Hub], Any]):
        self.origin_ns = time.monotonic_ns()
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.folder = Path(tempfile.mkdtemp(prefix="statelab-"))
        self.book = self.folder / "ports.json"
        self.port = 0  # of the desk
        self.journal = Journal()
        self.watch = Watch()
        self.closed = False
        self.callers: dict[str, Caller] = {}
        self.ports: dict[str, int] = {}
        self._sources: dict[str, Source] = {}  # of the clients
        self._tokens: dict[str, str | None] = {}
        self._remembered: dict[str, dict[str, Any]] = {}  # what the rows tell of the clients
        self._index = itertools.count(1)
        self._flushing = False
        self._warden: Desk | None = None
        self.desks: set[Desk] = set()
        self._unsent: list[bytes] = []  # for the warden, until it is there
        self._process: subprocess.Popen | None = None
        self._fork = fork
        self.loop = asyncio.SelectorEventLoop()
        self.nodes = nodes(self)
        started = threading.Event()
        self.thread = threading.Thread(
            target=self._main, args=(started,), name="statelab-live", daemon=True
        )
        self.thread.start()
        started.wait()

    # --------------------------------------------------------------------------- the thread
    def _main(self, started: threading.Event) -> None:
        loop = self.loop
        asyncio.set_event_loop(loop)
        try:
            desk = loop.run_until_complete(loop.create_server(lambda: Desk(self), IP, 0))
            self.port = desk.sockets[0].getsockname()[1]
            self._start_warden()
            started.set()
            loop.run_forever()
            desk.close()
        finally:
            self.closed = True
            started.set()
            self._end()

    def _start_warden(self) -> None:
        root = str(Path(statelab.__file__).parents[1]) if statelab.__file__ else ""
        paths = [root, os.environ.get("PYTHONPATH", "")]
        with open(self.folder / "warden.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "statelab.live.warden"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )  # fmt: skip
        config = {
            "desk": self.port, "token": self.token.hex(), "folder": str(self.folder),
            "forks": self._fork,
        }  # fmt: skip
        with self._process.stdin as stdin:
            stdin.write(json.dumps(config).encode() + b"\n")

    def _end(self) -> None:
        """Lets go of everything; the warden sees its channel end, and does the rest."""
        loop = self.loop
        self.nodes.end()
        for caller in self.callers.values():
            caller.give_up("the world was closed")
        self.flush()
        for desk in list(self.desks):
            desk.transport.abort()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(asyncio.sleep(0))  # what was aborted closes
        loop.close()
        if self._process is not None:
            try:
                self._process.wait(STEP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.watch.stop()

    def stop(self) -> None:
        """Begins to end this world; may be called from any thread, and twice."""
        self.closed = True
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)

    # --------------------------------------------------------------------------- the desk
    def joined(self, desk: Desk, who: tuple) -> None:
        """The warden or a node has come."""
        if who[0] == "warden":
            self._warden = desk
            for data in self._unsent:
                desk.transport.write(data)
            self._unsent.clear()
        else:
            self.nodes.joined(*who[1:])

    def told(self, who: tuple, message: tuple) -> None:
        """The warden or a node says something."""
        if who[0] == "warden":
            self.nodes.told_by_warden(*message)
        else:
            self.nodes.told(who[1], *message)
        self.flush_soon()

    def left(self, who: tuple) -> None:
        """A channel has ended."""
        if who[0] == "warden":
            if not self.closed:
                self.nodes.orphaned()
        else:
            self.nodes.left(who[1])
        self.flush_soon()

    def tell_warden(self, *message: Any) -> None:
        """Sends the warden a verb, a key, and what the verb takes."""
        data = pack(message)
        if self._warden is None:
            self._unsent.append(data)
        else:
            self._warden.transport.write(data)

    # --------------------------------------------------------------------------- rows
    def now_us(self) -> int:
        """Whole microseconds since the world began."""
        return (time.monotonic_ns() - self.origin_ns) // 1000

    def record(
        self, source: Source, kind: str, other: str | None = None, message: str | None = None,
        cause: int | None = None, data: Any = None, time_us: int | None = None,
    ) -> int:  # fmt: skip
        """Adds a row of the driver's own; returns what a later row can give as its cause."""
        index = -next(self._index)  # a node counts its own from 0 up
        time_us = self.now_us() if time_us is None else time_us
        self.journal.add(source, [Entry(index, time_us, kind, other, message, cause, data)])
        self.flush_soon()
        return index

    def flush_soon(self) -> None:
        """Puts rows into the trace once all that has arrived by now is read."""
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Puts the rows into the trace that need not wait."""
        self._flushing = False
        rows = len(self.journal.rows)
        if self.journal.flush() and not self.closed:
            self.loop.call_later(0.05, self.flush_soon)
        if len(self.journal.rows) != rows:
            self.watch.changed(self.loop)

    # --------------------------------------------------------------------------- clients
    def port_of(self, name: str) -> int:
        """The port of a node; raises UnknownNode."""
        port = self.ports.get(name)
        if port is None:
            names = ", ".join(self.ports) or "none yet"
            what = f"no node is named {name!r}"
            if name in self.callers:
                what = f"{name} is a client, which nobody can call"
            raise UnknownNode(f"{what}; nothing was sent or done. The nodes: {names}")
        return port

    def write_book(self) -> None:
        """Tells the nodes, by a file, who is where."""
        new = self.book.with_suffix(".new")
        new.write_text(json.dumps(self.ports))
        os.replace(new, self.book)

    def caller(self, name: str) -> Caller:
        """The client of that name, made if need be."""
        caller = self.callers.get(name)
        if caller is None:
            source = self._sources[name] = self.journal.source(name, 1)

            def record(kind: str, *args: Any) -> int:
                index = self.record(source, kind, *args)
                self._look(name)
                return index

            prefix = f"{name}/"
            caller = Caller(name, prefix, self.loop, self.port_of, record, _go_on)
            self.callers[name] = caller
        return caller

    def client_memory(self, name: str) -> dict[str, Any]:
        """What a client keeps: the ports of its connections, and its token."""
        return {"ports": self.callers[name].ports(), "token": self._tokens.get(name)}

    def keep_token(self, name: str, token: str | None) -> None:
        """A client has a token now."""
        self._tokens[name] = token
        self._look(name)

    def _look(self, name: str) -> None:
        if name in self.callers:
            memory, seen = self.client_memory(name), self._remembered.get(name, {})
            changed = {key: value for key, value in memory.items() if seen.get(key, 0) != value}
            if changed:
                self._remembered[name] = memory
                self.record(self._sources[name], "memory", data=(changed, ()))

    def after(self, client: str, index: int, then: Callable[[], None]) -> None:
        """Calls `then` when the client's row `index` is in the trace."""
        self.journal.after(self._sources[client], index, then)
        self.flush_soon()


def _go_on(waiter: Any, value: Any, error: Exception | None) -> None:
    waiter.step(value, error)
