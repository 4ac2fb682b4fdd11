"""What cannot change, and what is not the learner's: neither can keep state from life to life."""

from __future__ import annotations

import functools
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
    {"_field_defaults", "__protocol_attrs__", "__non_callable_proto_members__",
     "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__",
     "__annotations_cache__", "__classdictcell__", "__conditional_annotations__",
     "__dataclass_fields__", "__dataclass_params__", "__dict__",
     "__doc__", "__firstlineno__", "__match_args__", "__module__", "__orig_bases__",
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
    return name == "__main__" or file is None or not file.startswith(_installed())


_OURS = sys.stdlib_module_names - {"__main__"} | {"statelab"}


@functools.cache
def _installed() -> tuple[str, ...]:
    import sysconfig

    return tuple(sysconfig.get_path(name) for name in ("purelib", "platlib"))


def is_frozen(kind: type) -> bool:
    """Whether it is a dataclass whose fields are not assigned."""
    return getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)


def is_installed(name: str) -> bool:
    """Whether the module of that name, which need not be imported yet, is no learner's."""
    import importlib.util

    if (top := name.partition(".")[0]) in _OURS:
        return True
    found = importlib.util.find_spec(top)
    return found is None or (found.origin or "").startswith(_installed())


class _Plain:
    pass


_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE


def is_plain(kind: type) -> bool:
    """Whether its instances keep all that they keep in their __dict__: no C is behind them."""
    return kind.__basicsize__ <= _Plain.__basicsize__ and all(
        base is object
        or (
            base.__flags__ & (_HEAP | _IMMUTABLE) == _HEAP
            and not any(isinstance(m, types.MemberDescriptorType) for m in vars(base).values())
        )
        for base in kind.__mro__
    )


def is_constant(value: Any) -> bool:
    """Whether it is of a kind that is known never to change."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    descriptor = isinstance(
        value,
        (types.WrapperDescriptorType, types.MethodDescriptorType, types.GetSetDescriptorType,
         types.MemberDescriptorType),
    )  # fmt: skip
    return descriptor or kind.__module__ == "typing" or name in _CONSTANTS
