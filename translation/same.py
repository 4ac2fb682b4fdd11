"""What an edition has other than its English one, beyond the words: it ought to be nothing."""

from __future__ import annotations

import ast
import collections
import copy
import re
from collections.abc import Iterator
from typing import Any

from translation.edition import ready

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"\]\([^)]*\)")
# What English says in a word, Korean may say in digits.
_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_IN_WORDS = {word: str(number) for number, word in enumerate(_SMALL)} | {
    "twelve": "12", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
    "hundred": "100", "thousand": "1000", "second": "1", "a": "1", "an": "1", "once": "1",
    "twice": "2", "half": "0.5",
}  # fmt: skip
# A closing ** after a bracket, a quote or a stop does not close before a letter (CommonMark 6.2).
_UNCLOSED = re.compile(r"[^\s*][)\"'.?!”’]\*{1,2}[가-힣]\S*")
_HANGUL = re.compile("[가-힣]")
_MARKS = re.compile(r"^(#+|[-+*]|\d+\.|\||>|!\[)", re.MULTILINE)


def differences(english: dict[str, Any], other: dict[str, Any], language: str) -> list[str]:
    """How two editions of a notebook differ, as sentences that name the cells."""
    one, two = english["cells"], other["cells"]
    ids = [cell["id"] for cell in one]
    if ids != [cell["id"] for cell in two]:
        lost = [name for name in ids if name not in {cell["id"] for cell in two}]
        return [f"the cells are not the same, or not in the same order; lost: {lost or 'none'}"]
    found = []
    for mine, theirs in zip(one, two, strict=True):
        found += [f"{mine['id']}: {what}" for what in _cells(mine, theirs, language)]
    return found


def _cells(mine: dict[str, Any], theirs: dict[str, Any], language: str) -> Iterator[str]:
    for what in ("cell_type", "metadata"):
        if mine[what] != theirs[what]:
            yield f"its {what.replace('_', ' ')} differs"
            return
    texts = ["".join(cell["source"]) for cell in (mine, theirs)]
    if "setup" in mine["metadata"]["tags"]:
        texts[1] = texts[1].replace(ready(language), ready())
    yield from (in_code if mine["cell_type"] == "code" else in_prose)(*texts)
    if rest := _other_numbers(_shown(mine), _shown(theirs)):
        yield f"it shows other numbers: {rest}"


def in_prose(english: str, other: str) -> Iterator[str]:
    """How two texts differ beyond words: numbers, code, and how they are laid out."""
    if rest := _other_numbers(_ADDRESS.sub("]", english), _ADDRESS.sub("]", other)):
        yield f"its numbers differ: {rest}"
    if broken := _UNCLOSED.findall(other):
        yield f"emphasis does not end before a Korean letter here: {broken[0]}"
    for what, parts in (
        ("code", lambda text: collections.Counter(re.findall(r"`+[^`]+`+", text))),
        ("layout", lambda text: collections.Counter(_MARKS.findall(text))),
    ):
        pair = parts(english), parts(other)
        if pair[0] != pair[1]:
            yield f"its {what} differ: {_rest(*pair)}"


def in_code(english: str, other: str) -> Iterator[str]:
    """How two codes differ beyond what a person reads."""
    try:
        trees = [ast.parse(english), ast.parse(other)]
    except SyntaxError as wrong:
        yield f"it is no Python: {wrong}"
        return
    plain = [_Plain() for _ in trees]
    bare = [
        ast.dump(one.visit(copy.deepcopy(tree))) for one, tree in zip(plain, trees, strict=True)
    ]
    if bare[0] != bare[1]:
        yield "its code differs"
        return
    for mine, theirs in zip(plain[0].texts, plain[1].texts, strict=True):
        if mine == theirs:
            continue
        said = "".join(theirs.said)
        set_otherwise = theirs.values and not re.search("[A-Za-z]", said)  # blanks between values
        if not _HANGUL.search(said) and not set_otherwise:
            yield f"a text differs and is not Korean: {said!r:.60}"
        elif mine.values != theirs.values:
            yield f"a text has other values: {_rest(mine.values, theirs.values)}"
        elif rest := _other_numbers(" ".join(mine.said), " ".join(theirs.said)):
            yield f"a text has other numbers: {rest}"
        elif mine.marks() != theirs.marks():
            yield f"a text has other marks at the beginning of its lines: {theirs.said[0]!r:.60}"


class _Text:
    """A text of a code: what it says, and the values that it says besides."""

    def __init__(self, said: list[str], values: list[str]):
        self.said, self.values = said, collections.Counter(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and (self.said, self.values) == (other.said, other.values)

    __hash__ = None  # type: ignore[assignment]

    def marks(self) -> list[str]:
        """How its lines begin: a quiz marks its right choices so."""
        return re.findall(r"^[-+] ", "".join(self.said), re.MULTILINE)


class _Plain(ast.NodeTransformer):
    """Takes the texts out of a tree, in order."""

    def __init__(self):
        self.texts: list[_Text] = []

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        self.texts.append(_Text([node.value], []))
        return ast.Constant("a text")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        said = [part.value for part in node.values if isinstance(part, ast.Constant)]
        shown = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        bare = [_Plain().visit(copy.deepcopy(part.value)) for part in shown]
        self.texts.append(_Text(said, [ast.unparse(value) for value in bare]))
        return ast.Constant("a text")


def _shown(cell: dict[str, Any]) -> str:
    """What a cell shows as plain text."""
    found = []
    for output in cell.get("outputs", []):
        found += output.get("text", [])
        found += output.get("data", {}).get("text/plain", [])
    return "".join(found)


def _numbers(text: str) -> collections.Counter:
    return collections.Counter(_NUMBER.findall(text))


def _other_numbers(english: str, other: str) -> str:
    """What numbers a translation lacks, or has that the English says neither way; '' if none."""
    mine, theirs = _numbers(english), _numbers(other)
    words = re.findall(r"[a-z]+", english.lower().replace("half a minute", "thirty seconds"))
    in_words = collections.Counter(_IN_WORDS[word] for word in words if word in _IN_WORDS)
    return _rest(mine, theirs) if mine - theirs or theirs - mine - in_words else ""


def _rest(mine: collections.Counter, theirs: collections.Counter) -> str:
    """What either has more of."""
    return f"{list((mine - theirs).elements())} against {list((theirs - mine).elements())}"
