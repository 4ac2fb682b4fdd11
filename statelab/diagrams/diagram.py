"""A trace as a sequence diagram: who said what to whom, and who died meanwhile.

The picture is an SVG whose bytes are equal for equal traces, on every Python and machine.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from statelab.checked import micros
from statelab.diagrams.picture import Picture
from statelab.diagrams.reader import Reading
from statelab.diagrams.words import clean, to_the_ms, what_is_left
from statelab.effects import UnknownNode
from statelab.language import spoken
from statelab.message import shown
from statelab.rows import Row
from statelab.trace import Trace
from statelab.words import described

MAX_LANES = 12


class Diagram:
    """A picture of a trace: `svg` is its source, `text` says the same in words."""

    def __init__(self, picture: str, title: str, summary: str, text: str):
        self.svg = picture
        self.title = title
        self.summary = summary
        self.text = text

    def save(self, path: str | Path) -> None:
        """Writes the SVG to a file."""
        Path(path).write_bytes(self.svg.encode())

    def __repr__(self) -> str:
        return f"<Diagram {self.title}: {self.summary}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # An <img>, for inline SVG is stripped from a notebook that is not trusted.
        data = base64.b64encode(self.svg.encode()).decode()
        alt = escape(f"{self.title}: {self.summary}")
        style = "max-width:100%;height:auto"
        image = f'<img alt="{alt}" style="{style}" src="data:image/svg+xml;base64,{data}">'
        return {"text/html": image, "text/plain": repr(self)}


_SAID = ("connect", "send", "disk", "log", "error", "reply")  # what a node does in one step


def sequence(
    trace: Trace,
    *,
    nodes: Iterable[str] | None = None,
    start: float | None = None,
    until: float | None = None,
    title: str | None = None,
    memory: bool = False,
    limit: int = 40,
) -> Diagram:
    """Draws what happened from `start` to `until`, in seconds, between `nodes`, in their order.

    With `memory=True` it also shows how memory changed, if the trace has recorded that. `limit`
    is the most steps that it draws; it says how many rows are left. Raises UnknownNode,
    and TypeError or ValueError for what is none of these.
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"a diagram is of a trace, as world.trace is, not of {shown(trace)}")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"the title of a diagram is a str, not {shown(title)}")
    if nodes is not None and (isinstance(nodes, (str, bytes)) or not isinstance(nodes, Iterable)):
        raise TypeError(f"nodes is a list of names, not {shown(nodes)}")
    if type(limit) is not int or limit < 0:
        raise ValueError(f"limit is how many steps to draw, an int from 0 on, not {shown(limit)}")
    start_us = 0 if start is None else micros(start, "start")
    until_us = None if until is None else micros(until, "until")
    rows = [row for row in trace.rows if until_us is None or row.time_us <= until_us]
    named = _names(rows)
    names = named[:MAX_LANES] if nodes is None else list(nodes)
    for name in names:
        if name not in named:
            raise UnknownNode(f"{shown(name)} is not in this trace, which has: {', '.join(named)}")
    steps = Reading(_in_order(rows, trace.memory) if memory else rows, names, start_us, limit)
    left_out = len(named) - len(names) if nodes is None else 0
    title = clean(title or spoken("What happened"))
    seen = [row for row in rows if row.time_us >= start_us and row.node in names]
    summary = _summary(seen, [clean(name) for name in names])
    said = [clean(described(row).split("  ", 2)[2]) for row in steps.shown]
    times = [to_the_ms(row.time_us) for row in steps.shown]
    lines = [f"{time}: {line}" for time, line in zip(times, said, strict=True)]
    text = "\n".join([summary, *lines, *what_is_left(steps.left, left_out)])
    return Diagram(Picture(steps, title, left_out).drawn(text), title, summary, text)


def _in_order(rows: Sequence[Row], memory: Sequence[Row]) -> list[Row]:
    """The rows, and what was seen of memory: before what the node said in the same step."""
    places = []
    for seen in memory:
        place = seen.seq
        if place >= len(rows):  # it is later than what is drawn
            continue
        while place and rows[place].node == seen.node and rows[place].kind in _SAID:
            place -= 1
        places.append(((place, 1), seen))
    merged = [*(((row.seq, 0), row) for row in rows), *places]
    return [row for _, row in sorted(merged, key=lambda pair: pair[0])]


def _names(rows: Sequence[Row]) -> list[str]:
    """Who takes part: those that only call, those that they call, and so on, then the rest."""
    everyone: dict[str, int] = {}
    callers: dict[str, None] = {}
    depth: dict[str, int] = {}  # of those called
    for row in rows:
        everyone.setdefault(row.node, len(everyone))
        if row.kind == "send":
            callers.setdefault(row.node)
            depth.setdefault(row.other, depth.get(row.node, 0) + 1)
    first = [name for name in callers if name not in depth]
    called = sorted(depth, key=lambda name: (depth[name], everyone[name]))
    return list(dict.fromkeys([*first, *called, *everyone]))


def _summary(rows: Sequence[Row], names: Sequence[str]) -> str:
    kinds = Counter(row.kind for row in rows)
    errors = sum(1 for row in rows if row.kind == "answer" and row.data[0] >= 400)
    counts = [
        spoken("{number} answered ({errors} with an error)", number=kinds["answer"], errors=errors)
        if errors
        else spoken("{number} answered", number=kinds["answer"]),
        spoken("{number} refused", number=kinds["refused"]) if kinds["refused"] else "",
        spoken("{number} without reply", number=kinds["noreply"]) if kinds["noreply"] else "",
    ]
    deaths = [row for row in rows if row.kind in ("kill", "crash")]
    said = [
        spoken("{node} killed at {time}", node=row.node, time=to_the_ms(row.time_us))
        if row.kind == "kill"
        else spoken("{node} crashed at {time}", node=row.node, time=to_the_ms(row.time_us))
        for row in deaths[:3]
    ]
    more = [spoken("{number} more deaths", number=len(deaths) - 3)] if len(deaths) > 3 else []
    # One that is refused at once was never sent.
    requests = len({row.message for row in rows if row.kind in ("send", "refused")})
    sent = spoken("1 request") if requests == 1 else spoken("{number} requests", number=requests)
    facts = [
        ", ".join([sent, *filter(None, counts)]),
        *said,
        *more,
    ]
    return clean(f"{', '.join(names) or spoken('nobody')}; " + "; ".join(facts))
