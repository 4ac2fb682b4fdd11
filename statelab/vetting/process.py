"""What of a module is the process's: what runs beside a node, and what all nodes would share."""

from __future__ import annotations

import re

from statelab.immutable import is_learners

_LOOPS = ("asyncio", "_asyncio", "concurrent", "multiprocessing", "_thread")
# What these set, and what these give, is its limits, registries and contexts.
_SHARED = re.compile(
    r"set_?(?!$|item$)|(un)?register_|install_|(add_type|f?chdir|field_size_limit)$"
    r"|(getcontext|current_thread|main_thread)$"
)


def is_shared(name: str) -> bool:
    """Whether what a module of Python's or of a package calls so reaches its process."""
    return _SHARED.match(name) is not None


def refuse_beside(module: str | None, name: str, where: str, line: int) -> None:
    """Raises TypeError for what would run beside the node: no world could wait for it."""
    module = module or ""
    if module.partition(".")[0] in _LOOPS or (module, name) in (
        ("threading", "Thread"), ("threading", "Timer"),
    ):  # fmt: skip
        of = "" if where.endswith(module) else f" of {module}"
        raise TypeError(
            f"{where}{of}{in_line(line)}: a node waits with self.sleep, self.call and "
            "self.gather only, and does several things at once by self.gather"
        )


def refuse_shared(module: str | None, name: str, where: str, line: int) -> None:
    """Raises TypeError for what sets the process, or gives what all in it share."""
    if module and is_shared(name) and not is_learners(module):
        raise TypeError(
            f"{where}{in_line(line)}, which reaches what is the process's: all nodes would share "
            "it, and a kill would not erase it. Keep it in self"
        )


def in_line(line: int) -> str:
    """A line, if it is known, as part of a sentence."""
    return f", in line {line}" if line else ""
