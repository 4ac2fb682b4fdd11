"""The live world's door to one life of a node, in the node's own process.

It performs effects for real, and reports what happened to the driver after each step. What was
not reported when the process dies, nobody learns.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from statelab.effects import Disk, memory, unknown_node
from statelab.live.child.disk import DiskFile
from statelab.live.transport.control import as_plain
from statelab.live.transport.http_client import Caller
from statelab.message import Request, Response, said
from statelab.node import Node, born
from statelab.task import Task, answer, loopless
from statelab.unawaited import kept


class Incarnation:
    """One incarnation of a node: `spec` is what the driver said about it, `say` reports."""

    shut = False  # a dead process needs no shut door
    keeps = True  # until it is born

    def __init__(self, spec: dict, loop: asyncio.AbstractEventLoop, say: Callable[..., None]):
        self.name: str = spec["name"]
        self.number: int = spec["life"]
        self.current: Task | None = None
        self.random = random.Random(f"{spec['seed']}:{self.name}:{self.number}")
        self._loop = loop
        self._say = say
        self._origin_ns: int = spec["origin_ns"]
        self._book = Path(spec["book"])
        self._ports: dict[str, int] = {}
        self._rows: list[tuple] = []
        self._tasks: dict[Task, None] = {}
        self._index = -1
        self._stepping = False
        self._reported: dict[str, bytes] = {}  # each attribute as the driver knows it
        self._came = 0
        self._prefix = f"{spec['key']}."  # of its messages
        self._caller = Caller(
            self.name, self._prefix, loop, self._port_of, self.record, self._go_on,
            spec["secret"], spec["relay"], set(spec["diverted"]),
        )  # fmt: skip
        self.call = self._caller.call
        self.divert = self._caller.divert
        folder = Path(spec["folder"])
        folder.mkdir(exist_ok=True)
        self._file = DiskFile(folder / "disk.jsonl")
        self.disk = Disk(self._file.data, self)
        parcel, keeps = spec["parcel"]
        factory, args = pickle.loads(parcel)
        self._node = born(factory, args, self)
        self.keeps = keeps
        self._started = self.record("start", None, None, None, factory.__name__)

    # --------------------------------------------------------------------------- the door
    def now_us(self) -> int:
        return (time.monotonic_ns() - self._origin_ns) // 1000

    def log(self, text: str) -> None:
        self._effect("log", text)

    def write(self, key: str, value: Any) -> None:
        self._may_write()
        self._file.append(key, value)
        self._effect("disk", (key, value))

    def erase(self, key: str) -> None:
        self._may_write()
        self._file.append(key)
        self._effect("disk", (key,))

    def _may_write(self) -> None:
        if self.current is None:
            raise RuntimeError(f"{self.name}.__init__ has an effect (disk): move it to run()")

    def _effect(self, kind: str, data: Any) -> None:
        task = self.current
        if task is None:
            raise RuntimeError(f"{self.name}.__init__ has an effect ({kind}): move it to run()")
        task.cause = self.record(kind, None, None, task.cause, data)

    def sleep(self, task: Task, us: int) -> None:
        self._loop.call_later(us / 1e6, self._go_on, task)

    def _port_of(self, name: str) -> int:
        port = self._ports.get(name)
        if port is None:  # started after the last look
            self._ports, clients = json.loads(self._book.read_text())
            port = self._ports.get(name)
            if port is None:
                raise unknown_node(name, self._ports, clients)
        return port

    # --------------------------------------------------------------------------- stepping
    def run(self) -> None:
        """Begins the node's own work, if it has any."""
        if type(self._node).run is not Node.run:
            self._begin(Task(self, self._node.run(), self._run_ended, self._started))

    def _run_ended(self, task: Task, value: Any, error: BaseException | None) -> None:
        del self._tasks[task]
        if error is None and self.keeps and not self._tasks:
            error = kept(self._node, value)
        if error is not None:
            self.die(task, error)

    def handle(
        self, request: Request, message: str | None, then: Callable[[Response], None]
    ) -> None:
        """Begins to handle a request; `then` is called when the answer may be sent."""
        if message is None:  # from outside of this world
            self._came += 1
            message = f"{self._prefix}in{self._came}"
        cause = self.record("receive", "outside", message, None, request.peer[1])
        tag = (message, then, request.method)
        self._begin(Task(self, self._node.handle(request), self._reply, cause, tag))

    def _begin(self, task: Task) -> None:
        self._tasks[task] = None
        self._go_on(task)

    def _reply(self, task: Task, value: Any, error: BaseException | None) -> None:
        message, then, method = task.tag
        del self._tasks[task]
        if error is None and self.keeps and not self._tasks:
            error = kept(self._node)
        (status, body, headers), error = answer(self, value, error, method)
        if error is not None:
            task.cause = self.record("error", "outside", message, task.cause, said(error))
        self.record("reply", "outside", message, task.cause, (status, body, headers))
        # Later, so that the step has ended and is reported first.
        self._loop.call_soon(then, Response(status, body, headers))

    def _go_on(self, task: Task, value: Any = None, error: BaseException | None = None) -> None:
        self._stepping = True
        try:
            with loopless():
                task.step(value, error)
        except BaseException as wrong:
            self.die(task, wrong)
        self._stepping = False
        self.report(stepped=True)

    def die(self, task: Task, error: BaseException) -> None:
        self.record("crash", None, None, task.cause, said(error))
        self.report(stepped=True)
        os._exit(1)

    # --------------------------------------------------------------------------- reporting
    def record(
        self, kind: str, other: str | None, message: str | None, cause: int | None, data: Any
    ) -> int:
        """Adds a row; outside of a step it is reported at once, else when the step ends."""
        self._index += 1
        self._rows.append((self._index, self.now_us(), kind, other, message, cause, data))
        if not self._stepping and kind != "start":
            self.report()
        return self._index

    def report(self, *, stepped: bool = False) -> None:
        """Tells the driver what is new; after a step, also which memory has changed."""
        if stepped:
            self._observe()
        if self._rows:
            rows, self._rows = self._rows, []
            self._say("rows", rows)

    def _observe(self) -> None:
        changed = {}
        present = memory(self._node)
        for name, value in present.items():
            form = as_plain(value)
            data = pickle.dumps(form, 5)
            if self._reported.get(name) != data:
                self._reported[name] = data
                changed[name] = form
        gone = tuple(name for name in self._reported if name not in present)
        for name in gone:
            del self._reported[name]
        if changed or gone:
            self._index += 1
            row = (self._index, self.now_us(), "memory", None, None, None, (changed, gone))
            self._rows.append(row)
