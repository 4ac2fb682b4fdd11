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

from statelab.lab.panel.columns import GONE, Event, Mark, Period
from statelab.lab.panel.fields import Fields, in_field
from statelab.lab.panel.symbols import Book
from statelab.lab.words import TELLS, answer_text, lost_memory, new_memory, on_card, status_word
from statelab.language import spoken
from statelab.rows import CUT_OFF, LOST_ON_THE_WAY, Row, Rows
from statelab.words import told, which_life


class Recording(Fields):
    """One run as tables; `feed` adds rows, `part` tells what a drawing lacks."""

    def __init__(self, book: Book, tables: dict[str, dict[str, array]] | None = None):
        super().__init__(book, tables)
        self._rows = Rows()
        self._sent: dict[tuple, int] = {}  # (who, message) → the row in which it was sent
        self._flight_keys: list[tuple] = []
        self._flying: dict[tuple, int] = {}  # (message, whose it is) → its flight
        self._taken: dict[int, str] = {}  # a message → who has taken it up
        self._ports: dict[tuple, int] = {}  # (client, node) → from which port it came last

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
            if self._ends_us:
                self.expire(row.time_us, at)
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
        other._restore(self, other._rows[-1].time_us if parting else 0)
        other._flight_keys = self._flight_keys[: len(other.tables["flights"]["at"])]
        landed = set(other.tables["landings"]["flight"])
        other._flying = {k: n for n, k in enumerate(other._flight_keys) if n not in landed}
        other._sent = {key: at for key, at in self._sent.items() if at < parting}
        for row in other._rows:
            if row.kind == "receive":
                other._taken[row.message] = row.node
                other._ports[row.other, row.node] = row.data
        return other

    # --------------------------------------------------------------------------- one row
    def _note(self, row: Row, at: int, kind: str, mark: str = Mark.NEITHER) -> None:
        """An event in the words that are kept for its kind of row."""
        self._tell(at, row.time_us, kind, self.book.node(row.node), TELLS[row.kind](row), mark=mark)

    def _start(self, row: Row, at: int) -> None:
        subject = self.book.node(row.node, row.data)
        self._lives[subject] = row.life
        later = row.life > 1
        self._set(at, subject, "status", "up")
        self._set(at, subject, "number", str(row.life))
        self._set(at, subject, "life", which_life(row.life) if later else "")
        self._set(at, subject, "caption", new_memory(row) if later else "")
        self._set(at, subject, "lost", "")
        self._set(at, subject, "died", "")
        self._forget(at, row.time_us, subject, "memory\t", set())
        self._begin(at, ("life", row.node), subject, Period.UP)
        if later:
            self._note(row, at, Event.START)

    def _client(self, row: Row, at: int) -> None:
        self._set(at, self.book.node(row.node), "status", "client")

    def _die(self, row: Row, at: int) -> None:
        subject = self.book.node(row.node)
        lost = self._remembers(subject)
        self._set(at, subject, "status", "dead")
        caption = lost_memory(row) if lost else spoken("memory · nothing to lose")
        self._set(at, subject, "lost", "1" if lost else "")
        self._set(at, subject, "caption", caption)
        self._set(at, subject, "died", TELLS["crash"](row) if row.kind == "crash" else "")
        self._end(at, row.time_us, ("life", row.node), Mark.FAIL, spoken("dead"))
        for field in list(self._last[subject]):
            self._ends_us.pop((subject, field), None)
            if field.startswith("memory\t"):
                self._locate(at, subject, field, False)
            if self._holders.pop((subject, field), ""):
                self._end(at, row.time_us, ("soft", subject, field), Mark.NEITHER, "")
        for link in self.book.links(row.node):
            if "open" in self._last.get(link, {}):
                self._set(at, link, "open", "0")
        for key in [key for key in self._flying if row.node in key[1:]]:
            self._land(at, key, lost=True)
        what = spoken("its memory is lost") if lost else spoken("it had nothing to lose")
        self._tell(at, row.time_us, Event.KILL, subject, f"{TELLS[row.kind](row)}: {what}")

    def _remembers(self, subject: int) -> bool:
        """Whether a node has anything in its memory that a kill would take."""
        fields = self._last.get(subject, {})
        return any(
            value != GONE and self.book.texts[value] not in _NOTHING
            for field, value in fields.items()
            if field.startswith("memory\t")
        )

    def _halt(self, row: Row, at: int) -> None:
        subject, paused = self.book.node(row.node), row.kind == "pause"
        self._set(at, subject, "status", "paused" if paused else "up")
        self._end(at, row.time_us, ("life", row.node), Mark.OK, "")
        self._begin(at, ("life", row.node), subject, Period.PAUSED if paused else Period.UP)
        self._note(row, at, Event.PAUSE if paused else Event.RESUME)

    def _connect(self, row: Row, at: int) -> None:
        self._count(at, row, "open", 1 if row.kind == "connect" else -1)

    def _count(self, at: int, row: Row, field: str, by: int) -> None:
        link = self.book.link(row.node, row.other)
        number = self._last.get(link, {}).get(field, GONE)
        now = max(0, (0 if number == GONE else int(self.book.texts[number])) + by)
        self._set(at, link, field, str(now))
        self._say_faults(at, link)

    def _fault(self, row: Row, at: int) -> None:
        field = {"partition": "cut", "heal": "cut", "hold": "held", "release": "held"}[row.kind]
        link = self.book.link(row.node, row.other)
        if row.kind in ("partition", "hold"):
            word = spoken("cut") if field == "cut" else spoken("held")
            self._set(at, link, field, word)
            self._begin(at, (field, link), link, Period.FAULT, word)
        else:
            self._set(at, link, field, "")
            self._end(at, row.time_us, (field, link), Mark.OK, "")
        self._say_faults(at, link)
        self._note(row, at, Event.LINK)

    def _lose(self, row: Row, at: int) -> None:
        self._count(at, row, f"lose\t{row.other}", 1)
        self._note(row, at, Event.LINK)

    # --------------------------------------------------------------------------- messages
    def _send(self, row: Row, at: int) -> None:
        what = f"{row.data[0]} {row.data[1]}"
        self.book.link(row.node, row.other)
        self._sent[row.node, row.message] = at
        if self._column(row.node) == "clients":
            self._request(at, row, what)
        self._fly(at, row, what)

    def _request(self, at: int, row: Row, what: str) -> None:
        lane, what, word = self.book.node(row.node), f"{what} → {row.other}", spoken("waiting")
        bar = self._begin(at, (row.node, row.message), lane, Period.REQUEST, what)
        self._tell(at, row.time_us, Event.REQUEST, lane, what, word, mark=Mark.WAIT, bar=bar)

    def _receive(self, row: Row, at: int) -> None:
        if self._taken.get(row.message) == row.node:
            self._note(row, at, Event.TWICE)
        self._taken[row.message] = row.node
        ends = row.other, row.node
        if self._ports.get(ends, row.data) != row.data and not self.book.lives(row.other):
            what = spoken(
                "has a new connection to {node}, from port {port}", node=row.node, port=row.data
            )
            self._tell(at, row.time_us, Event.RECONNECT, self.book.node(row.other), what)
        self._ports[ends] = row.data
        self._arrive(row, at)

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
        self._land(at, (row.message, row.other, row.node), row.kind == "drop")

    def _drop(self, row: Row, at: int) -> None:
        self._arrive(row, at)
        if row.data in (LOST_ON_THE_WAY, CUT_OFF):
            self._note(row, at, Event.LOST)
        if row.data == LOST_ON_THE_WAY:
            fields = self._last.get(self.book.link(row.node, row.other), {})
            if fields.get(f"lose\t{row.node}", GONE) != GONE:
                self._count(at, row, f"lose\t{row.node}", -1)

    def _over(self, row: Row, at: int) -> None:
        """A call has ended, for whoever made it."""
        if row.kind == "answer":
            self._arrive(row, at)
        key, column = (row.node, row.message), self._column(row.node)
        if key not in self._sent:
            if column != "clients" or row.kind == "answer":
                return
            self._request(at, row, spoken("not sent"))
        first = self._rows[self._sent.get(key, at)]
        status, body = row.data[:2] if row.kind == "answer" else (None, None)
        words = {"refused": "refused", "noreply": "no reply"}
        word = spoken(words.get(row.kind) or status_word(status))
        mark, due = self._mark(row, first, column)
        bar = self._end(at, row.time_us, key, mark, word)
        if column != "clients" and row.kind == "answer" and status < 300 and mark != Mark.FAIL:
            return
        what = f"{first.data[0]} {first.data[1]}" if first is not row else spoken("not sent")
        answer = "" if body is None else answer_text(body)
        answer = " · ".join(filter(None, [due, answer, self._answered_by(row)]))
        lane, what = self.book.node(row.node), f"{what} → {row.other}"
        by_itself = mark == Mark.OK and self.book.lives(row.node) and not self.book.expectation.says
        kind = Event.ROUTINE if by_itself else Event.REQUEST
        self._tell(at, row.time_us, kind, lane, what, word, answer, mark, bar)

    def _column(self, name: str) -> str:
        return self.book.subjects[self.book.node(name)]["column"]

    def _mark(self, row: Row, first: Row, column: str) -> tuple[str, str]:
        """Whether it came out as it should, or what was due; a balancer only passes on."""
        if column == "balancers" or (column != "clients" and not self.book.expectation.says):
            return Mark.NEITHER, ""
        due = self.book.expectation.due(self._rows, first, row)
        return (Mark.OK, "") if due is None else (Mark.FAIL, due)

    def _answered_by(self, row: Row) -> str:
        """Who really answered what a balancer has passed on."""
        if row.kind != "answer" or self._column(row.other) != "balancers":
            return ""
        reply = self._rows[row.cause] if row.cause is not None else row
        cause = self._rows[reply.cause] if reply.cause is not None else row
        return cause.other if cause.kind == "answer" and cause.node == row.other else ""

    def _disk(self, row: Row, at: int) -> None:
        subject, key = self.book.node(row.node), in_field(row.data[0])
        field = f"disk\t{key}\t{key}"
        if len(row.data) == 1:
            self._set(at, subject, field, None)
        else:
            self._set_value(at, row.time_us, subject, field, key, row.data[1])
        self._tell(at, row.time_us, Event.WRITE, subject, told(row), mark=Mark.NEITHER)

    def _skip(self, row: Row, at: int) -> None:
        self._note(row, at, Event.NOTE)


_READS: dict[str, Callable[[Recording, Row, int], None]] = {
    "start": Recording._start, "client": Recording._client,
    "kill": Recording._die, "crash": Recording._die,
    "pause": Recording._halt, "resume": Recording._halt,
    "connect": Recording._connect, "close": Recording._connect,
    "partition": Recording._fault, "heal": Recording._fault,
    "hold": Recording._fault, "release": Recording._fault, "lose_next": Recording._lose,
    "send": Recording._send, "receive": Recording._receive,
    "reply": Recording._reply, "drop": Recording._drop,
    "answer": Recording._over, "refused": Recording._over, "noreply": Recording._over,
    "disk": Recording._disk, "skipped": Recording._skip,
}  # fmt: skip


_NOTHING = {on_card(value) for value in (None, False, 0, 0.0, "", [], {}, (), set())}
