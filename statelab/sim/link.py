"""One direction between two names: its random stream, its delay, and its faults."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappush
from typing import Any

from statelab.sim.clock import Clock


class Link:
    """One direction between two names."""

    __slots__ = (
        "_clock", "_draw", "blocked", "cut", "duplicate", "held", "lose", "loss", "low_us",
        "span_us",
    )  # fmt: skip

    def __init__(self, seed: int, sender: str, receiver: str, clock: Clock):
        self._clock = clock
        self._draw = random.Random(f"{seed}:link:{sender}>{receiver}").random
        self.low_us, self.span_us = 1000, 1001
        self.loss = self.duplicate = 0.0
        self.lose: list[int] = []  # the row of each `lose_next` to come
        self.cut: int | None = None  # the row of the partition
        self.held: list | None = None
        self.blocked = False

    def carry(self, arrive: Callable, what: Any) -> int:
        """Lets `arrive(what)` happen when a message has come over; returns when, 0 if it is lost.

        It always draws three numbers, so that a fault leaves what comes after it as it was.
        """
        draw, clock = self._draw, self._clock
        delay, loss, twice = draw(), draw(), draw()
        if loss < self.loss or self.lose:
            return 0
        first_us = clock.now_us + self.low_us
        due_us = first_us + int(delay * self.span_us)
        heappush(clock.heap, (due_us, next(clock.count), arrive, what))
        if twice < self.duplicate:
            clock.at(first_us + int(twice / self.duplicate * self.span_us), arrive, what)
        return due_us

    def release(self) -> list:
        """Ends a hold; returns what was held, in the order in which it came."""
        held, self.held = self.held or [], None
        self.blocked = self.cut is not None
        return held
