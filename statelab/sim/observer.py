"""What nodes remember, looked at after each of their steps: rows beside those of the trace."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from statelab.canonical import PLAIN, canonical_memory, same
from statelab.rows import Row
from statelab.sim.clock import Clock
from statelab.sim.connection import Endpoint


class Observer:
    """Keeps what changes in memories, once it is `on`."""

    def __init__(self, clock: Clock, rows: list[tuple]):
        self._clock = clock
        self._rows = rows
        self.on = False
        self.since = 0  # the first row after which memory is recorded
        self.memory: list[Row] = []

    def start(self, ends: Iterable[Endpoint]) -> None:
        """From here on, records changes; what `ends` remember by now counts as seen."""
        self.on, self._clock.mover, self.since = True, None, len(self._rows)
        for who in ends:
            who.seen = canonical_memory(who.name, who.memory)

    def look(self) -> None:
        """Keeps what has changed in the memory of who moved last."""
        who, self._clock.mover = self._clock.mover, None
        if who is None or who.shut:
            return
        memory, seen = who.memory, who.seen
        went = () if seen.keys() <= memory.keys() else tuple(n for n in seen if n not in memory)
        try:
            forms = canonical_memory(who.name, memory)
        except TypeError:
            # Said once: the same error at each later step would make the world useless.
            if who.unclear:
                return
            who.unclear = True
            raise
        changed = {
            name: form if type(form) in PLAIN else copy.deepcopy(memory[name])
            for name, form in forms.items()
            if name not in seen or not same(seen[name], form)
        }
        if changed or went:
            who.seen = forms
            self.memory.append(
                Row(len(self._rows) - 1, self._clock.now_us, "memory", who.name, who.number,
                    None, None, None, (changed, went))
            )  # fmt: skip
