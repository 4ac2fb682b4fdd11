"""Makes the notebooks and pages of an edition from the English ones and what is said instead."""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_BINDER = "labpath=notebooks%2F"


def ready(language: str = "") -> str:
    """How a lesson's first cell begins, in a language; in English without one."""
    return f'lab.ready("{language}")' if language else "lab.ready()"


def twins(language: str, files: list[str], pages: tuple[str, ...]) -> dict[str, str]:
    """{English file: its twin}, by their paths in the project."""
    found = {f"notebooks/{name}": f"notebooks/{language}/{name}" for name in files}
    for page in pages:
        folder, name = posixpath.split(page)
        found[page] = f"{folder}/{language}/{name}" if folder else f"README.{language}.md"
    return found


def notebook(
    english: dict[str, Any], said: dict[str, str], language: str, path: str, of: Mapping[str, str]
) -> dict[str, Any]:
    """The notebook at `path` in another language, without outputs; `of` tells each file's twin.

    What is not translated stays English.
    """
    made = copy.deepcopy(english)
    for cell in made["cells"]:
        text = said.get(cell["id"], "".join(cell["source"]))
        if cell["cell_type"] == "markdown":
            text = addressed(text, language, path, of)
        else:
            cell["outputs"], cell["execution_count"] = [], None
            if "setup" in cell["metadata"]["tags"]:
                text = text.replace(ready(), ready(language))
        cell["source"] = text.splitlines(keepends=True)
    return made


def addressed(text: str, language: str, path: str, of: Mapping[str, str]) -> str:
    """The text of the file at `path` with its addresses as its twin has them.

    They lead to twins, where there are any; the one that leads to the twin itself leads back.
    """
    back = {twin: english for english, twin in of.items()}
    here, there = posixpath.dirname(path), posixpath.dirname(of[path])

    def moved(found: re.Match[str]) -> str:
        before, address, after = found.groups()
        if _BINDER in address:
            return before + address.replace(_BINDER, f"{_BINDER}{language}%2F") + after
        if "://" in address:
            return found[0]
        meant = posixpath.normpath(posixpath.join(here, address))
        meant = of.get(meant) or back.get(meant) or meant
        return before + posixpath.relpath(meant, there or ".") + after

    return _ADDRESS.sub(moved, text)
