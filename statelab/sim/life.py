"""A host, and the lives that a node has on it: what a kill ends, and what it leaves.

A `Life` is the simulated world's door to one incarnation of a node. When it is shut, nothing that
the dead node still runs has an effect.
"""

from __future__ import annotations

import opcode
import pickle
import random
from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Any

from statelab.checked import YOU
from statelab.client import Client, Pending, keep_token
from statelab.effects import Disk
from statelab.message import NoReply, Refused, Response, said, text_of
from statelab.node import Node, born, memory
from statelab.task import Task
from statelab.unawaited import kept
from statelab.vetting.vetting import reach_of

if TYPE_CHECKING:
    from statelab.sim.network import Connection
    from statelab.sim.world import World


class Host:
    """Where a node lives: its name, its class and arguments, its disk, and its current life."""

    __slots__ = ("args", "died", "disk", "factory", "life", "lives", "name")

    def __init__(self, name: str, factory: type[Node], args: tuple):
        self.name = name
        self.factory = factory
        try:
            self.args = pickle.dumps(args)
        except (pickle.PicklingError, TypeError, AttributeError) as wrong:
            raise TypeError(
                f"the arguments of {name} cannot be given anew at each restart: {wrong}"
            ) from None
        self.disk: dict[str, Any] = {}
        self.lives = 0
        self.life: Life | None = None
        self.died: int | None = None  # the row of the last death

    @property
    def status(self) -> str:
        """'up', 'paused' or 'dead'."""
        if self.life is None:
            return "dead"
        return "up" if self.life.stalled is None else "paused"


class Life:
    """One incarnation of a node, from a start to a kill: its door, tasks and connections."""

    port = None  # a node's connections take any port
    fresh = False  # and are kept
    keeps = True  # until its code was looked at

    def __init__(self, world: World, host: Host, number: int):
        self.world = world
        self.name = host.name
        self.number = number
        # Empty while the door is open. A list, so that a world that is garbage can shut its doors
        # (world.py) without holding its lives.
        self.shut: list[bool] = []
        world._doors.append(self.shut)
        self.current: Task | None = None
        self.stalled: list[tuple[Callable, Any]] | None = None  # while paused: what waits
        self.stopped: int | None = None  # the row of the pause
        self.tasks: dict[Task, None] = {}
        self.connections: dict[Any, Connection] = {}
        self.incoming: dict[Connection, None] = {}
        self.opened = 101 * number  # the next connection's place: each life has ports of its own
        self.seen: dict[str, Any] = {}  # its memory when last observed, in canonical form
        self.unclear = False  # whether it was said that its memory has no canonical form
        self.disk = Disk(host.disk, self)
        self.call = world._network.call
        self._clock = world._clock
        self._wakes = self.wake
        self._random: random.Random | None = None
        try:
            born(host.factory, pickle.loads(host.args), self)
        except (Exception, SystemExit) as wrong:
            if not isinstance(wrong, SystemExit) and text_of(wrong) is not None:
                raise
            # It would end a process, and not this one; or nobody who catches it can say what it is.
            raise RuntimeError(f"{self.name} did not start: {said(wrong)}") from wrong
        reach = reach_of(host.factory)
        self.keeps = reach is None or reach.keeps

    # --------------------------------------------------------------------------- the door
    def now_us(self) -> int:
        return self._clock.now_us

    @property
    def random(self) -> random.Random:
        if self._random is None:
            self._random = random.Random(f"{self.world.seed}:{self.name}:{self.number}")
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
        task.cause = self.world._record(kind, self.name, self.number, None, None, task.cause, data)

    def sleep(self, task: Task, us: int) -> None:
        clock = self._clock
        heappush(clock.heap, (clock.now_us + us, next(clock.count), self._wakes, task))

    def die(self, task: Task, error: BaseException) -> None:
        self.world._crash(self, said(error), task.cause)
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
            self.world._stepped = self
            task.step()

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

    def end(self, cause: int) -> None:
        """Dies: the door shuts first, then the coroutines close, then TCP tells the peers."""
        self.shut.append(True)
        network = self.world._network
        for task in self.tasks:
            task.close()
        self.tasks.clear()
        self.stalled = None
        for connection in self.connections.values():
            network.forget(connection)
        for connection in list(self.incoming):
            network.reset(connection, cause)


def _interrupted(error: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C, who must be heard; no line of the node's raised `error`."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    at = error.__traceback__
    while at.tb_next is not None:
        at = at.tb_next
    return at.tb_frame.f_code.co_code[at.tb_lasti] != opcode.opmap["RAISE_VARARGS"]


class ClientEnd:
    """A client's place in the simulated world: like a life's, its connections and its port."""

    number = 1
    shut = False
    stalled = None
    unclear = False

    def __init__(self, world: World, name: str):
        self.name = name
        self.fresh = name == YOU  # a fresh connection for each call
        self.port: int | None = None
        self.opened = 0
        self.connections: dict[Any, Connection] = {}
        self.client = Client(world, name)
        self.seen: dict[str, Any] = {}

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
