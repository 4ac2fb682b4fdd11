"""What of a module is the process's: what runs beside a node, and what all nodes would share."""

from __future__ import annotations

import contextlib
import importlib.util
import linecache
import re
import sys
import types

from statelab.immutable import is_installed, is_learners

_LOOPS = ("asyncio", "_asyncio", "concurrent", "multiprocessing", "_thread")
_BESIDE = (("threading", "Thread"), ("threading", "Timer"), ("time", "sleep"))
# What these set, and what these give, is its limits, registries and contexts.
_SHARED = re.compile(
    r"set_?(?!$|item$)|(un)?register_|install_|(add_type|f?chdir|field_size_limit)$"
    r"|(getcontext|current_thread|main_thread)$"
)

# What is run by a process when it ends, or is told, and what it is besides.
_SETTERS = {
    "atexit": ("register", "unregister"),
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
_ALL_ASKED = {name for names in (*_WAYS.values(), *_SETTERS.values()) for name in names}


def is_asked(name: str) -> bool:
    """Whether what a module calls so may reach its process, or stop it: then ask which module."""
    return name == "sleep" or name in _ALL_ASKED or _SHARED.match(name) is not None


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
    if module.partition(".")[0] in _LOOPS or (module, name) in _BESIDE:
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
