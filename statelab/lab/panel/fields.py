"""What is known of each subject at each row: its status, and the lines of its memory and disk."""

from __future__ import annotations

from array import array
from typing import Any

from statelab.lab.panel.columns import GONE, Columns, Event, Flag, Mark, Period
from statelab.lab.panel.symbols import Book
from statelab.lab.words import cut, holder_in, in_full, on_card, parts
from statelab.language import spoken
from statelab.rows import Row

_HELD = int(Flag.HELD)  # a plain number is asked faster
RIGHTS = ("holder", "right", "leader", "owner", "lock")  # names of what somebody has, or nobody


class Fields(Columns):
    """The changes of a run, and what comes of them: a right is taken, what is soft expires."""

    def __init__(self, book: Book, tables: dict[str, dict[str, array]] | None = None):
        super().__init__(tables)
        self.book = book
        self._last: dict[int, dict[str, int]] = {}  # subject → {field: its value's number}
        self._lives: dict[int, int] = {}
        self._ends_us: dict[tuple[int, str], int] = {}  # (subject, field) → when it expires
        self._holders: dict[tuple[int, str], str] = {}  # (subject, field) → who or what it holds
        self._held: set[tuple[int, str]] = set()  # (subject, field) of all that is not empty
        self._places: dict[str, dict[tuple[int, str], int]] = {}  # where each thing is, how often
        self._bar_keys: list[tuple] = []
        self._going_on: dict[tuple, int] = {}  # what a bar is of → the bar

    def _restore(self, other: Fields, now_us: int) -> None:
        """Knows what `other` knew when it had only the rows that this one has."""
        changes, texts = self.tables["changes"], self.book.texts
        keys = zip(changes["subject"], changes["field"], strict=True)
        last = {key: n for n, key in enumerate(keys)}  # a dict keeps the first place and the last n
        for (subject, field), n in last.items():
            self._last.setdefault(subject, {})[texts[field]] = changes["value"][n]
        for (subject, number), n in last.items():
            field, until_us = texts[number], round(changes["until"][n] * 1e6)
            if not self._lasts(subject, field):
                continue
            if until_us > now_us:
                self._ends_us[subject, field] = until_us
            if changes["flags"][n] & _HELD:
                self._keep(subject, field, True)
        for subject, fields in self._last.items():
            if "number" in fields:
                self._lives[subject] = int(texts[fields["number"]])
        self._bar_keys = other._bar_keys[: len(self.tables["bars"]["at"])]
        over = set(self.tables["ends"]["bar"])
        self._going_on = {k: n for n, k in enumerate(self._bar_keys) if n not in over}
        what = self.tables["bars"]["what"]
        self._holders = {
            key[1:]: texts[what[bar]] for key, bar in self._going_on.items() if key[0] == "soft"
        }

    # --------------------------------------------------------------------------- adding
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
        held = bool(flags & _HELD)
        if held != ((subject, field) in self._held):
            self._locate(at, subject, field, held and self._lasts(subject, field))

    def _begin(self, at: int, key: tuple, lane: int, kind: str, what: str = "") -> int:
        """Begins a bar; returns its number."""
        bar = self._going_on[key] = len(self._bar_keys)
        self._bar_keys.append(key)
        self._add("bars", at, lane, *map(self.book.text, (kind, what)))
        return bar

    def _end(self, at: int, time_us: float, key: tuple, mark: str, word: str) -> int:
        """Ends a bar, if it goes on; returns its number, or GONE."""
        bar = self._going_on.pop(key, GONE)
        if bar != GONE:
            self._add("ends", at, bar, *map(self.book.text, (mark, word)), time_us)
        return bar

    def _tell(
        self, at: int, time_us: float, kind: str, lane: int, what: str, word: str = "",
        answer: str = "", mark: str = Mark.NEITHER, bar: int = GONE,
    ) -> None:  # fmt: skip
        texts = map(self.book.text, (kind, mark, what, word, answer))
        self._add("events", at, lane, *texts, bar, time_us)

    # --------------------------------------------------------------------------- memory
    def _remember(self, row: Row, at: int) -> None:
        """What was seen of a node's memory: a field for each line, "m", the attribute, the line."""
        subject = self.book.node(row.node)
        if row.life != self._lives.get(subject, row.life):
            return  # of a life that has ended meanwhile
        client = not self.book.subjects[subject]["lives"]
        changed, went = row.data
        for name, value in ((in_field(name), value) for name, value in changed.items()):
            if client and name == "ports":
                lines = [
                    (spoken("port to {name}", name=to), port, 0.0) for to, port in value.items()
                ]
            else:
                lines = list(parts(name, value))
            kept = set()
            for line, item, until in lines:
                if client and item is None:
                    continue
                field = f"memory\t{name}\t{in_field(line)}"
                kept.add(field)
                self._set_value(at, row.time_us, subject, field, name, item, until)
            self._forget(at, row.time_us, subject, f"memory\t{name}\t", kept)
        for name in map(in_field, went):
            self._forget(at, row.time_us, subject, f"memory\t{name}\t", set())

    def _set_value(
        self, at: int, time_us: int, subject: int, field: str, name: str, value: Any,
        until: float = 0.0,
    ) -> None:  # fmt: skip
        token = name == "token"
        text = cut(value, 16) if token else on_card(value)
        flags = Flag.HELD * bool(value or field.startswith("disk")) | Flag.TOKEN * token
        flags |= Flag.PORT * (name == "ports")
        full = "" if type(value) in (bool, int, type(None)) else in_full(value)
        self._set(at, subject, field, text, full, flags, until)
        if until or name in RIGHTS:
            self._hold(at, time_us, subject, field, holder_in(value) if value else "")
        if until and value and until * 1e6 > time_us:
            self._ends_us[subject, field] = round(until * 1e6)
        else:
            self._ends_us.pop((subject, field), None)

    def _forget(self, at: int, time_us: int, subject: int, prefix: str, kept: set[str]) -> None:
        """Ends the lines that begin with `prefix`, but for those in `kept`."""
        for field, value in list(self._last.get(subject, {}).items()):
            if value != GONE and field.startswith(prefix) and field not in kept:
                self._set(at, subject, field, None)
                self._ends_us.pop((subject, field), None)
                self._hold(at, time_us, subject, field, "")

    # --------------------------------------------------------------------------- where things are
    def _lasts(self, subject: int, field: str) -> bool:
        """Whether a line is more than a memory of the dead."""
        dead = self._last[subject].get("status") == self.book.text("dead")
        return not (dead and field.startswith("memory"))

    def _keep(self, subject: int, field: str, held: bool) -> str:
        """Knows that a line holds something, or no longer does; returns what it is."""
        (self._held.add if held else self._held.discard)((subject, field))
        kind, name, _ = field.split("\t")
        name = "port" if name == "ports" else name
        places = self._places.setdefault(name, {})
        places[subject, kind] = places.get((subject, kind), 0) + (1 if held else -1)
        return name

    def _locate(self, at: int, subject: int, field: str, held: bool) -> None:
        """Tells where a thing is, if it has come or gone with this line."""
        if held == ((subject, field) in self._held):
            return
        name = self._keep(subject, field, held)
        places = [
            spoken("{node}’s disk", node=node) if kind == "disk" else node
            for (number, kind), lines in sorted(self._places[name].items())
            if lines and (node := self.book.subjects[number]["name"])
        ]
        self._set(at, self.book.where, f"where\t{name}\t{name}", ", ".join(places))

    def _say_faults(self, at: int, link: int) -> None:
        """Tells in words what is wrong with a link."""
        fields = {field: self.book.texts[number] for field, number in self._last[link].items()}
        words = [fields.get("cut"), fields.get("held")]
        for field, left in fields.items():
            kind, _, name = field.partition("\t")
            if kind == "lose" and left != "0":
                words.append(spoken("loses next to {name}", name=name))
        self._set(at, link, "fault", ", ".join(filter(None, words)))

    # --------------------------------------------------------------------------- who holds what
    def _hold(self, at: int, time_us: int, subject: int, field: str, holder: str) -> None:
        """A bar for as long as the same is held there, and an event when another node has it."""
        key = subject, field
        before = self._holders.get(key, "")
        if holder == before:
            return
        self._end(at, time_us, ("soft", *key), Mark.NEITHER, "")
        self._holders.pop(key, None)
        thing, place = _thing(field), self.book.subjects[subject]["name"]
        if before and not holder and self.book.lives(before):
            told = spoken("{thing} of {holder} is free again", thing=thing, holder=before)
            self._tell(at, time_us, Event.TAKEN, subject, told)
        if holder:
            self._holders[key] = holder
            self._begin(at, ("soft", *key), subject, Period.SOFT, holder)
            if self.book.lives(holder):
                told = spoken("has {thing}, says {place}", thing=thing, place=place)
                self._tell(at, time_us, Event.TAKEN, self.book.node(holder), told)

    def expire(self, now_us: int, at: int | None = None) -> None:
        """Tells what has expired by now, before the row `at`, which is the next one to come."""
        at = len(self) if at is None else at
        over = [(until, key) for key, until in self._ends_us.items() if until <= now_us]
        for until, (subject, field) in sorted(over):
            del self._ends_us[subject, field]
            self._end(at, until, ("soft", subject, field), Mark.NEITHER, spoken("expired"))
            holder = self._holders.pop((subject, field), "")
            told = spoken("{thing} expired", thing=_thing(field))
            if self.book.lives(holder):
                told = spoken("{thing} of {holder} expired", thing=_thing(field), holder=holder)
            self._tell(at, until, Event.EXPIRED, subject, told)


def in_field(name: str) -> str:
    """A name as part of a field, whose parts are told apart by tabs."""
    return name.replace("\t", " ")


def _thing(field: str) -> str:
    """What a line is about: grants[bills] is about bills, and the holder has the right."""
    name = field.split("\t")[2]
    if name in RIGHTS:
        return spoken("the right")
    return name.partition("[")[2].removesuffix("]") or name
