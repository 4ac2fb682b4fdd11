"""A cell that is run again makes its panel anew: the one it made before is closed."""

from __future__ import annotations

import sys
import weakref
from typing import Any

_panels: dict[str, list[tuple[str, weakref.ref]]] = {}  # by cell: (the run of the cell, a panel)


def replace(panel: Any) -> None:
    """Closes the panels that earlier runs of this cell made, and remembers this one."""
    cell, run = _running()
    if cell is None:
        return
    kept = []
    for made_by, reference in _panels.get(cell, ()):
        if made_by == run:
            kept.append((made_by, reference))
        elif (old := reference()) is not None:
            old.close()
    _panels[cell] = [*kept, (run, weakref.ref(panel))]


def _running() -> tuple[str | None, str]:
    """The id of the cell that runs now, if the notebook tells, and of this run of it."""
    module = sys.modules.get("IPython")
    shell = module and module.get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return None, ""
    parent = shell.get_parent() or {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return cell, (parent.get("header") or {}).get("msg_id", "")
