"""What nodes remember, looked at after each of their steps: rows beside those of the trace."""

from __future__ import annotations

import copy

from statelab.canonical import PLAIN, canonical_memory, same
from statelab.rows import Row
from statelab.sim.clock import Clock
from statelab.sim.connection import Endpoint, Hosts


class Observer:
    """Keeps what changes in memories, once it is `on`."""

    def __init__(self, clock: Clock, rows: list[tuple], hosts: Hosts, clients: dict[str, Endpoint]):
        self._clock = clock
        self._rows = rows
        self._hosts = hosts
        self._clients = clients
        self.on = False
        self.since = 0  # the first row after which memory is recorded
        self.memory: list[Row] = []

    def start(self) -> None:
        """From here on, records changes; what is remembered by now counts as seen."""
        self.on, self._clock.mover, self.since = True, None, len(self._rows)
        lives = [host.life for host in self._hosts.values() if host.life is not None]
        for who in (*lives, *self._clients.values()):
            who.seen = canonical_memory(who.name, who.memory)

    def moved(self, who: Endpoint) -> None:
        """Somebody has moved by a verb, and not by an event."""
        self._clock.mover = who
        if self.on:
            self.look()

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

    def states(self) -> list[Row]:
        """The memory (None if dead) and the disk of every node and client, by name."""
        states = {}
        for name, host in self._hosts.items():
            memory = None if host.life is None else host.life.memory
            states[name] = (host.lives, (memory, host.disk))
        for name, end in self._clients.items():
            states[name] = (end.number, (end.memory, {}))
        return [
            Row(len(self._rows), self._clock.now_us, "state", name, life, None, None, None, data)
            for name, (life, data) in sorted(states.items())
        ]
