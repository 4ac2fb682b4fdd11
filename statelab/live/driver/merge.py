"""Puts the rows of all processes into one order, in which each row comes after its cause.

Rows of one process come in their order; between processes only messages order anything. So a row
that tells of a message's arrival waits until the row that tells of its sending is there (Lamport
1978), and else the earlier time comes first.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from statelab.rows import LOST, LOST_ON_THE_WAY, NOBODY_THERE, Row

PATIENCE_S = 0.2  # how long a row waits for a cause that may have died with its process
LOOK_S = 0.05  # when to look again whether a row has waited long enough

# A row of this kind comes after the row of that kind which is about the same message.
_AFTER = {"receive": "send", "answer": "reply"}


class Entry(NamedTuple):
    """A row as its process tells it.

    `index` counts the rows of that process, `cause` is such an index, and `message` is a text that
    all processes know the message by.
    """

    index: int
    time_us: int
    kind: str
    other: str | None
    message: str | None
    cause: int | None
    data: Any


class Source:
    """Where rows come from: one life of a node, or the driver for one name.

    `memory` and `disk` are a node's as its rows tell of them, and `crashed` whether they say that
    it has died.
    """

    def __init__(self, node: str, life: int):
        self.node = node
        self.life = life
        self.memory: dict[str, Any] = {}
        self.disk: dict[str, Any] = {}
        self.crashed = False
        self.waiting: deque[tuple[float, Entry]] = deque()
        self.seqs: dict[int, int] = {}  # index → seq
        self.last = 0  # the seq of its latest row
        self.ended = False  # no more rows will come


class Journal:
    """The rows of a live world, and what waits to become one. Used on the loop's thread only."""

    def __init__(self):
        self.rows: list[Row] = []
        self.memory: list[Row] = []
        self.held: set[Source] = set()  # while there are some, only their rows are taken
        self.doubted: Callable[[str], None] = lambda node: None  # told whom a caller takes for dead
        self._sources: list[Source] = []
        self._patience_s = PATIENCE_S
        self._messages: dict[str, int] = {}
        self._sent: dict[str, tuple[str, int]] = {}  # message → its sender, the row of its sending
        self._told: dict[tuple[str, str], int] = {}  # (kind, message) → seq
        self._blame: dict[str, int] = {}  # message → the latest row that tells why no answer came
        self._ended: dict[str, int] = {}  # node → the row of its last death or pause
        self._cuts: dict[frozenset[str], int] = {}  # two names → the row of their partition
        self._loses: dict[tuple[str, str], deque[int]] = {}  # (from, to) → `lose_next` to come
        self._after: dict[tuple[Source, int], Callable[[], None]] = {}

    def source(self, node: str, life: int) -> Source:
        """A new source of rows."""
        source = Source(node, life)
        self._sources.append(source)
        return source

    def add(self, source: Source, entries: list[Entry]) -> None:
        """Takes rows in; `flush` will put them where they belong."""
        now = time.monotonic()
        for entry in entries:
            source.waiting.append((now, entry))
            if entry.kind in ("noreply", "refused") and entry.data in (LOST, NOBODY_THERE):
                self.doubted(entry.other)

    def after(self, source: Source, index: int, then: Callable[[], None]) -> None:
        """Calls `then` when that row is in the trace."""
        self._after[source, index] = then

    def flush(self, *, last: bool = False) -> bool:
        """Moves into the trace what need not wait; returns whether something still waits.

        At the `last` flush nothing waits: what has not come by then will not come.
        """
        if last:
            self.held.clear()
            self._patience_s = -1.0
        while (source := min(self._ready(), key=_time, default=None)) is not None:
            self._append(source, source.waiting.popleft()[1])
        self._sources = [s for s in self._sources if s.waiting or not s.ended]
        return any(source.waiting for source in self._sources)

    def _ready(self) -> Iterator[Source]:
        patience = time.monotonic() - self._patience_s
        for source in self.held or self._sources:
            if source.waiting:
                since, entry = source.waiting[0]
                if since < patience or self._has_its_cause(entry):
                    yield source

    def _has_its_cause(self, entry: Entry) -> bool:
        first = _AFTER.get(entry.kind)
        if entry.kind == "drop" and entry.message is not None:
            # What its caller did not send is a reply.
            sender = self._sent.get(entry.message, (entry.other,))[0]
            first = "send" if sender == entry.other else "reply"
        return first is None or (first, entry.message) in self._told

    def _append(self, source: Source, entry: Entry) -> None:
        rows, node, message = self.rows, source.node, entry.message
        time_us = max(entry.time_us, rows[-1].time_us if rows else 0)
        seq, cause = len(rows), source.seqs.get(entry.cause)
        if entry.kind == "memory":
            changed, gone = data = entry.data
            source.memory = {k: v for k, v in source.memory.items() if k not in gone} | changed
            row = Row(source.last, time_us, "memory", node, source.life, None, None, None, data)
            self.memory.append(row)
            return
        other, number = entry.other, None
        if message is not None:
            number = self._messages.setdefault(message, len(self._messages) + 1)
            if entry.kind == "send":
                self._sent[message] = (node, seq)
            elif message in self._sent and entry.kind in ("receive", "error", "reply"):
                other = self._sent[message][0]
            cause = self._cause(entry, cause)
            self._told[entry.kind, message] = self._blame[message] = seq
        if entry.kind == "drop":
            cause = self._cause_of_drop(node, entry)
        elif entry.kind in ("kill", "crash", "pause"):
            self._ended[node] = seq
            source.crashed = entry.kind == "crash"
        elif entry.kind in ("resume", "start"):
            self._ended.pop(node, None)
        elif entry.kind == "disk":
            key, *value = entry.data
            source.disk = {k: v for k, v in source.disk.items() if k != key}
            source.disk.update((key, new) for new in value)
        elif entry.kind == "partition":
            self._cuts[frozenset((node, other))] = seq
        elif entry.kind == "lose_next":
            self._loses.setdefault((node, other), deque()).append(seq)
        row = Row(seq, time_us, entry.kind, node, source.life, other, number, cause, entry.data)
        source.seqs[entry.index] = source.last = seq
        rows.append(row)
        then = self._after.pop((source, entry.index), None)
        if then is not None:
            then()

    def _cause_of_drop(self, node: str, entry: Entry) -> int | None:
        if entry.data == LOST_ON_THE_WAY:
            loses = self._loses.get((entry.other, node))
            return loses.popleft() if loses else None
        return self._cuts.get(frozenset((node, entry.other)))

    def _cause(self, entry: Entry, cause: int | None) -> int | None:
        kind, message = entry.kind, entry.message
        if kind == "receive":
            return self._sent.get(message, (None, None))[1]
        if kind == "answer":
            return self._told.get(("reply", message), cause)
        if kind == "noreply":
            return self._ended.get(entry.other, self._blame.get(message, cause))
        if kind == "refused":
            return self._ended.get(entry.other, cause)
        return cause


def _time(source: Source) -> int:
    return source.waiting[0][1].time_us


class LiveRows(Journal):
    """A journal that puts rows where they belong by itself, and has rows of the driver's own."""

    def __init__(self):
        super().__init__()
        self.origin_ns = time.monotonic_ns()
        self.grown: list[Callable[[], None]] = []  # called when there are new rows
        self._index = itertools.count(1)
        self._flushing = False

    def now_us(self) -> int:
        """Whole microseconds since the world began."""
        return (time.monotonic_ns() - self.origin_ns) // 1000

    def take(self, source: Source, rows: list[tuple]) -> None:
        """Takes what a process tells."""
        self.add(source, [Entry(*row) for row in rows])

    def record(
        self, source: Source, kind: str, other: str | None = None, message: str | None = None,
        cause: int | None = None, data: Any = None, time_us: int | None = None,
    ) -> int:  # fmt: skip
        """Adds a row of the driver's own; returns what a later row can give as its cause."""
        index = -next(self._index)  # a node counts its own from 0 up
        time_us = self.now_us() if time_us is None else time_us
        self.add(source, [Entry(index, time_us, kind, other, message, cause, data)])
        return index

    def add(self, source: Source, entries: list[Entry]) -> None:
        """Takes rows in, and puts them where they belong once all that has come by now is read."""
        super().add(source, entries)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Flushes once all that has come by now is read."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self, *, last: bool = False) -> bool:
        """Moves into the trace what need not wait, and looks again soon if something waits."""
        self._flushing, rows = False, len(self.rows)
        if waits := super().flush(last=last):
            asyncio.get_running_loop().call_later(LOOK_S, self.flush_soon)
        if len(self.rows) != rows:
            for grown in list(self.grown):
                grown()
        return waits
