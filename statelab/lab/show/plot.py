"""A matplotlib figure as a picture that is always the same, with a text that says what it shows."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from statelab.lab.given import given

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without these, each saving has other ids and a date: a stored picture could not be compared.
_STABLE = {"svg.hashsalt": "statelab", "svg.fonttype": "none"}


class Plot:
    """`figure` as an SVG, equal for equal data; `text` says in words what one sees in it."""

    def __init__(self, figure: Figure, text: str):
        import matplotlib

        self.text = given(str, text, "the text of a plot")
        if not hasattr(figure, "savefig"):
            raise TypeError(f"a plot is of a matplotlib figure, not of {figure!r:.100}")
        buffer = io.StringIO()
        with matplotlib.rc_context(_STABLE):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        self.svg = buffer.getvalue()

    @property
    def html(self) -> str:
        """The picture as an <img>, for inline SVG is stripped from a notebook not trusted."""
        data = base64.b64encode(self.svg.encode()).decode()
        source = f"data:image/svg+xml;base64,{data}"
        return f'<img alt="{escape(self.text)}" style="max-width:100%;height:auto" src="{source}">'

    def __repr__(self) -> str:
        return f"<Plot: {self.text}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}
