"""Names the lines of a learner's code by which a run is not a function of its seed and inputs.

Rules of this file:

1. A line is a suspect because it asked, whatever it made of the answer: `8 <= hour < 18` may come
   out the same in two runs of a check, and otherwise tomorrow.
2. Python's own machinery asks for purposes of its own: imports, logging, time zones' files, the
   names of months.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple

import statelab
from statelab.immutable import is_installed_file
from statelab.immutable import is_learners as is_learners_module
from statelab.language import spoken

_OWN = os.path.dirname(os.path.abspath(statelab.__file__)) + os.sep
# In a browser Python's own modules lie in an archive, of which sysconfig does not know.
_LIBRARIES = (os.path.dirname(os.__file__), *map(sysconfig.get_path, ("stdlib", "platstdlib")))
_INSTALLED = tuple(folder + os.sep for folder in _LIBRARIES)
_MACHINERY = frozenset({"_strptime", "importlib", "linecache", "logging", "warnings", "zoneinfo"})


class Suspect(NamedTuple):
    """One line that asks for something which is no input: `what` is a key of WHAT."""

    what: str
    function: str
    line: str


class What(NamedTuple):
    """What a function does with a line, and what to do instead, as sentences."""

    does: Callable[[str], str]
    instead: Callable[[], str]


WHAT = {
    "random": What(
        lambda name: spoken("{name} draws from the global random", name=name),
        lambda: spoken(
            "That generator belongs to the whole process: a run's seed is not its seed, and others "
            "draw from it too.\n  Draw from self.random, or from a random.Random(seed) of your own."
        ),
    ),
    "unseeded": What(
        lambda name: spoken("{name} makes a generator without a seed", name=name),
        lambda: spoken("Such a generator starts somewhere else each time: give it a seed."),
    ),
    "clock": What(
        lambda name: spoken("{name} reads the computer's clock", name=name),
        lambda: spoken("What that clock says is no input of the run: ask self.now()."),
    ),
    "machine": What(
        lambda name: spoken("{name} reads what belongs to one computer or process", name=name),
        lambda: spoken(
            "Its environment, host, user, zone and number are no input of the run: give start what "
            "is needed as an argument."
        ),
    ),
    "files": What(
        lambda name: spoken("{name} uses the computer's files, programs or network", name=name),
        lambda: spoken(
            "They are no input of the run, and a kill does not erase them: keep it in self or "
            "self.disk, and give start what is needed as an argument."
        ),
    ),
    "process": What(
        lambda name: spoken("{name} uses id() or hash()", name=name),
        lambda: spoken(
            "Those numbers are others in each process: use a name, or a number of your own."
        ),
    ),
    "system": What(
        lambda name: spoken("{name} asks the operating system for random bytes", name=name),
        lambda: spoken("They are new each time, and nobody has kept them: draw from self.random."),
    ),
}


class Watch:
    """Collects who asks for what is no input inside `with watch:`; the same line once."""

    def __init__(self):
        self.suspects: list[Suspect] = []
        self.on = False

    def __enter__(self) -> None:
        self.suspects, self.on = [], True

    def __exit__(self, *error: object) -> None:
        self.on = False

    def see(self, what: str, frame: FrameType) -> None:
        """Notes whose line it is that `frame` does something for, if it is a learner's."""
        if self.on and (who := asker(frame)) is not None:
            suspect = Suspect(what, *place(who))
            if suspect not in self.suspects:
                self.suspects.append(suspect)


WATCH = Watch()


def reading(what: str, answer: Callable) -> Callable:
    """A function that stands for one of the system's, and says `answer`; `what` is as in WHAT."""

    def read(*args: Any, **named: Any) -> Any:
        WATCH.see(what, sys._getframe(1))
        return answer(*args, **named)

    return read


# ------------------------------------------------------------------------------- frames
def asks_itself(frame: FrameType) -> bool:
    """Whether what `frame` does was asked for by a learner's code, with no library between."""
    while frame.f_back is not None and _is_pythons(frame.f_code):
        frame = frame.f_back
    return is_learners_code(frame.f_code)


def asker(frame: FrameType | None) -> FrameType | None:
    """The learner's frame that asked for what `frame` does, or None if nobody did but Python."""
    nameless = None  # code made from a text: by Python for a dataclass, say; or it is the learner's
    while frame is not None and not is_own(frame.f_code):
        if is_learners_code(frame.f_code):
            return frame
        if _module(frame).partition(".")[0] in _MACHINERY:
            return None
        if frame.f_code.co_filename.startswith("<string") and is_learners_module(_module(frame)):
            nameless = nameless or frame
        frame = frame.f_back
    return nameless


def entered(frame: FrameType | None) -> FrameType | None:
    """The learner's function by which the code that is at `frame` now was entered.

    The handler rather than what it calls: so it is the same at every moment of an endless loop.
    """
    found = None
    while frame is not None:
        if is_learners_code(frame.f_code):
            found = frame
        elif found is not None and is_own(frame.f_code):
            break
        frame = frame.f_back
    return found


def place(frame: FrameType, lineno: int | None = None) -> tuple[str, str]:
    """The function that a frame is in, and the text of its line ('' if it is not known)."""
    line = linecache.getline(frame.f_code.co_filename, lineno or frame.f_lineno)
    name = frame.f_code.co_qualname.replace("<locals>.", "")
    return name.replace("<module>", "what is outside of functions"), line.strip()


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def is_own(code: CodeType) -> bool:
    """Whether it is this package's code."""
    return code.co_filename.startswith(_OWN)


def is_learners_code(code: CodeType) -> bool:
    """Whether it is neither this package's, nor Python's or a library's."""
    return not (is_own(code) or _is_pythons(code) or is_installed_file(code.co_filename))


def _is_pythons(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith((*_INSTALLED, "<frozen", "<string")) and not is_installed_file(file)
