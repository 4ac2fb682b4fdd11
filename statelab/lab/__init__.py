"""What a lesson shows and asks: the panel, predictions, checks, sweeps, the exit check."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import statelab
from statelab.lab.trials.check import check
from statelab.language import print_out, speak, spoken

# Each name is imported when it is first used, so that a check run in a process of its own needs
# no Jupyter.
_HOMES = {
    "Action": "panel.actions",
    "Panel": "panel.panel",
    "Plot": "show.plot",
    "Scrub": "show.scrub",
    "Slider": "show.slider",
    "Wire": "show.wire",
    "NotYet": "ask.prediction",
    "SweepError": "trials.sweep",
    "compare": "ask.prediction",
    "lesson": "notebook",
    "need": "ask.prediction",
    "observe": "ask.prediction",
    "outcome_table": "show.tables",
    "predict": "ask.prediction",
    "quiz": "ask.quiz",
    "state_map": "show.tables",
    "sweep": "trials.sweep",
}

__all__ = [*_HOMES, "check", "ready"]


def ready(language: str = "") -> None:
    """Prints which statelab this is: the set-up cell's last line.

    From then on, the package says what people read in that `language`, such as 'ko'; without one,
    in that of the variable STATELAB_LANGUAGE, or in English. ValueError for one that is not there.
    """
    if language:
        speak(language)
        # matplotlib measures with its own font, which has no Hangul; a page shows the text in the
        # reader's, so what it warns of does not come true.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
    print_out(spoken("ready: statelab {version}", version=statelab.__version__))


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"statelab.lab has no {name!r}; it has {', '.join(sorted(__all__))}")
    value = getattr(importlib.import_module(f"statelab.lab.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
