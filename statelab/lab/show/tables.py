"""What a panel shows, as tables for a cell: the outcome of each request, and where state lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statelab.lab.given import given
from statelab.lab.words import brief, outcome_word
from statelab.node import Soft
from statelab.trace import Trace

if TYPE_CHECKING:
    import pandas


def outcome_table(trace: Trace) -> pandas.DataFrame:
    """Every request of the clients, in the order of sending; times in seconds."""
    import pandas

    rows = [
        (one.client, f"{one.method} {one.path}".strip() or "not sent", one.to, round(one.sent, 3),
         outcome_word(one), "" if one.answer is None else brief(one.answer))
        for one in given(Trace, trace, "the trace").rows.requests()
    ]  # fmt: skip
    columns = ["client", "request", "to", "sent_s", "outcome", "answer"]
    return pandas.DataFrame(rows, columns=columns)


def state_map(trace: Trace) -> pandas.DataFrame:
    """Each thing that is remembered now: what, by whom, in memory or on disk, and until when.

    `until_s` is in seconds since the world began, and empty for what does not expire.
    """
    import pandas

    rows = []
    for state in given(Trace, trace, "the trace").states():
        memory, disk = state.data
        for kind, data in (("memory", memory or {}), ("disk", disk)):
            for name, value in sorted(data.items()):
                soft = isinstance(value, Soft)
                until = round(value.until, 3) if soft else ""
                rows.append((name, state.node, kind, brief(value.value if soft else value), until))
    columns = ["what", "where", "kept", "value", "until_s"]
    return pandas.DataFrame(rows, columns=columns)
