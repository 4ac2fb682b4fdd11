"""What a caller has given, looked at before anything is done: an error names it, and what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from statelab.message import shown

_KINDS = {
    str: "a str",
    int: "a whole number",
    Real: "a number",
    Mapping: "a dict",
    (str, Path): "a path",
}


def given(kind: type | tuple, value: Any, what: str) -> Any:
    """Returns `value`; raises TypeError unless it is of that kind. A bool is no number."""
    if isinstance(value, kind) and not (isinstance(value, bool) and kind in (int, Real)):
        return value
    wanted = _KINDS.get(kind) or f"a {kind.__name__}"
    raise TypeError(f"{what}: {wanted} is wanted, not {shown(value)}")


def each(kind: type, values: Any, what: str) -> list:
    """Returns `values` as a list; raises TypeError unless all are of that kind. A str is none."""
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise TypeError(f"{what}: a list is wanted, not {shown(values)}")
    return [given(kind, value, f"{what}, number {place}") for place, value in enumerate(values, 1)]


def function(value: Any, what: str) -> Any:
    """Returns `value`; raises TypeError unless it can be called."""
    if callable(value):
        return value
    raise TypeError(f"{what}: a function is wanted, not {shown(value)}")
