"""One direction between two names: its random stream, its delay, and its faults."""

from __future__ import annotations

import random


class Link:
    """One direction between two names."""

    __slots__ = (
        "blocked",
        "cut",
        "draw",
        "duplicate",
        "held",
        "lose",
        "loss",
        "low_us",
        "span_us",
    )

    def __init__(self, seed: int, sender: str, receiver: str):
        self.draw = random.Random(f"{seed}:link:{sender}>{receiver}").random
        self.low_us, self.span_us = 1000, 1001
        self.loss = self.duplicate = 0.0
        self.lose: list[int] = []  # the row of each `lose_next` to come
        self.cut: int | None = None  # the row of the partition
        self.held: list | None = None
        self.blocked = False

    def release(self) -> list:
        """Ends a hold; returns what was held, in the order in which it came."""
        held, self.held = self.held or [], None
        self.blocked = self.cut is not None
        return held
