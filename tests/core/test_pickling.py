"""What travels to another process arrives as it was here."""

import abc
import dataclasses
import datetime
import enum
import pickle
import random
import subprocess
import sys
from random import random as draw
from typing import Generic, TypeVar

import pytest

from statelab.pickling import packed


def drawn():
    return draw()


READ = "import pickle, sys; print(pickle.load(sys.stdin.buffer)())"


def in_another_process(parcel):
    return subprocess.run(
        [sys.executable, "-c", READ], input=parcel, capture_output=True, check=True
    ).stdout


def test_the_global_generator_of_another_process_is_its_own():
    random.seed(7)
    parcel = packed(drawn, [drawn])
    assert in_another_process(parcel) != in_another_process(parcel)


def test_code_of_a_module_that_is_not_installed_goes_by_value():
    parcel = packed(drawn, [drawn])
    assert b"drawn" in parcel
    assert 0 <= float(in_another_process(parcel)) < 1
    assert pickle.loads(packed(len, [len])) is len


@dataclasses.dataclass(frozen=True)
class Spot:
    x: int
    y: int


class Corner(Spot, enum.Enum):
    LEFT = 1, 2


class Wait(datetime.timedelta, enum.Enum):
    SHORT = 0, 30


class Pair(tuple, enum.Enum):
    ONE = 1, 2


class Level(enum.IntEnum):
    LOW = 1
    LEAST = 1


class May(enum.Flag):
    READ = 1
    WRITE = 2
    ALL = 3


class Status(bytes, enum.Enum):
    OPEN = 7, "one may enter"

    def __new__(cls, value, told):
        status = bytes.__new__(cls, [value])
        status._value_, status.told = value, told
        return status


class Planet(enum.Enum):
    EARTH = 5.9, 6.3

    def __init__(self, mass, radius):
        self.mass = mass
        self.twin = self

    def of(self):
        return Planet.EARTH.mass


def members():
    assert (Corner.LEFT.y, Corner(Corner.LEFT.value)) == (2, Corner.LEFT)
    assert (Wait.SHORT.seconds, Pair.ONE, Level["LEAST"]) == (30, (1, 2), Level.LOW)
    assert (May.READ | May.WRITE, May["ALL"].value, len(May)) == (May.ALL, 3, 2)
    told = "one may enter"
    assert (Status.OPEN.told, Status(7), bytes(Status.OPEN)) == (told, Status.OPEN, b"\7")
    return Planet.EARTH.twin.of()


def test_an_enums_members_arrive_with_all_that_they_have_whatever_they_were_made_from():
    assert in_another_process(packed(members, [members])) == b"5.9\n"


class Event(Generic[TypeVar("T")], abc.ABC):
    kinds = ()

    def __init_subclass__(cls, *, table, **named):
        super().__init_subclass__(**named)
        cls.table = table
        Event.kinds += (cls,)


class Sold(Event[int], table="sales"):
    def told(self):
        return super().kinds


class Model(abc.ABCMeta):
    def __new__(cls, name, bases, names, *, table):
        made = super().__new__(cls, name, bases, names)
        made.table = table
        return made

    def __init__(cls, *given, **named):
        pass


class User(metaclass=Model, table="users"):
    pass


def tables():
    assert (Sold().told(), isinstance(Sold(), Event)) == ((Sold,), True)
    return f"{Sold.table} {User.table}"


def test_what_ran_when_a_class_was_made_does_not_run_again_where_it_arrives():
    assert in_another_process(packed(tables, [tables])) == b"sales users\n"


def test_code_keeps_its_file_whatever_cloudpickle_does_so_that_a_line_of_it_can_be_named():
    def one():
        return 1

    copy = pickle.loads(packed(one, [one]))
    assert copy() == 1
    assert copy.__code__.co_filename == one.__code__.co_filename


IN_A_CELL = """
import dataclasses, enum, pickle, sys, typing
from statelab.pickling import packed


@dataclasses.dataclass
class Item:
    count: int


class Size(enum.Enum):
    SMALL = 1


class At(typing.NamedTuple):
    x: int


def stored():
    values = [Item(3), Size.SMALL, At(1), Item]
    return pickle.loads(pickle.dumps(values)) == values


sys.stdout.buffer.write(packed(stored, [stored]))
"""


def test_an_object_of_a_class_of_a_cell_can_be_pickled_in_another_process_too():
    cell = subprocess.run([sys.executable, "-c", IN_A_CELL], capture_output=True, check=True)
    assert in_another_process(cell.stdout) == b"True\n"


TYPED = """
from collections.abc import Callable
from typing import Generic, NewType, ParamSpec, TypeVarTuple

UserId = NewType("UserId", int)
Parts = TypeVarTuple("Parts")
Given = ParamSpec("Given")


class Row(Generic[*Parts]):
    pass


def as_given(function: Callable[Given, UserId]) -> Callable[Given, UserId]:
    return function


def typed():
    return type(Row[int, str]()).__name__, UserId(as_given(len)("ab"))
"""
ALIASED = """
from typing import Literal, get_args

type Json = dict[str, Json] | int
type Role = Literal["a", "b"]
type Later = Nothing


def typed(known: Json = 3, later: Later = 4):
    return get_args(Role.__value__)
"""


def of_a_cell(text):
    names = {"__name__": "a_cell"}
    exec(text, names)
    return packed(names["typed"], [names["typed"]])


def test_names_of_types_go_by_value_with_the_code_that_is_annotated_by_them():
    assert in_another_process(of_a_cell(TYPED)) == b"('Row', 2)\n"


if sys.version_info >= (3, 12):  # before, Python has no such names

    def test_an_alias_of_a_type_means_the_same_there_also_one_within_itself():
        assert in_another_process(of_a_cell(ALIASED)) == b"('a', 'b')\n"


NAMED_IN_A_CELL = """
import sys
from statelab.pickling import packed


class Missing:
    def {way}:
        return "MISSING"


MISSING = Missing()


def is_one(one=MISSING):
    return one is MISSING and type(one).__name__


sys.stdout.buffer.write(packed(is_one, [is_one]))
"""


@pytest.mark.parametrize("way", ["__reduce__(self)", "__reduce_ex__(self, protocol)"])
def test_what_is_pickled_by_the_name_of_a_global_goes_by_value_and_stays_one(way):
    text = NAMED_IN_A_CELL.replace("{way}", way)
    cell = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True)
    assert in_another_process(cell.stdout) == b"Missing\n"
