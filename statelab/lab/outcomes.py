"""The outcome table: every request of the clients, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from statelab.trace import Row

_ENDS = {"answer": "answered", "refused": "refused", "noreply": "no reply"}


class Exchange(NamedTuple):
    """One request of a client, and what became of it.

    `outcome` is 'answered', 'refused', 'no reply' or 'waiting'; `status` and `answer` (its body)
    are None unless it was answered. Times are seconds; `ended` is None while it waits. `method` and
    `path` are '' where nothing could be sent.
    """

    client: str
    to: str
    method: str
    path: str
    body: Any
    outcome: str
    status: int | None
    answer: Any
    sent: float
    ended: float | None
    message: int

    @property
    def ok(self) -> bool:
        """Whether an answer came, with a status below 400."""
        return self.status is not None and self.status < 400


def requests(rows: Iterable[Row], senders: Iterable[str] | None = None) -> list[Exchange]:
    """Every request of the clients (or of `senders`) in the order of sending: the outcome table."""
    wanted = None if senders is None else set(senders)
    clients: set[str] = set()
    found: dict[tuple[str, int], Exchange] = {}
    for row in rows:
        if row.kind == "client":
            clients.add(row.node)
        elif row.kind == "send" and row.node in (clients if wanted is None else wanted):
            method, path, body = row.data[:3]
            found[row.node, row.message] = Exchange(
                row.node, row.other, method, path, body, "waiting", None, None, row.time, None,
                row.message,
            )  # fmt: skip
        elif row.kind in _ENDS and row.node in (clients if wanted is None else wanted):
            key = row.node, row.message
            if key not in found:  # it could not even be sent
                found[key] = Exchange(
                    row.node, row.other, "", "", None, "waiting", None, None, row.time, None,
                    row.message,
                )  # fmt: skip
            status, answer = row.data[:2] if row.kind == "answer" else (None, None)
            found[key] = found[key]._replace(
                outcome=_ENDS[row.kind], status=status, answer=answer, ended=row.time
            )
    return list(found.values())
