"""The canonical form of a value: equal state, equal form, in each process and on each Python."""

from __future__ import annotations

import enum
import marshal
from typing import Any

PLAIN = frozenset({type(None), bool, int, float, str, bytes})


def canonical(value: Any) -> Any:
    """Returns `value` as nested lists, tuples and scalars, the same for equal state everywhere.

    Takes None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, named tuples,
    dataclasses and members of an Enum. Raises TypeError for anything else, naming where it stands.
    """
    return _canonical(value, 0)


def _canonical(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth > 100:
        raise TypeError("is nested more than 100 deep: does it contain itself?")
    # Plain values, the most of all, are not handed on: a run's digest is half of what a seed costs.
    if kind is list:
        return [
            item if type(item) in PLAIN else _item(item, "[{!r}]", i, depth)
            for i, item in enumerate(value)
        ]
    if kind is dict:
        if not value:
            return ("dict",)
        pairs = [
            (
                key if type(key) in PLAIN else _item(key, " (a key)", None, depth),
                item if type(item) in PLAIN else _item(item, "[{!r}]", key, depth),
            )
            for key, item in value.items()
        ]
        if len(pairs) > 1:
            pairs.sort(key=lambda pair: marshal.dumps(pair[0], 2))
        return ("dict", *pairs)
    if kind is tuple:
        return (
            "tuple",
            *[
                item if type(item) in PLAIN else _item(item, "[{!r}]", i, depth)
                for i, item in enumerate(value)
            ],
        )
    if kind is set or kind is frozenset:
        forms = [_item(item, " (an element)", None, depth) for item in value]
        return ("set", *sorted(forms, key=lambda form: marshal.dumps(form, 2)))
    if isinstance(value, enum.Enum):
        return (kind.__name__, value.name)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        named = zip(kind._fields, value, strict=True)
        return (kind.__name__, *(_item(item, ".{}", name, depth) for name, item in named))
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        names = [field.name for field in dataclasses.fields(value)]
        return (
            kind.__name__,
            *((name, _item(getattr(value, name), ".{}", name, depth)) for name in names),
        )
    raise TypeError(f"is a {kind.__name__}")


def _item(value: Any, where: str, step: Any, depth: int) -> Any:
    if type(value) in PLAIN:
        return value
    try:
        return _canonical(value, depth + 1)
    except TypeError as wrong:
        if depth > 3:  # what contains itself would get a name of a hundred steps
            raise
        raise TypeError(
            f"{where.format(step)}{'' if str(wrong)[:1] in '[. ' else ' '}{wrong}"
        ) from None


def same(one: Any, other: Any) -> bool:
    """Whether two canonical forms are the same; 1, 1.0 and True are equal, and not the same."""
    if one is other:
        return True
    return one == other and marshal.dumps(one, 2) == marshal.dumps(other, 2)


def canonical_memory(node: str, memory: dict[str, Any]) -> dict[str, Any]:
    """The canonical form of each attribute; raises TypeError naming node and attribute."""
    forms = {}
    for name, value in memory.items():
        try:
            forms[name] = value if type(value) in PLAIN else _canonical(value, 0)
        except Exception as wrong:  # a class of the learner's may raise whatever it is asked
            text = str(wrong) if type(wrong) is TypeError else "cannot be looked at"
            raise TypeError(
                f"{node}.{name}{'' if text[:1] in '[. ' else ' '}{text}, which has no canonical "
                f"form: keep it in an attribute named _{name}, or keep plain data instead"
            ) from None
    return forms
