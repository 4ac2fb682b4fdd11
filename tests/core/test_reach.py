"""State that a simulated kill would not erase: each of these servers keeps some outside of self.

They must be refused by a sentence, at the start or at the verb by which they do it, or lose it.
"""

import codecs
import collections
import contextlib
import contextvars
import dataclasses
import datetime
import enum
import functools
import gc
import importlib
import inspect
import itertools
import json
import logging
import os
import random
import re
import string
import struct
import sys
import types
from typing import Annotated, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import pytest

from statelab import LiveWorld, Node, Response, World
from statelab.vetting.reach import Reach

CASES = {}


def case(cls):
    CASES[cls.__name__] = cls
    return cls


class Base(Node):
    async def handle(self, request):
        return self.step()


@case
class Default(Base):
    def __init__(self, seen=[]):  # noqa: B006
        self.seen = seen

    def step(self):
        self.seen.append(1)
        return len(self.seen)


@case
class KwDefault(Base):
    def __init__(self, *, seen={}):  # noqa: B006
        self._seen = seen

    def step(self):
        self._seen[len(self._seen)] = 1
        return len(self._seen)


@case
class OnTheClass(Base):
    n = 0

    def step(self):
        OnTheClass.n += 1
        return OnTheClass.n


@case
class TypeSelf(Base):
    n = 0

    def step(self):
        type(self).n += 1
        return self.n


@case
class DunderClass(Base):
    n = 0

    def step(self):
        self.__class__.n += 1
        return self.n


@case
class ClassMethod(Base):
    n = 0

    @classmethod
    def up(cls):
        cls.n += 1
        return cls.n

    def step(self):
        return self.up()


@case
class Setattr(Base):
    n = 0

    def step(self):
        Setattr.n = self.n + 1
        return self.n


@case
class NewAttr(Base):
    def step(self):
        c = type(self)
        c.m = getattr(c, "m", 0) + 1
        return c.m


@case
class FuncAttr(Base):
    def step(self):
        f = FuncAttr.step
        f.n = getattr(f, "n", 0) + 1
        return f.n


@case
class Alias(Base):
    n = 0

    def __init__(self):
        self._c = type(self)

    def step(self):
        self._c.n += 1
        return self._c.n


numbers = itertools.count(1)


@case
class GlobalIterator(Base):
    def step(self):
        return next(numbers)


class Stats:
    def __init__(self):
        self.n = 0

    n = 0


STATS = Stats()


@case
class GlobalObject(Base):
    def step(self):
        STATS.n += 1
        return STATS.n


@case
class ClassObject(Base):
    stats = Stats()

    def step(self):
        self.stats.n += 1
        return self.stats.n


@case
class HelperClass(Base):
    def step(self):
        Stats.n += 1
        return Stats.n


LOG = []


def remember():
    LOG.append(1)
    return len(LOG)


@case
class Helper(Base):
    def step(self):
        return remember()


def deep():
    return remember()


@case
class HelperOfHelper(Base):
    def step(self):
        return deep()


def withattr():
    withattr.n = getattr(withattr, "n", 0) + 1
    return withattr.n


@case
class HelperAttr(Base):
    def step(self):
        return withattr()


total = 0


def count():
    global total
    total += 1
    return total


@case
class HelperGlobal(Base):
    def step(self):
        return count()


def closure():
    n = 0

    class C(Base):
        def step(self):
            nonlocal n
            n += 1
            return n

    return C


CASES["Nonlocal"] = closure()


def gen():
    n = 0
    while True:
        n += 1
        yield n


G = gen()


@case
class Generator(Base):
    def step(self):
        return next(G)


append = LOG.append


@case
class BoundBuiltin(Base):
    def step(self):
        append(1)
        return 1


partial = functools.partial(remember)


@case
class Partial(Base):
    def step(self):
        return partial()


@functools.cache
def kept():
    return []


@case
class Cached(Base):
    def step(self):
        kept().append(1)
        return len(kept())


@case
class GlobalsDict(Base):
    def step(self):
        globals()["total2"] = globals().get("total2", 0) + 1
        return globals()["total2"]


counter = collections.Counter()


@case
class CounterG(Base):
    def step(self):
        counter["x"] += 1
        return counter["x"]


rng = random.Random(4)


@case
class Rng(Base):
    def step(self):
        return rng.random()


ctx = contextvars.ContextVar("c", default=0)


@case
class Ctx(Base):
    def step(self):
        ctx.set(ctx.get() + 1)
        return ctx.get()


NS = types.SimpleNamespace(n=0)


@case
class Namespace(Base):
    def step(self):
        NS.n += 1
        return NS.n


class Meta(type):
    n = 0

    def bump(cls):
        cls.n += 1
        return cls.n


@case
class WithMeta(Base, metaclass=Meta):
    def step(self):
        return type(self).bump()


class Color(enum.Enum):
    RED = 1


@case
class EnumAttr(Base):
    def step(self):
        Color.RED.n = getattr(Color.RED, "n", 0) + 1
        return Color.RED.n


@case
class ModuleAttr(Base):
    def step(self):
        re.n = getattr(re, "n", 0) + 1
        return re.n


def deco(f):
    calls = []

    def w(self):
        calls.append(1)
        return len(calls)

    return w


@case
class Decorated(Base):
    @deco
    def step(self):
        return 1


@case
class Prop(Base):
    _n = 0

    @property
    def x(self):
        Prop._n += 1
        return Prop._n

    def step(self):
        return self.x


@case
class Lambda(Base):
    step = lambda self, seen=[]: seen.append(1) or len(seen)  # noqa: E731


@case
class Inner(Base):
    def step(self):
        def f():
            STATS.n += 1
            return STATS.n

        return f()


@case
class Comprehension(Base):
    def step(self):
        return max([LOG.append(1) or len(LOG) for _ in range(1)])


@case
class StaticM(Base):
    @staticmethod
    def up():
        return remember()

    def step(self):
        return self.up()


@case
class OfAModule(Base):
    def step(self):
        module = sys.modules[__name__]
        module.LOG.append(1)
        return len(module.LOG)


@dataclasses.dataclass(frozen=True)
class Frozen:
    n: int = 1
    kept: list = dataclasses.field(default_factory=list)


FR = Frozen()


@case
class FrozenG(Base):
    def step(self):
        FR.kept.append(1)
        return len(FR.kept)


class NT(collections.namedtuple("NT", "a")):
    pass


T = NT([0])


@case
class TupleWithList(Base):
    def step(self):
        T.a[0] += 1
        return T.a[0]


@contextlib.contextmanager
def manager():
    LOG.append(1)
    yield len(LOG)


@case
class CM(Base):
    def step(self):
        with manager() as n:
            return n


class Desc:
    def __get__(self, o, t):
        self.n = getattr(self, "n", 0) + 1
        return self.n


@case
class Descriptor(Base):
    x = Desc()

    def step(self):
        return self.x


@case
class InitSub(Base):
    def __init__(self):
        type(self).boots = getattr(type(self), "boots", 0) + 1
        self.b = self.boots

    def step(self):
        return self.b


@case
class Super(Base):
    n = 0

    def step(self):
        __class__.n += 1
        return __class__.n


# ------------------------------------------------------------------------------- the process
@case
class Environment(Base):
    def step(self):
        os.environ["STATELAB_N"] = os.environ.get("STATELAB_N", "") + "x"
        return len(os.environ["STATELAB_N"])


@case
class EnvironmentByAnotherName(Base):
    def step(self):
        from os import environ

        environ.update(STATELAB_N=environ.get("STATELAB_N", "") + "x")
        return len(environ["STATELAB_N"])


@case
class PathOfThePython(Base):
    def step(self):
        sys.path.append("")
        return len(sys.path)


@case
class ModuleByAnotherName(Base):
    def step(self):
        module = re
        module.a = getattr(module, "a", 0) + 1
        return module.a


@case
class ModuleBySetattr(Base):
    def step(self):
        setattr(re, "b", getattr(re, "b", 0) + 1)  # noqa: B010
        return re.b


@case
class ModuleByItsDict(Base):
    def step(self):
        vars(re)["c"] = vars(re).get("c", 0) + 1
        return re.c


@case
class OwnModule(Base):
    def step(self):
        module = this_module
        module.absent = getattr(module, "absent", 0) + 1
        return module.absent


@case
class FrameGlobals(Base):
    def step(self):
        names = sys._getframe().f_globals
        names["absent2"] = names.get("absent2", 0) + 1
        return names["absent2"]


@case
class Executes(Base):
    def step(self):
        exec("global absent3; absent3 = 1")
        return 1


@case
class Door(Base):
    def step(self):
        world = self._door.world
        world.n = getattr(world, "n", 0) + 1
        return world.n


@case
class DoorByName(Base):
    def step(self):
        getattr(self, "_door").n = 1  # noqa: B009
        return 1


# ------------------------------------------------------------------------------- our own classes
@case
class OnTheRequest(Node):
    async def handle(self, request):
        type(request).n = getattr(type(request), "n", 0) + 1
        return request.n


@case
class OnNode(Base):
    def step(self):
        base = type(self).__mro__[-2]
        base.n2 = getattr(base, "n2", 0) + 1
        return self.n2


@case
class OnResponse(Base):
    def step(self):
        cls = Response
        cls.n = getattr(cls, "n", 0) + 1
        return cls.n


# ------------------------------------------------------------------------------- what Python keeps
@case
class Doc(Base):
    def step(self):
        type(self).__doc__ = (self.__doc__ or "") + "x"
        return len(self.__doc__)


@case
class Annotations(Base):
    def step(self):
        kept = type(self).__annotations__
        kept["n"] = kept.get("n", 0) + 1
        return kept["n"]


@case
class AnnotationsByName(Base):
    def step(self):
        kept = vars(type(self))["__annotations__"]
        kept["n"] = kept.get("n", 0) + 1
        return kept["n"]


@case
class MatchArgs(Base):
    __match_args__ = []  # noqa: RUF012

    def step(self):
        self.__match_args__.append(1)
        return len(self.__match_args__)


@dataclasses.dataclass
class WithMetadata:
    n: int = dataclasses.field(default=1, metadata={"kept": []})


@case
class Metadata(Base):
    def step(self):
        kept = dataclasses.fields(WithMetadata)[0].metadata["kept"]
        kept.append(1)
        return len(kept)


Noted = Annotated[int, []]


@case
class TypeMetadata(Base):
    def step(self):
        Noted.__metadata__[0].append(1)
        return len(Noted.__metadata__[0])


keyworded = functools.partial(int)


@case
class PartialKeywords(Base):
    def step(self):
        keyworded.keywords["n"] = keyworded.keywords.get("n", 0) + 1
        return keyworded.keywords["n"]


# ------------------------------------------------------------------------------- objects
class Callable:
    n = 0

    def __call__(self):
        self.n += 1
        return self.n


CALLABLE = Callable()


@case
class CallsAnObject(Base):
    def step(self):
        return CALLABLE()


@dataclasses.dataclass(frozen=True)
class Thawed:
    n: int = 0


THAWED = Thawed()


@case
class FrozenBySetattr(Base):
    def step(self):
        object.__setattr__(THAWED, "n", THAWED.n + 1)
        return THAWED.n


@dataclasses.dataclass(frozen=True, slots=True)
class ThawedSlots:
    n: int = 0


THAWED_SLOTS = ThawedSlots()


@case
class FrozenSlotsBySetattr(Base):
    def step(self):
        object.__setattr__(THAWED_SLOTS, "n", THAWED_SLOTS.n + 1)
        return THAWED_SLOTS.n


@dataclasses.dataclass(frozen=True)
class CachesAList:
    @functools.cached_property
    def kept(self):
        return []


CACHES_A_LIST = CachesAList()


@case
class CachedOnAConstant(Base):
    def step(self):
        CACHES_A_LIST.kept.append(1)
        return len(CACHES_A_LIST.kept)


# ------------------------------------------------------------------------------- ways round
LOG = []


def logged():
    LOG.append(1)
    return len(LOG)


class Price(NamedTuple):
    cents: int

    def record(self):
        return logged()


APPLE = Price(3)


@case
class NamedTuplesMethod(Base):
    def step(self):
        return APPLE.record()


class Names(frozenset):
    def record(self):
        return logged()


NAMES = Names()


@case
class FrozensetsMethod(Base):
    def step(self):
        return NAMES.record()


class Counted(enum.Enum):
    UP = 1
    __n = 0

    @classmethod
    def seen(cls):
        cls.n = getattr(cls, "n", 0) + 1
        return cls.n

    @classmethod
    def seen_in_private(cls):
        cls.__n += 1
        return cls.__n

    @classmethod
    def made(cls):
        cls._value2member_map_[str(len(cls._value2member_map_))] = cls.UP
        return len(cls._value2member_map_)

    def up(self):
        self.count = getattr(self, "count", 0) + 1
        return self.count


@case
class EnumsNewName(Base):
    def step(self):
        return Counted.seen()


@case
class EnumsPrivateName(Base):
    def step(self):
        return Counted.seen_in_private()


@case
class EnumsMembers(Base):
    def step(self):
        return Counted.made()


@case
class EnumsMember(Base):
    def step(self):
        return Counted.UP.up()


@functools.singledispatch
def shown_as(what):
    return 1


@case
class Registers(Base):
    def step(self):
        shown_as.register(type("Another", (), {}), str)
        return len(shown_as.registry)


@case
class PythonsClass(Base):
    def step(self):
        json.JSONEncoder.n = getattr(json.JSONEncoder, "n", 0) + 1
        return json.JSONEncoder.n


@case
class ImportedHere(Base):
    def step(self):
        import decimal

        decimal.DefaultContext.prec += 1
        return decimal.DefaultContext.prec


@case
class FunctionsDefaults(Base):
    def step(self, n=1):
        type(self).step.__defaults__ = (n + 1,)
        return n


@case
class ModuleByItsClass(Base):
    def step(self):
        log = inspect.getmodule(type(self)).LOG
        log.append(1)
        return len(log)


@case
class ModulesByAnotherName(Base):
    def step(self):
        import sys as system

        log = system.modules[type(self).__module__].LOG
        log.append(1)
        return len(log)


@case
class ModulesByTheirName(Base):
    def step(self):
        from sys import modules as loaded

        log = loaded[type(self).__module__].LOG
        log.append(1)
        return len(log)


@case
class AllObjects(Base):
    def step(self):
        return sum(type(one) is AllObjects for one in gc.get_objects())


class Repository:
    rows = ()

    def add(self):
        return logged()

    @classmethod
    def keep(cls):
        cls.rows += (1,)
        return len(cls.rows)


class Tally:
    def __init__(self):
        self.rows = []

    def up(self):
        self.rows.append(1)
        return len(self.rows)


class Given(Node):
    def __init__(self, given, name=None):
        self._given = given
        self._name = name

    async def handle(self, request):
        return (getattr(self._given, self._name) if self._name else self._given)()


class Box(Generic[TypeVar("T")]):
    items = []  # noqa: RUF012

    def add(self):
        self.items.append(1)
        return len(self.items)


class Bag(Box):
    __class_getitem__ = classmethod(types.GenericAlias)


IntBox, IntBag, NotedBox = Box[int], Bag[int], Annotated[Box, "of anything"]


@case
class AliasOfAGeneric(Base):
    def step(self):
        return IntBox().add()


@case
class AliasOfPythons(Base):
    def step(self):
        return IntBag().add()


@case
class AliasWithANote(Base):
    def step(self):
        return NotedBox().add()


@case
class AliasAsADefault(Base):
    def __init__(self, kind=Box[int]):
        self._kind = kind

    def step(self):
        return self._kind().add()


@case
class AliasOfAClassWithin(Base):
    kinds = tuple[Box, int]

    def step(self):
        return self.kinds.__args__[0]().add()


@dataclasses.dataclass(frozen=True, slots=True)
class Discreet:
    n: int = dataclasses.field(default=0, repr=False)


DISCREET = Discreet()


@case
class FrozenSlotThatItsReprHides(Base):
    def step(self):
        object.__setattr__(DISCREET, "n", DISCREET.n + 1)
        return DISCREET.n


class Slotted:
    __slots__ = ["n"]

    def __init__(self):
        self.n = 0


SLOTTED = Slotted()


@case
class SlotOfAnObjectThatStays(Base):
    def step(self):
        SLOTTED.n += 1
        return SLOTTED.n


@case
class NamesOfSlots(Base):
    def step(self):
        Slotted.__slots__.append("n")
        return len(Slotted.__slots__)


class Way(enum.Flag):
    IN = 1
    OUT = 2


@case
class InverseOfAMember(Base):
    def step(self):
        kept = getattr(Way.IN, "_inverted_", None) or 0
        setattr(Way.IN, "_inverted_", int(kept) + 1)  # noqa: B010
        return int(kept) + 1


class Page(Response):
    hits = 0

    def __repr__(self):
        return "a page"


PAGE = Page(200, {"n": 0})


@case
class ResponseThatItsReprHides(Base):
    def step(self):
        page = PAGE
        page.body["n"] += 1
        return page.body["n"]


@case
class AttributeOfAResponse(Base):
    def step(self):
        page = PAGE
        page.hits += 1
        return page.hits


class Plugin:
    pass


@case
class ClassesThatAreMadeLater(Base):
    def step(self):
        type("More", (Plugin,), {"me": self})
        return len(Plugin.__subclasses__())


class Couple(collections.namedtuple("Couple", "x y")):
    seen = 0


COUPLE = Couple(1, 2)


@case
class AttributeOfATuple(Base):
    def step(self):
        pair = COUPLE
        pair.seen += 1
        return pair.seen


add_two = functools.partial(sum, start=2)


@case
class AttributeOfAPartial(Base):
    def step(self):
        add = add_two
        add.seen = getattr(add, "seen", 0) + 1
        return add.seen


@contextlib.contextmanager
def doing():
    yield


@case
class AttributeOfADecoratedFunction(Base):
    def step(self):
        how = doing
        how.seen = getattr(how, "seen", 0) + 1
        return how.seen


@case
class AttributeOfAStaticMethod(Base):
    @staticmethod
    def nothing():
        pass

    def step(self):
        method = vars(AttributeOfAStaticMethod)["nothing"]
        method.seen = getattr(method, "seen", 0) + 1
        return method.seen


class Lane:
    def __init__(self):
        self.cars = []


LANES = types.MappingProxyType({Lane(): "north"})


@case
class KeyOfATable(Base):
    def step(self):
        lane = next(iter(LANES))
        lane.cars.append(1)
        return len(lane.cars)


BY_NAME = types.MappingProxyType(collections.defaultdict(list))


@case
class TableThatAddsToItself(Base):
    def step(self):
        BY_NAME["ann"].append(1)
        return len(BY_NAME["ann"])


class Grows(dict):
    def __getitem__(self, name):
        LOG.append(name)
        return len(LOG)


GROWS = types.MappingProxyType(Grows())


@case
class TableOfAClassWithCode(Base):
    def step(self):
        return GROWS["ann"]


@dataclasses.dataclass(frozen=True)
class FrozenDict(dict):
    limit: int = 9


FROZEN_DICT = FrozenDict()


@case
class FrozenContainer(Base):
    def step(self):
        FROZEN_DICT["n"] = FROZEN_DICT.get("n", 0) + 1
        return FROZEN_DICT["n"]


class Room(set, enum.Enum):
    HALL = 1

    def __new__(cls, number):
        room = set.__new__(cls)
        room._value_ = number
        return room

    def __init__(self, number):
        pass


@case
class MemberThatContains(Base):
    def step(self):
        Room.HALL.add(len(Room.HALL))
        return len(Room.HALL)


@case
class Codecs(Base):
    def step(self):
        codecs.register(lambda name: None)
        return 1


def with_a_default(*, count=0):
    with_a_default.__kwdefaults__["count"] += 1
    return count


@case
class KeywordDefault(Base):
    def step(self):
        return with_a_default()


@case
class NameOfAClass(Base):
    def step(self):
        type(self).__name__ += "x"
        return len(type(self).__name__)


this_module = sys.modules[__name__]


@pytest.fixture(autouse=True)
def the_process_as_it_was(monkeypatch):
    """What a case does to the process ends with it."""
    monkeypatch.setenv("STATELAB_N", "")
    monkeypatch.setattr(sys, "path", sys.path[:])


def lesson(world, server, *args):
    world.start("web", server, *args)
    answers = [world.call("web").body for _ in range(2)]
    world.kill("web")
    world.restart("web")
    return [*answers, world.call("web").body]


@pytest.mark.parametrize("name", CASES)
def test_what_a_kill_would_not_erase_is_refused_and_a_second_world_does_not_see_it(name):
    for _ in range(2):
        with pytest.raises(TypeError, match=r"kill would not erase"):
            lesson(World(), CASES[name])


@pytest.mark.parametrize(
    "args",
    [(logged,), (Repository(), "add"), (Repository(), "keep"), (Repository, "keep")],
    ids=["a function", "what a method reaches", "its own class", "a class"],
)
def test_code_in_an_argument_is_looked_into(args):
    with pytest.raises(TypeError, match=r"kill would not erase"):
        lesson(World(), Given, *args)


def test_what_an_object_that_is_given_keeps_for_itself_is_made_anew_for_each_life():
    assert lesson(World(), Given, Tally(), "up") == [1, 2, 1]


MODULE = """
ROWS = []


def bump():
    ROWS.append(1)
    return len(ROWS)


def __getattr__(name):
    return ROWS
"""
SERVER = """
from statelab import Node
{top}

class Imports(Node):
    async def handle(self, request):
        {inside}
"""


@pytest.mark.parametrize(
    ("top", "inside"),
    [
        ("", "import late; late.ROWS.append(1); return len(late.ROWS)"),
        ("", "from late import bump; return bump()"),
        ("", "import late; late.LATER.append(1); return len(late.LATER)"),
        ("", "from late import LATER; LATER.append(1); return len(LATER)"),
        ("", "from late import bump as more; return more()"),
        ("", "from shop import deep; return deep.bump()"),
        ("", "import shop.deep; return shop.deep.bump()"),
        ("", "import shop.deep as there; return there.bump()"),
        ("", "from .deep import bump; return bump()"),
        ("", "from . import deep; return deep.bump()"),
        ("import shop.deep", "shop.deep.ROWS.append(1); return len(shop.deep.ROWS)"),
        ("import shop.deep", "return shop.deep.bump()"),
        ("from shop import deep", "return deep.bump()"),
    ],
)
def test_a_learners_module_is_looked_into_however_and_whenever_it_is_imported(
    tmp_path, monkeypatch, top, inside
):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("")
    (shop / "server.py").write_text(SERVER.format(top=top, inside=inside))
    (tmp_path / "late.py").write_text(MODULE)
    (shop / "deep.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shop", "shop.server", "shop.deep", "late"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    server = importlib.import_module("shop.server")
    try:
        with pytest.raises(TypeError, match=r"a list that a kill would not erase"):
            lesson(World(), server.Imports)
    finally:
        for name in ("shop", "shop.server", "shop.deep", "late"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages", "elsewhere"])
def test_a_library_may_keep_what_it_likes_in_whosever_folder_it_is_installed(
    tmp_path, monkeypatch, folder
):
    (tmp_path / folder).mkdir()
    name = f"bought_{folder[:4]}"
    (tmp_path / folder / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / folder)
    bought = importlib.import_module(name)

    class Buys(Base):
        def step(self):
            return bought.bump()

    if folder == "elsewhere":
        with pytest.raises(TypeError, match=r"a list that a kill would not erase"):
            World().start("web", Buys)
    else:
        World().start("web", Buys)


def test_what_a_frozen_object_or_the_environment_was_made_to_keep_is_told_by_its_name_and_line():
    with pytest.raises(TypeError, match=r"has changed Thawed.n, .*line \d+: object.__setattr__"):
        lesson(World(), FrozenBySetattr)
    with pytest.raises(TypeError, match=r"has changed os.environ, .*\(Environment.step .*, line"):
        lesson(World(), Environment)


def test_what_has_survived_is_said_again_at_each_verb():
    world = World()
    world.start("web", CASES["ClassMethod"])
    for _ in range(3):
        with pytest.raises(TypeError, match=r"kill would not erase"):
            world.call("web")


def test_without_looking_after_names_they_would_survive(monkeypatch):
    monkeypatch.setattr(Reach, "check", lambda self: None)
    assert lesson(World(), CASES["ClassMethod"])[-1] > 2


def test_a_module_that_is_imported_where_it_is_needed_is_looked_into(monkeypatch):
    helpers = types.ModuleType("helpers")
    helpers.LOG = []
    monkeypatch.setitem(sys.modules, "helpers", helpers)

    class Imports(Node):
        async def handle(self, request):
            from helpers import LOG as log

            log.append(1)
            return len(log)

    with pytest.raises(TypeError, match=r"Imports.handle uses helpers.LOG, a list that a kill"):
        lesson(World(), Imports)


# ------------------------------------------------------------------------------- what is welcome
class Point(collections.namedtuple("Point", "x y")):
    def moved(self):
        return self._replace(x=self.x + 1)


@dataclasses.dataclass
class Order:
    what: str
    paid: bool = False


class Size(enum.Enum):
    SMALL = 1


class May(enum.IntFlag):
    READ = 1
    WRITE = 2


@functools.singledispatch
def weight(what):
    return 1


@weight.register
def _(what: list):
    return sum(weight(item) for item in what)


PRICES = types.MappingProxyType({"tea": 3})
WORD = re.compile("[a-z]+")
START = Point(0, 0)


class Pair:
    __slots__ = ("one",)


@dataclasses.dataclass
class Dataclass(Node):
    count: int = 0
    orders: list = dataclasses.field(default_factory=list)

    async def handle(self, request):
        self.count += 1
        order = Order("tea")
        order.paid = May.READ | May.WRITE  # of an object of its own
        self.orders.append(order)
        return self.count


class Welcome(Node):
    limit = 9
    size = Size.SMALL

    def __init__(self):
        self.count = 0
        self.at = START
        self.mode = Size.SMALL

    @functools.cached_property
    def table(self):
        return {"tea": PRICES["tea"]}

    async def handle(self, request):
        self.count += weight([[1], 2]) - self.table["tea"] + 2
        self.at = self.at.moved()
        Pair().one = urlsplit(request.path)
        return self.count if WORD.match("tea") and self.mode is Size.SMALL else self.limit


class Missing:
    pass


class Nothing:
    __slots__ = ()


class Adds:
    def __init__(self, by):
        self.by = by
        self.__doc__, self.__name__ = f"Adds {by}.", "adds"

    def __call__(self, n):
        return n + self.by


class Timed:
    """A decorator that is an object, as the handbooks have it."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    def __get__(self, node, cls):
        return types.MethodType(self, node)

    def __call__(self, node):
        return self.function(node)


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


class Coin:
    __slots__ = ["amount"]
    __match_args__ = ("amount",)

    def __init__(self, amount):
        self.amount = amount

    def first(self):
        return getattr(self, self.__match_args__[0])


class Twin(NamedTuple, Generic[TypeVar("T")]):
    one: int
    other: int = 2


class Limit:
    """A descriptor."""

    def __get__(self, node, cls):
        return 9


@dataclasses.dataclass(frozen=True)
class Table:
    price: int = 3

    @functools.cached_property
    def doubled(self):
        return (2 * self.price,)


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    price: int = 3


MISSING, NOTHING, SENTINEL, ADDS, TABLE, FIXED = (
    Missing(), Nothing(), object(), Adds(1), Table(), Fixed()
)  # fmt: skip


COIN, READS = Coin(3), Permission.READ


class Named(str):
    __slots__ = ()


class Wait(datetime.timedelta, enum.Enum):
    SHORT = 0, 30

    def __repr__(self):
        raise ValueError("no member can be shown")


@dataclasses.dataclass(frozen=True, slots=True)
class Pin(Generic[TypeVar("T")]):
    x: int
    y: int = 2


@dataclasses.dataclass(frozen=True)
class Spot:
    x: int
    y: int = 2


class Corner(Spot, enum.Enum):
    LEFT = 1


PIN = Pin(3)
ORDERED = types.MappingProxyType(collections.OrderedDict(a=1))


class Event:
    kinds = ()

    def __init_subclass__(cls, **named):
        Event.kinds += (cls,)


class Sold(Event):
    pass


ADMIN = Named("root")
TEMPLATE, ENCODER = string.Template("$a"), json.JSONEncoder()
LOGGER = logging.LoggerAdapter(logging.getLogger(__name__), None)
BASE_TWO = functools.partial(int, base=2)
SHORT = struct.Struct("<H")


class WelcomeObjects(Node):
    limit = Limit()

    def __init__(self):
        self.count = 0

    @Timed
    def one_more(self) -> int:
        return ADDS(self.count)

    async def handle(self, request):
        if request.body in (MISSING, NOTHING, SENTINEL) or not os.environ.get("PATH"):
            return "impossible"
        LOGGER.debug("a request")
        assert (ADMIN.upper(), Sold().kinds[0]) == ("ROOT", Sold)
        self.count = self.one_more()
        assert SHORT.unpack(b"\1\0") == (1,)
        assert (Wait.SHORT.seconds, Corner.LEFT.y, ORDERED["a"], PIN.x) == (30, 2, 1, 3)
        assert (self.limit, TABLE.doubled, FIXED.price) == (9, (6,), 3)
        assert (TEMPLATE.substitute(a="x"), ENCODER.encode([1]), BASE_TWO("11")) == ("x", "[1]", 3)
        return self.count


class WelcomeWays(Node):
    """What Python keeps by itself, slots, and methods of classes."""

    def __init__(self):
        self.count = 0

    @functools.singledispatchmethod
    @classmethod
    def kind(cls, value):
        return "other"

    @kind.register
    @classmethod
    def _(cls, value: int):
        return "int"

    async def handle(self, request):
        assert ~READS is Permission.WRITE
        assert not ~(READS | Permission.WRITE)
        assert (COIN.first(), Twin(1).other, Twin[int](1)) == (3, 2, (1, 2))
        assert (self.kind(1), self.kind("")) == ("int", "other")
        self.count += 1
        return self.count


@pytest.mark.parametrize("server", [Dataclass, Welcome, WelcomeObjects, WelcomeWays])
@pytest.mark.parametrize("make", [World, pytest.param(LiveWorld, marks=pytest.mark.live)])
def test_what_cannot_change_and_what_is_made_anew_is_welcome_in_both_worlds(make, server):
    with contextlib.ExitStack() as stack:
        world = make()
        if make is LiveWorld:
            stack.enter_context(world)
        assert lesson(world, server) == [1, 2, 1]
        assert world.trace.states()


class NoRequest(Node):
    async def handle(self):
        return 1


class Slots(Node):
    __slots__ = ("count",)


class Farewell:
    def __del__(self):
        print("bye")


class Leaves(Farewell, Base):
    pass


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (NoRequest, r"write async def handle\(self, request\)"),
        (Slots, "leave __slots__ out"),
        (Leaves, "Leaves.__del__ would run after a simulated kill, and a real one runs nothing"),
    ],
)
def test_what_cannot_work_in_either_world_is_refused_at_the_start(server, sentence):
    with pytest.raises(TypeError, match=sentence):
        World().start("web", server)
