"""A bar that fills while a cell works: in a notebook, or in a terminal; else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Progress:
    """Shows `text` and a bar of so many steps, until it is closed.

    What is stored of it is its text, whatever time the work takes.
    """

    def __init__(self, text: str, steps: int):
        self._move, self._hide = (_widget if _in_notebook() else _line)(text, steps)

    def step(self, count: int = 1) -> None:
        """So many steps are done."""
        self._move(count)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._hide()


Bar = tuple[Callable[[int], object], Callable[[], object]]  # moves on by so many; goes away


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def _line(text: str, steps: int) -> Bar:
    """A bar on the terminal; it is silent where the output is a file or a pipe."""
    from tqdm.std import tqdm

    line = tqdm(total=steps, desc=text, leave=False, disable=None)
    return line.update, line.close


def _widget(text: str, steps: int) -> Bar:
    import ipywidgets
    from IPython.display import display

    class IntProgress(ipywidgets.IntProgress):
        def __repr__(self) -> str:
            return f"({text})"

    style = {"description_width": "initial"}
    bar = IntProgress(min=0, max=steps, description=text, style=style, layout={"width": "32em"})
    display(bar)

    def move(count: int) -> None:
        bar.value += count

    def hide() -> None:
        bar.layout.display = "none"

    return move, hide
