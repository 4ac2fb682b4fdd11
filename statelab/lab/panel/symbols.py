"""What the recordings of one panel share: texts and subjects, each known by its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statelab.lab.given import given
from statelab.lab.panel.expected import Expectation
from statelab.language import marked, spoken
from statelab.message import shown

COLUMNS = {
    "clients": marked("clients"), "balancers": marked("in between"), "servers": marked("servers"),
    "stores": marked("stores"), "copies": marked("copies"),
}  # fmt: skip
_STORES = ("store", "database", "redis", "zookeeper", "postgres", "queue", "cache")


class Book:
    """The texts and the subjects (nodes, clients and links) of all recordings of one panel.

    It also knows what its panel expects of requests.
    """

    def __init__(
        self, columns: Mapping[str, str] | None = None, expectation: Expectation | None = None
    ):
        self.expectation = expectation or Expectation()
        self.texts: list[str] = []
        self.subjects: list[dict[str, Any]] = []
        self._columns = dict(given(Mapping, {} if columns is None else columns, "the columns"))
        for name, column in self._columns.items():
            if column not in list(COLUMNS):  # what it is may have no hash
                raise ValueError(
                    f"{shown(name)} cannot stand in {shown(column)}: choose of {tuple(COLUMNS)}"
                )
        self._texts: dict[str, int] = {}
        self._nodes: dict[str, int] = {}
        self._links: dict[tuple[str, str], int] = {}
        self.where = 0  # of what is told of no node: where each thing is
        self.subjects.append({})

    def text(self, text: str) -> int:
        """The number of a text."""
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = len(self.texts)
            self.texts.append(text)
        return number

    def node(self, name: str, role: str = "client") -> int:
        """The number of a node or client; `role` is its class's name when it is first seen."""
        number = self._nodes.get(name)
        if number is None:
            number = self._nodes[name] = len(self.subjects)
            column = self._columns.get(name) or _column(role)
            self.subjects.append(
                {"name": name, "role": role, "lives": role != "client",
                 "label": name, "column": column, "rank": list(COLUMNS).index(column),
                 "heading": spoken(COLUMNS[column])}
            )  # fmt: skip
        return number

    def link(self, a: str, b: str) -> int:
        """The number of the link between two names, whichever comes first."""
        number = self._links.get((a, b))
        if number is None:
            number = self._links[a, b] = self._links[b, a] = len(self.subjects)
            self.subjects.append(
                {"a": a, "b": b, "key": f"{a}\t{b}", "label": f"{a} – {b}", "rank": len(COLUMNS)}
            )
        return number

    def lives(self, name: str) -> bool:
        """Whether that is the name of a node, and not of a client or of nothing."""
        number = self._nodes.get(name)
        return number is not None and self.subjects[number]["lives"]

    def links(self, name: str) -> list[int]:
        """The numbers of the links that end at a name."""
        return [n for n, s in enumerate(self.subjects) if name in (s.get("a"), s.get("b"))]


def _column(role: str) -> str:
    if role == "client":
        return "clients"
    if "balancer" in role.lower():
        return "balancers"
    if "replica" in role.lower():
        return "copies"
    return "stores" if any(word in role.lower() for word in _STORES) else "servers"
