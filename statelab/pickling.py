"""Code and data as bytes that another process can make them from.

What the learner wrote travels by value, so it runs as it was when it was sent: from a notebook
cell, a test, or a module beside the notebook that has been edited since.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import io
import marshal
import operator
import pickle
import random
import struct
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

import cloudpickle

from statelab.immutable import is_learners

_registry = threading.RLock()  # cloudpickle has one registry for all threads


def packed(value: Any, code: Iterable[Any]) -> bytes:
    """`value` as bytes; the modules of `code`, classes and functions, go by value if they must.

    Raises whatever keeps it from travelling.
    """
    names = {getattr(thing, "__module__", None) for thing in code}
    modules = [sys.modules[name] for name in sorted(names & sys.modules.keys(), key=str)]
    with _registry:
        registered = cloudpickle.list_registry_pickle_by_value()
        by_value = [m for m in modules if m.__name__ not in registered and is_learners(m)]
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
    """Knows what pickle does not: a global generator, some of Python's decorators, names of types.

    `from random import random` means the other process's global generator, and no copy of this.
    """

    def __init__(self, file: Any):
        super().__init__(file)
        self._met: list[Any] = []

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, types.CodeType):  # cloudpickle 3.1.3 forgets its file
            return marshal.loads, (marshal.dumps(value),)
        if value is random._inst:
            return getattr, (random, "_inst")
        if type(value) is functools.cached_property:
            return _cached_property, (value.func, value.attrname)
        if type(value) is functools.singledispatchmethod:  # it may have a cache, of weak references
            return type(value), (value.func,), {"dispatcher": value.dispatcher}
        if isinstance(value, types.FunctionType) and hasattr(value, "registry"):
            # Filled once it is there: what is registered may call it.
            registered = tuple(value.registry.items())
            return _dispatcher, (), registered, None, None, _register
        kind = type(value)
        if _is_named(value):
            return copyreg.__newobj__, (kind,), value.__getstate__()
        if kind is struct.Struct:
            return struct.Struct, (value.format,)
        if kind.__name__ in _BY_NAME and is_learners(value.__module__):
            return kind, (value.__name__, *self._meaning(value))
        if isinstance(value, types.FunctionType):
            if value.__module__ in cloudpickle.list_registry_pickle_by_value():
                # cloudpickle would first ask its class for it, where a decorator may raise anything
                return self._dynamic_function_reduce(value)
            if (method := _class_method(value)) is not None:
                return operator.attrgetter(f"{method.__name__}.__func__"), (method.__self__,)
        reduced = super().reducer_override(value)
        is_filled = isinstance(reduced, tuple) and len(reduced) == 6
        if is_filled and isinstance(value, enum.EnumMeta):
            reduced = _parts_of_enum(value, *reduced)
        elif is_filled and isinstance(value, type) and _has_a_say(value):
            reduced = _class, *reduced[1:]
        if is_filled and isinstance(value, type) and value.__module__ == "__main__":
            return *reduced[:5], functools.partial(_main_class, reduced[5])
        return reduced

    def _meaning(self, value: Any) -> tuple:
        """What a name of a type stands for, if anything."""
        if isinstance(value, typing.NewType):
            return (value.__supertype__,)
        if not hasattr(type(value), "__value__"):
            return ()
        if value in self._met:  # an alias within itself
            return (typing.Any,)
        self._met.append(value)
        try:
            return (value.__value__,)
        except NameError:
            return (typing.Any,)


# Of `typing`: what Python itself pickles by its name only.
_BY_NAME = ("NewType", "ParamSpec", "TypeAliasType", "TypeVarTuple")


def _is_named(value: Any) -> bool:
    """Whether a learner's object is pickled by the name of a global, which is not there."""
    kind = type(value)
    ways = (getattr(kind, name) for name in ("__reduce__", "__reduce_ex__"))
    if isinstance(value, (type, enum.Enum)) or not is_learners(kind.__module__):
        return False
    its_own = any(isinstance(way, types.FunctionType) for way in ways)
    return its_own and isinstance(value.__reduce_ex__(pickle.DEFAULT_PROTOCOL), str)


def _class_method(function: types.FunctionType) -> types.MethodType | None:
    """The method of a library's class that a function is within, such as that of `Generic[…]`."""
    found = sys.modules.get(function.__module__)
    if found is None or is_learners(found):
        return None
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found if getattr(found, "__func__", None) is function else None


def _main_class(fill: Callable[[type, Any], None], cls: type, state: Any) -> None:
    """Fills a class of `__main__`, and lets it be found there: pickle asks for it by its name."""
    fill(cls, state)
    if cls.__qualname__ == cls.__name__:
        vars(sys.modules["__main__"]).setdefault(cls.__name__, cls)


def _has_a_say(cls: type) -> bool:
    """Whether code of the learner's runs where the class is made."""
    return is_learners(type(cls).__module__) or bool(_told(cls.__mro__[1:]))


def _told(bases: Iterable[type]) -> list[type]:
    """The learner's among the bases that are told of each new class, and may ask it for more."""
    its = (base for base in bases if "__init_subclass__" in vars(base))
    return [base for base in its if is_learners(base.__module__)]


def _class(metaclass: type, name: str, given: tuple, names: dict, tracker: Any, _: Any) -> type:
    """A class that is yet to be filled; what ran when it was first made does not run again."""
    bases = types.resolve_bases(given)
    names = {**names, "__orig_bases__": given} if bases is not given else names
    maker = next(kind for kind in metaclass.__mro__ if not is_learners(kind.__module__))
    told = _told(dict.fromkeys(one for base in bases for one in base.__mro__))
    before = [vars(base)["__init_subclass__"] for base in told]
    try:
        for base in told:
            type.__setattr__(base, "__init_subclass__", classmethod(lambda *_, **__: None))
        cls = maker.__new__(metaclass, name, bases, names)
    finally:
        for base, its in zip(told, before, strict=True):
            type.__setattr__(base, "__init_subclass__", its)
    return cloudpickle.cloudpickle._lookup_class_or_track(tracker, cls)


def _parts_of_enum(cls: enum.EnumMeta, _: Any, given: tuple, state: tuple, *rest: Any) -> tuple:
    """How to make an enum; cloudpickle gives its members their values only, and runs its mixins.

    What a member has besides, as by an `__init__`, is filled in once the class is there.
    """
    kind = next(base for base in cls._member_type_.__mro__ if not is_learners(base.__module__))
    parts, kept = {}, {}
    for name, member in cls._member_map_.items():
        how, args, *more = object.__reduce_ex__(member, 2)
        is_plain = how is copyreg.__newobj__
        parts[name] = kind, args[is_plain:], member._value_
        kept[name] = more[0] if is_plain else vars(member)
        state[0].pop(name, None)
    given = (*given[:3], parts, *given[4:])
    return _enum, given, state, *rest[:2], functools.partial(_fill_enum, rest[2], kept)


def _enum(bases, name, qualname, parts, module, tracker, _) -> enum.EnumMeta:
    kind = type(bases[-1])
    names = kind.__prepare__(name, bases)
    names["__new__"], names["__init__"] = _member, lambda *_: None
    for its, part in parts.items():
        names[its] = part
    cls = kind.__new__(kind, name, bases, names)
    cls.__module__, cls.__qualname__ = module, qualname
    return cloudpickle.cloudpickle._lookup_class_or_track(tracker, cls)


def _member(cls: type, *parts: Any) -> Any:
    kind, args, value = parts if len(parts) == 3 else parts[0]  # of tuples, Python wraps them
    member = kind.__new__(cls, *args)
    member._value_ = value
    return member


def _fill_enum(fill: Callable[[type, Any], None], kept: dict, cls: type, state: Any) -> None:
    for name in ("__init__", "__new_member__"):
        if name in vars(cls):
            delattr(cls, name)
    fill(cls, state)
    for name, state in kept.items():
        names, slots = state if isinstance(state, tuple) else (state, {})
        vars(cls[name]).update(names)
        for slot, value in slots.items():
            object.__setattr__(cls[name], slot, value)


def _cached_property(function: Callable, name: str) -> functools.cached_property:
    made = functools.cached_property(function)
    made.__set_name__(None, name)
    return made


def _dispatcher() -> Callable:
    return functools.singledispatch(lambda *_: None)


def _register(dispatcher: Callable, registered: tuple[tuple[type, Callable], ...]) -> None:
    for kind, function in registered:
        dispatcher.register(kind, function)
    functools.update_wrapper(dispatcher, dispatcher.registry[object])
