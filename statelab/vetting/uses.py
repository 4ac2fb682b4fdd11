"""What a function's code does with names: read from its bytecode, for its source may be gone."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator

from statelab.immutable import PYTHONS, is_learners, is_plain
from statelab.loose import loose
from statelab.vetting.process import WAITS, is_asked

_BINDERS = frozenset(
    {"setattr", "delattr", "vars", "__dict__", "__setattr__", "__delattr__", "register",
     "_member_map_", "_value2member_map_"}
)  # fmt: skip
OF_A_NODE = frozenset({"call", "disk", "gather", "handle", "log", "now", "random", "run", "sleep"})
_WAYS = frozenset({"globals", "__import__", "exec", "eval"})
# Whoever names one of these may ask a module for a name that stands in a text.
_GETTERS = frozenset({"getattr", "vars", "__dict__", "attrgetter", "methodcaller"})
_OWN = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})  # an object may have them
# Whoever names these, also in a text, reaches what no look at names can find.
_INSIDES = frozenset(
    {"__globals__", "f_globals", "__builtins__", "__kwdefaults__", "__subclasses__", "_door"}
) | (PYTHONS - {"__dict__"} - _OWN)
_MAKERS = ("__init__", "__post_init__", "__set_name__")
_OF_CODE = frozenset({"__bases__", "__code__", "__defaults__", "__kwdefaults__", "__name__"})


class Use:
    """One thing that code does with a name: `what` it is, in which `line`.

    `what` is 'global' (read), 'assigned' (a name that outlives the node), 'stored' (an attribute of
    anything), 'taken' (one of `self` that every node has), 'binder' (of _BINDERS), 'way round' (of
    _WAYS), 'import', or 'asked' (by dots of a global or an import, for what may be the process's).
    `attributes` are the names that the code asks anything for, by dots or by texts. What is
    imported has a dot before it for each level up, as in its text.
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
    before = [None, None]  # the two instructions before
    imported: dict[str, str] = {}  # its name here → a module
    read: set[str] = set()  # globals
    line = code.co_firstlineno
    texts = [text for text in code.co_consts if type(text) is str and text.isidentifier()]
    got = [text for text in texts if is_asked(text)] if _GETTERS & {*code.co_names} else []
    inner = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :]  # locals, no parameters
    asked = (*code.co_names, *texts)
    for it in dis.get_instructions(code):
        op, name, at = it.opname, it.argval, it.positions
        line = at.lineno or line
        here = starts.setdefault((at.lineno, at.col_offset), [])
        length = (at.end_col_offset or 0) - (at.col_offset or 0)
        if op in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield Use("way round" if name in _WAYS else "global", name, line, asked)
            read.add(name)
            yield from (Use("asked", f"{name}.{text}", line) for text in got)
            if name in _BINDERS:
                yield Use("binder", name, line, asked)
        elif op in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Use("assigned", f"the global {name}", line)
        elif op in ("STORE_DEREF", "DELETE_DEREF") and name in outer:
            yield Use("assigned", f"the outer {name}", line)
        elif type(name) is str and name in _INSIDES and op not in ("STORE_ATTR", "DELETE_ATTR"):
            yield Use("way round", name, line)
        elif op in ("STORE_ATTR", "DELETE_ATTR"):
            if not here and before[1].opname.startswith("LOAD_FAST"):
                here = [_last(before[1].argval)]  # loaded with another local, in whose place it is
            path = here[:-1] if len(here) > 1 and here[-1] == name else here  # it was read, for +=
            is_path = bool(path) and length == len(".".join([*path, name]).encode())
            is_own = is_path and tuple(path) == first
            if name in PYTHONS | _OF_CODE and not (is_own and name in _OWN):
                yield Use("assigned", f"its {name}", line)
            elif name in _INSIDES:
                yield Use("way round", name, line)
            elif is_path and (path[0] in imported or path[0] in read):
                yield Use("assigned", ".".join([*path, name]), line)
            elif not is_own:
                yield Use("stored", name, line)
            elif name in OF_A_NODE:
                yield Use("taken", name, line)
        elif op in ("LOAD_ATTR", "LOAD_METHOD") and name in _BINDERS:
            yield Use("binder", name, line, asked)
        elif op == "IMPORT_NAME":
            level, parts = (one.argval for one in before)
            module = "." * level + name
            yield Use("import", module, line, asked)
            for part in parts or ():
                yield Use("import", f"{module}.{part}" if name else module + part, line, asked)
                if is_asked(part):
                    yield Use("asked", f"{name}.{part}", line)
            yield from (Use("asked", f"{module}.{text}", line) for text in got)
            imported[name.partition(".")[0]] = name.partition(".")[0]
        elif op == "STORE_FAST" and before[-1].opname == "IMPORT_NAME":
            imported[name] = before[-1].argval.partition(".")[0]
        if op.startswith("LOAD_FAST") or op in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            here[:] = [_last(name)]
        elif op in ("LOAD_ATTR", "LOAD_METHOD"):
            local = _last(before[1].argval) if "_FAST" in before[1].opname else ""
            base = here[0] if here else local
            here.append(name)
            of_a_module = here[0] in imported or here[0] in read
            if is_asked(name) and of_a_module and length == len(".".join(here).encode()):
                yield Use("asked", ".".join([imported.get(here[0], here[0]), *here[1:]]), line)
            elif name in WAITS and base in inner and line in loose(code, (name,)):
                # The local may be another name of any module; and no module's is awaited.
                modules = (*sorted(read), *imported.values())
                yield from (Use("asked", f"{module}.{name}", line) for module in modules)
        before = [before[1], it]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _uses_of(constant, outer, first)


def _last(names: str | tuple[str, str]) -> str:
    """What an instruction has loaded last: since Python 3.13 it may be two locals."""
    return names if isinstance(names, str) else names[-1]


def first_use(code: types.CodeType, name: str) -> int:
    """The line in which code first uses a name of a function around it."""
    its = (i for i in dis.get_instructions(code) if i.argval == name and "DEREF" in i.opname)
    return next((i.positions.lineno for i in its), None) or code.co_firstlineno


def stays(kind: type) -> bool:
    """Whether its instances are its dict and its slots, and no method of theirs changes these.

    Others may; that is found by what they have done.
    """
    return is_plain(kind, slots=True) and not any(
        len(uses(function.__code__, False)) > len(uses(function.__code__, True))
        for cls in kind.__mro__
        if is_learners(cls.__module__)
        for name, function in vars(cls).items()
        if type(function) is types.FunctionType and name not in _MAKERS
    )
