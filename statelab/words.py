"""A row as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statelab.rows import Row

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


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
