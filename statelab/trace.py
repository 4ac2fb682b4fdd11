"""What happened: rows in order, their digest, and where two runs part.

Views, checks, diagrams and tests read only this. It knows neither world.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import itertools
import marshal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from statelab.message import shown

if TYPE_CHECKING:
    import pandas

# kind: (who `node` is, what `other` is, what `data` is)
KINDS = {
    "start": ("the node that begins a life", None, "its class's name"),
    "client": ("a client of the scenario", None, "the port it takes, or None for any"),
    "kill": ("the node that dies", None, None),
    "crash": ("the node that dies of an error in run()", None, "the error"),
    "pause": ("the node that is stopped", None, None),
    "resume": ("the node that goes on", None, None),
    "connect": ("the caller", "the node it connects to", "the caller's port"),
    "close": ("the caller", "the node it was connected to", "why"),
    "send": ("the caller", "the node called", "(method, path, body, headers)"),
    "receive": ("the node called", "the caller", "the peer's port, as the node sees it"),
    "reply": ("the node called", "the caller", "(status, body, headers)"),
    "answer": ("the caller", "the node called", "(status, body, headers)"),
    "refused": ("the caller", "the node called", "why it definitely did not happen"),
    "noreply": ("the caller", "the node called", "why nobody knows"),
    "drop": ("who the message was for", "who sent it", "why it reached nobody"),
    "error": ("the node whose handler raised", "the caller", "the error"),
    "disk": ("the node that writes", None, "(key, value), or (key,) if erased"),
    "log": ("the node that says it", None, "the text"),
    "partition": ("one end", "the other end", None),
    "heal": ("one end", "the other end", None),
    "hold": ("one end", "the other end", None),
    "release": ("one end", "the other end", None),
    "lose_next": ("the sender", "the receiver", None),
    "link": ("one end", "the other end", "(latency in s: low, high; loss; duplicate)"),
    "skipped": ("the node it was for", None, "(verb, arguments..., why it no longer applies)"),
    "memory": ("the node", None, "({attribute: value} that changed, names that went)"),
    "state": ("the node", None, "(memory or None if dead, disk), at the end"),
}


class Row(NamedTuple):
    """One event. `cause` is the `seq` of the earlier row it came of, None for an input.

    `message` numbers a request and all that becomes of it. In a `memory` row, which is an
    observation and no event, `seq` is that of the event after which it holds.
    """

    seq: int
    time_us: int
    kind: str
    node: str
    life: int
    other: str | None
    message: int | None
    cause: int | None
    data: Any

    @property
    def time(self) -> float:
        """Seconds since the world began."""
        return self.time_us / 1_000_000


# ------------------------------------------------------------------------------- canonical form
PLAIN = frozenset({type(None), bool, int, float, str, bytes})


def canonical(value: Any) -> Any:
    """Returns `value` as nested lists, tuples and scalars, the same for equal state everywhere.

    Takes None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, named tuples,
    dataclasses and members of an Enum. Raises TypeError for anything else, naming where it stands.
    """
    return _canonical(value, 0)


def _canonical(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth > 100:
        raise TypeError("is nested more than 100 deep: does it contain itself?")
    # Plain values, the most of all, are not handed on: a run's digest is half of what a seed costs.
    if kind is list:
        return [
            item if type(item) in PLAIN else _item(item, f"[{i}]", depth)
            for i, item in enumerate(value)
        ]
    if kind is dict:
        pairs = [
            (
                key if type(key) in PLAIN else _item(key, " (a key)", depth),
                item if type(item) in PLAIN else _item(item, f"[{key!r}]", depth),
            )
            for key, item in value.items()
        ]
        if len(pairs) > 1:
            pairs.sort(key=lambda pair: marshal.dumps(pair[0], 2))
        return ("dict", *pairs)
    if kind is tuple:
        return (
            "tuple",
            *[
                item if type(item) in PLAIN else _item(item, f"[{i}]", depth)
                for i, item in enumerate(value)
            ],
        )
    if kind is set or kind is frozenset:
        forms = [_item(item, " (an element)", depth) for item in value]
        return ("set", *sorted(forms, key=lambda form: marshal.dumps(form, 2)))
    if isinstance(value, enum.Enum):
        return (kind.__name__, value.name)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        named = zip(kind._fields, value, strict=True)
        return (kind.__name__, *(_item(item, f".{name}", depth) for name, item in named))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return (
            kind.__name__,
            *((name, _item(getattr(value, name), f".{name}", depth)) for name in names),
        )
    raise TypeError(f"is a {kind.__name__}")


def _item(value: Any, where: str, depth: int) -> Any:
    if type(value) in PLAIN:
        return value
    try:
        return _canonical(value, depth + 1)
    except TypeError as wrong:
        if depth > 3:  # what contains itself would get a name of a hundred steps
            raise
        raise TypeError(f"{where}{'' if str(wrong)[:1] in '[. ' else ' '}{wrong}") from None


def same(one: Any, other: Any) -> bool:
    """Whether two canonical forms are the same; 1, 1.0 and True are equal, and not the same."""
    if one is other:
        return True
    return one == other and marshal.dumps(one, 2) == marshal.dumps(other, 2)


def canonical_memory(node: str, memory: dict[str, Any]) -> dict[str, Any]:
    """The canonical form of each attribute; raises TypeError naming node and attribute."""
    forms = {}
    for name, value in memory.items():
        try:
            forms[name] = value if type(value) in PLAIN else _canonical(value, 0)
        except Exception as wrong:  # a class of the learner's may raise whatever it is asked
            text = str(wrong) if type(wrong) is TypeError else "cannot be looked at"
            raise TypeError(
                f"{node}.{name}{'' if text[:1] in '[. ' else ' '}{text}, which has no canonical "
                f"form: keep it in an attribute named _{name}, or keep plain data instead"
            ) from None
    return forms


# ------------------------------------------------------------------------------- the trace
@dataclasses.dataclass(frozen=True)
class Invariant:
    """A sentence that should stay true; `first_breach(rows)` is the seq where it broke, or None."""

    sentence: str
    first_breach: Callable[[Sequence[Row]], int | None]

    def __post_init__(self):
        if type(self.sentence) is not str:
            raise TypeError(f"an invariant's sentence is a str, not {shown(self.sentence)}")
        if not callable(self.first_breach):
            raise TypeError(
                f"an invariant's first_breach is a function of rows, not {shown(self.first_breach)}"
            )


@dataclasses.dataclass(frozen=True)
class Difference:
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
        self._rows: list[Row] = []
        self.memory: Sequence[Row] = memory
        self._states = states

    @property
    def rows(self) -> Sequence[Row]:
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

    def table(self) -> pandas.DataFrame:
        """All rows as a pandas table, times in seconds."""
        import pandas

        table = pandas.DataFrame(list(self.rows), columns=Row._fields)
        table.insert(1, "time_s", table.pop("time_us") / 1_000_000)
        return table.set_index("seq")


def _checked_seq(seq: Any, what: str = "a row's seq") -> None:
    if type(seq) is not int or seq < 0:
        raise TypeError(f"{what} is an int from 0 on, not {shown(seq)}")


# kind: what a row of it says, as a sentence without its time
_SAYS: dict[str, Callable[[Row], str]] = {
    "start": lambda row: f"{row.node} starts life {row.life} ({row.data})",
    "client": lambda row: f"client {row.node}" + (f" takes port {row.data}" if row.data else ""),
    "connect": lambda row: f"{row.node} connects to {row.other} from port {row.data}",
    "close": lambda row: f"{row.node}'s connection to {row.other} closes: {row.data}",
    "send": lambda row: (
        f"{row.node} → {row.other}: {row.data[0]} {row.data[1]} {_short(row.data[2])}"
    ),
    "receive": lambda row: f"{row.node} takes up message {row.message} of {row.other}",
    "reply": lambda row: f"{row.node} → {row.other}: {row.data[0]} {_short(row.data[1])}",
    "answer": lambda row: f"{row.node} gets {row.data[0]} {_short(row.data[1])} from {row.other}",
    "refused": lambda row: f"{row.node} is refused by {row.other}: {row.data}",
    "noreply": lambda row: f"{row.node} gets no reply from {row.other}: {row.data}",
    "drop": lambda row: f"a message of {row.other} for {row.node} is lost: {row.data}",
    "error": lambda row: f"{row.node}'s handler raised {row.data}",
    "crash": lambda row: f"{row.node} dies of {row.data}",
    "log": lambda row: f"{row.node} says: {row.data}",
    "disk": lambda row: f"{row.node} writes {_short(row.data)} to its disk",
    "state": lambda row: f"{row.node} ends with memory {row.data[0]} and disk {row.data[1]}",
    "skipped": lambda row: f"skipped: {_short(row.data)}",
}


def told(row: Row) -> str:
    """What a row says, as a sentence without its time."""
    says = _SAYS.get(row.kind)
    if says is not None:
        return says(row)
    return f"{row.kind} {row.node}" + (f" – {row.other}" if row.other else "")


def described(row: Row | None) -> str:
    """One row as a sentence a person can read."""
    if row is None:
        return "(the run has ended)"
    return f"{row.time:.6f} s  #{row.seq}  {told(row)}"


def _short(value: Any) -> str:
    text = "" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
