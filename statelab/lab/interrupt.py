"""Work on the kernel's loop that its interrupt button can end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable


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
