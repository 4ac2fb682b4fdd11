"""Tells who watches a live world that there are new rows, 20 times a second at the most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

EVERY_S = 0.05


class Watcher:
    """One callback; it is called on the thread of its world's loop."""

    def __init__(self, callback: Callable[[], None]):
        self._callback: Callable[[], None] | None = callback
        self._latest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """From here on it is not called."""
        self._callback = None

    def grown(self) -> None:
        """There are new rows: says so now, or when the time has come."""
        if self._callback is not None and self._timer is None:
            wait_s = max(0.0, self._latest + EVERY_S - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._latest = time.monotonic()
        if self._callback is None:
            return
        try:
            self._callback()
        except Exception as wrong:
            self._callback = None  # it would fail at each row from here on
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a watcher of a live world failed, and is dropped",
                 "exception": wrong}
            )  # fmt: skip
