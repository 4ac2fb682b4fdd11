"""Refuses a class some of whose state would survive a simulated kill, unlike a real one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from statelab.message import shown
from statelab.node import Node
from statelab.vetting.reach import Reach

_known: dict[type[Node], Reach] = {}
_MANY = 256  # classes whose reach is kept


def vet(factory: Any, options: Mapping[str, Any] | None = None) -> None:
    """Raises TypeError, with a sentence, unless `factory` is a Node class that shares no state.

    A real server is none, and only such a one takes `options`.
    """
    if isinstance(factory, Node) or hasattr(type(factory), "only_live"):
        name = type(factory).__name__
        raise TypeError(
            f"start takes the class, since restart makes it anew: write {name}, not {name}()"
        )
    if not (isinstance(factory, type) and issubclass(factory, Node)):
        if hasattr(factory, "only_live"):
            raise TypeError(f"{factory.__name__} is {factory.only_live}")
        raise TypeError(f"start takes a subclass of Node, not {shown(factory)}")
    if options:
        raise TypeError(
            f"start gives a node its arguments in their order, so that restart can: write "
            f"{', '.join(map(repr, options.values()))} without {', '.join(options)}"
        )
    reach = _known.get(factory)
    if reach is None or reach.rebound():
        # Of anything that has not been bound anew since, all is as it was: it cannot change.
        for name in ("handle", "run"):
            _check_method(factory, name)
        reach = Reach(factory)
        while len(_known) >= _MANY:
            del _known[next(iter(_known))]
        _known[factory] = reach


def reach_of(factory: type[Node]) -> Reach | None:
    """What the code of a class that was vetted reaches."""
    return _known.get(factory)


def _check_method(factory: type[Node], name: str) -> None:
    method = getattr(factory, name)
    if not inspect.iscoroutinefunction(method):
        raise TypeError(f"{factory.__name__}.{name} is not a coroutine: write async def {name}")
    wanted = ("self", "request") if name == "handle" else ("self",)
    kind = inspect.getattr_static(factory, name)
    bound = isinstance(kind, (staticmethod, classmethod))
    try:
        inspect.signature(method).bind(*wanted[bound:])
    except TypeError as wrong:
        raise TypeError(
            f"{factory.__name__}.{name} cannot be called ({wrong}): write "
            f"async def {name}({', '.join(wanted)})"
        ) from None
