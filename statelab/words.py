"""A row as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statelab.language import marked, spoken
from statelab.rows import Row

# kind: what a row of it says, as a sentence without its time
_SAYS: dict[str, Callable[[Row], str]] = {
    "start": lambda row: spoken(
        "{node} starts life {life} ({of})", node=row.node, life=row.life, of=row.data
    ),
    "client": lambda row: (
        spoken("client {node} takes port {port}", node=row.node, port=row.data)
        if row.data
        else spoken("client {node}", node=row.node)
    ),
    "connect": lambda row: spoken(
        "{node} connects to {other} from port {port}",
        node=row.node, other=row.other, port=row.data,
    ),
    "close": lambda row: spoken(
        "{node}'s connection to {other} closes: {why}",
        node=row.node, other=row.other, why=spoken(row.data),
    ),
    "send": lambda row: (
        f"{row.node} → {row.other}: {row.data[0]} {row.data[1]} {_short(row.data[2])}"
    ),
    "receive": lambda row: spoken(
        "{node} takes up message {number} of {other}",
        node=row.node, number=row.message, other=row.other,
    ),
    "reply": lambda row: f"{row.node} → {row.other}: {row.data[0]} {_short(row.data[1])}",
    "answer": lambda row: spoken(
        "{node} gets {status} {body} from {other}",
        node=row.node, status=row.data[0], body=_short(row.data[1]), other=row.other,
    ),
    "refused": lambda row: spoken(
        "{node} is refused by {other}: {why}", node=row.node, other=row.other, why=spoken(row.data)
    ),
    "noreply": lambda row: spoken(
        "{node} gets no reply from {other}: {why}",
        node=row.node, other=row.other, why=spoken(row.data),
    ),
    "drop": lambda row: spoken(
        "a message of {other} for {node} is lost: {why}",
        node=row.node, other=row.other, why=spoken(row.data),
    ),
    "error": lambda row: spoken("{node}'s handler raised {what}", node=row.node, what=row.data),
    "crash": lambda row: spoken("{node} dies of {what}", node=row.node, what=row.data),
    "log": lambda row: spoken("{node} says: {what}", node=row.node, what=row.data),
    "disk": lambda row: spoken(
        "{node} writes {what} to its disk", node=row.node, what=_short(row.data)
    ),
    "state": lambda row: spoken(
        "{node} ends with memory {memory} and disk {disk}",
        node=row.node, memory=row.data[0], disk=row.data[1],
    ),
    "skipped": lambda row: spoken("skipped: {what}", what=_short(row.data)),
}  # fmt: skip


# Why a message or a connection ended: rows have it as it stands here.
marked(
    "connection reset", "connection refused", "cut off by the partition", "lost on the way",
    "nobody is there to take it", "the caller is dead", "timed out", "timed out before it was sent",
    "too late", "one call", "closed by the client", "the server closed it",
)  # fmt: skip


def told(row: Row) -> str:
    """What a row says, as a sentence without its time."""
    says = _SAYS.get(row.kind)
    if says is not None:
        return says(row)
    return f"{row.kind} {row.node}" + (f" – {row.other}" if row.other else "")


def described(row: Row | None) -> str:
    """One row as a sentence a person can read."""
    if row is None:
        return spoken("(the run has ended)")
    return f"{row.time:.6f} s  #{row.seq}  {told(row)}"


def _short(value: Any) -> str:
    text = "" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def which_life(number: int) -> str:
    """2nd life."""
    return spoken("{nth} life", nth=ordinal(number), number=number)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
