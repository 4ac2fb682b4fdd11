"""What of a module is the process's: what runs beside a node, and what all nodes would share."""

from __future__ import annotations

import re

from statelab.immutable import is_learners

_LOOPS = ("asyncio", "_asyncio", "concurrent", "multiprocessing", "_thread")
# What these set, and what these give, is its limits, registries and contexts.
_SETS = re.compile(r"set_?(?!$|item$)|(un)?register_|install_|(add_type|f?chdir|field_size_limit)$")
_GIVES = ("getcontext", "current_thread", "main_thread")


def of_a_module(module: str | None, name: str, where: str, line: int) -> None:
    """Raises TypeError for what no world could wait for, and for what a kill would not erase."""
    module = module or ""
    beside = module.partition(".")[0] in _LOOPS
    if beside or (module == "threading" and name in ("Thread", "Timer")):
        of = "" if where.endswith(module) else f" of {module}"
        raise TypeError(
            f"{where}{of}{in_line(line)}: a node waits with self.sleep, self.call and "
            "self.gather only, and does several things at once by self.gather"
        )
    if module and not is_learners(module) and (name in _GIVES or _SETS.match(name)):
        raise TypeError(
            f"{where}: {name} of {module}{in_line(line)} reaches what is the process's, which all "
            "nodes would share, and which a kill would not erase: keep it in self"
        )


def in_line(line: int) -> str:
    """A line, if it is known, as part of a sentence."""
    return f", in line {line}" if line else ""
