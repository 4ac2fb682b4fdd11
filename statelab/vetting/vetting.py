"""Refuses a class some of whose state would survive a simulated kill, unlike a real one."""

from __future__ import annotations

import contextlib
import inspect
import io
import pickle
import types
from collections.abc import Mapping
from typing import Any

from statelab.immutable import PYTHONS, is_learners
from statelab.message import shown
from statelab.node import Node
from statelab.vetting.process import at_line
from statelab.vetting.reach import Reach
from statelab.vetting.uses import OF_A_NODE, uses

_known: dict[tuple, Reach] = {}  # by a class, and what was found in the arguments
_MANY = 256  # classes whose reach is kept


def vet(factory: Any, args: tuple = (), options: Mapping[str, Any] | None = None) -> Reach:
    """What the code of a class reaches; raises TypeError unless it is a Node that shares no state.

    The same of the code in its arguments, which themselves are made anew for each life. A real
    server is none, and only such a one takes `options`.
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
    given = _code_in(args)
    reach = _known.get((factory, *given))
    if reach is None or reach.rebound():
        # Of anything that has not been bound anew since, all is as it was: it cannot change.
        for name in ("handle", "run"):
            _check_method(factory, name)
        if hasattr(factory, "__del__"):
            raise TypeError(
                f"{factory.__name__}.__del__ would run after a simulated kill, and a real one runs "
                "nothing: leave it out"
            )
        for cls in factory.__mro__:
            for name, value in vars(cls).items():
                if issubclass(cls, Node) and cls is not Node and name not in PYTHONS:
                    _check_name(value, name, f"{cls.__name__}.{name}")
        reach = Reach(factory, given)
        while len(_known) >= _MANY:
            del _known[next(iter(_known))]
        _known[factory, *given] = reach
    return reach


def _code_in(values: tuple) -> tuple[Any, ...]:
    """A learner's classes and functions that are found in values as they are pickled."""
    found: dict[Any, None] = {}

    class Finder(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            is_code = isinstance(value, (type, types.FunctionType))
            code = value if is_code else type(value)
            if is_learners(code.__module__):
                found[code] = None
            return NotImplemented

    with contextlib.suppress(Exception):  # what cannot be pickled is said where it matters
        Finder(io.BytesIO()).dump(values)
    return tuple(found)


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


def _check_name(value: Any, name: str, where: str) -> None:
    """Raises TypeError for a slot, and for what takes a name that every node has."""
    if isinstance(value, types.MemberDescriptorType):
        raise TypeError(
            f"{where} is a slot, and the memory of a node is what is in its __dict__: leave "
            "__slots__ out"
        )
    if name in OF_A_NODE and not (callable(value) or hasattr(value, "__get__")):
        raise TypeError(f"{where} is what every node has for itself: choose another name")
    if type(value) is types.FunctionType:
        for use in uses(value.__code__, True):
            if use.what == "taken":
                raise TypeError(
                    f"{where} assigns self.{use.name}, which every node has for itself"
                    f"{at_line(value, use.line)}: choose another name"
                )
