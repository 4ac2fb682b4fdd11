"""What names were bound to when they were looked at, and whether they still are."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from statelab.immutable import PYTHONS

ABSENT = object()


def content(cell: types.CellType) -> Any:
    """What a closure's cell holds; ABSENT if it is not filled yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return ABSENT


class Bindings:
    """Names of modules, classes, functions and closures, and what may change within a value."""

    def __init__(self):
        # whose names, where they stand, what they were bound to, and if those were all, their ids
        self._names: list[tuple[str, Mapping, dict[str, Any], list[int] | None]] = []
        self._contents: list[tuple[str, Any, str]] = []
        self._cells: list[tuple[str, types.CellType, Any]] = []

    def all_of(self, owner: str, names: Mapping, kept: Mapping | None = None) -> None:
        """Keeps all `names` of an owner, or those in `kept`; one more would be another binding."""
        before = dict(names if kept is None else kept)
        self._names.append((owner, names, before, list(map(id, names.values()))))

    def some_of(self, owner: str, names: Mapping, asked: dict[str, Any]) -> None:
        """Keeps those names of an owner that somebody has asked for."""
        self._names.append((owner, names, asked, None))

    def cell(self, name: str, cell: types.CellType) -> None:
        """Keeps what a closure's name stands for."""
        self._cells.append((name, cell, content(cell)))

    def within(self, name: str, value: Any) -> None:
        """Keeps how a value looks that may change."""
        self._contents.append((name, value, repr(value)))

    def changed(self) -> str:
        """The first name that is bound to something else by now, or ''."""
        for owner, names, before, ids in self._names:
            if ids is not None and list(map(id, names.values())) == ids:
                continue  # as it mostly is, and found at a tenth of the time
            for name, value in before.items():
                if names.get(name, ABSENT) is not value:
                    return f"{owner}{name}"
            if ids is not None and len(names) != len(before):
                for name in names:
                    if name not in before and name not in PYTHONS:
                        return f"{owner}{name}"
        for name, cell, before in self._cells:
            if content(cell) is not before:
                return name
        for name, value, before in self._contents:
            if repr(value) != before:
                return name
        return ""
