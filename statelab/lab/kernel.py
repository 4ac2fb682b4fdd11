"""The kernel's loop: work of other threads is done on it, and its interrupt button can end it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable


class Kernel:
    """The thread that made it, on which a widget's traits are set; `loops` if it runs a loop."""

    def __init__(self):
        self._thread = threading.get_ident()
        self._turn = threading.RLock()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # a plain script
            self._loop = None
        self.loops = self._loop is not None

    def do(self, work: Callable[[], None]) -> None:
        """Does `work` on that thread: at once if this is it, else when its loop comes to it."""
        if threading.get_ident() == self._thread or self._loop is None:
            with self._turn:  # without a loop, threads take turns
                work()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(interruptible, work)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Does `work` on the loop after so many seconds."""
        self._loop.call_later(seconds, interruptible, work)


def interruptible(work: Callable[[], None]) -> None:
    """Does `work`, in which Ctrl-C and the interrupt button raise KeyboardInterrupt.

    A kernel hears them only while it handles a message of its own, and this comes between.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    # One that is pressed when the work is over must not end the loop that it is on.
    with contextlib.suppress(KeyboardInterrupt):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            work()
        finally:
            signal.signal(signal.SIGINT, before)
