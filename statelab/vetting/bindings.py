"""What names were bound to when they were looked at, and whether they still are."""

from __future__ import annotations

import abc
import enum
import functools
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from statelab.immutable import PYTHONS

ABSENT = object()


def content(cell: types.CellType) -> Any:
    """What a closure's cell holds; ABSENT if it is not filled yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return ABSENT


def _registered(cls: abc.ABCMeta) -> set[type | None]:
    return {its() for its in abc._get_dump(cls)[0]}  # weak references: None if it is gone


def _slot(member: types.MemberDescriptorType, value: Any) -> Any:
    try:
        return member.__get__(value)
    except AttributeError:
        return ABSENT


def _ids(names: Mapping) -> list[int]:
    return list(map(id, names.values()))


class Bindings:
    """Names of modules, classes, functions and closures, and what may change within a value."""

    def __init__(self):
        # whose names, where they stand, what they were bound to, and if those were all, their ids
        self._names: list[tuple[str, Mapping, dict[str, Any], list[int] | None]] = []
        self._contents: list[tuple[str, Callable[[], Any], Any]] = []
        self._held: list[tuple[str, Callable[[], Any], Any]] = []

    def all_of(self, owner: str, names: Mapping, kept: Mapping | None = None) -> None:
        """Keeps all `names` of an owner, or those in `kept`; one more would be another binding."""
        before = dict(names if kept is None else kept)
        self._names.append((owner, names, before, _ids(names)))

    def some_of(self, owner: str, names: Mapping, asked: dict[str, Any]) -> None:
        """Keeps those names of an owner that somebody has asked for."""
        self._names.append((owner, names, asked, None))

    def cell(self, name: str, cell: types.CellType) -> None:
        """Keeps what a closure's name stands for."""
        self._hold(name, functools.partial(content, cell))

    def slot(self, name: str, member: types.MemberDescriptorType, value: Any) -> Any:
        """Keeps, and returns, what a value has in a slot, ABSENT if there is nothing yet."""
        return self._hold(name, functools.partial(_slot, member, value))

    def _hold(self, name: str, look: Callable[[], Any]) -> Any:
        self._held.append((name, look, before := look()))
        return before

    def within(self, name: str, value: Any, look: Callable[[Any], Any] = repr) -> None:
        """Keeps how a value looks that may change."""
        look = functools.partial(look, value)
        self._contents.append((name, look, look()))

    def members(self, cls: enum.EnumMeta) -> None:
        """Keeps the members of an enum; among a Flag's values, Python keeps unions made later."""
        for name in ("_member_map_", "_value2member_map_")[: 2 - issubclass(cls, enum.Flag)]:
            self.within(f"{cls.__name__}.{name}", vars(cls)[name], _ids)

    def registry(self, cls: type) -> None:
        """Keeps which classes an abstract one has been told are its own."""
        if isinstance(cls, abc.ABCMeta):
            known = _registered(cls) | {None}
            name = f"{cls.__name__}.register"
            self._contents.append((name, lambda: _registered(cls) <= known, True))

    def library(self, cls: type, storable: Iterable[str]) -> None:
        """Keeps what a class of a library has of those names: the rest it may change itself."""
        names = vars(cls)
        self.some_of(f"{cls.__name__}.", names, {n: names.get(n, ABSENT) for n in storable})
        if "register" in storable:  # an import tells it of classes, too
            self.registry(cls)

    def changed(self) -> str:
        """The first name that is bound to something else by now, or ''."""
        for owner, names, before, ids in self._names:
            if ids is not None and _ids(names) == ids:
                continue  # as it mostly is, and found at a tenth of the time
            for name, value in before.items():
                if names.get(name, ABSENT) is not value:
                    return f"{owner}{name}"
            if ids is not None and len(names) != len(before):
                for name in names:
                    if name not in before and name not in PYTHONS:
                        return f"{owner}{name}"
        for name, look, before in self._held:
            if look() is not before:
                return name
        for name, look, before in self._contents:
            if look() != before:
                return name
        return ""
