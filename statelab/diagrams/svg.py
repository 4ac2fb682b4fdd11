"""Strokes and texts as SVG: bytes equal on every machine, and every text knows its width.

Rules of this file:

1. Standard library only, and nothing that changes with Python's version: no `unicodedata`, no
   `hypot`, no `repr` of a float.
2. Fonts differ from machine to machine, so widths are those of the widest usual ones.
3. An SVG in an `<img>` does not see the page's theme, so a picture is a light card of its own.
"""

from __future__ import annotations

from html import escape
from math import sqrt

from statelab.language import KOREAN_FONTS

INK, MUTED, LINE, CARD = "#1d2430", "#6a7484", "#d9dee6", "#ffffff"
ANSWERED, FAILED, WAITING = "#0b7a5c", "#b3261e", "#8a5a00"
MEMORY, BUSY, DISK = "#3b5bdb", "#e9edfc", "#3d4657"

SANS = f"system-ui,-apple-system,'Segoe UI','DejaVu Sans','Noto Sans',{KOREAN_FONTS},sans-serif"
MONO = f"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',{KOREAN_FONTS},monospace"

# name: (size in px, family, weight, width of a letter in em)
FONTS = {
    "title": (14, SANS, 600, 0.78),
    "name": (13, SANS, 600, 0.78),
    "word": (12, SANS, 600, 0.72),
    "small": (11, SANS, 400, 0.64),
    "label": (12, MONO, 400, 0.61),
    "data": (11, MONO, 400, 0.61),
}


def width(text: str, font: str) -> float:
    """The width of `text` in px, as the widest usual font sets it."""
    size, _, _, letter = FONTS[font]
    return size * sum(
        letter if code < 0x1100 else 1.05 if code < 0x1F000 else 1.4 for code in map(ord, text)
    )


def shortened(text: str, font: str, most: float) -> str:
    """As much of `text` as `most` px hold; what is cut is shown by `…`."""
    size, _, _, letter = FONTS[font]
    text = text[: max(0, int(most / (size * letter))) + 2]  # no more have room, however long it is
    if width(text, font) <= most:
        return text
    while text and width(text + "…", font) > most:
        text = text[:-1]
    return text.rstrip() + "…"


def number(value: float) -> str:
    """A coordinate with one decimal at most."""
    tenths = round(value * 10)
    whole, rest = divmod(abs(tenths), 10)
    return ("-" if tenths < 0 else "") + str(whole) + (f".{rest}" if rest else "")


class Canvas:
    """What has been drawn so far; texts lie over strokes, with a halo that keeps them readable."""

    def __init__(self):
        self._strokes: list[str] = []
        self._texts: list[str] = []

    def text(
        self, x: float, y: float, text: str, font: str, colour: str = INK, anchor: str = "start"
    ) -> None:
        """Writes on the baseline `y`; `anchor` says whether `x` is its start, middle or end."""
        if not text:
            return
        self._texts.append(
            f'<text x="{number(x)}" y="{number(y)}" class="{font}" fill="{colour}"'
            + (f' text-anchor="{anchor}"' if anchor != "start" else "")
            + f">{escape(text)}</text>"
        )

    def line(self, x1, y1, x2, y2, colour: str, thick: float = 1.5, dash: str = "") -> None:
        """A straight stroke; `dash` is its pattern in px."""
        self.path(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", colour, thick, dash=dash)

    def path(
        self, d: str, colour: str, thick: float = 1.5, *, fill: str = "none", dash: str = ""
    ) -> None:
        """Strokes a path."""
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self._strokes.append(
            f'<path d="{d}" fill="{fill}" stroke="{colour}" stroke-width="{number(thick)}"{dash}/>'
        )

    def box(self, x, y, wide, high, colour: str, *, fill: str = CARD, dash: str = "", round=6):
        """A box with the corners rounded."""
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self._strokes.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="{number(high)}"'
            f' rx="{number(round)}" fill="{fill}" stroke="{colour}"{dash}/>'
        )

    def arrow(self, x1, y1, x2, y2, colour: str, dash: str = "") -> None:
        """A stroke with a filled head at its end."""
        along_x, along_y = x2 - x1, y2 - y1
        length = sqrt(along_x * along_x + along_y * along_y) or 1
        along_x, along_y = along_x / length, along_y / length
        back_x, back_y = x2 - 9 * along_x, y2 - 9 * along_y
        self.line(x1, y1, back_x, back_y, colour, dash=dash)
        left = f"{number(back_x - 4 * along_y)} {number(back_y + 4 * along_x)}"
        right = f"{number(back_x + 4 * along_y)} {number(back_y - 4 * along_x)}"
        self.path(f"M{number(x2)} {number(y2)}L{left}L{right}Z", colour, 1, fill=colour)

    def icon(self, name: str, x: float, y: float, colour: str) -> None:
        """A sign of 10 px with its middle at x, y; drawn, for fonts may lack it."""
        x, y = round(x), round(y)
        if name == "cross":
            d = f"M{x - 5} {y - 5}L{x + 5} {y + 5}M{x - 5} {y + 5}L{x + 5} {y - 5}"
            self.path(d, colour, 2.5)
        elif name == "pause":
            self.box(x - 7, y - 7, 14, 14, CARD)
            self.path(f"M{x - 3} {y - 5}V{y + 5}M{x + 3} {y - 5}V{y + 5}", colour, 3)
        elif name == "play":
            self.path(f"M{x - 4} {y - 5}L{x + 5} {y}L{x - 4} {y + 5}Z", colour, 1, fill=colour)
        elif name == "dot":
            self.path(f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", colour, 1, fill=colour)
        elif name == "ring":
            self.path(f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", colour, 1.5, fill=CARD)

    def svg(self, wide: float, high: float, title: str, description: str) -> str:
        """The whole picture."""
        fonts = "".join(
            f".{name}{{font:{weight} {size}px {family}}}"
            for name, (size, family, weight, _) in FONTS.items()
        )
        halo = f"text{{paint-order:stroke;stroke:{CARD};stroke-width:4px;stroke-linejoin:round}}"
        wide, high = number(wide), number(high)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
                f'viewBox="0 0 {wide} {high}" role="img" aria-labelledby="title desc">',
                f'<title id="title">{escape(title)}</title>',
                f'<desc id="desc">{escape(description)}</desc>',
                f"<style>{halo}{fonts}</style>",
                f'<rect x="0.5" y="0.5" width="{number(float(wide) - 1)}" '
                f'height="{number(float(high) - 1)}" rx="8" fill="{CARD}" stroke="{LINE}"/>',
                *self._strokes,
                *self._texts,
                "</svg>\n",
            ]
        )
