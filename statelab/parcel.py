"""Code and data as bytes that another process can make them from.

What the learner wrote travels by value, so it runs as it was when it was sent: from a notebook
cell, a test, or a module beside the notebook that has been edited since.
"""

from __future__ import annotations

import io
import random
import sys
import sysconfig
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cloudpickle

_registry = threading.RLock()  # cloudpickle has one registry for all threads
_INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


def packed(value: Any, code: Iterable[Any]) -> bytes:
    """`value` as bytes; the modules of `code`, classes and functions, go by value if they must.

    Raises whatever keeps it from travelling.
    """
    names = {getattr(thing, "__module__", None) for thing in code}
    modules = [sys.modules[name] for name in sorted(names & sys.modules.keys(), key=str)]
    with _registry:
        registered = cloudpickle.list_registry_pickle_by_value()
        by_value = [m for m in modules if m.__name__ not in registered and not _importable(m)]
        for module in by_value:
            cloudpickle.register_pickle_by_value(module)
        try:
            parcel = io.BytesIO()
            _Pickler(parcel).dump(value)
            return parcel.getvalue()
        finally:
            for module in by_value:
                cloudpickle.unregister_pickle_by_value(module)


class _Pickler(cloudpickle.Pickler):
    """Lets `from random import random` mean the other process's global generator, and no copy."""

    def reducer_override(self, value: Any) -> Any:
        if value is random._inst:
            return getattr, (random, "_inst")
        return super().reducer_override(value)


def _importable(module: Any) -> bool:
    """Whether the other process can import `module`, and would get what is here now."""
    if module.__name__.partition(".")[0] in ("builtins", "statelab"):
        return True
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or file is None:
        return False
    return any(Path(file).is_relative_to(folder) for folder in _INSTALLED)
