"""What a class's code can reach besides `self`: state that a simulated kill would not erase.

Rules of this file:

1. All that it can reach must be something that cannot change. What is not known to be so is
   refused, by the line that reaches it.
2. What can change then are names: of a module, a class, a function, a closure. Code that may bind
   one of these anew is looked after by its world, and found out by what it has done.
3. Code and data of Python's and of installed packages are not looked into: they are the machine.
"""

from __future__ import annotations

import builtins
import enum
import functools
import gc
import random
import sys
import types
from collections.abc import Callable, Iterable, MutableMapping
from functools import cached_property, partial, partialmethod, singledispatchmethod
from typing import Any

from statelab.effects import Disk
from statelab.immutable import ATOMS, PYTHONS, SCALARS, is_constant, is_fixed, is_learners
from statelab.loose import EFFECTS, coroutines, loose
from statelab.message import Request, Response
from statelab.node import Node
from statelab.vetting import process
from statelab.vetting.bindings import ABSENT, Bindings, content
from statelab.vetting.uses import first_use, stays, uses

_OF_FUNCTIONS = (cached_property, partial, partialmethod, singledispatchmethod)


class Reach:
    """What the code of one class reaches: names, and what they are bound to.

    `given` is code that is found in its arguments. `binds` is whether it may bind a name anew,
    `keeps` whether it may keep a coroutine, or an effect, unawaited; `outside` says what it asks of
    the machine, '' if nothing.
    """

    def __init__(self, factory: type[Node], given: Iterable[Any] = ()):
        self.factory = factory
        self._given = given
        self._wrong = ""  # said again at each verb: state that outlived a kill stays
        self._look()

    def _look(self) -> None:
        self.binds, self.outside = False, ""
        self._bindings = Bindings()
        self._stores: list[tuple[str, str, int, str]] = []  # attribute, function, line, its text
        self._seen: dict[int, Any] = {}
        self._asked: set[tuple[int, tuple]] = set()  # modules, and for what
        self._storable: set[str] = set()  # names of attributes that may be stored in anything
        self._libraries: list[type] = []
        self._codes: list[types.CodeType] = []
        self._methods: set[types.FunctionType] = set()  # whose first argument is one instance
        for cls in (Node, Request, Response, Disk):
            self._bindings.all_of(f"{cls.__name__}.", vars(cls))
        self._class(self.factory)
        self._all(self._given, f"an argument of {self.factory.__name__}", 0)
        for cls in self._libraries:
            self._bindings.library(cls, self._storable)
        self._seen.clear()
        asked = tuple({*EFFECTS, *(c.co_name for one in self._codes for c in coroutines(one))})
        self.keeps = any(loose(code, asked) for code in self._codes)

    # --------------------------------------------------------------------------- later
    def rebound(self) -> str:
        """The first name that is bound to something else than when it was looked at, or ''."""
        return self._bindings.changed()

    def check(self) -> None:
        """Raises TypeError if the code has bound a name anew, which a kill would not undo."""
        if self._wrong:
            raise TypeError(self._wrong)
        if not (name := self.rebound()):
            return
        last = name.rpartition(".")[2]
        found = [store for store in self._stores if store[0] == last] or self._stores
        where = f" ({found[0][1]}, line {found[0][2]}{found[0][3]})" if found else ""
        self._wrong = (
            f"{self.factory.__name__} has changed {name}, which a kill would not erase, and which "
            f"all its lives share{where}: keep in self what changes. This world goes on as it is; "
            "make a new one when the class is mended"
        )
        raise TypeError(self._wrong)

    def renew(self) -> None:
        """Looks anew, before a verb, if somebody else has bound a name anew, such as a cell."""
        if not self._wrong and self.rebound():
            self._look()

    # --------------------------------------------------------------------------- looking
    def _class(self, cls: type) -> None:
        self._value(type(cls), cls.__name__, 0)
        if is_enum := isinstance(cls, enum.EnumMeta):
            self._all(cls, cls.__name__, 0)
            self._bindings.members(cls)
        kept = {name: value for name, value in vars(cls).items() if name not in PYTHONS}
        self._bindings.all_of(f"{cls.__name__}.", vars(cls), kept)
        self._bindings.registry(cls)
        for name, value in kept.items():
            if is_enum and name[:1] == "_":  # what Python keeps there, such as lists of the members
                continue
            where = f"{cls.__name__}.{name}"
            # The `self` of a class or of an enum's member is no node's own.
            if type(value) is types.FunctionType and not (is_enum or issubclass(cls, type)):
                self._methods.add(value)
            if name == "__slots__" and isinstance(value, (list, dict, set)):  # they are names
                self._watch(where, value)
                continue
            if isinstance(value, (list, dict, set, bytearray)):
                raise process.one_for_all(value, where)
            self._value(value, where, 0)
        for field in getattr(cls, "__dataclass_fields__", {}).values():
            self._all(field.metadata.values(), f"{cls.__name__}.{field.name} and its metadata", 0)
        for base in cls.__mro__[1:]:
            self._value(base, base.__name__, 0)

    def _value(self, value: Any, where: str, line: int) -> None:
        """Looks at something that the code reaches; `where` says how."""
        kind = type(value)
        if kind in ATOMS or value is random._inst or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, (tuple, frozenset)):
            self._object(value, where, line)
            self._all(value, f"{where} and what is in it", line)
        elif kind is types.MappingProxyType:
            self._all((*value, *value.values()), f"{where} and what is in it", line)
            if (of := type(gc.get_referents(value)[0])) is not dict:  # it may add to itself
                self._value(of, where, line)
                self._watch(f"what is in a mappingproxy ({where})", value, dict)
        elif isinstance(value, type):
            self._refuse(value.__module__, value.__name__, where, line)
            if is_learners(value.__module__):
                self._class(value)
            else:
                self._libraries.append(value)
        elif kind is types.FunctionType:
            self._function(value, where, line)
        elif kind is types.MethodType:
            self._value(value.__self__, where, line)
            self._value(value.__func__, where, line)
        elif isinstance(value, functools._lru_cache_wrapper):
            process.refuse_cached(value)
        elif isinstance(value, types.BuiltinFunctionType):
            self._refuse(value.__module__, value.__name__, where, line)
            if not isinstance(value.__self__, (types.ModuleType, type, type(None))):
                self._value(value.__self__, where, line)
        elif isinstance(value, Response):
            self._watch(f"a Response ({where})", value, Response.__repr__)  # of what it holds
            self._kept(value, where, line)
        elif isinstance(value, (staticmethod, classmethod)):
            self._bindings.all_of(f"{where}.", vars(value))
            self._value(value.__func__, where, line)
        elif isinstance(value, property):
            self._all((value.fget, value.fset, value.fdel), where, line)
        elif isinstance(value, _OF_FUNCTIONS):
            self._bindings.all_of(f"a {kind.__name__} ({where}).", vars(value))
            self._all((value.func, getattr(value, "dispatcher", None)), where, line)
            if isinstance(value, (partial, partialmethod)):
                self._all((*value.args, *value.keywords.values()), where, line)
                self._watch(f"a {kind.__name__} ({where})", value.keywords)
        elif is_constant(value):
            for part in ("__metadata__", "__args__"):  # of an alias, as Annotated[int, ROWS]
                self._all(getattr(value, part, ()), f"{where}.{part}", line)
            self._value(getattr(value, "__origin__", None), where, line)
        elif isinstance(value, SCALARS) or is_fixed(value) or stays(kind):
            self._object(value, where, line)
        else:
            raise process.not_erased(value, where, line)

    def _object(self, value: Any, where: str, line: int) -> None:
        """An object is as constant as all that it keeps; what it keeps besides is found later."""
        kind = type(value)
        self._value(kind, where, line)
        for cls in kind.__mro__:
            for name, member in vars(cls).items():
                if isinstance(member, cached_property):
                    getattr(value, name)  # now, so that it belongs to what it keeps
                elif isinstance(member, types.MemberDescriptorType):
                    self.binds = True
                    held = self._bindings.slot(f"{kind.__name__}.{name}", member, value)
                    if held is not ABSENT:
                        self._value(held, f"{where}.{name}", line)
        self._kept(value, where, line)
        self.binds = self.binds or isinstance(value, SCALARS) or stays(kind)

    def _kept(self, value: Any, where: str, line: int) -> None:
        """Looks at what an object keeps in its dict, if it has one."""
        kept = getattr(value, "__dict__", {})
        for name, item in kept.items():
            if name not in PYTHONS:  # functools.update_wrapper copies those of a function
                self._value(item, f"{where}.{name}", line)
        self._bindings.all_of(f"{type(value).__name__}.", kept)

    def _watch(self, name: str, value: Any, look: Callable[[Any], Any] = repr) -> None:
        self.binds = True
        self._bindings.within(name, value, look)

    def _refuse(self, module: str | None, name: str, where: str, line: int) -> None:
        module = module if isinstance(module, str) else ""  # a class in C may have a descriptor
        process.refuse_shared(module, name, where, line)
        self.outside = self.outside or process.outside(module, name, where, line)

    def _all(self, values: Any, where: str, line: int) -> None:
        for value in values:
            self._value(value, where, line)

    def _function(self, function: types.FunctionType, where: str, line: int) -> None:
        code, short = function.__code__, function.__qualname__.rpartition("<locals>.")[2]
        self._bindings.all_of(f"{short}.", vars(function))
        if registry := getattr(function, "registry", None):  # of functools.singledispatch
            self._all(registry.values(), function.__qualname__, 0)
            self._bindings.within(f"{function.__qualname__}.registry", registry)
        if not is_learners(function.__globals__.get("__name__")):
            self._refuse(function.__module__, function.__name__, where, line)
            # One of Python's own decorators; what it keeps besides is its own affair.
            self._value(getattr(function, "__wrapped__", None), function.__qualname__, 0)
            return
        self._codes.append(code)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            value = content(cell)
            self._bindings.cell(name, cell)
            if value is not ABSENT:
                line = first_use(code, name)
                self._named(value, name, f"{short} closes over {name}", line, code.co_names)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._all(defaults, f"{short} has a default", code.co_firstlineno)
        self._all(vars(function).values(), f"{short} has an attribute", code.co_firstlineno)
        self._code(function, short)

    def _code(self, function: types.FunctionType, where: str) -> None:
        names, read = function.__globals__, {}
        for use in uses(function.__code__, function in self._methods):
            if use.what == "global":
                if use.name not in names and hasattr(builtins, use.name):
                    continue
                if use.name in names:
                    how = f"{where} uses the global {use.name}"
                    self._named(names[use.name], use.name, how, use.line, use.attributes)
                read[use.name] = names.get(use.name, ABSENT)
            elif use.what == "assigned" and function.__name__ != "__init_subclass__":
                last = use.name.rpartition(".")[2].split()[-1]
                raise TypeError(
                    f"{where} assigns {use.name}, which a kill would not erase"
                    f"{process.at_line(function, use.line)}: use self.{last}"
                )
            elif use.what == "way round":
                raise TypeError(
                    f"{where} uses {use.name}, by which it reaches what a kill would not erase"
                    f"{process.at_line(function, use.line)}: name what it needs, or keep it in self"
                )
            elif use.what == "import":
                name = use.name.lstrip(".")
                process.refuse_beside(use.name, "", how := f"{where} uses {name}", use.line)
                module = process.module_of(use.name, names.get("__package__"))
                self._named(module, name, how, use.line, use.attributes)
            elif use.what == "asked":
                first, *path, last = use.name.split(".")
                owner = names.get(first) or sys.modules.get(first)
                for step in path:
                    owner = getattr(owner, step, None)
                if isinstance(owner, types.ModuleType) and hasattr(owner, last):
                    how = f"{where} uses {use.name}"
                    self._refuse(owner.__name__, last, how, use.line)
            elif use.what in ("stored", "binder", "assigned"):
                self.binds = True
                name = use.name if use.what == "stored" else ""
                self._storable.update((name, *use.attributes))
                text = process.text_at(function, use.line)
                self._stores.append((name, where, use.line, f": {text}"))
        self._bindings.some_of("the global ", names, read)

    def _named(self, value: Any, name: str, where: str, line: int, attributes: tuple) -> None:
        """Looks at what a name stands for; of a module, at those attributes that are asked for."""
        if not isinstance(value, types.ModuleType):
            self._value(value, where, line)
            return
        if (id(value), attributes) in self._asked:
            return
        self._asked.add((id(value), attributes))
        self._refuse(value.__name__, "", where, line)
        asked = {a: vars(value).get(a, ABSENT) for a in (*attributes, "__getattr__")}
        self._bindings.some_of(f"{name}.", vars(value), asked)
        for attribute, item in asked.items():
            if isinstance(item, types.ModuleType):
                self._named(item, f"{name}.{attribute}", f"{where}.{attribute}", line, attributes)
            elif isinstance(item, type) and not is_learners(item.__module__):
                self._libraries.append(item)
            elif is_learners(value):
                self._value(item, f"{where}.{attribute}", line)
            elif isinstance(item, (list, set, MutableMapping)):
                self._watch(f"{name}.{attribute}", item)
                self._stores.append((attribute, where, line, ""))
