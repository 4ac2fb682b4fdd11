"""The driver's loop: one thread owns all I/O of a live world in the notebook's kernel.

It knows nothing of the `LiveWorld` above it, so that a world which nobody holds any more can go,
and its processes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import statelab
from statelab.live.driver.clients import Clients
from statelab.live.driver.desk import Desk
from statelab.live.driver.links import PROXY, Links
from statelab.live.driver.merge import Entry, Journal, Source
from statelab.live.driver.watch import Watcher
from statelab.live.transport.control import TOKEN_BYTES, let_go, pack
from statelab.live.warden import trees
from statelab.message import IP
from statelab.node import UnknownNode, WrongState, said

STEP_S = 10.0  # the longest that the warden may take for anything


class Hub:
    """The loop, the desk, the warden, and the callers and the rows of one live world.

    `nodes` does the part that concerns the lives of nodes: see processes.py.
    """

    def __init__(self, fork: bool, nodes: Callable[[Hub], Any]):
        self.origin_ns = time.monotonic_ns()
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.secret = secrets.token_hex(16)  # in each request of this world's: see http.py
        self.folder: Path  # made in `_main`, as all that must go again
        self.port = 0  # of the desk
        self.journal = Journal()
        self.watch = Watcher()
        self.closed = False
        self.why_closed = ""
        # So that nothing is asked of a loop about to end; garbage collection may call `stop` within
        # `stop`.
        self._lock = threading.RLock()
        self._over = asyncio.Event()
        self._pid = os.getpid()
        self.links = Links(self)
        self.clients = Clients(self)
        self.ports: dict[str, int] = {}
        self._index = itertools.count(1)
        self._flushing = False
        self._server: asyncio.Server | None = None
        self._warden: Desk | None = None
        self._last_words = ""  # of the warden, if it fails
        self.desks: dict[Desk, None] = {}  # who came first is first
        self._unsent: list[bytes] = []  # for the warden, until it is there
        self._process: subprocess.Popen | None = None
        self._fork = fork
        self._selector = selectors.DefaultSelector()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.nodes = nodes(self)
        self._started = threading.Event()
        self._failure: Exception | None = None
        self.thread = threading.Thread(target=self._main, name="statelab-live", daemon=True)

    def begin(self) -> None:
        """Begins; raises RuntimeError if that fails. An interrupt may come at any moment of it.

        So all that must go again is made by the thread, which no interrupt reaches, and which
        `stop` ends at whatever moment it comes.
        """
        self.thread.start()
        self._started.wait()
        if self._failure is not None:
            why = said(self._failure)
            raise RuntimeError(f"a live world cannot begin: {why}") from self._failure

    # --------------------------------------------------------------------------- the thread
    def _main(self) -> None:
        loop = asyncio.SelectorEventLoop(self._selector)
        with self._lock:
            self.loop = loop
            if self.closed:  # meanwhile
                self._over.set()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="statelab-live-"))
            self._server = loop.run_until_complete(loop.create_server(lambda: Desk(self), IP, 0))
            self.port = self._server.sockets[0].getsockname()[1]
            self._start_warden()
            self._started.set()
            loop.run_until_complete(self._over.wait())
        except Exception as wrong:
            self._failure = wrong
            self.stop()
        try:
            self._end()
        finally:
            self._started.set()

    def _start_warden(self) -> None:
        root = str(Path(statelab.__file__).parents[1]) if statelab.__file__ else ""
        paths = [root, os.environ.get("PYTHONPATH", "")]
        with open(self.folder / "warden.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "statelab.live.warden.main", str(self.folder)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )  # fmt: skip
        config = {"desk": self.port, "token": self.token.hex(), "forks": self._fork}
        with contextlib.suppress(OSError), self._process.stdin as stdin:
            stdin.write(json.dumps(config).encode() + b"\n")
        self._await_warden()

    def _await_warden(self) -> None:
        """Notices a warden that ends before it has come."""
        if self._warden is None and not self.closed:
            if self._process.poll() is None:
                self.loop.call_later(0.1, self._await_warden)
            else:
                self.orphaned()

    def _end(self) -> None:
        """Lets go of everything; the warden sees its channel end, and does the rest."""
        self.loop.run_until_complete(self._let_go())
        self.loop.close()
        if self._process is not None:
            if hasattr(signal, "SIGCONT"):  # stopped, it would not hear of the end
                self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(STEP_S)
            except subprocess.TimeoutExpired:
                trees.kill(self._process.pid)
                self._process.wait()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)
        self.watch.stop()

    async def _let_go(self) -> None:
        if self._server is not None:
            self._server.close()
        for _ in range(4):
            # What was asked for before the end has begun by then, and who has come has a desk.
            await asyncio.sleep(0)
        for caller in self.clients.callers.values():
            caller.give_up("the world was closed")
        self.nodes.end()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for desk in list(self.desks):
            # Closed alone, it would stay open as long as a fork of this process holds it, too.
            with contextlib.suppress(OSError):
                desk.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            desk.transport.abort()
        await asyncio.sleep(0)  # what was aborted closes
        self.journal.flush(last=True)

    def stop(self) -> None:
        """Begins to end this world; may be called from any thread, and twice."""
        if os.getpid() != self._pid:
            return  # in a fork, which has none of this
        with self._lock:
            self.closed = True
            if self.loop is not None and not self.loop.is_closed():
                self.loop.call_soon_threadsafe(self._over.set)

    def join(self, seconds: float | None = None) -> None:
        """Waits for the end of its thread, if it has one: in a fork it has none."""
        if self.thread.is_alive():
            self.thread.join(seconds)

    def forked(self) -> None:
        """In a fork of this process: lets go of its connections, which would not end otherwise."""
        let_go(self._selector)

    def submit(self, function: Callable[..., Any], *args: Any) -> None:
        """Calls a function on the loop's thread, soon; raises WrongState if the world has ended."""
        if os.getpid() != self._pid:
            raise WrongState(
                f"this world is process {self._pid}'s, and this is a fork of that; nothing was "
                "done: make a LiveWorld in this process, or act from that one"
            )
        with self._lock:
            if self.closed:
                raise WrongState(f"this world is closed{self.why_closed}: make a new one")
            self.loop.call_soon_threadsafe(function, *args)

    def orphaned(self, who: str = "warden") -> None:
        """The warden, or the link proxy, is gone, which nobody asked it: so the world ends."""
        words = self._last_words
        with contextlib.suppress(OSError):  # it may have removed the folder
            words = words or (self.folder / f"{who}.log").read_text(errors="replace").strip()
        if self.closed:
            return
        self.why_closed = f", for its {who} is gone" + (f" ({words[-500:]})" if words else "")
        self.nodes.orphaned()
        self.stop()

    # --------------------------------------------------------------------------- the desk
    def joined(self, desk: Desk, who: tuple) -> None:
        """The warden or a node has come."""
        if who[0] == "warden":
            self._warden = desk
            for data in self._unsent:
                desk.transport.write(data)
            self._unsent.clear()
        elif who[0] == "proxy":
            self.links.begun(desk, *who[1:])
        else:
            self.nodes.joined(desk, *who[1:])

    def told(self, who: tuple, message: tuple) -> None:
        """The warden or a node says something."""
        if message[0] == "lost":
            self._last_words = message[2]
            self.orphaned()
        elif message[:2] == ("exit", PROXY):
            self.orphaned("proxy")
        elif who[0] == "warden":
            self.nodes.told_by_warden(*message)
        elif who[0] == "proxy":
            self.links.told(*message)
        else:
            self.nodes.told(who[1], *message)
        self.flush_soon()

    def left(self, who: tuple) -> None:
        """A channel has ended."""
        if who[0] in ("warden", "proxy"):
            self.orphaned(who[0])
        else:
            self.nodes.left(who[1])
        self.flush_soon()

    def tell_warden(self, *message: Any) -> None:
        """Sends the warden a verb, a key, and what the verb takes."""
        data = pack(message)
        if self._warden is None:
            self._unsent.append(data)
        elif not self._warden.transport.is_closing():  # at the end of a world it may go first
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

    # --------------------------------------------------------------------------- who is where
    @property
    def book(self) -> Path:
        """The file that tells the nodes who is where."""
        return self.folder / "ports.json"

    def port_of(self, name: str) -> int:
        """The port that a node serves HTTP on; raises UnknownNode."""
        return self.ports.get(name) or self.unknown(name)

    def unknown(self, name: str) -> NoReturn:
        """Raises UnknownNode: nobody of that name takes requests."""
        what = f"no node is named {name!r}"
        if name in self.clients.callers:
            what = f"{name} is a client, which nobody can call"
        elif name in self.nodes.nodes:
            what = f"{name} takes no HTTP: give its address, world.address({name!r}), to its client"
        names = ", ".join(self.ports) or "none yet"
        raise UnknownNode(f"{what}; nothing was sent or done. The nodes: {names}")

    def write_book(self) -> None:
        """Tells the nodes, by a file, who is where."""
        new = self.book.with_suffix(".new")
        new.write_text(json.dumps(self.ports))
        os.replace(new, self.book)
