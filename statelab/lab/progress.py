"""A bar that fills while a cell works; nothing where there is no notebook."""

from __future__ import annotations

import sys
from typing import Any


class Progress:
    """Shows `text` and a bar of so many steps, until it is closed.

    What is stored of it is its text, whatever time the work takes.
    """

    def __init__(self, text: str, steps: int):
        self._bar = _bar(text, steps) if _in_notebook() else None

    def step(self) -> None:
        """One step is done."""
        if self._bar is not None:
            self._bar.value += 1

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.layout.display = "none"


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def _bar(text: str, steps: int) -> Any:
    import ipywidgets
    from IPython.display import display

    class Bar(ipywidgets.IntProgress):
        def __repr__(self) -> str:
            return f"({text})"

    style = {"description_width": "initial"}
    bar = Bar(min=0, max=steps, description=text, style=style, layout={"width": "32em"})
    display(bar)
    return bar
