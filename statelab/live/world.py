"""The live world: the verbs of the simulated one, over operating-system processes and real HTTP."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from statelab.client import Client, Pending, with_token
from statelab.engines.engine import Engine, EngineMissing
from statelab.live.driver.clients import Asker
from statelab.live.driver.loop import Hub
from statelab.live.driver.processes import Lives
from statelab.live.faults import LiveLinkFaults
from statelab.live.transport import ports
from statelab.message import Response
from statelab.node import (
    DEFAULT_TIMEOUT,
    YOU,
    Call,
    Node,
    WrongState,
    checked_name,
    checked_seed,
    micros,
)
from statelab.pickling import packed
from statelab.rows import Row
from statelab.trace import Trace
from statelab.vetting import vetting as isolation

_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for hub in list(_hubs):
        hub.stop()
    for hub in list(_hubs):
        hub.join(5)


def _forked() -> None:
    for hub in list(_hubs):
        hub.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class LiveWorld(LiveLinkFaults):
    """A world whose nodes are processes: `kill` is SIGKILL, and `request.peer` is true.

    `seed` decides what the nodes' `random` gives, and nothing else; without one, a fresh seed is
    drawn. With `memory=False` the trace leaves out what the nodes remember. `fork=False` starts
    each node as a fresh interpreter, as is done where a process cannot fork; that is slower.
    Use it in a `with`, or `close` it; at the latest its processes end with this interpreter.
    """

    def __init__(self, seed: int | None = None, *, memory: bool = True, fork: bool = True):
        self.seed = secrets.randbits(32) if seed is None else checked_seed(seed)
        self._clients: dict[str, Client] = {}
        self._ended = threading.Condition()
        self._hub = Hub(fork, lambda hub: Lives(hub, self.seed))
        self._lives: Lives = self._hub.nodes
        self._memory = memory
        _hubs.add(self._hub)
        weakref.finalize(self, self._hub.stop).atexit = False
        try:
            self._hub.begin()
        except BaseException:  # an interrupt, which whoever shows it may keep, and this world by it
            self._hub.stop()
            raise

    # --------------------------------------------------------------------------- the end
    def close(self) -> None:
        """Ends all its processes and removes its folder; may be called twice."""
        self._hub.stop()
        if threading.current_thread() is not self._hub.thread:
            self._hub.join()

    def __enter__(self) -> LiveWorld:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # --------------------------------------------------------------------------- looking
    @property
    def trace(self) -> Trace:
        """What has happened so far, as far as the processes have told."""
        memory = self._hub.journal.memory if self._memory else []
        return Trace(self._hub.journal.rows, memory, self._states)

    @property
    def names(self) -> dict[str, str]:
        """Every node's and client's status by name: 'up', 'paused', 'dead' or 'client'."""
        nodes = {name: node.status for name, node in list(self._lives.nodes.items())}
        return {**nodes, **dict.fromkeys(list(self._hub.clients.callers), "client")}

    def now(self) -> float:
        """Seconds since the world began; the nodes' `now` has the same origin."""
        return self._hub.now_us() / 1_000_000

    def status(self, name: str) -> str:
        """'up', 'paused' or 'dead'; raises UnknownNode."""
        return self._lives.node(name).status

    def pid(self, name: str) -> int | None:
        """The number of its process, None if it is dead or not this world's; raises UnknownNode."""
        node = self._lives.node(name)
        return None if node.status == "dead" else node.pid or None

    def port(self, name: str, *, caller: str | None = None) -> int:
        """The port that it serves: a node `curl http://127.0.0.1:port/`; raises UnknownNode.

        With `caller`, a port of the link proxy that stands before it: on what comes in there, the
        faults of the link between `caller` and `name` work. For programs that know nothing of
        this world, as an engine; nodes and clients of this world need none to call a node. Behind
        it, the peer that a server sees is the proxy.
        """
        node = self._lives.node(name)
        if caller is None:
            return node.port
        checked_name(caller, "a caller")
        if node.outside:
            raise WrongState(f"{name} is somebody else's server: links to it have no faults here")
        return self._do(self._hub.links.way(caller, name, node.port))

    def address(self, name: str, *, caller: str | None = None) -> str:
        """The URL of a node, or what an engine's client library connects to; it stays the same.

        Give it as an argument to the nodes that use the engine. With `caller`, by the port that
        `port` tells for it. Raises UnknownNode.
        """
        return self._lives.node(name).address(self.port(name, caller=caller))

    @property
    def folder(self) -> Path:
        """A folder for files of this world's nodes; it goes with the world, whatever ends it."""
        folder = self._hub.folder / "files"
        folder.mkdir(exist_ok=True)
        return folder

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback()` when there are new rows; returns what ends that.

        It is called on this world's own thread, 20 times a second at the most. A callback that
        raises is dropped.
        """
        if not callable(callback):
            raise TypeError(f"a watcher is a function, not {callback!r:.100}")
        return self._hub.watch.add(callback)

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
            what = factory(*args, **options)
            if why := factory.lacks():
                raise EngineMissing(why)
        else:
            isolation.vet(factory, options)
            what = _parcel(name, factory, args)
        self._do(self._lives.start(name, what))

    def kill(self, name: str) -> None:
        """Kills a node's process by SIGKILL and waits for its exit.

        Its memory and connections are gone, its disk stays. Raises WrongState if it is dead,
        UnknownNode.
        """
        self._do(self._lives.kill(name))

    def restart(self, name: str) -> None:
        """Begins a dead node's next life: a new process on the same port, with its disk.

        Raises WrongState if it lives, RuntimeError if `__init__` fails.
        """
        self._do(self._lives.restart(name))

    def pause(self, name: str) -> None:
        """Stops a node's process by SIGSTOP; the clock goes on.

        Connections stay open, and the system takes new ones in its place; requests wait. Raises
        WrongState unless it is up.
        """
        self._do(self._lives.pause(name))

    def resume(self, name: str) -> None:
        """Lets a paused process go on (SIGCONT). Raises WrongState."""
        self._do(self._lives.resume(name))

    # --------------------------------------------------------------------------- verbs: clients
    def call(
        self,
        to: str,
        path: str = "/",
        body: Any = None,
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait: bool = True,
    ) -> Response | Pending:
        """Sends one request as client `you`, on a fresh connection; else like `Client.send`."""
        you = self.client(YOU)
        pending = self._send(you, Call(to, path, body, method, headers, timeout), once=True)
        return pending.result() if wait else pending

    def client(self, name: str, port: int | None = None) -> Client:
        """The client of that name, made if need be.

        With `port`, its next connections come from that port. Raises WrongState if the name is a
        node's, or the port is in use.
        """
        if checked_name(name, "a client") not in self._clients or port is not None:
            self._do(self._make_client(name, port))
            self._clients.setdefault(name, Client(self, name))
        return self._clients[name]

    def run(self, seconds: float | None = None, *, until: float | None = None) -> None:
        """Waits for `seconds`, or `until` a time of this world."""
        if (seconds is None) == (until is None):
            raise TypeError("say run(seconds) or run(until=seconds)")
        us = micros(seconds if until is None else until)
        if until is not None:
            us -= self._hub.now_us()
            if us < 0:
                raise ValueError(f"{until} s is past: it is {self.now()} s; time runs one way")
        time.sleep(us / 1_000_000)

    # --------------------------------------------------------------------------- inside
    def _do(self, coroutine: Coroutine) -> Any:
        """Has the loop's thread do something; waits for it."""
        hub, future = self._hub, concurrent.futures.Future()

        def begin() -> None:
            task = hub.loop.create_task(coroutine)
            task.add_done_callback(lambda task: _pass_on(task, future, hub))

        try:
            if threading.current_thread() is hub.thread:
                raise RuntimeError("a watcher called a verb, on the thread that performs verbs")
            hub.submit(begin)
        except BaseException:
            coroutine.close()
            raise
        return future.result()

    async def _make_client(self, name: str, port: int | None) -> None:
        hub = self._hub
        if port is None and name in hub.clients.callers:
            return  # two threads asked for the same new client
        if name in self._lives.nodes:
            raise WrongState(f"{name} is a node; a client needs a name of its own")
        if port is not None:
            await hub.links.settled()  # whoever had the port may have closed just now
            ports.check_free(port, hub.clients.callers.values())
        if name in hub.clients.callers:
            hub.clients.callers[name].close_all()
        caller = hub.clients.caller(name)
        caller.port = port
        caller.record("client", None, None, None, port)
        hub.flush()

    def _send(self, client: Client, call: Call, once: bool = False) -> Pending:
        hub = self._hub
        hub.port_of(call.to)
        call.headers = with_token(client, call.headers)
        pending = Pending(self, client.name)
        caller = hub.clients.callers[client.name]
        hub.submit(caller.call, Asker(hub, client, pending), call, once)
        return pending

    def _request(self, client: Client, call: Call) -> Pending:
        return self._send(client, call)

    def _wait(self, pending: Pending) -> None:
        if threading.current_thread() is self._hub.thread:
            raise RuntimeError("a watcher waits for an answer on the thread that would bring it")
        with self._ended:
            while pending.outcome is None:
                self._ended.wait(1.0)  # in slices, for Windows interrupts no longer wait
                if pending.outcome is None and not self._hub.thread.is_alive():
                    raise WrongState("this world is closed meanwhile")

    def _reconnect(self, client: Client) -> None:
        async def close_all() -> None:
            self._hub.clients.callers[client.name].close_all()
            self._hub.flush()
            await self._hub.links.settled()

        self._do(close_all())

    def _ports(self, client: Client) -> dict[str, int]:
        return self._hub.clients.callers[client.name].ports()

    def _states(self) -> list[Row]:
        hub = self._hub
        states = {}
        for name, node in list(self._lives.nodes.items()):
            memory = None if node.status == "dead" else node.memory
            states[name] = (node.life, (memory, node.disk))
        for name in list(hub.clients.callers):
            states[name] = (1, (hub.clients.memory(name), {}))
        seq, now_us = len(hub.journal.rows), hub.now_us()
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


def _pass_on(task: asyncio.Task, future: concurrent.futures.Future, hub: Hub) -> None:
    if task.cancelled():
        why = f"this world is closed meanwhile{hub.why_closed}"
        future.set_exception(WrongState(why))
    elif task.exception() is not None:
        future.set_exception(task.exception())
    else:
        future.set_result(task.result())
