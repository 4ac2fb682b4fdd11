"""What of a module is the process's: what runs beside a node, and what all nodes would share."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import linecache
import re
import sys
import types
from typing import Any

from statelab.immutable import is_installed, is_learners

_LOOPS = (
    "asyncio", "_asyncio", "concurrent", "multiprocessing", "_thread",
    "sched", "select", "selectors",
)  # fmt: skip
_BESIDE = {
    "signal": ("pause", "sigtimedwait", "sigwait", "sigwaitinfo"),
    "threading": (
        "Barrier", "BoundedSemaphore", "Condition", "Event", "Semaphore", "Thread", "Timer",
    ),
    "time": ("sleep",),
}  # fmt: skip
# By these a node asks the machine, and waits for it: a live node may, and no simulated one. What is
# over at once, as a look at a file, is the verdict of a check.
_OUTSIDE = {
    "http.client": ("HTTPConnection", "HTTPSConnection"),
    "socket": (
        "create_connection", "create_server", "getaddrinfo", "gethostbyaddr", "gethostbyname",
        "socket", "socketpair",
    ),
    "subprocess": ("Popen", "call", "check_call", "check_output", "getoutput", "run"),
    "urllib.request": ("build_opener", "urlopen", "urlretrieve"),
}  # fmt: skip
# What these set, and what these give, is its limits, registries and contexts.
_SHARED = re.compile(
    r"set_?(?!$|item$)|(un)?register(_|$)|install_|(add_type|f?chdir|field_size_limit)$"
    r"|(getcontext|current_thread|main_thread)$"
)

# What is run by a process when it ends, or is told, and what it is besides.
_SETTERS = {
    "gc": ("disable", "enable", "freeze"),
    "signal": ("alarm", "pthread_sigmask", "siginterrupt", "signal"),
    **dict.fromkeys(("nt", "os", "posix"), ("nice", "putenv", "umask", "unsetenv")),
}

# By these, code reaches objects that it has no name for.
_WAYS = {
    "gc": ("get_objects", "get_referents", "get_referrers"),
    "importlib": ("import_module", "reload"),
    "inspect": ("currentframe", "getmodule", "stack"),
    "sys": ("_current_frames", "_getframe", "modules"),
}
WAITS = {name for names in (*_BESIDE.values(), *_OUTSIDE.values()) for name in names}
_ALL_ASKED = WAITS.union(*_WAYS.values(), *_SETTERS.values())


def is_asked(name: str) -> bool:
    """Whether what a module calls so may reach its process, or stop it: then ask which module."""
    return name in _ALL_ASKED or _SHARED.match(name) is not None


def module_of(name: str, package: str | None) -> types.ModuleType | None:
    """The module that code of a package imports by that name, None if there is none.

    A learner's is imported now: else nobody would look at it. What fails, fails again in its time.
    """
    with contextlib.suppress(Exception, SystemExit):
        name = importlib.util.resolve_name(name, package)
        if name not in sys.modules and not is_installed(name):
            importlib.import_module(name)
    return sys.modules.get(name)


def refuse_beside(module: str | None, name: str, where: str, line: int) -> None:
    """Raises TypeError for what runs beside the node, or stops it: no world could wait for it."""
    module = module or ""
    if module.partition(".")[0] in _LOOPS or name in _BESIDE.get(module, ()):
        of = "" if module in where else f" of {module}"
        raise TypeError(
            f"{where}{of}{in_line(line)}: a node waits with self.sleep, self.call and "
            "self.gather only, and does several things at once by self.gather"
        )


def refuse_shared(module: str | None, name: str, where: str, line: int) -> None:
    """Raises TypeError for what does that, sets the process, or gives what all in it share."""
    refuse_beside(module, name, where, line)
    if name in _WAYS.get(module or "", ()):
        raise TypeError(
            f"{where}{in_line(line)}, by which it reaches what a kill would not erase: name what "
            "it needs, or keep it in self"
        )
    is_set = module and _SHARED.match(name) and not is_learners(module)
    if is_set or name in _SETTERS.get(module or "", ()):
        raise TypeError(
            f"{where}{in_line(line)}, which reaches what is the process's: all nodes would share "
            "it, and a kill would not erase it. Keep it in self"
        )


def refuse_cached(function: functools._lru_cache_wrapper) -> None:
    """Raises TypeError for a function of the learner's whose results the process keeps."""
    if is_learners(function.__module__):
        raise TypeError(
            f"{function.__wrapped__.__qualname__} is cached by functools: its results belong to "
            "the process, so all nodes would share them, and a simulated kill would not erase "
            "them: leave the cache out, or keep the results in self"
        )


def not_erased(value: Any, where: str, line: int) -> TypeError:
    """The error for an object that may change, and that code reaches outside of self."""
    return TypeError(
        f"{where}, a {type(value).__name__} that a kill would not erase{in_line(line)}: "
        "keep it in self, or give start what is needed as an argument; what never changes "
        "can be a tuple, a frozenset or a types.MappingProxyType"
    )


def one_for_all(value: Any, where: str) -> TypeError:
    """The error for a list or its like that a class has."""
    return TypeError(
        f"{where} is one {type(value).__name__} that all lives would share, so a kill "
        f"would not erase it: set self.{where.rpartition('.')[2]} in __init__"
    )


def outside(module: str | None, name: str, where: str, line: int) -> str:
    """What is wrong with that in a simulated world, which cannot wait for the machine, or ''."""
    if name not in _OUTSIDE.get(module or "", ()):
        return ""
    return (
        f"{where}{in_line(line)}: that is outside of the simulated world, which would stand still "
        "until it answers, and could not be replayed. Use a node of this world, or LiveWorld"
    )


def in_line(line: int) -> str:
    """A line, if it is known, as part of a sentence."""
    return f", in line {line}" if line else ""


def text_at(function: types.FunctionType, line: int) -> str:
    """A line of a function, as it is written."""
    return linecache.getline(function.__code__.co_filename, line).strip()


def at_line(function: types.FunctionType, line: int) -> str:
    """A line of a function, as part of a sentence."""
    text = text_at(function, line)
    return f", in line {line}" + (f", {text}" if text else "")
