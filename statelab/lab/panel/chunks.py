"""What a panel's drawing has been sent of its recordings, and what it lacks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping

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

    def next(self, branches: Mapping[int, Branch], current: int, now_us: int) -> bytes:
        """One chunk: its header's length, the header as JSON, the columns, each on 8 bytes.

        A run that left another one is sent from where they part.
        """
        book, runs, buffers, there = self._book, [], [], set(self._sent)
        for number, branch in branches.items():
            recording = branch.recording
            since, source = self._sent.get(number), None
            if since is None and branch.parent in there:
                source = {"run": branch.parent, "parting": branch.parting}
                since = recording.place_at(branch.parting)
            counts, columns = recording.part(since or {})
            if number in self._sent and all(start == end for start, end in counts.values()):
                continue
            self._sent[number] = recording.place()
            runs.append({"run": number, "source": source, "counts": counts})
            buffers += columns
        header = {
            "n": next(self._numbers),
            "tables": {name: list(columns.items()) for name, columns in TABLES.items()},
            "texts": [self._texts, book.texts[self._texts :]],
            "subjects": [self._subjects, book.subjects[self._subjects :]],
            "runs": runs,
            "now": [current, now_us],
        }
        self._texts, self._subjects = len(book.texts), len(book.subjects)
        # In ASCII, so that half a character travels, too.
        head = json.dumps(header, separators=(",", ":")).encode()
        pieces = [len(head).to_bytes(4, "little"), head, bytes(-(4 + len(head)) % 8)]
        for buffer in buffers:
            pieces += [buffer, bytes(-len(buffer) % 8)]
        return b"".join(pieces)
