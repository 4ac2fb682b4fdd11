"""What carries calls between the nodes and clients of the simulated world.

Rules of this file:

1. What blocks a link (a partition, a hold) is looked at when a message arrives.
2. Loss, duplication and reordering concern requests and replies. Connections are kept by TCP, so
   a reset is never lost, only cut off by a partition, and comes after the replies before it.
3. The four rows of each message are added in place: a call of `_record` for each would cost a
   thirtieth of the time.
"""

from __future__ import annotations

from typing import Any

from statelab.effects import Call
from statelab.message import NoReply, Refused, Request, Response, said
from statelab.rows import LOST, NOBODY_THERE
from statelab.sim.clock import Clock, Timers
from statelab.sim.connection import Connection, Endpoint, Host, Hosts, Ports
from statelab.sim.life import Life
from statelab.sim.link import Link
from statelab.task import Task, answer
from statelab.unawaited import kept


class Network:
    """Carries calls from one end of a world to another, and what becomes of them back."""

    def __init__(self, seed: int, clock: Clock, rows: list[tuple], record: Any, hosts: Hosts):
        self._seed = seed
        self._clock = clock
        self._rows = rows
        self._record = record
        self._hosts = hosts
        self._links: dict[tuple[str, str], Link] = {}
        self._timers: dict[int, Timers] = {}
        self._calls = 0
        self.ports = Ports()

    def link(self, sender: str, receiver: str) -> Link:
        """The link from one name to another."""
        link = self._links.get((sender, receiver))
        if link is None:
            link = self._links[sender, receiver] = Link(self._seed, sender, receiver, self._clock)
        return link

    # --------------------------------------------------------------------------- the caller's side
    def call(self, task: Task, call: Call) -> None:
        """Begins a call of `task`, which is stepped when it has ended.

        Raises UnknownNode, and WrongState if the caller wants a port that is held.
        """
        host = self._hosts[call.to]
        self._calls = call.number = self._calls + 1
        call.task, caller = task, task.door
        key = host.name if call.via is None else (host.name, call.via)
        connection = caller.connections.get(key)
        if connection is None:
            connection = self._connect(caller, host, key, task)
        if connection.call is None:
            self._send(connection, call)
        else:
            connection.queue.append(call)
        timeout_us = call.timeout_us
        if timeout_us is not None:
            timers = self._timers.get(timeout_us)
            if timers is None:
                timers = self._timers[timeout_us] = Timers(self._clock, timeout_us, self._expired)
            timers.add(call)

    def _connect(self, caller: Endpoint, host: Host, key: Any, task: Task) -> Connection:
        port = self.ports.choose(caller, host.name)
        there, back = self.link(caller.name, host.name), self.link(host.name, caller.name)
        connection = caller.connections[key] = Connection(caller, host, key, port, there, back)
        self.ports.hold(connection)
        task.cause = self._record(
            "connect", caller.name, caller.number, host.name, None, task.cause, port
        )
        return connection

    def _send(self, connection: Connection, call: Call) -> None:
        connection.call, call.connection = call, connection
        caller, task = connection.caller, call.task
        rows = self._rows
        seq = len(rows)
        rows.append(
            (seq, self._clock.now_us, "send", caller.name, caller.number, call.to, call.number,
             task.cause, (call.method, call.path, call.body, call.headers))
        )  # fmt: skip
        task.cause = call.sent = call.blame = seq
        if not connection.there.carry(self._request_arrives, call):
            self._lost(connection.there, call)

    def close(self, connection: Connection, why: str, cause: int | None) -> None:
        """Closes a connection at its caller's side; calls not sent yet get another one."""
        self.forget(connection)
        caller, host = connection.caller, connection.host
        caller.connections.pop(connection.key, None)
        self._record("close", caller.name, caller.number, host.name, None, cause, why)
        call = connection.next()
        if call is not None:
            another = self._connect(caller, host, connection.key, call.task)
            another.queue = connection.queue
            self._send(another, call)

    def forget(self, connection: Connection) -> None:
        """Frees the connection's port and the server's memory of it."""
        connection.open = False
        self.ports.free(connection)
        if connection.life is not None:
            connection.life.incoming.pop(connection, None)

    def cut(self, life: Life, cause: int) -> None:
        """Ends the connections of a life that has died; TCP tells the peers."""
        for connection in life.connections.values():
            self.forget(connection)
        for connection in list(life.incoming):
            self.reset(connection, cause)

    def _fail(self, call: Call, error: Refused | NoReply, cause: int | None, why: str) -> None:
        """Lets the caller know that there is no answer."""
        call.done = True
        connection, task = call.connection, call.task
        caller = task.door
        kind = "noreply" if type(error) is NoReply else "refused"
        task.cause = self._record(
            kind, caller.name, caller.number, call.to, call.number, cause, why
        )
        if connection is not None and connection.call is call:
            connection.call = None
            self.close(connection, why, task.cause)
        self._clock.mover = caller
        task.step(None, error)

    def _expired(self, call: Call) -> None:
        """The caller's time-out."""
        caller = call.task.door
        if call.done or caller.shut:
            return
        if caller.stalled is not None:
            caller.stalled.append((self._expired, call))
            return
        after = f"{call.method} {call.path} to {call.to} after {call.timeout_us / 1e6:g} s"
        if call.connection is not None:
            error = NoReply(f"no answer to {after}: it may or may not have happened")
            self._fail(call, error, call.blame, "timed out")
        else:
            error = Refused(f"still waiting for the connection: {after}; it was never sent")
            self._fail(call, error, call.task.cause, "timed out before it was sent")

    # --------------------------------------------------------------------------- on the way
    def _lost(self, link: Link, call: Call) -> None:
        self._drop(link, call, link.lose.pop(0) if link.lose else call.blame, "lost on the way")

    def _drop(self, link: Link, call: Call, cause: int | None, why: str) -> None:
        connection = call.connection
        caller, host = connection.caller, connection.host
        if link is connection.there:
            to, life, sender = host.name, host.lives, caller.name
        else:
            to, life, sender = caller.name, caller.number, host.name
        seq = self._record("drop", to, life, sender, call.number, cause, why)
        if not call.done:
            call.blame = seq

    def _stop(self, link: Link, arrive: Any, what: Any, call: Call | None) -> None:
        """Keeps what would arrive now, if the link is held; loses it, if it is cut."""
        if link.held is not None:
            link.held.append((arrive, what))
        elif call is not None:
            self._drop(link, call, link.cut, "cut off by the partition")

    # --------------------------------------------------------------------------- the server's side
    def _request_arrives(self, call: Call) -> None:
        connection = call.connection
        there = connection.there
        if there.blocked:
            return self._stop(there, self._request_arrives, call, call)
        life = connection.host.life
        if life is None or connection.life is not life:
            if life is None or connection.life is not None:
                # Nobody listens here, or somebody who never saw this connection: TCP says so.
                died = connection.host.died
                self._drop(there, call, died, "nobody is there to take it")
                self.reset(connection, died)
                return
            if connection.open:
                connection.life = life
                life.incoming[connection] = None
        if life.stalled is not None:
            if not call.done:
                call.blame = life.stopped
            life.stalled.append((self._receive, call))
            return
        self._receive(call)

    def _receive(self, call: Call) -> None:
        connection = call.connection
        life = connection.host.life
        rows = self._rows
        seq = len(rows)
        rows.append(
            (seq, self._clock.now_us, "receive", life.name, life.number, connection.caller.name,
             call.number, call.sent, connection.peer[1])
        )  # fmt: skip
        if not call.done:
            call.blame = seq
        headers = call.headers.copy() if call.headers else {}
        request = Request(call.method, call.path, headers, call.body, connection.peer)
        request.frozen = True
        task = Task(life, life.node.handle(request), self._reply, seq, call)
        life.tasks[task] = None
        self._clock.mover = life
        task.step()

    def _reply(self, task: Task, value: Any, error: BaseException | None) -> None:
        life, call = task.door, task.tag
        del life.tasks[task]
        connection = call.connection
        caller = connection.caller.name
        if error is None and life.keeps and not life.tasks:
            error = kept(life.node)
        data, error = answer(life, value, error, call.method)
        if error is not None:
            task.cause = self._record(
                "error", life.name, life.number, caller, call.number, task.cause, said(error)
            )
        rows = self._rows
        seq = len(rows)
        rows.append(
            (seq, self._clock.now_us, "reply", life.name, life.number, caller, call.number,
             task.cause, data)
        )  # fmt: skip
        if not call.done:
            call.blame = seq
        arrival = call, seq, data
        connection.reply_due_us = connection.back.carry(self._reply_arrives, arrival)
        if not connection.reply_due_us:
            self._lost(connection.back, call)

    def _reply_arrives(self, arrival: tuple[Call, int, tuple]) -> None:
        call, cause, data = arrival
        connection = call.connection
        back, caller = connection.back, connection.caller
        if back.blocked:
            return self._stop(back, self._reply_arrives, arrival, call)
        if caller.stalled is not None:
            caller.stalled.append((self._reply_arrives, arrival))
            return
        if call.done or caller.shut:
            self._drop(back, call, cause, "the caller is dead" if caller.shut else "too late")
            return
        call.done = True
        connection.call = None
        task = call.task
        rows = self._rows
        seq = task.cause = len(rows)
        rows.append(
            (seq, self._clock.now_us, "answer", caller.name, caller.number, call.to, call.number,
             cause, data)
        )  # fmt: skip
        if caller.fresh:
            self.close(connection, "one call", task.cause)
        elif connection.queue and (waiting := connection.next()) is not None:
            self._send(connection, waiting)
        self._clock.mover = caller
        status, body, headers = data
        response = Response(status, body, headers.copy() if headers else {})
        response.frozen = True
        task.step(response)

    def reset(self, connection: Connection, cause: int | None) -> None:
        """Tells the caller that the connection is gone."""
        due_us = self._clock.now_us + connection.back.low_us
        due_us = max(due_us, connection.reply_due_us + 1)
        self._clock.at(due_us, self._reset_arrives, (connection, cause))

    def _reset_arrives(self, arrival: tuple[Connection, int | None]) -> None:
        connection, cause = arrival
        back, caller, call = connection.back, connection.caller, connection.call
        if back.blocked:
            return self._stop(back, self._reset_arrives, arrival, None)
        if not connection.open or caller.shut:
            return
        if caller.stalled is not None:
            caller.stalled.append((self._reset_arrives, arrival))
            return
        if call is None:
            self._clock.mover = caller
            self.close(connection, "reset", cause)
            return
        what = f"{call.method} {call.path} to {call.to}"
        if connection.life is None:
            error = Refused(f"nobody took {what}: {call.to} is dead, so it did not happen")
            self._fail(call, error, cause, NOBODY_THERE)
        else:
            error = NoReply(f"{call.to} died during {what}: it may or may not have happened")
            self._fail(call, error, cause, LOST)
