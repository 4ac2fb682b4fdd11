"""What a lesson shows and asks: the panel, predictions, checks, sweeps, the exit check."""

from __future__ import annotations

import importlib
from typing import Any

import statelab
from statelab.lab.check import check

# Each name is imported when it is first used, so that a check run in a process of its own needs
# no Jupyter.
_HOMES = {
    "Action": "actions",
    "Exchange": "outcomes",
    "Panel": "panel",
    "Plot": "plot",
    "Question": "exit_check",
    "Scrub": "scrub",
    "Slider": "slider",
    "Wire": "wire",
    "SweepError": "sweeps",
    "compare": "prediction",
    "observe": "prediction",
    "outcome_table": "tables",
    "predict": "prediction",
    "quiz": "exit_check",
    "requests": "outcomes",
    "state_map": "tables",
    "sweep": "sweeps",
}

__all__ = [*_HOMES, "check", "ready"]


def ready() -> None:
    """Prints which statelab this is: the set-up cell's last line."""
    print(f"ready: statelab {statelab.__version__}")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"statelab.lab has no {name!r}; it has {', '.join(sorted(__all__))}")
    value = getattr(importlib.import_module(f"statelab.lab.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
