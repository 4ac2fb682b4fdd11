"""Which code made a run: a few digits that stand for its source."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import io
import json
import textwrap
import tokenize
from collections.abc import Callable, Iterable

from statelab.immutable import PYTHONS
from statelab.node import Node


def fingerprint(function: Callable, factories: Iterable[type[Node]]) -> str:
    """8 hex digits that stand for the code of the scenario and of the nodes' own classes.

    What only people read is no part of it, so a translated lesson has the same run codes.
    """
    functions = {f"scenario {function.__name__}": function}
    for cls in dict.fromkeys(factories):
        for base in cls.__mro__[: cls.__mro__.index(Node)]:
            for name, value in vars(base).items():
                value = getattr(value, "fget", getattr(value, "__func__", value))
                # Newer Pythons put functions into a class that its source does not have.
                if inspect.isfunction(value) and name not in PYTHONS:
                    functions[f"{base.__qualname__}.{name}"] = value
    return _fingerprint(tuple(functions.items()))


@functools.lru_cache(maxsize=256)  # a sweep makes a thousand run codes of the same classes
def _fingerprint(functions: tuple[tuple[str, Callable], ...]) -> str:
    sources = sorted((name, _source(function)) for name, function in functions)
    return hashlib.blake2b(json.dumps(sources).encode(), digest_size=4).hexdigest()


def _source(function: Callable) -> str:
    try:
        return bare(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):  # made by exec: its bytecode stands for it
        return function.__code__.co_code.hex()


def bare(source: str) -> str:
    """A source without what only people read: docstrings, comments, empty lines."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a lambda's, which is a part of a line
        return source
    gone = [
        (node.body[0].lineno, node.body[0].end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and ast.get_docstring(node) is not None
        and node.body[0].lineno > node.lineno
    ]
    comments = {
        token.start[0]: token.start[1]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()
    for number, column in comments.items():
        lines[number - 1] = lines[number - 1][:column]
    for first, last in gone:
        lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
