"""Virtual time: a heap of events, and a number for now that jumps to the next of them.

Time is whole microseconds. Ties break by a counter, so events are never compared.
"""

from __future__ import annotations

import gc
import itertools
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from statelab.task import loopless

_BLOCK = 1 << 14  # events between two looks at what they cost
_NEVER_US = 1 << 63
MAX_EVENTS = 20_000_000  # in one drain: more is taken for a node that loops without an end


class Clock:
    """The time of one simulated world, and what is due in it."""

    __slots__ = ("broken", "busy", "count", "heap", "look", "mover", "now_us")

    def __init__(self):
        _look_at_old_rows()
        self.now_us = 0
        # The last of them never comes, so that there always is one.
        self.heap: list[tuple[int, int, Callable | None, Any]] = [(_NEVER_US, 0, None, None)]
        self.count = itertools.count(1)
        self.busy = False
        self.broken = False
        self.mover: Any = None  # who moved in the latest event: an Endpoint (connection.py)
        self.look: Callable[[], None] | None = None  # raises what ends a run that costs too much

    def at(self, due_us: int, event: Callable, what: Any) -> None:
        """Lets `event(what)` happen at `due_us`, after what is due then already."""
        heappush(self.heap, (due_us, next(self.count), event, what))

    def drain(self, until_us: int, ended: Callable[[], Any] | None, each: Callable | None) -> None:
        """Processes every event due at or before `until_us`, and calls `each()` after each.

        Once `ended()`, it goes on to the end of that microsecond only. Raises RuntimeError after
        MAX_EVENTS.
        """
        heap = self.heap
        if heap[0][0] > until_us:
            return
        watched, blocks, events = each is not None or ended is not None, 0, 0
        # Each row stays, so a full collection would walk all of them again and again: a third of
        # the time. The youngest generation is enough for what nodes leave behind, now and then.
        collects = gc.isenabled()
        gc.disable()
        self.busy = self.broken = True
        try:
            with loopless():
                while heap[0][0] <= until_us:
                    for _place in range(_BLOCK):
                        due_us, _, event, what = item = heappop(heap)
                        if due_us > until_us:
                            heappush(heap, item)
                            break
                        self.now_us = due_us
                        event(what)
                        if watched:
                            if each is not None:
                                each()
                            if ended is not None and ended():
                                until_us = self.now_us
                    blocks, events = blocks + 1, events + _place + 1
                    self._look()
                    if not blocks % 16:
                        gc.collect(0)
                    if events > MAX_EVENTS:
                        raise RuntimeError(
                            f"more than {MAX_EVENTS:,} events by {self.now_us / 1e6:g} s in one "
                            "verb: does a node loop with a sleep of almost nothing?"
                        )
            self.broken = False
        except Exception:
            self.broken = False  # raised between two steps: all is in order
            raise
        finally:
            self.busy = False
            if collects:
                _keep_rows(events)
                gc.enable()

    def _look(self) -> None:
        if self.look is not None:
            self.look()

    def check(self) -> None:
        """Raises RuntimeError if a verb may not be applied now."""
        self._look()
        if self.busy:
            raise RuntimeError(
                "a verb of the world came from within a node's step: a node acts by self.call and "
                "its like, never by a world"
            )
        if self.broken:
            raise RuntimeError("this world was interrupted in the middle of a step: make a new one")


# Python's collector would walk all rows of a long run when it ends, a tenth of its time; most of
# them stay. So they are made old unseen, and looked at when there may be worlds that are gone.
_LONG, _MANY = 1_000, 200_000  # events of one drain, and of all whose rows nobody has looked at
_unseen = 0


def _keep_rows(events: int) -> None:
    global _unseen
    if events > _LONG:
        _unseen += events
        gc.freeze()
        gc.unfreeze()


def _look_at_old_rows() -> None:
    global _unseen
    if _unseen > _MANY:
        _unseen = 0
        gc.collect()


class Timers:
    """The time-outs of one length.

    They come due in the order they were set, so a queue does, and the heap holds one event for
    all. Most calls are answered, and never touch the heap.
    """

    __slots__ = ("_armed", "_clock", "_expire", "_queue", "_us")

    def __init__(self, clock: Clock, us: int, expire: Callable):
        self._clock = clock
        self._us = us
        self._expire = expire
        self._queue: deque[tuple[int, Any]] = deque()
        self._armed = False

    def add(self, what: Any) -> None:
        """Sets the time-out of `what`."""
        queue = self._queue
        while queue and queue[0][1].done:
            queue.popleft()
        queue.append((self._clock.now_us + self._us, what))
        if not self._armed:
            self._arm()

    def _arm(self) -> None:
        self._armed = True
        self._clock.at(self._queue[0][0], self._fire, None)

    def _fire(self, _: None) -> None:
        """Expires one at the most, so that one event is one node's."""
        queue, expired = self._queue, None
        self._armed = False
        if queue and queue[0][0] <= self._clock.now_us:
            expired = queue.popleft()[1]
        while queue and queue[0][1].done:
            queue.popleft()
        if queue:
            self._arm()
        if expired is not None:
            self._expire(expired)
