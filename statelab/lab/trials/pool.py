"""The processes of a sweep that brings no executor; where there are none, what stands for them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

IDLE_S = 60.0  # for which processes wait for the next sweep


def pool(count: int | None = None) -> Any:
    """Processes, one for each core: those of the last sweep, if they are still there."""
    import loky

    return loky.get_reusable_executor(
        max_workers=count or loky.cpu_count(), timeout=IDLE_S,
        initializer=prepare, initargs=(os.getpid(),),
    )  # fmt: skip


def prepare(parent: int) -> None:
    """Makes this process one that ends with its parent, and leaves the interrupt button to it."""
    import psutil

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # It may have ended before this begins: then another has adopted this process.
        with contextlib.suppress(psutil.NoSuchProcess):
            if os.getppid() == parent:
                psutil.Process(parent).wait()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Here(Executor):
    """Does what it is given at once, in this process."""

    def submit(self, work: Callable, /, *args: Any, **named: Any) -> Future:
        """Does the work; returns a future that has its result, or what it raised."""
        done: Future = Future()
        try:
            done.set_result(work(*args, **named))
        except Exception as wrong:
            done.set_exception(wrong)
        return done
