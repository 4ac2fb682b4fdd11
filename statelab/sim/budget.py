"""What a run may cost that somebody else has sent: its run code can ask for any amount."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from statelab import machine
from statelab.sim.clock import Clock

MAX_EVENTS, MAX_S, MAX_BYTES = 200_000, 20.0, 1 << 30
_MEMORY = "{:,} MB of memory"
_LOOK_S, _STUCK_S = 0.05, 1.0


class OverBudget(BaseException):
    """The run is to stop. No Exception, for a learner's handler may catch those."""


class Budget:
    """Looks how much a world, of which these are the rows, has cost since this was made."""

    def __init__(self, rows: list[tuple]):
        self._rows = rows
        self._end_s = time.monotonic() + MAX_S
        self.process = None
        # A browser bounds what a page may have. The bare core needs nothing but Python, and then
        # memory has no bound.
        if machine.HAS_PROCESSES:
            import psutil

            self.process = psutil.Process()
            self._bytes = self.process.memory_info().rss + MAX_BYTES

    def over(self) -> str:
        """What there is too much of, as a few words; '' while it is within the budget."""
        if len(self._rows) > MAX_EVENTS:
            return f"{MAX_EVENTS:,} events"
        if time.monotonic() > self._end_s:
            return f"{MAX_S:g} s"
        if self.process and self.process.memory_info().rss > self._bytes:
            return _MEMORY.format(MAX_BYTES >> 20)
        return ""

    def look(self) -> None:
        """Raises OverBudget."""
        if over := self.over():
            raise OverBudget(over)


def within_budget(clock: Clock, rows: list[tuple], make: Callable[[], object]) -> None:
    """Calls `make()`; raises OverBudget, with what there was too much of.

    The world itself looks at each verb and now and then between events. A loop in which nothing
    happens to it is found by a thread; one large request for memory, by the system.
    """
    budget = Budget(rows)
    clock.look = budget.look
    try:
        with contextlib.ExitStack() as stack:
            if not machine.IS_BROWSER:  # it has no threads
                stack.enter_context(_watched(budget))
            if budget.process:
                most = budget.process.memory_info().vms + MAX_BYTES
                stack.enter_context(_limited_memory(most))
            make()
            budget.look()  # a node may have died of it
    except OverBudget as wrong:
        raise OverBudget(str(wrong) or budget.over()) from None
    except MemoryError:
        raise OverBudget(_MEMORY.format(MAX_BYTES >> 20)) from None
    finally:
        clock.look = None


@contextlib.contextmanager
def _watched(budget: Budget) -> Iterator[None]:
    """Raises OverBudget in the block, wherever it is, if it does not stop by itself in time."""
    done, raised, block = threading.Event(), threading.Event(), threading.get_ident()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            # The world is about to look itself, unless it is stuck. A node may have caught it.
            if budget.over() and not done.wait(_STUCK_S):
                raised.set()
                _raise(block)

    def unraisable(lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not OverBudget:  # it fell into the end of a coroutine: it comes again
            before(lost)

    before, sys.unraisablehook = sys.unraisablehook, unraisable
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        try:
            while not done.is_set() or watcher.is_alive():
                with contextlib.suppress(OverBudget):  # it may come even here
                    done.set()
                    watcher.join()
            # What has not been raised yet is raised here. Python could take it back, but goes on
            # looking for it (3.11): that slows all code, and never ends under a debugger.
            while raised.is_set():
                with contextlib.suppress(OverBudget):
                    _raise(block)
                    for _ in range(1000):  # it comes at a next line, or ends in an object's end
                        pass
                    continue
                raised.clear()
        finally:
            sys.unraisablehook = before


def _raise(thread: int) -> None:
    """Raises OverBudget in a thread, at its next line of Python."""
    import ctypes

    kind = ctypes.py_object(OverBudget)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)


@contextlib.contextmanager
def _limited_memory(most: int) -> Iterator[None]:
    """Lets this process have no more than so many bytes of addresses, where the system can."""
    try:
        import resource

        before, hard = resource.getrlimit(resource.RLIMIT_AS)
        bounds = [limit for limit in (most, before, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
