"""Tells whoever watches a live world that there are new rows, 20 times a second at the most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

EVERY_S = 0.05


class Watcher:
    """The callbacks of one world; they are called on its loop's thread."""

    def __init__(self):
        self._callbacks: list[Callable[[], None]] = []
        self._latest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Adds a callback; returns what takes it away again."""
        self._callbacks.append(callback)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return remove

    def stop(self) -> None:
        """Forgets all callbacks."""
        self._callbacks.clear()

    def changed(self, loop: asyncio.AbstractEventLoop) -> None:
        """There are new rows: says so now, or when the time has come."""
        if self._callbacks and self._timer is None:
            wait_s = max(0.0, self._latest + EVERY_S - time.monotonic())
            self._timer = loop.call_later(wait_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._latest = time.monotonic()
        for callback in list(self._callbacks):
            try:
                callback()
            except Exception as wrong:
                # It would fail at each row from here on; the others go on.
                self._callbacks.remove(callback)
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a watcher of a live world failed, and is dropped",
                     "exception": wrong}
                )  # fmt: skip
