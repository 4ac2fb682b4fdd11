"""What the package says to people: the texts that it hands to `spoken`, and its scripts to `t`."""

from __future__ import annotations

import ast
from pathlib import Path

from statelab.language import texts_in
from translation.units import Unit


def said_by(package: Path) -> list[Unit]:
    """The texts of a package, each once, in the order of its files."""
    found: dict[str, Unit] = {}
    for path in sorted((*package.rglob("*.py"), *package.rglob("*.js"))):
        source = path.read_text("utf-8")
        for text in _in_python(source) if path.suffix == ".py" else texts_in(source):
            found.setdefault(text, Unit(text, text, "words"))
    return list(found.values())


def _in_python(source: str) -> list[str]:
    """The texts that a source hands to `spoken`; ValueError for one that is made at run time."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "spoken":
            text = node.args[0]
            if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                raise ValueError(f"spoken wants a text as it is written, not {ast.unparse(text)}")
            found.append(text.value)
    return found
