"""What the machine under this Python has: a browser's has no processes, threads or sockets."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

IS_BROWSER = sys.platform in ("emscripten", "wasi")
_LIVE = ("h11", "loky", "psutil", "time_machine")  # what statelab[live] installs


class NoProcesses(RuntimeError):
    """Something needs processes, where there are none; its text says what, and what to do."""

    def __init__(self, what: str):
        if IS_BROWSER:
            why = (
                "a browser has none, so nothing was done. On Binder or your own machine "
                "(`python3 lab.py`) it runs."
            )
        else:
            why = (
                f"for them {', '.join(missing())} must be installed, so nothing was done. In a "
                "terminal: pip install 'statelab[live,engines]'."
            )
        super().__init__(f"{what} real processes; {why} Here, use World: it simulates the same.")


class NoLiveWorld:
    """Stands for LiveWorld where there are no processes: it can be named, and not made."""

    def __init__(self, *args: Any, **named: Any):
        raise NoProcesses("LiveWorld starts")


def missing() -> list[str]:
    """The packages that real processes need and that are not installed."""
    return [name for name in _LIVE if find_spec(name) is None]


def __getattr__(name: str) -> Any:
    if name == "HAS_PROCESSES":  # it is looked at when somebody asks: it takes a millisecond
        globals()[name] = not IS_BROWSER and not missing()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
