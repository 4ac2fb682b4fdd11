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
    """The texts that a source hands to `spoken` and `marked`; ValueError for one with gaps."""
    found = []
    for node in ast.walk(ast.parse(source)):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else None
        for text in node.args if called in ("spoken", "marked") else ():
            if isinstance(text, ast.JoinedStr):
                raise ValueError(f"spoken wants {{names}} and their values: {ast.unparse(text)}")
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.append(text.value)
    return found
