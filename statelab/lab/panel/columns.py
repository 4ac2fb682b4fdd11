"""Tables of numbers that only grow, as columns; and how what is new of them travels."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from enum import IntFlag, StrEnum, auto

# Each column is of 64-bit floats ('d') or 32-bit ints ('i'). A text, a kind, a mark or a subject is
# its number in the book. `rows` has no `at`: its entries are the rows themselves, in µs, with what
# they say.
TABLES = {
    "rows": {"time": "d", "says": "i"},
    "changes": {
        "at": "i", "subject": "i", "field": "i", "value": "i", "full": "i", "flags": "i",
        "until": "d",
    },
    "bars": {"at": "i", "lane": "i", "kind": "i", "what": "i"},
    "ends": {"at": "i", "bar": "i", "mark": "i", "word": "i", "time": "d"},
    "events": {
        "at": "i", "lane": "i", "kind": "i", "mark": "i", "what": "i", "word": "i", "answer": "i",
        "bar": "i", "time": "d",
    },
    "flights": {"at": "i", "from": "i", "to": "i", "label": "i"},
    "landings": {"at": "i", "flight": "i", "lost": "i"},
}  # fmt: skip
GONE = -1  # the value of what is no longer there


class Flag(IntFlag):
    """What is known of a value: it is not empty; it is a token; it is a client's port."""

    HELD, TOKEN, PORT = 1, 2, 4


class Mark(StrEnum):
    """Whether what became of it is as it should be, once it is over; or neither."""

    WAIT, OK, FAIL, NEITHER = auto(), auto(), auto(), auto()


class Period(StrEnum):
    """What a bar on a lane is: a client's request, a life, a link's fault, what is held."""

    REQUEST, UP, PAUSED, FAULT, SOFT = auto(), auto(), auto(), auto(), auto()


class Event(StrEnum):
    """What happened, for the list and the time line."""

    REQUEST, KILL, START, PAUSE, RESUME = auto(), auto(), auto(), auto(), auto()
    LINK, RECONNECT, LOST, TWICE, TAKEN = auto(), auto(), auto(), auto(), auto()
    EXPIRED, WRITE, NOTE, ROUTINE = auto(), auto(), auto(), auto()


class Columns:
    """The tables of one run."""

    def __init__(self, tables: dict[str, dict[str, array]] | None = None):
        self.tables = tables or {
            name: {column: array(kind) for column, kind in columns.items()}
            for name, columns in TABLES.items()
        }
        self._appends = {
            name: [values.append for values in columns.values()]
            for name, columns in self.tables.items()
        }

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.tables["rows"]["time"])

    def _add(self, table: str, *values: float) -> None:
        for append, value in zip(self._appends[table], values):  # noqa: B905 - a third faster
            append(value)

    def before(self, row: int) -> dict[str, dict[str, array]]:
        """A copy of the tables as they were before `row`."""
        ends = self.place_at(row)
        return {
            name: {column: values[: ends[name]] for column, values in columns.items()}
            for name, columns in self.tables.items()
        }

    def place(self) -> dict[str, int]:
        """How many entries each table has."""
        return {name: len(next(iter(columns.values()))) for name, columns in self.tables.items()}

    def place_at(self, row: int) -> dict[str, int]:
        """How many entries each table has of what came before `row`."""
        return {
            name: row if name == "rows" else bisect_left(columns["at"], row)
            for name, columns in self.tables.items()
        }

    def part(self, since: Mapping[str, int]) -> dict[str, dict[str, bytes]]:
        """The columns of what has come since `place()` was `since`."""
        return {
            name: {column: values[since[name] :].tobytes() for column, values in columns.items()}
            for name, columns in self.tables.items()
        }
