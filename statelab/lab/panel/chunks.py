"""What a panel's drawing has been sent of its recordings, and what it lacks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from statelab.lab.panel.branch import Branch
from statelab.lab.panel.columns import TABLES
from statelab.lab.panel.symbols import Book


class Chunks:
    """Makes chunks: each holds what has come since the one before."""

    def __init__(self, book: Book):
        self._book = book
        self._numbers = itertools.count(1)
        self.forget()

    def forget(self) -> None:
        """The drawing has nothing: the next chunk holds all."""
        self._texts = self._subjects = 0
        self._sent: dict[int, dict[str, int]] = {}  # by run: how many entries of each table

    def next(self, branches: Mapping[int, Branch], current: int, now_us: int) -> dict[str, Any]:
        """One chunk. A run that left another one is sent from where they part."""
        book, runs, there = self._book, [], set(self._sent)
        for number, branch in branches.items():
            recording = branch.recording
            since, source = self._sent.get(number), number
            if since is None and branch.parent in there:
                source, since = branch.parent, recording.place_at(branch.parting)
            since = since or dict.fromkeys(TABLES, 0)
            if self._sent.get(number) == recording.place():
                continue
            self._sent[number] = recording.place()
            tables = recording.part(since)
            runs.append({"number": number, "source": source, "since": since, "tables": tables})
        chunk = {
            "n": next(self._numbers),
            "texts": [self._texts, book.texts[self._texts :]],
            "subjects": [self._subjects, book.subjects[self._subjects :]],
            "runs": runs,
            "now": [current, now_us],
        }
        self._texts, self._subjects = len(book.texts), len(book.subjects)
        return chunk
