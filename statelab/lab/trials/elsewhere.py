"""Puts each of a check's two processes in a place of its own: another time, host, user and folder.

What a server reads of its machine then differs between the two, on purpose and always in the same
way, so that the same mistake gets the same verdict; and who reads it is seen (nondeterminism.py),
whatever they do with it. What compiled code asks the system past Python (the 'now' of SQLite, the
clock of numpy) nobody sees: it is found only if the two come out otherwise.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import itertools
import locale
import os
import platform
import random
import socket
import sys
import tempfile
import threading
import time
import types
import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from statelab.lab.trials.nondeterminism import WATCH, asks_itself, is_learners_code, reading


class Spot(NamedTuple):
    """What a process sees of the world: its clocks go on by `step_ns` each time they are read."""

    time_ns: int
    running_ns: int  # of the clocks that do not tell the date
    step_ns: int
    zone: str
    name: str
    number: int
    umask: int


# They differ in each part of a date, by UTC and by their zones, also of the world's first second:
# year to second, even and odd, before noon and after. No process has a number as large as theirs,
# so whoever ends itself by os.getpid() ends nobody else.
PLACES = (
    Spot(1_773_201_906_789_000_000, 1_000_250_000_000, 1_000_000, "UTC0", "here", 1 << 23, 0o022),
    Spot(
        1_944_668_321_250_000_000, 77_777_500_000_000, 1_700_000_000, "ELSE8:22:59",
        "elsewhere", 5_031_337, 0o077,
    ),
)  # fmt: skip
_NUMBERS = (
    "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "get_native_id", "getpgrp",
    "getpgid", "getsid",
)  # fmt: skip
_MODULES = (
    os,
    time,
    socket,
    threading,
    locale,
    *map(sys.modules.get, ("posix", "nt", "_socket", "_thread", "_locale")),
)
# What audit events tell of: files, programs, the network, code past Python; not what a class has.
_AUDITED = frozenset(
    {"ctypes", "fcntl", "glob", "mmap", "open", "os", "pathlib", "pwd", "shutil", "socket",
     "sqlite3", "subprocess", "tempfile", "winreg"}
)  # fmt: skip
_FILES = ("stat", "lstat", "statvfs", "access", "readlink", "getcwd", "getcwdb")  # besides
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
        uuid._node, uuid._generate_time_safe, uuid._UuidCreate = place.number, None, None
        os.umask(place.umask)
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, "C.UTF-8" if number else "C")
        if number:
            os.environ["STATELAB_ELSEWHERE"] = "1"
            _Environment.answer = "elsewhere"
            os.chdir(os.sep if os.getcwd() != os.sep else tempfile.gettempdir())
        self._move_clocks()
        self._own_chance()
        for environment in (os.environ, getattr(os, "environb", os.environ)):
            environment.__class__ = _Environment
        for name in _FILES:
            if hasattr(os, name):
                _answer("files", name, getattr(os, name))
        _answer("machine", "umask", os.umask)
        for name in ("grp", "pwd", "resource"):  # no audit event tells of these
            with contextlib.suppress(ImportError):  # on Windows, and in a browser
                module = importlib.import_module(name)
                for its, value in list(vars(module).items()):
                    if isinstance(value, types.BuiltinFunctionType):
                        setattr(module, its, reading("machine", value))
        builtins.hash = _hash
        for name in ("setlocale", "localeconv"):
            _answer("machine", name, getattr(locale, name))
        said = {
            name: [place.name] if isinstance(getattr(sys, name), list) else place.name
            for name in ("argv", "orig_argv", "executable", "prefix", "exec_prefix", "base_prefix")
        }
        _tell(sys, lambda name: said[name], *said)
        _tell(time, vars(time).get, "timezone", "altzone", "daylight", "tzname")
        sys.addaudithook(_audited)

    def move(self, functions: Iterable[Callable | None]) -> None:
        """Lets the modules of these functions, whose code came as bytes, stand in other files."""
        for function in functions:
            if "__file__" in (names := getattr(function, "__globals__", {})):
                names["__file__"] = f"{os.sep}{self._place.name}.py"

    def begin(self) -> None:
        """Turns the clocks back: each run begins at the same time, and asks anew."""
        platform._uname_cache = None
        self._readings = itertools.count(0, self._place.step_ns)
        self._chance = random.Random(f"chance:{self._place.name}")
        _SEED(random._inst, self._place.name)

    def _own_chance(self) -> None:
        """Lets what comes by chance be this place's, the same in each run, and seen."""
        _answer("system", "urandom", lambda count: self._chance.randbytes(count))
        _answer("system", "getrandom", lambda count, *_: self._chance.randbytes(count))
        random._urandom = os.urandom

        def seed(generator: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None and generator is not random._inst:
                WATCH.see("unseeded", sys._getframe(1))
                a = self._chance.getrandbits(64)
            _SEED(generator, a, version)

        random.Random.seed = seed
        shared, random._inst = random._inst, _Shared(self._place.name)
        for name, value in list(vars(random).items()):
            if getattr(value, "__self__", None) is shared:
                setattr(random, name, getattr(random._inst, name))

    def _move_clocks(self) -> None:
        place = self._place
        os.environ["TZ"] = place.zone
        if hasattr(time, "tzset"):
            time.tzset()

        def running_ns(*_: object) -> int:
            return place.running_ns + next(self._readings)

        def time_ns() -> int:
            WATCH.see("clock", sys._getframe(1))
            return place.time_ns + next(self._readings)

        with contextlib.suppress(ImportError):  # in a browser there is none
            # It is a plugin of pytest too, which is slow to import.
            sys.modules["pytest"] = None
            import time_machine

            traveller = time_machine.travel(0, tick=False).start()
            traveller.time_ns = time_ns
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


def _tell(module: types.ModuleType, answer: Callable[[str], Any], *names: str) -> None:
    """Lets constants of a module be answers of the machine, to whoever asks for them himself."""

    def constant(name: str) -> property:
        def read(module: types.ModuleType) -> Any:
            WATCH.see("machine", sys._getframe(1))
            return (answer if asks_itself(sys._getframe(1)) else vars(module).get)(name)

        return property(read)

    own = {name: constant(name) for name in names if hasattr(module, name)}
    module.__class__ = type(module.__name__, (types.ModuleType,), own)


def _audited(event: str, given: tuple) -> None:
    """Sees what Python itself tells of (PEP 578), by whatever way a learner's code came there."""
    if not WATCH.on:
        return
    if event == "builtins.id":
        _numbers(sys._getframe(1))
    elif event.partition(".")[0] in _AUDITED and not _is_private(event, str(given[:1])[2:]):
        WATCH.see("files", sys._getframe(1))


def _is_private(event: str, name: str) -> bool:
    """Whether it opens what nobody else has, a database in memory, or all have, time zones."""
    if event.startswith("sqlite3.connect"):
        return event != "sqlite3.connect" or name.startswith((":memory:", "'"))
    return event == "open" and name.startswith(zoneinfo.TZPATH)


def _hash(value: object) -> int:
    """What hash() says; a class may ask for it to define its own."""
    if sys._getframe(1).f_code.co_name != "__hash__":
        _numbers(sys._getframe(1))
    return _HASH(value)


def _numbers(frame: types.FrameType) -> None:
    """Sees who asks himself for a number that belongs to a process; libraries may."""
    if is_learners_code(frame.f_code):
        WATCH.see("process", frame)


class _Shared(random.Random):
    """The global generator, which sees who draws from it."""

    def random(self) -> float:
        WATCH.see("random", sys._getframe(1))
        return super().random()

    def getrandbits(self, count: int) -> int:
        WATCH.see("random", sys._getframe(1))
        return super().getrandbits(count)

    def seed(self, *given: Any, **named: Any) -> None:
        WATCH.see("random", sys._getframe(1))
        super().seed(*given, **named)


_SEED, _HASH = random.Random.seed, hash


class _Environment(os._Environ):
    """Sees who asks; has an `answer`, if there is one, so that nobody gets a default."""

    answer: str | None = None

    def __getitem__(self, name: str | bytes) -> str | bytes:
        WATCH.see("machine", sys._getframe(1))
        if self._answers() and isinstance(name, str) == (self is os.environ):
            return self.answer if isinstance(name, str) else self.answer.encode()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        WATCH.see("machine", sys._getframe(1))
        return self._answers() or super().__contains__(name)

    def __iter__(self) -> Iterator:
        WATCH.see("machine", sys._getframe(1))
        return super().__iter__()

    def __len__(self) -> int:
        WATCH.see("machine", sys._getframe(1))
        return super().__len__()

    def __setitem__(self, name: str | bytes, value: str | bytes) -> None:
        WATCH.see("machine", sys._getframe(1))
        super().__setitem__(name, value)

    def _answers(self) -> bool:
        return self.answer is not None and asks_itself(sys._getframe(2))
