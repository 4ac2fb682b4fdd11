"""What a learner's code got when it was made: a clock read then is no input of a run, either.

`born = time.time()` in a class, a module, a default or around a class leaves a number that tells
nothing of where it is from. So its expression is looked up in the text, and a check works it out
once more, in a process that sees what it asks for.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import itertools
import linecache
import pickle
import types
from collections.abc import Iterator
from typing import Any

from statelab.immutable import is_learners
from statelab.pickling import packed
from statelab.vetting.uses import uses

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DEFS = (*_FUNCTIONS, ast.ClassDef)


def makings(things: list[Any]) -> dict[bytes, str]:
    """The expressions of the values that these classes and functions have had from the start.

    Each is packed with what its names stand for, and has its file; one that cannot travel is left
    out.
    """
    reached, read = list(_reached(things)), set()
    while True:  # what an expression names was made, too
        found = _expressions(reached, read)
        words = {word for _, _, known in found for word in known}
        named = [value for _, _, known in found for value in known.values()]
        more = list(_reached([*reached, *named]))
        if words <= read and len(more) == len(reached):
            break
        reached, read = more, read | words
    made = {}
    for text, file, known in found:
        with contextlib.suppress(Exception):
            made[packed((text, file, known), things)] = file
    return made


def _expressions(reached: list[Any], read: set[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """What was worked out for these, and for the names in `read`: text, file, and what it names."""
    modules = {f.__code__.co_filename: f.__globals__ for f in reached if _is_function(f)}
    cells = {file: names for names in modules.values() for file in _cells(names)}
    found: dict[Any, list] = {}  # of a name of a module, what came last counts
    for file, names in {**cells, **modules}.items():
        scopes = (ast.Module, *_DEFS)
        for node in ast.walk(_tree(file)):
            if not isinstance(node, scopes):
                continue
            its = [t for t in reached if _is_of(t, file, names, node)]
            for key, anew, value in _given(node, its, read):
                words = {word.id for word in ast.walk(value) if isinstance(word, ast.Name)}
                known = {word: names[word] for word in sorted(words & names.keys())}
                text = "\n" * (value.lineno - 1) + f"({ast.unparse(value)})"
                if anew:
                    found.pop(key, None)
                found.setdefault(key, []).append((text, file, known))
    return list(itertools.chain(*found.values()))


def work_out(made: list[bytes]) -> None:
    """Makes each of them once more, for who watches."""
    for parcel in made:
        with contextlib.suppress(BaseException):  # it needs what is not here, or exits
            text, file, names = pickle.loads(parcel)
            eval(compile(text, file, "eval"), names)


def _reached(things: list[Any]) -> Iterator[Any]:
    """These classes and functions, those that they name, and those of objects that they name."""
    todo, seen = list(things), set()
    while todo:
        thing = todo.pop(0)
        if not isinstance(thing, type) and not _is_function(thing):
            thing = type(thing)
        if thing in seen or not is_learners(thing.__module__):
            continue
        seen.add(thing)
        yield thing
        if isinstance(thing, type):
            own = vars(thing).values()
            todo += [getattr(value, "__func__", getattr(value, "fget", value)) for value in own]
            todo += thing.__bases__
        else:
            todo += map(thing.__globals__.get, _names(thing))
            todo += inspect.getclosurevars(thing).nonlocals.values()


def _is_function(thing: Any) -> bool:
    return isinstance(thing, types.FunctionType)


@functools.cache
def _names(thing: Any) -> set[str]:
    """The names from outside that a function reads, or those of a class."""
    if isinstance(thing, type):
        return {*vars(thing), *getattr(thing, "__members__", ())}
    read = {use.name for use in uses(thing.__code__, False) if use.what == "global"}
    return read.union(thing.__code__.co_freevars)


def _cells(names: dict[str, Any]) -> list[str]:
    """The files of a notebook's cells whose names these are, in the order in which they ran."""
    entries = [(file, entry) for file, entry in linecache.cache.items() if len(entry) > 2]
    files = {"".join(lines).strip(): file for file, (_, _, lines, _) in entries}
    ran = names.get("In")  # of IPython
    latest = dict.fromkeys(str(text).strip() for text in reversed(ran if type(ran) is list else []))
    return [files[text] for text in reversed(latest) if text in files]


def _is_of(thing: Any, file: str, names: dict[str, Any], node: ast.AST) -> bool:
    """Whether a part of the text of a file is a class's, or around a function, or itself."""
    if isinstance(thing, type):
        codes = [value.__code__ for value in vars(thing).values() if _is_function(value)]
        lines = [code.co_firstlineno for code in codes if code.co_filename == file]
        named = isinstance(node, ast.ClassDef) and node.name == thing.__name__
        return named and (not lines or any(_spans(node, line) for line in lines))
    if isinstance(node, ast.Module):
        return thing.__globals__ is names
    return thing.__code__.co_filename == file and _spans(node, thing.__code__.co_firstlineno)


def _spans(node: ast.AST, line: int) -> bool:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return first <= line <= node.end_lineno


def _given(
    node: ast.AST, things: list[Any], read: set[str]
) -> Iterator[tuple[Any, bool, ast.expr]]:
    """What a class, or what is around a function, gives to the names of these things.

    Each with what stands for it, the names if they are a module's, and whether that is given anew.
    """
    is_module = isinstance(node, ast.Module)
    kept = set().union(*map(_names, things), read if is_module else ())
    if isinstance(node, _FUNCTIONS) and things:
        values = filter(None, (*node.args.defaults, *node.args.kw_defaults))
        yield from ((value, True, value) for value in values)
    for targets, anew, value in _within(node, ()):
        words = {word.id for t in targets for word in ast.walk(t) if isinstance(word, ast.Name)}
        if kept & words:
            yield (frozenset(words) if is_module else value), anew, value


def _within(node: ast.AST, tests: tuple) -> Iterator[tuple[list, bool, ast.expr]]:
    """The assignments of one module, class or function, and not of what it defines.

    Each as what is assigned, whether anew, and the value; `tests` had come out so before.
    """
    for child in ast.iter_child_nodes(node):
        targets, value = getattr(child, "targets", [getattr(child, "target", None)]), None
        if isinstance(child, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
            value = child.value
        elif isinstance(child, (ast.For, ast.comprehension)):
            value = child.iter
        elif isinstance(child, ast.withitem) and child.optional_vars is not None:
            targets, value = [child.optional_vars], child.context_expr
        for target, given in _pairs(targets, value):
            yield target, isinstance(child, (ast.Assign, ast.AnnAssign)), given
            yield from ((target, False, test) for test in tests)
        if not isinstance(child, _DEFS):
            branches = isinstance(child, (ast.If, ast.While, ast.IfExp))
            yield from _within(child, (*tests, child.test) if branches else tests)


def _pairs(targets: list, value: ast.expr | None) -> Iterator[tuple[list, ast.expr]]:
    """What is assigned, and of what: of `a, b = 1, 2` one after the other."""
    several = isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple)
    if several and len(targets) == 1 and len(targets[0].elts) == len(value.elts):
        for target, part in zip(targets[0].elts, value.elts, strict=True):
            yield from _pairs([target], part)
    elif value is not None:
        yield targets, value


@functools.lru_cache(maxsize=8)
def _tree(file: str) -> ast.AST:
    with contextlib.suppress(SyntaxError):  # a cell with magic
        return ast.parse("".join(linecache.getlines(file)))
    return ast.Module([], [])
