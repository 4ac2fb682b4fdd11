"""Puts each of a check's two processes in a place of its own: another time, host, user and folder.

What a server reads of its machine then differs between the two, on purpose and always in the same
way, so that the same mistake gets the same verdict. What they cannot differ in is the system, its
files, and clocks that a library reads past Python.
"""

from __future__ import annotations

import contextlib
import itertools
import locale
import os
import platform
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from statelab.lab.trials.nondeterminism import asks_itself, reading


class Place(NamedTuple):
    """What a process sees of the world: its clocks go on by `step_ns` each time they are read."""

    time_ns: int
    running_ns: int  # of the clocks that do not tell the date
    step_ns: int
    zone: str
    name: str
    number: int
    umask: int


# They differ in each part of a date, by UTC and by their zones: year to second, even and odd,
# working day and weekend, before noon and after.
PLACES = (
    Place(1_773_201_906_789_000_000, 1_000_250_000_000, 1_000_000, "UTC0", "here", 4_242, 0o022),
    Place(
        1_944_668_321_250_000_000, 77_777_500_000_000, 1_700_000_000, "ELSE-1:36", "elsewhere",
        31_337, 0o077,
    ),
)  # fmt: skip
_NUMBERS = (
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "get_native_id",
    "getpgrp",
    "getpgid",
    "getsid",
)
_MODULES = (
    os,
    time,
    socket,
    threading,
    *map(sys.modules.get, ("posix", "nt", "_socket", "_thread")),
)
_RUNNING = ("monotonic", "perf_counter", "process_time", "thread_time")


class Elsewhere:
    """Puts this process in the place of that number, for good."""

    def __init__(self, number: int):
        self._place = place = PLACES[number]
        self.begin()
        for name in _NUMBERS:
            _answer("machine", name, lambda *_: place.number)
        cores, loads = place.number % 10, (place.number / 1000,) * 3
        for name in ("cpu_count", "process_cpu_count"):
            _answer("machine", name, lambda *_: cores)
        _answer("machine", "sched_getaffinity", lambda *_: set(range(cores)))
        _answer("machine", "getloadavg", lambda *_: loads)
        _answer("machine", "getgroups", lambda *_: [place.number])
        for name in ("gethostname", "getlogin"):
            _answer("machine", name, lambda *_: place.name)
        if hasattr(os, "uname"):
            system, _, *rest = os.uname()
            _answer("machine", "uname", lambda *_: os.uname_result((system, place.name, *rest)))
        uuid._node = place.number
        sys.argv = [place.name]
        os.umask(place.umask)
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, "C.UTF-8" if number else "C")
        if number:
            os.environ["STATELAB_ELSEWHERE"] = "1"
            for environment in (os.environ, getattr(os, "environb", os.environ)):
                environment.__class__ = _Environment
            os.chdir(os.sep if os.getcwd() != os.sep else tempfile.gettempdir())
        self._move_clocks()

    def begin(self) -> None:
        """Turns the clocks back: each run begins at the same time, and asks anew."""
        platform._uname_cache = None
        self._readings = itertools.count(0, self._place.step_ns)

    def _move_clocks(self) -> None:
        place = self._place
        os.environ["TZ"] = place.zone
        if hasattr(time, "tzset"):
            time.tzset()

        def running_ns(*_: object) -> int:
            return place.running_ns + next(self._readings)

        with contextlib.suppress(ImportError):  # in a browser there is none
            # It is a plugin of pytest too, which is slow to import.
            sys.modules["pytest"] = None
            import time_machine

            traveller = time_machine.travel(0, tick=False).start()
            traveller.time_ns = lambda: place.time_ns + next(self._readings)
        del sys.modules["pytest"]
        # What it leaves as it is. It swaps functions of C, so they must still be there until now.
        for name in _RUNNING:
            _answer("clock", f"{name}_ns", running_ns)
            _answer("clock", name, lambda *_: running_ns() / 1e9)
        for name, clock in [
            (n, getattr(time, n, None)) for n in ("clock_gettime", "clock_gettime_ns")
        ]:
            if clock is not None:  # not on Windows
                _answer("clock", name, _dated(clock, getattr(time, f"monotonic{name[13:]}")))
        if hasattr(os, "times"):
            _answer("clock", "times", lambda: os.times_result([running_ns() / 1e9] * 5))
        ctime, asctime = time.ctime, time.asctime
        _answer("clock", "ctime", lambda *given: ctime(*(given or (time.time(),))))
        _answer("clock", "asctime", lambda *given: asctime(*(given or (time.localtime(),))))


def _dated(clock: Callable, running: Callable) -> Callable:
    """A clock by its number: `clock` if that is the one that tells the date, else `running`."""
    return lambda number: clock(number) if number == time.CLOCK_REALTIME else running()


def _answer(what: str, name: str, answer: Callable) -> None:
    """Lets a function of the system say something else, by whatever module it is reached."""
    for module in _MODULES:
        if hasattr(module, name):
            setattr(module, name, reading(what, answer))


class _Environment(os._Environ):
    """Has whatever a learner's code asks for, so that nobody gets a default."""

    def __getitem__(self, name: str | bytes) -> str | bytes:
        if asks_itself(sys._getframe(1)) and isinstance(name, str) == (self is os.environ):
            return "elsewhere" if isinstance(name, str) else b"elsewhere"
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return asks_itself(sys._getframe(1)) or super().__contains__(name)
