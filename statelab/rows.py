"""One row for each event of a run, and what one asks them: who was killed when, what came of it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection
from numbers import Real
from typing import Any, NamedTuple

from statelab.message import shown

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

# What a caller is told by the system: why there is no reply, and why nobody took the request.
LOST, NOBODY_THERE = "connection reset", "connection refused"
# Why a message reached nobody.
CUT_OFF, LOST_ON_THE_WAY = "cut off by the partition", "lost on the way"


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


class Exchange(NamedTuple):
    """One request, and what became of it.

    `outcome` is 'answered', 'refused', 'no reply' or 'waiting'; `status` and `answer` (its body)
    are None unless it was answered. Times are seconds; `ended` is None while it waits. `method` and
    `path` are '' where nothing could be sent. `seq` is its first row, `end` its last or None.
    """

    client: str
    to: str
    method: str
    path: str
    body: Any
    headers: dict[str, str]
    outcome: str
    status: int | None
    answer: Any
    sent: float
    ended: float | None
    message: int
    seq: int
    end: int | None

    @property
    def ok(self) -> bool:
        """Whether an answer came, with a status below 400."""
        return self.status is not None and self.status < 400

    @property
    def over(self) -> bool:
        """Whether something became of it: an answer, a refusal, or no reply."""
        return self.end is not None

    @property
    def took(self) -> float:
        """How many seconds passed from its sending to its end; infinite while it waits."""
        return math.inf if self.ended is None else self.ended - self.sent


_ENDS = {"answer": "answered", "refused": "refused", "noreply": "no reply"}
_ASKED = (*Exchange._fields, "ok", "over", "took")  # what one may want of a request

# Seconds, or what happened then, or None for what has not happened yet.
Moment = float | Row | Exchange | None


class Rows(list[Row]):
    """The events of a run in their order, and a few words to ask them with.

    Each takes `after` and `before`: seconds, a row, or an exchange, which one is after once it has
    ended and before until it is sent. Nothing is after None, what has not happened yet, and all is
    before it: so the answer to one question may stand in the next. What no row could be is refused:
    TypeError or ValueError.
    """

    def where(
        self,
        kind: str | Collection[str] | None = None,
        node: str | Collection[str] | None = None,
        other: str | Collection[str] | None = None,
        *,
        after: Moment = -1.0,
        before: Moment = math.inf,
    ) -> Rows:
        """The rows of a kind, at a node, with another one: of each one name, or several."""
        _check_names(kind=kind, node=node, other=other)
        first, last = self._after(after), self._before(before)
        return Rows(
            row
            for row in self
            if first < row.seq < last
            and (kind is None or _is(row.kind, kind))
            and (node is None or _is(row.node, node))
            and (other is None or _is(row.other, other))
        )

    def first(self, *which: Any, **when: Moment) -> Row | None:
        """The first row that `where` finds, or None."""
        return next(iter(self.where(*which, **when)), None)

    def last(self, *which: Any, **when: Moment) -> Row | None:
        """The last row that `where` finds, or None."""
        return next(reversed(self.where(*which, **when)), None)

    def requests(
        self,
        client: str | Collection[str] | None = None,
        to: str | Collection[str] | None = None,
        *,
        after: Moment = -1.0,
        before: Moment = math.inf,
        **wanted: Any,
    ) -> list[Exchange]:
        """The requests of the clients in the order in which they were sent: the outcome table.

        `client` may name nodes, too, whose own requests are meant then. `wanted` are fields of the
        exchange, such as `path="/login"`, `ok=True` and `over=True`.
        """
        _check_names(client=client, to=to)
        for name in wanted:
            if name not in _ASKED:
                raise TypeError(f"a request has no {name!r}: it has {', '.join(_ASKED)}")
        first, last = self._after(after), self._before(before)
        clients = {row.node for row in self if row.kind == "client"} if client is None else client
        found: dict[tuple[str, int | None], Exchange] = {}
        for row in self:
            if (row.kind not in _ENDS and row.kind != "send") or not _is(row.node, clients):
                continue
            if row.kind == "send":
                method, path, body, headers = row.data
            else:
                method, path, body, headers = "", "", None, {}
            key = row.node, row.message
            if key not in found:  # an end without a request: it could not even be sent
                found[key] = Exchange(
                    row.node, row.other, method, path, body, headers, "waiting", None, None,
                    row.time, None, row.message, row.seq, None,
                )  # fmt: skip
            if row.kind != "send":
                status, answer = row.data[:2] if row.kind == "answer" else (None, None)
                found[key] = found[key]._replace(
                    outcome=_ENDS[row.kind], status=status, answer=answer, ended=row.time,
                    end=row.seq,
                )  # fmt: skip
        return [
            one
            for one in found.values()
            if first < one.seq < last
            and (to is None or _is(one.to, to))
            and all(getattr(one, name) == value for name, value in wanted.items())
        ]

    def request(self, *which: Any, **wanted: Any) -> Exchange | None:
        """The first exchange that `requests` finds, or None."""
        return next(iter(self.requests(*which, **wanted)), None)

    def _after(self, moment: Moment) -> float:
        if isinstance(moment, Exchange):
            return math.inf if moment.end is None else moment.end
        if isinstance(moment, Row):
            return moment.seq
        if moment is None:
            return math.inf
        place = bisect.bisect_right(self, _seconds(moment), key=_time)
        return self[place - 1].seq if place else -1

    def _before(self, moment: Moment) -> float:
        if isinstance(moment, (Row, Exchange)):
            return moment.seq
        if moment is None:
            return math.inf
        place = bisect.bisect_left(self, _seconds(moment), key=_time)
        return self[place].seq if place < len(self) else math.inf


def _time(row: Row) -> float:
    return row.time


def _seconds(moment: Any) -> float:
    if isinstance(moment, Real) and not isinstance(moment, bool) and moment == moment:
        return moment
    raise TypeError(f"a moment is seconds, a row, a request or None, not {shown(moment)}")


def _check_names(**asked: Any) -> None:
    """Raises unless each is a name, several or None; a kind that no row has would find nothing."""
    for what, wanted in asked.items():
        names = () if wanted is None else (wanted,) if isinstance(wanted, str) else wanted
        if not isinstance(names, Collection) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{what} is a name or a list of names, not {shown(wanted)}")
        if what == "kind" and (unknown := [name for name in names if name not in KINDS]):
            raise ValueError(
                f"no row is of the kind {unknown[0]!r:.100}; the kinds: {', '.join(KINDS)}"
            )


def _is(name: str | None, wanted: str | Collection[str]) -> bool:
    return name == wanted if isinstance(wanted, str) else name in wanted
