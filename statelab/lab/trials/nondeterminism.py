"""Names the lines of a learner's code by which a run is not a function of its seed and inputs.

It watches one run through Python's profiler hook, which sees each call: of the global generator,
the computer's clock, the system's random bytes. The order of a set leaves no call; that two
processes with different hash seeds disagree is what shows it.
"""

from __future__ import annotations

import builtins
import linecache
import os
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple

import statelab

_OWN = os.path.dirname(os.path.abspath(statelab.__file__)) + os.sep
_INSTALLED = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))
_GLOBAL = random._inst
_SEED = random.Random.seed.__code__
_CLOCKS = (time.time, time.time_ns, time.localtime, time.gmtime, time.strftime)
_FILES = (open, os.open, os.stat, os.listdir, os.scandir, os.getcwd)
_ENVIRONMENT = {f.__code__ for f in vars(os._Environ).values() if hasattr(f, "__code__")}


class Suspect(NamedTuple):
    """One line that asks for something which is no input: `what` is a key of WHAT."""

    what: str
    function: str
    line: str


class What(NamedTuple):
    """What a line does, what to do instead, and whether one process repeats it (see trial.py)."""

    does: str
    instead: str
    steady: bool


WHAT = {
    "random": What(
        "draws from the global random",
        "That generator belongs to the whole process: a run's seed is not its seed, and others "
        "draw from it too.\n  Draw from self.random, or from a random.Random(seed) of your own.",
        True,
    ),
    "unseeded": What(
        "makes a generator without a seed",
        "Such a generator starts somewhere else each time: give it a seed.",
        False,
    ),
    "clock": What(
        "reads the computer's clock",
        "What that clock says is no input of the run: ask self.now().",
        True,
    ),
    "machine": What(
        "reads what belongs to one computer or process",
        "Its files, environment, host, user and number are no input of the run: give start what "
        "is needed as an argument.",
        True,
    ),
    "system": What(
        "asks the operating system for random bytes",
        "They are new each time, and nobody has kept them: draw from self.random.",
        False,
    ),
    "process": What(
        "uses id(), hash() or a thread's number",
        "Those numbers belong to one process: use a name, or a number of your own.",
        True,
    ),
}


class Watch:
    """Collects the suspects of the code that runs inside `with watch:`; the same line once."""

    def __init__(self):
        self.suspects: list[Suspect] = []

    def __enter__(self) -> Watch:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            what = _of_call(called)
        elif event == "call":
            what, frame = _of_function(frame), frame.f_back
        else:
            return
        who = asker(frame) if what else None
        if who is not None:
            suspect = Suspect(what, *place(who))
            if suspect not in self.suspects:
                self.suspects.append(suspect)


def _of_call(called: Any) -> str | None:
    owner = getattr(called, "__self__", None)
    if owner is _GLOBAL:
        return "random"
    if called in _CLOCKS or called.__name__ in ("now", "utcnow", "today"):
        return "clock"
    if called in _FILES:
        return "machine"
    if called is os.urandom:
        return "system"
    if called in (builtins.id, builtins.hash, threading.get_ident):
        return "process"
    return None


def _of_function(frame: FrameType) -> str | None:
    if frame.f_code in _ENVIRONMENT:
        return "machine"
    if frame.f_code is _READ:
        return frame.f_locals["what"]
    if frame.f_code is not _SEED:
        return None
    if frame.f_locals.get("self") is _GLOBAL:
        return "random"
    return "unseeded" if frame.f_locals.get("a") is None else None


def reading(what: str, answer: Callable) -> Callable:
    """A function that stands for one of the system's, and says `answer`; `what` is as in WHAT."""

    def read(*args: Any, what: str = what, **named: Any) -> Any:
        return answer(*args, **named)

    return read


_READ = reading("", print).__code__


# ------------------------------------------------------------------------------- frames
def asks_itself(frame: FrameType) -> bool:
    """Whether what `frame` does was asked for by a learner's code, with no library between."""
    while frame.f_back is not None and _is_pythons(frame.f_code):
        frame = frame.f_back
    return is_learners(frame.f_code)


def asker(frame: FrameType | None) -> FrameType | None:
    """The learner's frame that asked for what `frame` does, or None if this package asked."""
    while frame is not None and not is_own(frame.f_code):
        if is_learners(frame.f_code):
            return frame
        frame = frame.f_back
    return None


def entered(frame: FrameType | None) -> FrameType | None:
    """The learner's function by which the code that is at `frame` now was entered.

    The handler rather than what it calls: so it is the same at every moment of an endless loop.
    """
    found = None
    while frame is not None:
        if is_learners(frame.f_code):
            found = frame
        elif found is not None and is_own(frame.f_code):
            break
        frame = frame.f_back
    return found


def place(frame: FrameType, lineno: int | None = None) -> tuple[str, str]:
    """The function that a frame is in, and the text of its line ('' if it is not known)."""
    line = linecache.getline(frame.f_code.co_filename, lineno or frame.f_lineno)
    return frame.f_code.co_qualname.replace("<locals>.", ""), line.strip()


def is_own(code: CodeType) -> bool:
    """Whether it is this package's code."""
    return code.co_filename.startswith(_OWN)


def is_learners(code: CodeType) -> bool:
    """Whether it is neither this package's, nor Python's or a library's."""
    return not (is_own(code) or _is_pythons(code) or "site-packages" in code.co_filename)


def _is_pythons(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith((*_INSTALLED, "<frozen", "<string")) and "site-packages" not in file
