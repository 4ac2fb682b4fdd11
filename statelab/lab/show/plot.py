"""A matplotlib figure as a picture that is always the same, with a text that says what it shows."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statelab.lab.given import given
from statelab.lab.words import printable
from statelab.message import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without these, each saving has other ids and a date: a stored picture could not be compared.
_STABLE = {"svg.hashsalt": "statelab", "svg.fonttype": "none"}


# Files of fonts with Hangul, of which each system has one; matplotlib's own font has none.
_HANGUL = re.compile(r"(?i)(nanumgothic|notosanscjk-regular|notosanskr|malgun|applesdgothicneo)$")


class Plot:
    """`figure` as an SVG, equal for equal data; `text` says in words what one sees in it.

    What is `measured`, so that no two runs are equal, is a PNG: no test compares those.
    """

    def __init__(self, figure: Figure, text: str, measured: bool = False):
        self.text = printable(given(str, text, "the text of a plot"))
        if not hasattr(figure, "savefig"):
            raise TypeError(f"a plot is of a matplotlib figure, not of {shown(figure)}")
        self.kind = "image/png" if measured else "image/svg+xml"
        data = _png(figure) if measured else _svg(figure).encode()
        self._data = base64.b64encode(data).decode()

    @property
    def html(self) -> str:
        """The picture as an <img>, for inline SVG is stripped from a notebook not trusted."""
        source = f"data:{self.kind};base64,{self._data}"
        return f'<img alt="{escape(self.text)}" style="max-width:100%;height:auto" src="{source}">'

    def __repr__(self) -> str:
        return f"<Plot: {self.text}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = {"text/html": self.html} if "svg" in self.kind else {self.kind: self._data}
        return {**shown, "text/plain": repr(self)}


def _svg(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_STABLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return printable(buffer.getvalue())


def _png(figure: Figure) -> bytes:
    from matplotlib.text import Text

    said = figure.findobj(Text)
    if any("가" <= letter <= "힣" for words in said for letter in words.get_text()):
        family = ["DejaVu Sans", *hangul_fonts()]  # a page finds its fonts itself; this is no text
        for words in said:
            words.set_fontfamily(family)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def hangul_fonts() -> list[str]:
    """The fonts with Hangul that are here, also those that came after matplotlib last looked."""
    from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager

    files = [path for path in sorted(findSystemFonts()) if _HANGUL.match(Path(path).stem)]
    for path in files:
        fontManager.addfont(path)
    return [FontProperties(fname=path).get_name() for path in files]
