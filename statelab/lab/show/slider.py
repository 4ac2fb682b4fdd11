"""A slider over a few values, and beneath it a plot that follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from numbers import Real
from typing import Any

import ipywidgets

from statelab.lab.given import each, function, given
from statelab.lab.show.plot import Plot
from statelab.lab.view import sayable
from statelab.lab.words import sentence
from statelab.language import spoken
from statelab.message import shown

# The static picture is the output just before the slider's own.
_HIDDEN = """<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child .sl-slider) { display: none; }
</style>"""


def _measured(value: float, unit: str) -> str:
    """A value with its unit, which some languages write close to it."""
    number = f"{float(value):g}"
    return spoken("{value} {unit}", value=number, unit=unit) if unit else number


def _told(plot: Plot) -> str:
    return f'{plot.html}<p aria-live="polite">{escape(plot.text)}</p>'


MOST = 1e300  # the largest value


class Slider(ipywidgets.VBox):
    """A slider from which one of `values` is chosen, and what `show(value)` makes of it: a Plot.

    `label` names the value and `unit` its unit; `value` is chosen first. The plot's text stands
    beneath it, so that what changed is read, too. Raises ValueError for a `value` not among them.
    """

    def __init__(
        self,
        label: str,
        values: Sequence[float],
        show: Callable[[float], Plot],
        *,
        value: float,
        unit: str = "",
    ):
        for text in (label, unit):
            given(str, text, "the label, or the unit")
        label, unit = sayable(label), sayable(unit)
        if value not in each(Real, values, "the values"):
            raise ValueError(f"value={shown(value)} is none of the values {list(values)}")
        self._show = function(show, "what draws a value")
        for one in values:  # the text of each is that of a float
            if not -MOST <= one <= MOST:
                raise ValueError(f"the values: {shown(one)} is none from -{MOST:g} to {MOST:g}")
        least, most = f"{float(values[0]):g}", _measured(values[-1], unit)
        self._said = spoken("{label}, from {least} to {most}", label=label, least=least, most=most)
        self.control = ipywidgets.SelectionSlider(
            options=[(_measured(one, unit), one) for one in values],
            value=value,
            description=label,
            continuous_update=False,  # a plot for each step of a drag would lag behind it
            style={"description_width": "initial"},
            layout={"width": "420px"},
        )
        # Each of these is whole when pages hear of it: see View.
        self.plot = self._draw()
        self.shown = ipywidgets.HTML(_told(self.plot))
        self.control.observe(self._moved, "value")
        parts = [self.control, self.shown, ipywidgets.HTML(_HIDDEN)]
        super().__init__(parts, _dom_classes=["sl-slider"])

    def _moved(self, _: Any) -> None:
        try:
            self.plot = self._draw()
            self.shown.value = _told(self.plot)
        except BaseException as wrong:  # nobody would see it: callbacks have no output
            said = spoken("This could not be drawn: {why}", why=sentence(wrong))
            self.shown.value = f"<p>{escape(said)}</p>"

    def _draw(self) -> Plot:
        return given(Plot, self._show(self.control.value), "what is drawn of a value")

    def __repr__(self) -> str:
        return f"{spoken('Slider')}: {self._said}. {self.plot.text}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle and {**bundle, "text/plain": repr(self), "text/html": "<!-- a slider -->"}

    def _ipython_display_(self) -> None:
        # As a panel does: a picture in an output of its own stays when the kernel is gone, and is
        # hidden while the slider is there.
        from IPython.display import display

        html = f"<p><b>{spoken('Slider')}:</b> {escape(self._said)}</p>{self.shown.value}"
        display({"text/plain": self.plot.text, "text/html": html}, raw=True)
        if (bundle := self._repr_mimebundle_()) is not None:
            display(bundle, raw=True)
