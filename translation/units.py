"""What there is to translate in a notebook, a page or a picture: units, each with a key."""

from __future__ import annotations

import ast
import html
import io
import re
import tokenize
from typing import Any, NamedTuple

from statelab.language import KOREAN_FONTS

_WORD = re.compile(r"[^\W\d_]{2}")
_TEXT = re.compile(r"(<(text|title)\b[^>]*>)(.*?)(</\2>)", re.DOTALL)


class Unit(NamedTuple):
    """A text to translate, what it is called within its file, and what kind of thing it is."""

    key: str
    text: str
    kind: str  # 'markdown', 'code', 'picture' or 'words'


def of_notebook(notebook: dict[str, Any]) -> list[Unit]:
    """The cells of a notebook that hold words, in order."""
    cells = [(cell, "".join(cell["source"])) for cell in notebook["cells"]]
    return [
        Unit(cell["id"], text, cell["cell_type"])
        for cell, text in cells
        if (has_words(text) if cell["cell_type"] == "code" else text.strip())
    ]


def has_words(code: str) -> bool:
    """Whether a person reads more in this code than the code: a comment, or a text."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    if any(token.type == tokenize.COMMENT and _WORD.search(token.string) for token in tokens):
        return True
    texts = (node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and _WORD.search(text) for text in texts)


def of_page(page: str) -> list[Unit]:
    """The blocks of a Markdown page, in order; a table and fenced code are one block each."""
    return [Unit(f"{n:03}", text, "markdown") for n, text in enumerate(blocks(page), 1)]


def blocks(page: str) -> list[str]:
    """A page's blocks; joined by empty lines they are the page."""
    found: list[str] = []
    fenced = False
    for part in page.strip("\n").split("\n\n"):
        if fenced:
            found[-1] += f"\n\n{part}"
        else:
            found.append(part)
        fenced ^= part.count("```") % 2 == 1
    return found


def of_picture(name: str, drawing: str) -> list[Unit]:
    """The texts in an SVG that hold words, in order."""
    texts = (html.unescape(found[3]) for found in _TEXT.finditer(drawing))
    return [
        Unit(f"{name}:{n}", text, "picture")
        for n, text in enumerate(texts, 1)
        if _WORD.search(text)
    ]


def redrawn(name: str, drawing: str, said: dict[str, str]) -> str:
    """The SVG with its texts in another language, by their keys."""
    numbers = iter(range(1, drawing.count("<") + 1))

    def in_words(found: re.Match[str]) -> str:
        text = said.get(f"{name}:{next(numbers)}")
        return found[1] + (found[3] if text is None else html.escape(text, quote=False)) + found[4]

    drawing = drawing.replace("sans-serif", f"{KOREAN_FONTS},sans-serif")
    return _TEXT.sub(in_words, drawing)
