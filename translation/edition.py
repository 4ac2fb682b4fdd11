"""Makes the notebooks, pages and pictures of an edition from the English ones and its catalogs."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

_ADDRESS = re.compile(r"(\]\()([^)\s]+)(\))")
_BINDER = "labpath=notebooks%2F"


def ready(language: str = "") -> str:
    """How a lesson's first cell begins, in a language; in English without one."""
    return f'lab.ready("{language}")' if language else "lab.ready()"


def notebook(
    english: dict[str, Any], said: dict[str, str], language: str, there: Callable[[str], bool]
) -> dict[str, Any]:
    """The notebook in another language, without outputs; what is not translated stays English.

    `there` tells whether this edition has a file of its own, by its path beside the notebook.
    """
    made = copy.deepcopy(english)
    for cell in made["cells"]:
        text = said.get(cell["id"], "".join(cell["source"]))
        if cell["cell_type"] == "markdown":
            text = addressed(text, language, there)
        else:
            cell["outputs"], cell["execution_count"] = [], None
            if "setup" in cell["metadata"]["tags"]:
                text = text.replace(ready(), ready(language))
        cell["source"] = text.splitlines(keepends=True)
    return made


def addressed(text: str, language: str, there: Callable[[str], bool]) -> str:
    """The text with its addresses as they are one folder further down.

    A lesson's sister is where the lesson is, so a link to the one becomes one to the other.
    """

    def moved(found: re.Match[str]) -> str:
        before, address, after = found.groups()
        if _BINDER in address:
            address = address.replace(_BINDER, f"{_BINDER}{language}%2F")
        elif address.startswith(f"{language}/"):
            address = "../" + address.removeprefix(f"{language}/")
        elif "://" not in address and not address.startswith("#") and not there(address):
            address = f"../{address}"
        return before + address + after

    return _ADDRESS.sub(moved, text)
