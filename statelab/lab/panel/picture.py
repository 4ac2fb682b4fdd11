"""The static picture behind a panel: what viewers without a kernel see. Deterministic."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from statelab.lab.words import printable
from statelab.language import KOREAN_FONTS, spoken

WIDTH, CARD, GAP, PAD, LINE = 760, 200, 16, 16, 18
_SANS = f"font-family:system-ui,'DejaVu Sans',{KOREAN_FONTS},sans-serif"
_MONO = f"font-family:ui-monospace,'DejaVu Sans Mono',{KOREAN_FONTS},monospace"
INK, MUTED, EDGE, MEMORY, DISK, UP = (
    "#1d2430", "#6a7484", "#d9dee6", "#3b5bdb", "#3d4657", "#0b7a5c"
)  # fmt: skip


def html(
    title: str, state: Mapping[str, Any], actions: Sequence[Mapping[str, str]], level: int = 2
) -> str:
    """The picture as an `<img>`: inline SVG is stripped where a notebook is not trusted."""
    data = base64.b64encode(svg(title, state, actions, level).encode()).decode()
    words = escape(alternative(title, state))
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{data}">'


def alternative(title: str, state: Mapping[str, Any]) -> str:
    """The picture in words."""
    nodes = [node for column in state["columns"] for node in column["nodes"]]
    return printable(
        f"{spoken('Lab panel')} “{title}”: " + "; ".join(node["label"] for node in nodes)
    )


def svg(
    title: str, state: Mapping[str, Any], actions: Sequence[Mapping[str, str]], level: int = 2
) -> str:
    """The panel before its first click, as SVG; `state` is what `still` tells."""
    columns = state["columns"]
    pitch = (WIDTH - 2 * PAD - CARD) // max(len(columns) - 1, 1)
    parts: list[str] = []
    bottom = 0
    places: dict[str, tuple[int, int, int]] = {}
    for number, column in enumerate(columns):
        x, y = PAD + number * pitch, 64
        for node in column["nodes"]:
            labels = [action["label"] for action in actions if action["client"] == node["name"]]
            card, height = _card(node, labels, level, x, y)
            parts.append(card)
            places[node["name"]] = (x, y, height)
            y += height + GAP
        bottom = max(bottom, y)
    links = [_link(link, places) for link in state["links"]]
    height = bottom
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">',
            f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#fff" '
            f'stroke="{EDGE}"/>',
            f'<path d="M0 44.5H{WIDTH}" stroke="{EDGE}"/>',
            _text(PAD, 28, title, 14, INK, bold=True),
            _text(WIDTH - PAD, 28, "a picture: run the cell", 14, MEMORY, bold=True, anchor="end"),
            *links,
            *parts,
            "</svg>",
        ]
    )  # fmt: skip


def _card(
    node: Mapping[str, Any], labels: Sequence[str], level: int, x: int, y: int
) -> tuple[str, int]:
    word = node["status"] if node["lives"] else "client"
    lines = node["memory"]["lines"]
    inside = 40
    parts = [_text(x + 12, y + 24, node["name"], 14, INK, bold=True)]
    end = x + CARD - 12
    parts.append(_text(end, y + 24, word, 12, UP if node["lives"] else MUTED, anchor="end"))
    if node["lives"]:
        parts.append(f'<circle cx="{end - 7 * len(word) - 8}" cy="{y + 20}" r="4" fill="{UP}"/>')
    inside = _box(parts, "memory", lines, x, y, inside, MEMORY, ' stroke-dasharray="4 3"')
    if node["disk"]:
        inside = _box(parts, "disk", node["disk"], x, y, inside, DISK, "")
    verbs = [spoken("Kill"), spoken("Pause")] if level else [spoken("Kill")]
    buttons = verbs if node["lives"] else list(labels)
    left = x + 12
    for label in buttons:
        width = 16 + round(6.6 * len(label))
        if left + width > end and left > x + 12:
            left, inside = x + 12, inside + 28
        parts.append(
            f'<rect x="{left}.5" y="{y + inside}.5" width="{width}" height="23" rx="6" '
            f'fill="none" stroke="{EDGE}"/>'
        )
        parts.append(_text(left + width / 2, y + inside + 16, label, 12, MUTED, anchor="middle"))
        left += width + 8
    height = inside + (36 if buttons else 4)
    edge = (
        f'<rect x="{x}.5" y="{y}.5" width="{CARD}" height="{height}" rx="8" fill="#fff" '
        f'stroke="{EDGE}"/>'
    )
    return "\n".join([edge, *parts]), height


def _box(parts, caption, lines, x, y, inside, colour, dash) -> int:
    texts = [f"{line['name']} = {line['text']}" for line in lines] or [spoken("empty")]
    height = 28 + LINE * len(texts)
    parts.append(
        f'<rect x="{x + 12}.5" y="{y + inside}.5" width="{CARD - 24}" height="{height}" rx="6" '
        f'fill="none" stroke="{colour}"{dash}/>'
    )
    parts.append(_text(x + 20, y + inside + 16, caption, 11, MUTED))
    for number, text in enumerate(texts):
        cut = text if len(text) <= 24 else text[:23] + "…"
        down = y + inside + 34 + LINE * number
        parts.append(_text(x + 20, down, cut, 12, INK if lines else MUTED, face=_MONO))
    return inside + height + 12


def _link(link: Mapping[str, Any], places: Mapping[str, tuple[int, int, int]]) -> str:
    (ax, ay, ah), (bx, by, bh) = places[link["from"]], places[link["to"]]
    if bx <= ax:
        return ""
    x1, y1, x2, y2 = ax + CARD, ay + ah / 2, bx, by + bh / 2
    middle = (x1 + x2) / 2
    return (
        f'<path d="M{x1} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}" fill="none" '
        f'stroke="{EDGE}" stroke-dasharray="2 4"/>'
    )


def _text(x, y, text, size, colour, *, bold=False, anchor="start", face=_SANS) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
        f'{weight} style="{face}">{escape(printable(text))}</text>'
    )
