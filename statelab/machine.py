"""What the machine under this Python has: a browser's has no processes, threads or sockets."""

from __future__ import annotations

import sys
from typing import Any

HAS_PROCESSES = sys.platform not in ("emscripten", "wasi")


class NoProcesses(RuntimeError):
    """Something needs processes, where there are none; its text says what, and what to do."""

    def __init__(self, what: str):
        super().__init__(
            f"{what} real processes; a browser has none, so nothing was done. On Binder or your "
            "own machine (`python3 lab.py`) it runs. Here, use World: it simulates the same."
        )


class NoLiveWorld:
    """Stands for LiveWorld where there are no processes: it can be named, and not made."""

    def __init__(self, *args: Any, **named: Any):
        raise NoProcesses("LiveWorld starts")
