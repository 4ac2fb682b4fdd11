"""What happened: rows in order, their digest, and where two runs part.

Views, checks, diagrams and tests read only this. It knows neither world.
"""

from __future__ import annotations

import itertools
import marshal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from statelab.canonical import PLAIN, canonical, canonical_memory, same
from statelab.message import shown
from statelab.rows import Row, Rows
from statelab.words import described


class Invariant:
    """A sentence that should stay true; `first_breach(rows)` is the seq where it broke, or None."""

    def __init__(self, sentence: str, first_breach: Callable[[Sequence[Row]], int | None]):
        if type(sentence) is not str:
            raise TypeError(f"an invariant's sentence is a str, not {shown(sentence)}")
        if not callable(first_breach):
            raise TypeError(
                f"an invariant's first_breach is a function of rows, not {shown(first_breach)}"
            )
        self.sentence = sentence
        self.first_breach = first_breach


class Difference(NamedTuple):
    """Where two runs part: the row that each has there, None where one has ended.

    `left_after` and `right_after` are the seqs of the rows that may follow from it.
    """

    left: Row | None
    right: Row | None
    left_after: frozenset[int]
    right_after: frozenset[int]

    def __str__(self) -> str:
        return f"they part here:\n  one:   {described(self.left)}\n  other: {described(self.right)}"


class Trace:
    """The rows of one run so far; it grows with its world.

    `rows[seq]` is the event `seq`; `memory` holds what the world saw of the nodes' memory, if it
    was asked to look.
    """

    def __init__(self, rows: list[tuple], memory: list[Row], states: Callable[[], list[Row]]):
        # Plain tuples cost the world less than Rows; they are made into Rows when looked at.
        self._plain = rows
        self._rows = Rows()
        self.memory: Sequence[Row] = memory
        self._states = states

    @property
    def rows(self) -> Rows:
        """All events, in their order."""
        if len(self._rows) < len(self._plain):
            self._rows.extend(map(Row._make, self._plain[len(self._rows) :]))
        return self._rows

    def since(self, seq: int, most: int | None = None) -> list[Row]:
        """The events from `seq` on, at most so many; the others cost nothing."""
        _checked_seq(seq)
        if most is not None:
            _checked_seq(most, "how many rows at the most")
        return list(map(Row._make, self._plain[seq : None if most is None else seq + most]))

    def __len__(self) -> int:
        return len(self._plain)

    def __repr__(self) -> str:
        return f"<Trace of {len(self)} rows>"

    def states(self) -> list[Row]:
        """One `state` row for each node: its memory and disk as they are now."""
        return self._states()

    def digest(self) -> str:
        """16 hex digits that stand for the whole run: its rows, and the state it ended in.

        Raises TypeError if a node's memory has no canonical form.
        """
        import hashlib

        digest = hashlib.blake2b(digest_size=8)
        for start in range(0, len(self), 4096):
            forms = [
                tuple(row) if type(row[8]) in PLAIN else (*row[:8], canonical(row[8]))
                for row in self._plain[start : start + 4096]
            ]
            digest.update(marshal.dumps(forms, 2))
        for row in self.states():
            memory, disk = row.data
            memory = memory and canonical_memory(row.node, memory)
            digest.update(
                marshal.dumps((row.node, row.life, canonical(memory), canonical(disk)), 2)
            )
        return digest.hexdigest()

    def first_difference(self, other: Trace) -> Difference | None:
        """Where this run and `other` part: the first rows that differ, then differing states.

        It is None exactly if the digests are equal.
        """
        if not isinstance(other, Trace):
            raise TypeError(f"compare with the trace of another world, not {shown(other)}")
        if self.digest() == other.digest():
            return None
        mine, theirs = self.rows, other.rows
        for at, (one, another) in enumerate(itertools.zip_longest(mine, theirs)):
            if one != another or not same(canonical(one), canonical(another)):
                return Difference(one, another, self.after(at), other.after(at))
        for one, another in itertools.zip_longest(self.states(), other.states()):
            if not same(canonical(one), canonical(another)):
                return Difference(one, another, frozenset(), frozenset())
        raise AssertionError("two digests differ, and nothing that they are made of")

    def after(self, seq: int) -> frozenset[int]:
        """The rows that `seq` may have influenced, itself included.

        That is "happened before" (Lamport 1978), by `cause` and by the order of events at a node.
        """
        _checked_seq(seq)
        touched: set[int] = set()
        nodes: set[str] = set()
        for row in self.rows[seq:]:
            if row.seq == seq or row.cause in touched or row.node in nodes:
                touched.add(row.seq)
                nodes.add(row.node)
        return frozenset(touched)

    def breach(self, invariant: Invariant) -> Row | None:
        """The row at which `invariant` first broke, or None."""
        if not isinstance(invariant, Invariant):
            raise TypeError(f"breach takes an Invariant, not {shown(invariant)}")
        seq = invariant.first_breach(self.rows)
        if seq is None:
            return None
        if type(seq) is not int or not 0 <= seq < len(self):
            raise TypeError(
                f"the function of “{invariant.sentence}” returned {shown(seq)}: return the seq of "
                "the row where it broke, or None"
            )
        return self.rows[seq]


def _checked_seq(seq: Any, what: str = "a row's seq") -> None:
    if type(seq) is not int or seq < 0:
        raise TypeError(f"{what} is an int from 0 on, not {shown(seq)}")
