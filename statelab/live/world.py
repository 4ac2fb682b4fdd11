"""The live world: the verbs of the simulated one, over operating-system processes and real HTTP."""

from __future__ import annotations

import atexit
import inspect
import os
import secrets
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from statelab.checked import checked_name, checked_seed, micros
from statelab.effects import WrongState
from statelab.engines.engine import Engine, EngineMissing
from statelab.live.clients import LiveClients
from statelab.live.driver.driver import Driver
from statelab.live.driver.loop import Loop
from statelab.live.driver.watch import Watcher
from statelab.live.faults import LiveLinkFaults
from statelab.message import shown
from statelab.node import Node
from statelab.pickling import packed
from statelab.rows import Row
from statelab.trace import Trace
from statelab.vetting import vetting

_loops: weakref.WeakSet[Loop] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for loop in list(_loops):
        loop.stop()
    for loop in list(_loops):
        loop.join(5)


def _forked() -> None:
    for loop in list(_loops):
        loop.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class LiveWorld(LiveClients, LiveLinkFaults):
    """A world whose nodes are processes: `kill` is SIGKILL, and `request.peer` is true.

    `seed` decides what the nodes' `random` gives, and nothing else; without one, a fresh seed is
    drawn. With `memory=False` the trace leaves out what the nodes remember.
    Use it in a `with`, or `close` it; at the latest its processes end with this interpreter.
    """

    def __init__(self, seed: int | None = None, *, memory: bool = True):
        self.seed = secrets.randbits(32) if seed is None else checked_seed(seed)
        self._driver = Driver(self.seed)
        self._memory = memory
        super().__init__()
        loop = self._driver.loop
        _loops.add(loop)
        weakref.finalize(self, loop.stop).atexit = False
        try:
            loop.begin()
        except BaseException:  # an interrupt, which whoever shows it may keep, and this world by it
            loop.stop()
            raise

    # --------------------------------------------------------------------------- the end
    def close(self) -> None:
        """Ends all its processes and removes its folder; may be called twice.

        In a signal handler that has interrupted a verb it does not wait for that end.
        """
        self._driver.loop.stop()
        self._driver.loop.join()

    def __enter__(self) -> LiveWorld:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # --------------------------------------------------------------------------- looking
    @property
    def trace(self) -> Trace:
        """What has happened so far, as far as the processes have told."""
        rows = self._driver.rows
        return Trace(rows.rows, rows.memory if self._memory else [], self._states)

    @property
    def names(self) -> dict[str, str]:
        """Every node's and client's status by name: 'up', 'paused', 'dead' or 'client'."""
        where = self._driver.where
        nodes = {name: host.status for name, host in list(where.hosts.items())}
        return {**nodes, **dict.fromkeys(list(where.callers), "client")}

    def now(self) -> float:
        """Seconds since the world began; the nodes' `now` has the same origin."""
        return self._driver.rows.now_us() / 1_000_000

    def status(self, name: str) -> str:
        """'up', 'paused' or 'dead'; raises UnknownNode."""
        return self._driver.where.host(name).status

    def pid(self, name: str) -> int | None:
        """The number of its process, None if it is dead or not this world's; raises UnknownNode."""
        host = self._driver.where.host(name)
        return None if host.status == "dead" else host.life.pid or None

    def port(self, name: str, *, caller: str | None = None) -> int:
        """The port that it serves: a node `curl http://127.0.0.1:port/`; raises UnknownNode.

        With `caller`, a port of the link proxy that stands before it: on what comes in there, the
        faults of the link between `caller` and `name` work. For programs that know nothing of
        this world, as an engine; nodes and clients of this world need none to call a node. Behind
        it, the peer that a server sees is the proxy.
        """
        host = self._driver.where.host(name)
        if caller is None:
            return host.port
        checked_name(caller, "a caller")
        if host.outside:
            raise WrongState(f"{name} is somebody else's server: links to it have no faults here")
        return self._driver.loop.do(self._driver.links.way(caller, name))

    def address(self, name: str, *, caller: str | None = None) -> str:
        """The URL of a node, or what an engine's client library connects to; it stays the same.

        Give it as an argument to the nodes that use the engine. With `caller`, by the port that
        `port` tells for it. Raises UnknownNode.
        """
        return self._driver.where.host(name).address(self.port(name, caller=caller))

    @property
    def folder(self) -> Path:
        """A folder for files of this world's nodes; it goes with the world, whatever ends it.

        Raises WrongState if that has ended, OSError if no folder can be made.
        """
        folder = self._driver.folder / "files"
        try:
            folder.mkdir(exist_ok=True)
        except FileNotFoundError:
            if self._driver.loop.closed:
                raise self._driver.loop.closed_error() from None
            raise
        return folder

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback()` when there are new rows; returns what ends that.

        It is called on this world's own thread, 20 times a second at the most. A callback that
        raises is dropped.
        """
        if not callable(callback):
            raise TypeError(f"a watcher is a function, not {shown(callback)}")
        watcher = Watcher(callback)
        self._driver.rows.grown.append(watcher.grown)
        return watcher.stop

    def __repr__(self) -> str:
        names = ", ".join(f"{name} {status}" for name, status in self.names.items())
        return f"<LiveWorld: {names or 'empty'}>"

    # --------------------------------------------------------------------------- verbs: nodes
    def start(
        self, name: str, factory: type[Node] | type[Engine], *args: Any, **options: Any
    ) -> None:
        """Starts a node's process, or an engine's; returns when it takes requests.

        A node has `args`: `restart` will call `factory` again, with `args` unpickled anew. An
        engine has `options`: `start("redis", Redis, append_only=True)`.

        Raises TypeError for a class that a kill would not wholly erase or that cannot travel to
        another process; EngineMissing where the machine lacks the server; WrongState if the name
        is taken; RuntimeError if `__init__` or the server fails.
        """
        checked_name(name)
        if isinstance(factory, type) and issubclass(factory, Engine):
            try:
                inspect.signature(factory).bind(*args, **options)
            except TypeError as wrong:
                takes = ", ".join(inspect.signature(factory).parameters)
                raise TypeError(
                    f"{factory.__name__} of {name}: {wrong}; nothing was started. Its options, all "
                    f"by name: {takes or 'none'}"
                ) from None
            what = factory(*args, **options)
            if why := factory.lacks():
                raise EngineMissing(why)
        else:
            reach = vetting.vet(factory, args, options)
            what = _parcel(name, factory, args), reach.keeps
        self._driver.loop.do(self._driver.nodes.start(name, what))

    def kill(self, name: str) -> None:
        """Kills a node's process by SIGKILL and waits for its exit.

        Its memory and connections are gone, its disk stays. Raises WrongState if it is dead,
        UnknownNode.
        """
        self._driver.loop.do(self._driver.nodes.kill(name))

    def restart(self, name: str) -> None:
        """Begins a dead node's next life: a new process on the same port, with its disk.

        Raises WrongState if it lives, RuntimeError if `__init__` fails.
        """
        self._driver.loop.do(self._driver.nodes.restart(name))

    def pause(self, name: str) -> None:
        """Stops a node's process by SIGSTOP; the clock goes on.

        Connections stay open, and the system takes new ones in its place; requests wait. Raises
        WrongState unless it is up.
        """
        self._driver.loop.do(self._driver.nodes.pause(name))

    def resume(self, name: str) -> None:
        """Lets a paused process go on (SIGCONT). Raises WrongState."""
        self._driver.loop.do(self._driver.nodes.resume(name))

    def run(self, seconds: float | None = None, *, until: float | None = None) -> None:
        """Waits for `seconds`, or `until` a time of this world."""
        if (seconds is None) == (until is None):
            raise TypeError("say run(seconds) or run(until=seconds)")
        us = micros(seconds if until is None else until)
        if until is not None:
            us -= self._driver.rows.now_us()
            if us < 0:
                raise ValueError(f"{until} s is past: it is {self.now()} s; time runs one way")
        time.sleep(us / 1_000_000)

    def _states(self) -> list[Row]:
        where, rows = self._driver.where, self._driver.rows
        states = {}
        for name, host in list(where.hosts.items()):
            source = host.life.source
            memory = None if host.status == "dead" else source.memory
            states[name] = (source.life, (memory, source.disk))
        for name in list(where.callers):
            states[name] = (1, (self._callers.memory(name), {}))
        seq, now_us = len(rows.rows), rows.now_us()
        return [
            Row(seq, now_us, "state", name, life, None, None, None, data)
            for name, (life, data) in sorted(states.items())
        ]


def _parcel(name: str, factory: type[Node], args: tuple) -> bytes:
    """The class and its arguments; raises TypeError if something in them cannot travel."""
    try:
        return packed((factory, args), factory.__mro__)
    except Exception as wrong:
        raise TypeError(
            f"{factory.__name__} or an argument of {name} cannot travel to another process: {wrong}"
        ) from None
