"""Names the lines of a learner's code by which a run is not a function of its seed and inputs.

It watches one run through Python's profiler hook, which sees each call of a C function: the global
generator, the computer's clock, the system's random bytes. The order of a set leaves no call; that
two processes with different hash seeds disagree is what shows it.
"""

from __future__ import annotations

import builtins
import linecache
import os
import random
import sys
import sysconfig
import time
from types import CodeType, FrameType
from typing import Any, NamedTuple

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))
_GLOBAL = random._inst
_SEED = random.Random.seed.__code__
_CLOCKS = (time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter)


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
        False,
    ),
    "system": What(
        "asks the operating system for random bytes",
        "They are new each time, and nobody has kept them: draw from self.random.",
        False,
    ),
    "process": What(
        "uses id() or hash()",
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
        elif event == "call" and frame.f_code is _SEED:
            what = _of_seeding(frame)
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
    if called is os.urandom:
        return "system"
    if called is builtins.id or called is builtins.hash:
        return "process"
    return None


def _of_seeding(frame: FrameType) -> str | None:
    if frame.f_locals.get("self") is _GLOBAL:
        return "random"
    return "unseeded" if frame.f_locals.get("a") is None else None


# ------------------------------------------------------------------------------- frames
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
    file = code.co_filename
    installed = file.startswith(_INSTALLED) or "site-packages" in file
    return not (is_own(code) or installed or file.startswith(("<frozen", "<string")))
