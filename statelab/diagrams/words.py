"""The words of a diagram: short, in one line, and the same on every Python."""

from __future__ import annotations

from typing import Any

from statelab.language import marked, spoken

marked("partition", "hold")  # the kinds of rows that are shown as they are

# why, in a `drop` row: (the word, where the arrow ends)
DROPS = {
    "lost on the way": (marked("lost"), "middle"),
    "cut off by the partition": (marked("cut off"), "wall"),
    "nobody is there to take it": (marked("nobody there"), "receiver"),
    "the caller is dead": (marked("caller is dead"), "receiver"),
}


def clean(text: str) -> str:
    """`text` in one line, a mark in place of what XML forbids and of what turns its direction."""
    return "".join("�" if _is_bad(ord(char)) else char for char in " ".join(text.split()))


def _is_bad(code: int) -> bool:
    control = code < 0x20 or 0x7F <= code < 0xA0
    turns = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code in (0x200E, 0x200F)
    return control or turns or 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE


def worded(value: Any) -> str:
    """A JSON or memory value for a person: no quotes or braces that say nothing, sets sorted."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{nested(key)}: {nested(item)}" for key, item in value.items()) or "{}"
    return nested(value)


def nested(value: Any) -> str:
    """As `worded`, with the braces: for a value beside others, or after its name."""
    if isinstance(value, dict):
        return "{" + (worded(value) if value else "") + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(nested, value))) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(nested, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def to_the_ms(time_us: int) -> str:
    """A time in seconds, to the millisecond."""
    ms = (time_us + 500) // 1000
    return spoken("{number} s", number=f"{ms // 1000}.{ms % 1000:03d}")


def speed(low: float, high: float, loss: float, duplicate: float) -> str:
    """A link's latency, in seconds, and its shares of loss and duplication."""
    least, most = f"{low * 1000:g}", f"{high * 1000:g}"
    parts = [f"{least} ms" if low == high else spoken("{low} to {high} ms", low=least, high=most)]
    parts += [spoken("{share} lost", share=f"{loss:.0%}")] if loss else []
    parts += [spoken("{share} doubled", share=f"{duplicate:.0%}")] if duplicate else []
    return ", ".join(parts)


def what_is_left(rows: int, lanes: int) -> list[str]:
    """What there was no room for, if anything: rows of the trace, and nodes."""
    said = [spoken("… {number} more rows", number=f"{rows:,}")] if rows else []
    more = spoken("… {number} more nodes and clients", number=f"{lanes:,}")
    return said + ([more] if lanes else [])
