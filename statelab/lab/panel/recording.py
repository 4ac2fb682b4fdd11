"""What a panel draws of one run: tables that only grow, and a book of the texts they name.

Rules of this file:

1. It reads rows and knows neither world, and no widget.
2. Every word that a learner reads on the stage is made on this side, where it is tested without a
   browser. The drawing looks up what holds at its cursor, and places it.
3. Every entry says `at` which row it begins to hold, and entries stand in that order. So a moment
   is a place in each table, a chunk is what has come since, and a branch is a shorter copy.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from statelab.lab.panel.columns import GONE, Columns, Flag, Mark, Period
from statelab.lab.panel.symbols import Book
from statelab.lab.words import brief, clock, cut, in_full, parts, status_word
from statelab.rows import LOST_ON_THE_WAY, Row, Rows
from statelab.words import ordinal, told


class Recording(Columns):
    """One run as tables; `feed` adds rows, `part` tells what a drawing lacks."""

    def __init__(self, book: Book, tables: dict[str, dict[str, array]] | None = None):
        super().__init__(tables)
        self.book = book
        self._last: dict[int, dict[str, int]] = {}  # subject → {field: its value's number}
        self._lives: dict[int, int] = {}
        self._bar_keys: list[tuple] = []
        self._going_on: dict[tuple, int] = {}  # what a bar is of → the bar
        self._flight_keys: list[tuple] = []
        self._flying: dict[tuple, int] = {}  # (message, whose it is) → its flight
        self._rows = Rows()

    # --------------------------------------------------------------------------- reading rows
    def feed(self, rows: Sequence[Row], memory: Sequence[Row]) -> None:
        """Adds rows, and what was seen of memory after them or after earlier ones."""
        time, says = self.tables["rows"].values()
        text, reads = self.book.text, _READS
        at = len(time)
        place, count = 0, len(memory)
        while place < count and memory[place].seq < at:  # told late, by a live world
            self._remember(memory[place], at - 1)
            place += 1
        for row in rows:
            time.append(row.time_us)
            says.append(text(told(row)))
            self._rows.append(row)
            read = reads.get(row.kind)
            if read is not None:
                read(self, row, at)
            while place < count and memory[place].seq <= at:
                self._remember(memory[place], at)
                place += 1
            at += 1

    def expect(self, clients: Iterable[str], links: Iterable[tuple[str, str]]) -> None:
        """Shows clients and links before they first act."""
        at = max(len(self) - 1, 0)
        for name in clients:
            self._set(at, self.book.node(name), "status", "client")
        for a, b in links:
            if b in self.book._nodes:
                self.book.link(a, b)

    def branch(self, parting: int) -> Recording:
        """A recording of the first `parting` rows, to be gone on with otherwise."""
        other = Recording(self.book, self.before(parting))
        other._rows.extend(self._rows[:parting])
        changes = other.tables["changes"]
        texts = self.book.texts
        for subject, field, value in zip(
            changes["subject"], changes["field"], changes["value"], strict=True
        ):
            other._last.setdefault(subject, {})[texts[field]] = value
        for subject, fields in other._last.items():
            if "life" in fields:
                word = texts[fields["life"]]
                other._lives[subject] = int("".join(c for c in word if c.isdigit()) or 1)
        other._bar_keys = self._bar_keys[: len(other.tables["bars"]["at"])]
        over = set(other.tables["ends"]["bar"])
        other._going_on = {k: n for n, k in enumerate(other._bar_keys) if n not in over}
        other._flight_keys = self._flight_keys[: len(other.tables["flights"]["at"])]
        landed = set(other.tables["landings"]["flight"])
        other._flying = {k: n for n, k in enumerate(other._flight_keys) if n not in landed}
        return other

    # --------------------------------------------------------------------------- one row
    def _set(
        self, at: int, subject: int, field: str, value: str | None, full: str = "", flags: int = 0,
        until: float = 0.0,
    ) -> None:  # fmt: skip
        """Adds a change, if it is one."""
        text = self.book.text
        number = GONE if value is None else text(value)
        fields = self._last.setdefault(subject, {})
        if fields.get(field, GONE) == number and not until:
            return
        fields[field] = number
        long = text(full) if full else number
        self._add("changes", at, subject, text(field), number, long, flags, until)

    def _remember(self, row: Row, at: int) -> None:
        """What was seen of a node's memory: a field for each line, "m", the attribute, the line."""
        subject = self.book.node(row.node)
        if row.life != self._lives.get(subject, row.life):
            return  # of a life that has ended meanwhile
        client = not self.book.subjects[subject]["lives"]
        changed, went = row.data
        for name, value in ((_named(name), value) for name, value in changed.items()):
            if client and name == "ports":
                lines = [(f"port to {to}", port, 0.0) for to, port in value.items()]
            else:
                lines = list(parts(name, value))
            kept = set()
            for line, item, until in lines:
                if client and item is None:
                    continue
                field = f"m\t{name}\t{_named(line)}"
                kept.add(field)
                self._set_value(at, subject, field, name, item, until)
            self._forget(at, subject, f"m\t{name}\t", kept)
        for name in map(_named, went):
            self._forget(at, subject, f"m\t{name}\t", set())

    def _set_value(
        self, at: int, subject: int, field: str, name: str, value: Any, until: float = 0.0
    ) -> None:
        token = name == "token"
        text = cut(value, 16) if token else brief(value)
        flags = Flag.HELD * bool(value) | Flag.TOKEN * token | Flag.PORT * (name == "ports")
        full = in_full(value) if "…" in text else ""
        self._set(at, subject, field, text, full, flags, until)

    def _forget(self, at: int, subject: int, prefix: str, kept: set[str]) -> None:
        """Ends the lines that begin with `prefix`, but for those in `kept`."""
        for field, value in list(self._last.get(subject, {}).items()):
            if value != GONE and field.startswith(prefix) and field not in kept:
                self._set(at, subject, field, None)

    def _start(self, row: Row, at: int) -> None:
        subject = self.book.node(row.node, row.data)
        self._lives[subject] = row.life
        later = row.life > 1
        self._set(at, subject, "status", "up")
        self._set(at, subject, "life", f"{ordinal(row.life)} life" if later else "")
        self._set(at, subject, "caption", _caption("new", row) if later else "memory")
        self._set(at, subject, "died", "")
        self._forget(at, subject, "m\t", set())
        self._begin(at, ("life", row.node), subject, Period.UP)

    def _client(self, row: Row, at: int) -> None:
        self._set(at, self.book.node(row.node), "status", "client")

    def _die(self, row: Row, at: int) -> None:
        subject = self.book.node(row.node)
        self._set(at, subject, "status", "dead")
        self._set(at, subject, "caption", _caption("lost", row))
        self._set(at, subject, "died", f"died of {row.data}" if row.kind == "crash" else "")
        self._end(at, ("life", row.node), Mark.FAIL, "dead")
        for link in self.book.links(row.node):
            if "open" in self._last.get(link, {}):
                self._set(at, link, "open", "0")
        for key in [key for key in self._flying if row.node in key[1:]]:
            self._land(at, key, lost=True)

    def _halt(self, row: Row, at: int) -> None:
        subject, paused = self.book.node(row.node), row.kind == "pause"
        self._set(at, subject, "status", "paused" if paused else "up")
        self._end(at, ("life", row.node), Mark.OK, "")
        self._begin(at, ("life", row.node), subject, Period.PAUSED if paused else Period.UP)

    def _connect(self, row: Row, at: int) -> None:
        self._count(at, row, "open", 1 if row.kind == "connect" else -1)

    def _count(self, at: int, row: Row, field: str, by: int) -> None:
        link = self.book.link(row.node, row.other)
        number = self._last.get(link, {}).get(field, GONE)
        now = max(0, (0 if number == GONE else int(self.book.texts[number])) + by)
        self._set(at, link, field, str(now))

    def _fault(self, row: Row, at: int) -> None:
        field = {"partition": "cut", "heal": "cut", "hold": "held", "release": "held"}[row.kind]
        link = self.book.link(row.node, row.other)
        if row.kind in ("partition", "hold"):
            self._set(at, link, field, field)
            kind = Period.CUT if field == "cut" else Period.HELD
            self._begin(at, (field, link), link, kind, field)
        else:
            self._set(at, link, field, "")
            self._end(at, (field, link), Mark.OK, "")

    def _lose(self, row: Row, at: int) -> None:
        self._count(at, row, f"lose\t{row.other}", 1)

    def _send(self, row: Row, at: int) -> None:
        book = self.book
        method, path = row.data[:2]
        what = f"{method} {path}"
        subject = book.node(row.node)
        book.link(row.node, row.other)
        if book.subjects[subject]["column"] == "clients":
            self._request(at, row, what)
        self._fly(at, row, what)

    def _request(self, at: int, row: Row, what: str) -> None:
        lane, to = self.book.node(row.node), self.book.node(row.other)
        self._begin(at, (row.node, row.message), lane, Period.REQUEST, what, to)

    def _begin(
        self, at: int, key: tuple, lane: int, kind: int, what: str = "", to: int = GONE
    ) -> None:
        self._going_on[key] = len(self._bar_keys)
        self._bar_keys.append(key)
        self._add("bars", at, lane, kind, self.book.text(what), to)

    def _end(self, at: int, key: tuple, mark: int, word: str, answer: str = "") -> None:
        bar = self._going_on.pop(key, None)
        if bar is not None:
            self._add("ends", at, bar, mark, self.book.text(word), self.book.text(answer))

    def _reply(self, row: Row, at: int) -> None:
        self._fly(at, row, str(row.data[0]))

    def _fly(self, at: int, row: Row, label: str) -> None:
        """A message leaves `row.node` for `row.other`."""
        key = (row.message, row.node, row.other)
        self._flying[key] = len(self._flight_keys)
        self._flight_keys.append(key)
        ends = self.book.node(row.node), self.book.node(row.other)
        self._add("flights", at, *ends, self.book.text(label))

    def _land(self, at: int, key: tuple, lost: bool) -> None:
        flight = self._flying.pop(key, None)
        if flight is not None:
            self._add("landings", at, flight, lost)

    def _arrive(self, row: Row, at: int) -> None:
        lost = row.kind == "drop"
        self._land(at, (row.message, row.other, row.node), lost)
        if lost and row.data == LOST_ON_THE_WAY:
            fields = self._last.get(self.book.link(row.node, row.other), {})
            if fields.get(f"lose\t{row.node}", GONE) != GONE:
                self._count(at, row, f"lose\t{row.node}", -1)

    def _over(self, row: Row, at: int) -> None:
        """A call has ended, for whoever made it."""
        if row.kind == "answer":
            self._arrive(row, at)
        key = row.node, row.message
        if key not in self._going_on:
            client = self.book.subjects[self.book.node(row.node)]["column"] == "clients"
            if not client or row.kind == "answer":
                return
            self._request(at, row, "not sent")
        status, body = row.data[:2] if row.kind == "answer" else (None, None)
        word = {"refused": "refused", "noreply": "no reply"}.get(row.kind) or status_word(status)
        if isinstance(body, dict) and list(body) == ["error"]:
            body = body["error"]
        first = self._rows[self.tables["bars"]["at"][self._going_on[key]]]
        met = self.book.expectation.is_met(self._rows, first, row)
        answer = "" if body is None else cut(body, 60)
        self._end(at, key, Mark.OK if met else Mark.FAIL, word, answer)

    def _disk(self, row: Row, at: int) -> None:
        subject, key = self.book.node(row.node), row.data[0]
        field = f"d\t{_named(key)}\t{_named(key)}"
        if len(row.data) == 1:
            self._set(at, subject, field, None)
        else:
            self._set_value(at, subject, field, key, row.data[1])


_READS: dict[str, Callable[[Recording, Row, int], None]] = {
    "start": Recording._start, "client": Recording._client,
    "kill": Recording._die, "crash": Recording._die,
    "pause": Recording._halt, "resume": Recording._halt,
    "connect": Recording._connect, "close": Recording._connect,
    "partition": Recording._fault, "heal": Recording._fault,
    "hold": Recording._fault, "release": Recording._fault, "lose_next": Recording._lose,
    "send": Recording._send, "receive": Recording._arrive,
    "reply": Recording._reply, "drop": Recording._arrive,
    "answer": Recording._over, "refused": Recording._over, "noreply": Recording._over,
    "disk": Recording._disk,
}  # fmt: skip


def _named(name: str) -> str:
    """A name as part of a field, whose parts are told apart by tabs."""
    return name.replace("\t", " ")


def _caption(what: str, row: Row) -> str:
    time = clock(row.time).replace(" ", "\N{NO-BREAK SPACE}")
    return f"memory · {what} at {time}"
