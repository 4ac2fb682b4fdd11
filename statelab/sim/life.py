"""The lives that a node has on its host, one after the other: what a kill ends.

A `Life` is the simulated world's door to one incarnation of a node. When it is shut, nothing that
the dead node still runs has an effect.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from heapq import heappush
from typing import Any

from statelab.checked import YOU
from statelab.client import Client, ClientWorld, Pending, keep_token
from statelab.effects import Call, Disk, memory
from statelab.message import NoReply, Refused, Response, said, text_of
from statelab.node import Node, born
from statelab.sim.clock import Clock
from statelab.sim.connection import Connection, Endpoint, Host
from statelab.task import Task
from statelab.unawaited import kept


class Life(Endpoint):
    """One incarnation of a node, from a start to a kill: its door and its tasks.

    `record` adds a row, `call` begins a call of a task, and `crashed` is told when the node dies of
    itself, with the error and the row that it came of. `keeps`: see Door.
    """

    __slots__ = (
        "_clock", "_crashed", "_random", "_record", "_seed", "_wakes", "call", "current", "disk",
        "incoming", "keeps", "node", "stopped", "tasks",
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        seed: int,
        clock: Clock,
        record: Callable[..., int],
        call: Callable[[Task, Call], None],
        crashed: Callable[[Life, str, int | None], None],
    ):
        number = host.lives + 1
        super().__init__(host.name, number, 101 * number)  # each life has ports of its own
        self.current: Task | None = None
        self.stopped: int | None = None  # the row of the pause
        self.tasks: dict[Task, None] = {}
        self.incoming: dict[Connection, None] = {}
        self.disk = Disk(host.disk, self)
        self.call = call
        self._clock = clock
        self._record = record
        self._crashed = crashed
        self._wakes = self.wake
        self._seed = seed
        self._random: random.Random | None = None
        self.keeps = True  # whatever its class: in __init__ there is no effect at all
        try:
            born(host.factory, pickle.loads(host.args), self)
        except (Exception, SystemExit) as wrong:
            if not isinstance(wrong, SystemExit) and text_of(wrong) is not None:
                raise
            # It would end a process, and not this one; or nobody who catches it can say what it is.
            raise RuntimeError(f"{self.name} did not start: {said(wrong)}") from wrong
        self.keeps = host.keeps

    # --------------------------------------------------------------------------- the door
    def now_us(self) -> int:
        return self._clock.now_us

    @property
    def random(self) -> random.Random:
        if self._random is None:
            self._random = random.Random(f"{self._seed}:{self.name}:{self.number}")
        return self._random

    def log(self, text: str) -> None:
        self._effect("log", text)

    def write(self, key: str, value: Any) -> None:
        self._effect("disk", (key, value))

    def erase(self, key: str) -> None:
        self._effect("disk", (key,))

    def _effect(self, kind: str, data: Any) -> None:
        task = self.current
        if task is None:
            raise RuntimeError(f"{self.name}.__init__ has an effect ({kind}): move it to run()")
        task.cause = self._record(kind, self.name, self.number, None, None, task.cause, data)

    def sleep(self, task: Task, us: int) -> None:
        clock = self._clock
        heappush(clock.heap, (clock.now_us + us, next(clock.count), self._wakes, task))

    def die(self, task: Task, error: BaseException) -> None:
        self._crashed(self, said(error), task.cause)
        if _interrupted(error):
            self._clock.broken = False  # the step is over: the node that took it is dead
            raise error

    # --------------------------------------------------------------------------- from its world
    @property
    def memory(self) -> dict[str, Any]:
        """The node's public attributes."""
        return memory(self.node)

    def wake(self, task: Task) -> None:
        """Ends a sleep: the node goes on, unless it is dead; if it is paused, once it resumes."""
        if self.stalled is not None:
            self.stalled.append((self.wake, task))
        elif not self.shut:
            self._clock.mover = self
            task.step(None, None)

    def begin(self, cause: int) -> None:
        """Starts `run`, if the node has one, in the microsecond of its start."""
        if type(self.node).run is Node.run:
            return
        self._clock.at(self._clock.now_us, self._run, cause)

    def _run(self, cause: int) -> None:
        if self.stalled is not None:
            self.stalled.append((self._run, cause))
        elif not self.shut:
            task = Task(self, self.node.run(), self._ended, cause)
            self.tasks[task] = None
            self.wake(task)

    def _ended(self, task: Task, value: Any, error: BaseException | None) -> None:
        del self.tasks[task]
        if error is None and self.keeps and not self.tasks:
            error = kept(self.node, value)
        if error is not None:
            self.die(task, error)

    def end(self) -> None:
        """Dies: the door shuts first, then the coroutines close."""
        self.shut.append(True)
        for task in self.tasks:
            task.close()
        self.tasks.clear()
        self.stalled = None


def _interrupted(error: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C, who must be heard; no line of the node's raised `error`."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    import opcode

    at = error.__traceback__
    while at.tb_next is not None:
        at = at.tb_next
    return at.tb_frame.f_code.co_code[at.tb_lasti] != opcode.opmap["RAISE_VARARGS"]


class ClientEnd(Endpoint):
    """A client's place in the simulated world."""

    __slots__ = ("client",)

    def __init__(self, world: ClientWorld, name: str):
        super().__init__(name, 1, 0)
        self.fresh = name == YOU
        self.client = Client._of(world, name)

    @property
    def memory(self) -> dict[str, Any]:
        """What the client keeps: the ports of its connections, and its token."""
        ports = {c.host.name: c.peer[1] for c in self.connections.values()}
        return {"ports": ports, "token": self.client.token}


class Waiter:
    """What goes on when a client's request has ended; has the face of a Task."""

    __slots__ = ("cause", "door", "pending")

    def __init__(self, end: ClientEnd, pending: Pending):
        self.door = end
        self.pending = pending
        self.cause: int | None = None

    def step(self, value: Response | None, error: Refused | NoReply | None = None) -> None:
        """Keeps the outcome."""
        self.pending.outcome = value if error is None else error
        if value is not None:
            keep_token(self.door.client, value)
