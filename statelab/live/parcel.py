"""A node's class and its arguments as bytes that another process can make them from.

A class that the learner wrote travels by value, so it runs as it was when `start` was called:
from a notebook cell, a test, or a module beside the notebook that has been edited since.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

import cloudpickle

_INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


def wrap(name: str, factory: type, args: tuple) -> bytes:
    """The parcel for the node `name`; raises TypeError if something in it cannot travel."""
    by_value = [
        module
        for cls in factory.__mro__
        if (module := sys.modules.get(cls.__module__)) is not None and not _importable(module)
    ]
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps((factory, args))
    except Exception as wrong:
        raise TypeError(
            f"{factory.__name__} or an argument of {name} cannot travel to another process: {wrong}"
        ) from None
    finally:
        for module in by_value:
            if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(module)


def _importable(module: Any) -> bool:
    """Whether the other process can import `module`, and would get what is here now."""
    if module.__name__.partition(".")[0] in ("builtins", "statelab"):
        return True
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or file is None:
        return False
    return any(Path(file).is_relative_to(folder) for folder in _INSTALLED)
