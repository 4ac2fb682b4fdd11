"""What cannot change, and what is not the learner's: neither can keep state from life to life."""

from __future__ import annotations

import enum
import re
import sys
import types
from typing import Any

SCALARS = (int, float, complex, str, bytes)
ATOMS = (*SCALARS, type(None), bool, range, slice, type(...), object, type(NotImplemented))
# By name, so that nothing is imported for it. Of `typing` all is welcome.
_CONSTANTS = frozenset(
    {"_collections._tuplegetter", "collections._tuplegetter", "_struct.Struct",
     "dataclasses._HAS_DEFAULT_FACTORY_CLASS", "dataclasses._MISSING_TYPE",
     "datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta",
     "datetime.timezone", "decimal.Decimal", "fractions.Fraction", "ipaddress.IPv4Address",
     "ipaddress.IPv4Network", "ipaddress.IPv6Address", "ipaddress.IPv6Network",
     "logging.Logger", "operator.attrgetter", "operator.itemgetter", "operator.methodcaller",
     "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath",
     "pathlib.WindowsPath", "pathlib._local.PosixPath", "pathlib._local.PurePosixPath",
     "pathlib._local.PureWindowsPath", "pathlib._local.WindowsPath", "re.Pattern",
     "types.GenericAlias", "types.UnionType", "uuid.UUID", "zoneinfo.ZoneInfo"}
)  # fmt: skip
# What Python itself keeps in a class; some of it comes when it is first asked for. Some can change,
# so no server's code may name it (uses.py).
PYTHONS = frozenset(
    {"_field_defaults", "_inverted_", "__protocol_attrs__", "__non_callable_proto_members__",
     "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__",
     "__annotations_cache__", "__classdictcell__", "__conditional_annotations__",
     "__dataclass_fields__", "__dataclass_params__", "__dict__",
     "__doc__", "__firstlineno__", "__module__", "__orig_bases__",
     "__parameters__", "__qualname__", "__slotnames__", "__static_attributes__",
     "__weakref__", "_abc_impl"}
)  # fmt: skip


def is_learners(module: Any) -> bool:
    """Whether a module, or the one of that name, is neither installed nor part of this package."""
    name = module if isinstance(module, str) else getattr(module, "__name__", None)
    if not isinstance(name, str):
        return True
    if name.partition(".")[0] in _OURS:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return name == "__main__" or not is_installed_file(file)


_OURS = sys.stdlib_module_names - {"__main__"} | {"statelab"}


def is_installed_file(file: str | None) -> bool:
    """Whether a file lies where libraries are installed, whoever's that folder is.

    Not only where `sysconfig` says: an environment may see the system's and the user's, too, and a
    browser's Python calls its own by another path than its modules.
    """
    return file is not None and _INSTALLED.search(file) is not None


_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")  # Debian's are the latter


def is_fixed(value: Any) -> bool:
    """Whether it is of a frozen dataclass, or an enum's member; and no C behind it may change."""
    kind = type(value)
    if isinstance(value, enum.Enum) and _name(kind._member_type_) in _CONSTANTS:
        return True
    is_frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    return (is_frozen or isinstance(value, enum.Enum)) and is_plain(kind, slots=True)


def is_installed(name: str) -> bool:
    """Whether the module of that name, which need not be imported yet, is no learner's."""
    import importlib.util

    if (top := name.partition(".")[0]) in _OURS:
        return True
    found = importlib.util.find_spec(top)
    return found is None or is_installed_file(found.origin)


class _Plain:
    pass


_SLOT = object.__basicsize__ // 2  # a pointer's size
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE


def is_plain(kind: type, slots: bool = False) -> bool:
    """Whether its instances keep all in their __dict__, or their `slots`: no C is behind them."""
    bases = [base for base in kind.__mro__ if base is not object]
    members = (member for base in bases for member in vars(base).values())
    count = sum(isinstance(member, types.MemberDescriptorType) for member in members)
    return (
        kind.__basicsize__ <= _Plain.__basicsize__ + count * _SLOT
        and (slots or not count)
        and all(base.__flags__ & (_HEAP | _IMMUTABLE) == _HEAP for base in bases)
    )


def is_constant(value: Any) -> bool:
    """Whether it is of a kind that is known never to change."""
    kind = type(value)
    descriptor = isinstance(
        value,
        (types.WrapperDescriptorType, types.MethodDescriptorType, types.GetSetDescriptorType,
         types.MemberDescriptorType),
    )  # fmt: skip
    return descriptor or kind.__module__ == "typing" or _name(kind) in _CONSTANTS


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
