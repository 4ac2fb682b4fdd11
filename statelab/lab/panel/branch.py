"""One course of events in a panel: a trace, and its recording for the drawing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from statelab.lab.panel.recording import Recording
from statelab.lab.words import clock, sentence
from statelab.language import spoken
from statelab.rows import Row
from statelab.trace import Invariant, Trace


class Branch:
    """A run of the panel. It left `parent`, if it has one, at row `parting`."""

    def __init__(
        self, number: int, label: str, trace: Callable[[], Trace], recording: Recording,
        parent: int | None = None,
    ):  # fmt: skip
        self.number = number
        self.label = label
        self.trace = trace
        self.recording = recording
        self.parent = parent
        self.parting = len(recording)
        self._memory = 0  # how many rows of memory are recorded

    def update(self, most: int | None = None) -> list[Row]:
        """Records what has come since, `most` rows of it; returns those rows."""
        trace = self.trace()
        # Memory first: what was seen after a row is not there before the row.
        memory = trace.memory[self._memory :]
        rows = trace.since(len(self.recording), most)
        if most is not None:
            end = len(self.recording) + len(rows)
            memory = list(itertools.takewhile(lambda row: row.seq < end, memory))
        self._memory += len(memory)
        self.recording.feed(rows, [row for row in memory if row.seq >= self.parting])
        return rows

    @property
    def behind(self) -> bool:
        """Whether there are rows that are not recorded yet."""
        return len(self.recording) < len(self.trace())

    def about(self, branches: Iterable[Branch]) -> dict[str, Any]:
        """What the drawing is told of it, and of the branch beside it: its parent, or a child.

        They part at row `parting`, which is -1 if they do not.
        """
        child = [one for one in branches if one.parent == self.number][-1:]
        left = [self] if self.parent else child
        return {
            "number": self.number, "label": self.label, "parent": self.parent,
            "beside": self.parent or (child[0].number if child else None),
            "parting": max((b.parting for b in left if len(b.recording) > b.parting), default=-1),
        }  # fmt: skip

    def light(self, invariant: Invariant) -> dict[str, Any]:
        """Whether an invariant holds in this run, and where it first did not."""
        row, text = -1, ""
        try:
            breach = self.trace().breach(invariant)
            if breach is not None:
                row, text = (
                    breach.seq,
                    spoken(
                        "first broken at {time} · {node}", time=clock(breach.time), node=breach.node
                    ),
                )
        except BaseException as wrong:  # a learner's function
            text = sentence(wrong)
        return {"sentence": invariant.sentence, "row": row, "text": text}
