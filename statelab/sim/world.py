"""The simulated world: its nodes, its clients, and the verbs that act on them.

Rules of this file:

1. The state of a world is a function of code, seed and inputs (inputs.py).
2. Nothing here iterates a set, compares objects, or reads a clock. Ties break by a counter.
3. Looking (`trace`, `names`, a client's ports) changes nothing.
"""

from __future__ import annotations

import weakref
from typing import Any

from statelab.canonical import canonical_memory
from statelab.checked import DEFAULT_TIMEOUT, YOU, checked_name, checked_seed, micros
from statelab.client import Client, Pending, with_token
from statelab.effects import Call, WrongState
from statelab.message import Response
from statelab.node import Node
from statelab.sim.connection import Host, Hosts
from statelab.sim.faults import LinkFaults
from statelab.sim.inputs import Inputs, verb
from statelab.sim.life import ClientEnd, Life, Waiter
from statelab.sim.network import Network
from statelab.sim.observer import Observer
from statelab.trace import Trace


class World(Inputs, LinkFaults):
    """A world whose every run is replayable to the bit.

    `seed` decides all that is random in it. With `memory=True` the trace also tells each node's
    memory after each step; that changes nothing else.
    """

    def __init__(self, seed: int = 0, *, memory: bool = False):
        super().__init__()
        self.seed = checked_seed(seed)
        self._rows: list[tuple] = []
        self._clients: dict[str, ClientEnd] = {}
        self._hosts = Hosts(self._clients)
        self._network = Network(self.seed, self._clock, self._rows, self._record, self._hosts)
        self._observer = Observer(self._clock, self._rows, self._hosts, self._clients)
        self.trace = Trace(self._rows, self._observer.memory, self._observer.states)
        # Coroutines of a world that is garbage are closed by Python: nothing they run in a
        # `finally` may have an effect, or end in an error that nobody can catch.
        self._doors: list[list[bool]] = []
        weakref.finalize(self, _shut, self._doors)
        if memory:
            self.watch()

    # --------------------------------------------------------------------------- looking
    @property
    def names(self) -> dict[str, str]:
        """Every node's and client's status by name: 'up', 'paused', 'dead' or 'client'."""
        nodes = {name: host.status for name, host in self._hosts.items()}
        return {**nodes, **dict.fromkeys(self._clients, "client")}

    def status(self, name: str) -> str:
        """'up', 'paused' or 'dead'; raises UnknownNode."""
        return self._host(name).status

    def now(self) -> float:
        """Seconds since the world began."""
        return self._clock.now_us / 1_000_000

    def __repr__(self) -> str:
        names = ", ".join(f"{name} {status}" for name, status in self.names.items())
        return f"<World seed={self.seed} at {self.now():g} s: {names or 'empty'}>"

    def watch(self) -> None:
        """From here on, records changes of memory; what is remembered by now counts as seen."""
        if not self._observer.on:
            self._observer.start()
            self._each = self._observer.look

    @property
    def watched_from(self) -> int:
        """The first row after which memory is recorded."""
        return self._observer.since

    # --------------------------------------------------------------------------- nodes
    def start(self, name: str, factory: type[Node], *args: Any, **options: Any) -> None:
        """Starts a node; `restart` will call `factory` again, with `args` unpickled anew.

        Raises TypeError for a class that a kill would not wholly erase, or whose memory has no
        canonical form, and for a real server, which alone has `options`; WrongState if the name
        is taken.
        """
        from statelab.vetting.vetting import vet  # it reads bytecode, and not all need that

        checked_name(name)
        reach = vet(factory, args, options)
        if reach.outside:
            raise TypeError(reach.outside)
        if name in self._hosts or name in self._clients:
            raise WrongState(f"the name {name} is taken: choose another, or restart {name}")
        self._advance(self._clock.now_us)
        if reach.binds:
            self._reaches[reach] = None
        host = Host(name, factory, args, reach.keeps)
        self._begin(host)
        self._hosts[name] = host
        if not self._setting_up:
            self.setup = f"{name} was started outside of a scenario"

    @verb
    def kill(self, name: str) -> None:
        """Kills a node like SIGKILL.

        Its memory, timers, tasks and connections are gone; its disk stays. Raises WrongState if
        it is dead, UnknownNode.
        """
        self._die(self._living(name), "kill", None)

    @verb
    def restart(self, name: str) -> None:
        """Begins a dead node's next life, with its disk. Raises WrongState if it lives."""
        host = self._host(name)
        if host.life is not None:
            raise WrongState(f"{name} is {host.status}: only a dead node can be restarted")
        self._begin(host)

    @verb
    def pause(self, name: str) -> None:
        """Stops a node like SIGSTOP: connections stay open, requests wait, the clock goes on.

        Raises WrongState unless it is up.
        """
        life = self._living(name).life
        if life.stalled is not None:
            raise WrongState(f"{name} is paused already")
        life.stalled = []
        life.stopped = self._record("pause", name, life.number, None, None, None, None)

    @verb
    def resume(self, name: str) -> None:
        """Lets a paused node go on in the middle of what it did. Raises WrongState."""
        life = self._living(name).life
        if life.stalled is None:
            raise WrongState(f"{name} is not paused, so it cannot resume")
        stalled, life.stalled = life.stalled, None
        self._record("resume", name, life.number, None, None, None, None)
        for event, what in stalled:
            self._clock.at(self._clock.now_us, event, what)

    # --------------------------------------------------------------------------- clients
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
        call = Call(to, path, body, method, headers, timeout)
        noted = headers and dict(headers)  # what the caller keeps may change later
        pending = self.request(YOU, method, to, path, call.body, noted, timeout)
        return pending.result() if wait else pending

    def client(self, name: str, port: int | None = None) -> Client:
        """The client of that name, made if need be.

        With `port`, its next connections come from that port. Raises WrongState if the name is a
        node's, or the port is in use.
        """
        if checked_name(name, "a client") not in self._clients or port is not None:
            self.add_client(name, port)
        return self._clients[name].client

    @verb
    def add_client(self, name: str, port: int | None = None) -> None:
        """What `client` does, as an input."""
        checked_name(name, "a client")
        if name in self._hosts:
            raise WrongState(f"{name} is a node; a client needs a name of its own")
        end = self._clients.get(name)
        if end is not None and port is None:
            return  # in a replay, another input may have made it before
        if end is not None:
            self._close_all(end)
        if port is not None:
            self._network.ports.check(port)
        if end is None:
            end = self._clients[name] = ClientEnd(self, name)
        end.port = port
        self._record("client", name, 1, None, None, None, port)
        self._observer.moved(end)

    @verb
    def request(
        self, name: str, method: str, to: str, path: str, body: Any, headers: Any, timeout: Any
    ) -> Pending:
        """What `Client.send` does without waiting, as an input."""
        self._host(to)
        end = self._end_of(name)
        headers = with_token(end.client, {} if headers is None else headers)
        via = end.opened if end.fresh else None
        call = Call(to, path, body, method, headers, timeout, via)
        pending = Pending(self, name)
        self._network.call(Waiter(end, pending), call)
        return pending

    @verb
    def reconnect(self, name: str) -> None:
        """What `Client.reconnect` does, as an input."""
        end = self._end_of(name)
        self._close_all(end)
        self._observer.moved(end)

    def run(self, seconds: float | None = None, *, until: float | None = None) -> None:
        """Lets `seconds` of virtual time pass, or runs `until` a time of this world."""
        if (seconds is None) == (until is None):
            raise TypeError("say run(seconds) or run(until=seconds)")
        now_us = self._clock.now_us
        target_us = now_us + micros(seconds) if until is None else micros(until)
        micros(target_us / 1_000_000, "the time to run until")
        if target_us < now_us:
            raise ValueError(f"{until} s is past: it is {self.now()} s, and time runs one way")
        self._advance(target_us)

    # --------------------------------------------------------------------------- what a client uses
    def _request(self, client: Client, call: Call) -> Pending:
        timeout = None if call.timeout_us is None else call.timeout_us / 1_000_000
        return self.request(
            client.name, call.method, call.to, call.path, call.body, call.headers, timeout
        )

    def _reconnect(self, client: Client) -> None:
        self.reconnect(client.name)

    def _ports(self, client: Client) -> dict[str, int]:
        return self._clients[client.name].memory["ports"]

    # --------------------------------------------------------------------------- inside
    def _record(self, kind, node, life, other, message, cause, data) -> int:
        """Adds a row to the trace; returns its seq."""
        rows = self._rows
        seq = len(rows)
        rows.append((seq, self._clock.now_us, kind, node, life, other, message, cause, data))
        return seq

    def _host(self, name: str) -> Host:
        return self._hosts[checked_name(name, "somebody")]

    def _end_of(self, name: str) -> ClientEnd:
        """The client of that name, made if need be."""
        if checked_name(name, "a client") not in self._clients:
            self.add_client.__wrapped__(self, name)
        return self._clients[name]

    def _living(self, name: str) -> Host:
        host = self._host(name)
        if host.life is None:
            raise WrongState(f"{name} is dead already; restart it first")
        return host

    def _begin(self, host: Host) -> None:
        life = Life(host, self.seed, self._clock, self._record, self._network.call, self._crash)
        canonical_memory(host.name, life.memory)  # raises before the node is there
        self._check_reaches()
        host.lives, host.life = life.number, life
        self._doors.append(life.shut)
        name = host.factory.__name__
        life.begin(self._record("start", host.name, life.number, None, None, None, name))
        self._observer.moved(life)

    def _die(self, host: Host, kind: str, cause: int | None, data: Any = None) -> None:
        life, host.life = host.life, None
        host.died = self._record(kind, host.name, life.number, None, None, cause, data)
        life.end()
        self._network.cut(life, host.died)

    def _crash(self, life: Life, error: str, cause: int | None) -> None:
        self._die(self._hosts[life.name], "crash", cause, error)

    def _close_all(self, end: ClientEnd) -> None:
        for connection in end.connections.values():
            if connection.call is not None:
                raise WrongState(
                    f"{end.name} waits for an answer of {connection.host.name}: close its "
                    "connections when that has come"
                )
        for connection in list(end.connections.values()):
            self._network.close(connection, "closed by the client", None)


def _shut(doors: list[list[bool]]) -> None:
    for door in doors:
        door.append(True)
