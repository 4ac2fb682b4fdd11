"""What a function's code does with names: read from its bytecode, for its source may be gone."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator

from statelab.immutable import PYTHONS
from statelab.vetting.process import is_shared

_BINDERS = frozenset({"setattr", "delattr", "vars", "__dict__", "__setattr__", "__delattr__"})
OF_A_NODE = frozenset({"call", "disk", "gather", "handle", "log", "now", "random", "run", "sleep"})
_WAYS = frozenset({"globals", "modules", "import_module", "__import__", "exec", "eval"})
# Whoever names these, also in a text, reaches what no look at names can find.
_INSIDES = frozenset({"__globals__", "f_globals", "__builtins__", "_door"}) | PYTHONS - {
    "__dict__", "__doc__", "__module__", "__qualname__"
}  # fmt: skip

_IMPORTLIB = ("LOAD_GLOBAL", "importlib")


class Use:
    """One thing that code does with a name: `what` it is, in which `line`.

    `what` is 'global' (read), 'assigned' (a name that outlives the node), 'stored' (an attribute of
    anything), 'taken' (one of `self` that every node has), 'binder' (of _BINDERS), 'way round' (of
    _WAYS), 'import', or 'asked' (by dots of a global or an import, for what may be the process's).
    `attributes` are the names that the code asks anything for, by dots or by texts.
    """

    __slots__ = ("attributes", "line", "name", "what")

    def __init__(self, what: str, name: str, line: int, attributes: tuple[str, ...] = ()):
        self.what, self.name, self.line, self.attributes = what, name, line, attributes


@functools.lru_cache(maxsize=1024)
def uses(code: types.CodeType, is_method: bool) -> tuple[Use, ...]:
    """All that a function's code, and what is defined in it, does with names.

    What it stores in the first argument of a method is left out: that is `self`.
    """
    return tuple(_uses_of(code, code.co_freevars, code.co_varnames[:1] if is_method else ()))


def _uses_of(code: types.CodeType, outer: tuple, first: tuple) -> Iterator[Use]:
    """What `code` does with names; `outer` are those of a function around all of it."""
    starts: dict[tuple, list] = {}  # where in the text an expression begins → what was loaded there
    previous, imported = None, set()
    line = code.co_firstlineno
    texts = (text for text in code.co_consts if type(text) is str and text.isidentifier())
    asked = (*code.co_names, *texts)
    for it in dis.get_instructions(code):
        op, name, at = it.opname, it.argval, it.positions
        line = at.lineno or line
        here = starts.setdefault((at.lineno, at.col_offset), [])
        if op in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield Use("way round" if name in _WAYS else "global", name, line, asked)
            if name in _BINDERS:
                yield Use("binder", name, line)
        elif op in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Use("assigned", f"the global {name}", line)
        elif op in ("STORE_DEREF", "DELETE_DEREF") and name in outer:
            yield Use("assigned", f"the outer {name}", line)
        elif op in ("STORE_ATTR", "DELETE_ATTR") and name in PYTHONS:
            yield Use("assigned", f"its {name}", line)
        elif type(name) is str and name in _INSIDES:
            yield Use("way round", name, line)
        elif op in ("STORE_ATTR", "DELETE_ATTR"):
            loaded = here[0] if here else previous
            is_name = loaded is not None and (at.end_col_offset or 0) - (at.col_offset or 0) == len(
                f"{loaded[1]}.{name}".encode()
            )
            if is_name and loaded[0] == "LOAD_GLOBAL":
                yield Use("assigned", f"{loaded[1]}.{name}", line)
            elif not (is_name and loaded[0] == "LOAD_FAST" and (loaded[1],) == first):
                yield Use("stored", name, line)
            elif name in OF_A_NODE:
                yield Use("taken", name, line)
        elif op in ("LOAD_ATTR", "LOAD_METHOD") and name in _BINDERS:
            yield Use("binder", name, line)
        elif op in ("LOAD_ATTR", "LOAD_METHOD") and name in _WAYS:
            if previous in (("LOAD_GLOBAL", "sys"), _IMPORTLIB):
                yield Use("way round", name, line)
        elif op == "IMPORT_NAME":
            yield Use("import", name, line, asked)
            imported.add(name.partition(".")[0])
        if op.startswith("LOAD_FAST"):
            previous = ("LOAD_FAST", name[-1] if isinstance(name, tuple) else name)
            here.append(previous)
        elif op in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD"):
            previous = ("LOAD_GLOBAL" if op == "LOAD_NAME" else op, name)
            here.append(previous)
            path = ".".join(part for _, part in here)
            is_path = (at.end_col_offset or 0) - (at.col_offset or 0) == len(path.encode())
            of_a_module = here[0][0] == "LOAD_GLOBAL" or here[0][1] in imported
            if is_path and len(here) > 1 and of_a_module and is_shared(name):
                yield Use("asked", path, line)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _uses_of(constant, outer, first)


def first_use(code: types.CodeType, name: str) -> int:
    """The line in which code first uses a name of a function around it."""
    its = (i for i in dis.get_instructions(code) if i.argval == name and "DEREF" in i.opname)
    return next((i.positions.lineno for i in its), None) or code.co_firstlineno
