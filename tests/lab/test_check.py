"""The check of an exercise finds what it is there to find, says so helpfully, and never raises."""

import contextlib
import copy
import ctypes
import dataclasses
import enum
import functools
import getpass
import linecache
import locale
import logging
import os
import platform
import pwd
import random
import resource
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types
import uuid
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime
from os import getpid as _pid
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import psutil
import pytest
from processes import wait_until

from statelab import Invariant, Node, Run, World, lab, scenario
from statelab.lab.trials.elsewhere import PLACES
from statelab.lab.trials.job import job_of
from statelab.lab.trials.process import Runner, parcel_of

_check = sys.modules[lab.check.__module__]
_dice = random.Random(7)
_lock = threading.Lock()
_draw = random.random
_now = time.time


class _Counter:
    def __init__(self):
        self.count = 0

    def next(self):
        self.count += 1
        return self.count


_numbers = _Counter()


class Bob(Node):
    def __init__(self):
        self.letters = []

    async def handle(self, request):
        self.letters.append(request.body)


class Carrier(Node):
    """Loses one letter in four; all its chance is of its seed."""

    def __init__(self, seed):
        self.lost = 0
        self._dice = random.Random(seed)

    async def handle(self, request):
        if self._dice.random() < 0.25:
            self.lost += 1
            return "lost"
        await self.call("bob", "/", request.body)
        return "delivered"


class Alice(Node):
    async def run(self):
        for number in range(10):
            await self.call("carrier", "/", number)
            await self.sleep(0.1)


@scenario
def letters(world, carrier):
    world.start("bob", Bob)
    world.start("carrier", carrier, world.seed)
    world.start("alice", Alice)


def handling(handle):
    """A carrier with another handler."""
    return type(handle.__name__, (Carrier,), {"handle": handle, "__module__": __name__})


async def draws_globally(self, request):
    return random.random()


async def draws_by_an_imported_name(self, request):
    return _draw()


async def draws_from_a_shared_generator(self, request):
    return _dice.random()


async def counts_outside(self, request):
    return _numbers.next()


async def draws_without_a_seed(self, request):
    return random.Random().random()


async def reads_the_clock(self, request):
    return time.time()


async def asks_the_system(self, request):
    return os.urandom(8).hex()


async def orders_by_a_set(self, request):
    return list({"ann", "bob", "cleo"})


async def remembers_by_a_set(self, request):
    self.turns = list({"ann", "bob", "cleo"})


async def never_ends(self, request):
    while True:
        pass


async def never_stops_sleeping(self, request):
    while True:
        await self.sleep(0)


async def fills_memory(self, request):
    hoard = []
    while True:
        hoard.append(bytes(50_000_000))


async def leaves(self, request):
    os._exit(3)


async def exits(self, request):
    sys.exit(3)


async def has_a_typo(self, request):
    return requst.body  # noqa: F821 - it is the mistake


async def asks_the_learner(self, request):
    return input("which? ")


async def calls_nobody(self, request):
    return (await self.call("bobby")).body


async def holds_a_lock(self, request):
    with _lock:
        return 1


class Reseeds(Carrier):
    """Seeds the generator of the whole process: it works, until somebody else draws from it."""

    def __init__(self, seed):
        self.lost = 0
        random.seed(seed)

    handle = draws_globally


class Plain(Carrier):
    def handle(self, request):
        return 1


class Lazy(Carrier):
    def __init__(self, seed):
        self.names = iter("abc")


none_lost = Invariant(
    "no letter is lost",
    lambda rows: next((r.seq for r in rows if r.kind == "reply" and r.data[1] == "lost"), None),
)


def check(carrier, **options):
    return lab.check(letters, {"carrier": carrier}, **{"seeds": 5, **options})


# For what a check finds, not how its processes begin.
QUICK = pytest.mark.usefixtures("quick")


def test_a_run_that_is_a_function_of_its_seed_passes(capsys):
    verdict = check(Carrier, seeds=20)
    assert verdict.passed
    assert capsys.readouterr().out == (
        "✓ passed: under 20 hidden seeds, two processes agree in every event.\n"
    )


@QUICK
@pytest.mark.parametrize(
    ("handle", "cause"),
    [
        (draws_globally, "draws from the global random"),
        (draws_by_an_imported_name, "draws from the global random"),
        (draws_without_a_seed, "makes a generator without a seed"),
        (reads_the_clock, "reads the computer's clock"),
        (asks_the_system, "asks the operating system for random bytes"),
        (orders_by_a_set, "look for a set whose order decides"),
        (remembers_by_a_set, "look for a set whose order decides"),
    ],
)
def test_what_is_no_function_of_the_seed_is_found_with_its_first_event_and_its_cause(handle, cause):
    verdict = check(handling(handle))
    assert not verdict.passed
    assert f"part at event {verdict.seq}. All before it is equal." in verdict.text
    assert cause in verdict.text
    assert handle.__name__ in verdict.text
    assert check(handling(handle)) == verdict


@QUICK
@pytest.mark.parametrize("handle", [draws_from_a_shared_generator, counts_outside])
def test_what_is_kept_outside_of_self_is_refused_by_its_line(handle):
    said = check(handling(handle)).text
    assert f"{handle.__name__} uses the global _" in said
    assert "that a kill would not erase, in line" in said


# What a server could ask its machine for, as (what asks for it, what to call the cause).
CLOCK, MACHINE = "reads the computer's clock", "reads what belongs to one computer or process"
FILES, NUMBERS = "uses the computer's files, programs or network", "uses id() or hash()"
RANDOM, BYTES = "draws from the global random", "asks the operating system for random bytes"
UNLIKE, UNSTEADY = "Each process repeats itself here", "It comes out differently each time"
READS = {
    "the second": (lambda: int(time.time()), CLOCK),
    "an even second": (lambda: int(_now()) % 2, CLOCK),
    "an even second, twice": (lambda: [int(time.time() % 2) for _ in range(2)], CLOCK),
    "the day": (date.today, CLOCK),
    "the hour": (lambda: time.localtime().tm_hour, CLOCK),
    "the morning": (lambda: datetime.now().hour < 12, CLOCK),
    "working hours": (lambda: 8 <= datetime.now().hour < 18, CLOCK),
    "a weekend": (lambda: datetime.now(UTC).weekday() > 4, CLOCK),
    "this century": (lambda: date.today().year > 2000, CLOCK),
    "by a partial": (lambda: functools.partial(time.time)() > 0, CLOCK),
    "the date as a text": (lambda: time.ctime()[:10], CLOCK),
    "a duration": (lambda: int(-time.time() + time.time()), CLOCK),
    "hours since the start": (lambda: int(time.monotonic() / 3600), CLOCK),
    "seconds of work": (lambda: round(-time.perf_counter() + time.perf_counter()), CLOCK),
    "an id of its time": (lambda: uuid.uuid1().version, CLOCK),
    "the environment": (lambda: os.environ.get("HOME"), MACHINE),
    "a variable that is not set": (lambda: os.getenv("STATELAB_NONE", "default"), MACHINE),
    "whether a variable is set": (lambda: "STATELAB_NONE" in os.environ, MACHINE),
    "how many variables are set": (lambda: len(os.environ), MACHINE),
    "its host": (socket.gethostname, MACHINE),
    "its host, otherwise": (platform.node, MACHINE),
    "that it has a host": (lambda: bool(socket.gethostname()), MACHINE),
    "its number": (os.getpid, MACHINE),
    "an even number": (lambda: _pid() % 2, MACHINE),
    "its user": (getpass.getuser, MACHINE),
    "its home": (Path.home, MACHINE),
    "its cores": (os.cpu_count, MACHINE),
    "its memory": (lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1, MACHINE),
    "who is root": (lambda: pwd.getpwuid(0).pw_name, MACHINE),
    "its thread": (threading.get_native_id, MACHINE),
    "its arguments": (lambda: sys.argv, MACHINE),
    "how many arguments": (lambda: len(sys.argv), MACHINE),
    "its Python": (lambda: "python" in sys.executable, MACHINE),
    "its zone": (lambda: time.tzname, MACHINE),
    "its locale": (locale.localeconv, MACHINE),
    "its folder": (os.getcwd, FILES),
    "its folder, otherwise": (Path.cwd, FILES),
    "a file beside it": (lambda: os.path.exists("tests"), FILES),
    "a file that all have": (lambda: len(Path("/etc/hostname").read_text()), FILES),
    "when a file was changed": (lambda: os.stat(os.sep).st_mtime, FILES),
    "by a map": (lambda: list(map(os.path.exists, [os.sep])), FILES),
    "what is in a folder": (lambda: len(os.listdir(os.sep)), FILES),
    "a program": (lambda: os.system("exit 0"), FILES),
    "a database that stays": (lambda: sqlite3.connect(os.devnull).close(), FILES),
    "past Python": (lambda: ctypes.CDLL(None).time(None) > 0, FILES),
    "a hash": (lambda: hash("ann") % 2, NUMBERS),
    "a number of an object": (lambda: id(Bob()) % 1000 < 500, NUMBERS),
    "chance": (lambda: random.random() < 2, RANDOM),
    "a choice of one": (lambda: random.choice([1]), RANDOM),
    "a token": (lambda: secrets.token_hex(4), BYTES),
    "an id by chance": (lambda: uuid.uuid4().version, BYTES),
    "a generator": (lambda: random.Random().randint(0, 0), "a generator without a seed"),
    "a local time": (lambda: datetime.fromtimestamp(0).hour, UNLIKE),
    "a local morning": (lambda: datetime.fromtimestamp(0).hour < 12, UNLIKE),
    "its own file": (lambda: __file__, UNLIKE),
    "the order of a set": (lambda: "".join({"ann", "bob", "cleo"}), UNLIKE),
    # A ring stays until the collector comes, so the next one lies elsewhere.
    "an object by its address": (lambda: (r := [object()]).append(r) or repr(r[0]), UNSTEADY),
    "a database's chance": (
        lambda: sqlite3.connect(":memory:").execute("select random()").fetchone(),
        UNSTEADY,
    ),
}


@QUICK
@pytest.mark.parametrize("what", READS)
def test_what_a_server_asks_its_machine_for_is_found_with_its_line_in_the_same_words(what):
    ask, cause = READS[what]

    async def reads(self, request):
        return str(ask())

    verdict = check(handling(reads), seeds=1)
    assert not verdict.passed
    assert cause in verdict.text
    lines = [line.strip() for line in verdict.text.splitlines()]
    assert any(f'"{what}": (' in line or line in ("return str(ask())",) or ":memory:" in line
               for line in lines)  # fmt: skip
    assert check(handling(reads), seeds=1) == verdict


class Place(NamedTuple):
    street: str
    number: int


@dataclass(frozen=True)
class House:
    place: Place


MAY = {
    "the order of a set, sorted": lambda: sorted({"ann", "bob", "cleo"}),
    "a generator with a seed": lambda: random.Random(3).random(),
    "a database in memory": lambda: sqlite3.connect(":memory:").execute("select 1").fetchone(),
    "a named zone": lambda: datetime.fromtimestamp(5, zoneinfo.ZoneInfo("Asia/Seoul")).hour,
    "a line in a log": lambda: logging.getLogger("statelab.test").info("hello"),
    "a copy": lambda: copy.deepcopy({"ann": [1, 2]}),
    "a class with a hash": lambda: {House(Place("x", 1)): 1}[House(Place("x", 1))],
    "an id that is not new": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "ann"),
}


@QUICK
@pytest.mark.parametrize("what", MAY)
def test_what_comes_out_the_same_everywhere_is_welcome(what):
    ask = MAY[what]

    async def asks(self, request):
        return str(ask())

    assert check(handling(asks), seeds=1).passed


STARTED, SIZE = time.time(), len("three")
HERE = socket.gethostname()


def started():
    return STARTED


class Colour(enum.Enum):
    RED = random.random()


class Born:
    born = time.time()


def around():
    since = date.today()

    async def handle(self, request):
        return str(since)

    return handle


async def reads_a_global(self, request):
    return STARTED


async def reads_by_a_helper(self, request):
    return started()


async def reads_a_tuple(self, request):
    return HERE


async def reads_a_default(self, request, at=time.time()):  # noqa: B008 - it is the mistake
    return at


async def reads_a_member(self, request):
    return Colour.RED.value


class KeepsATime(Carrier):
    salt: str = secrets.token_hex(4)


class KeepsAnothers(Born, Carrier):
    pass


@dataclasses.dataclass(frozen=True)
class Made:
    born: float = time.time()


class MadeTuple(NamedTuple):
    born: float = time.monotonic()


MADE, MADE_TUPLE = Made(), MadeTuple()
TOTAL = 0
TOTAL += time.time_ns()
MODE = "production"
if os.getenv("STATELAB_DEBUG"):
    MODE = "debug"
for LAST in [time.perf_counter()]:  # noqa: B007
    pass
LATER = (SOON := time.process_time()) + 1
OVER = time.time()
OVER = 3


async def reads_an_object(self, request):
    return MADE.born


async def reads_a_named_tuple(self, request):
    return MADE_TUPLE.born


async def reads_what_was_added(self, request):
    return TOTAL


async def reads_what_was_decided(self, request):
    return MODE


async def reads_the_last(self, request):
    return LAST


async def reads_a_walrus(self, request):
    return SOON


async def reads_a_default_by_name(self, request, at=STARTED):
    return at


async def reads_what_is_over(self, request):
    return OVER


class KeepsAGlobal(Carrier):
    born = STARTED


class KeepsWhatNeverChanges(Carrier):
    size, name = SIZE + len("four"), "Ann".lower()


@QUICK
@pytest.mark.parametrize(
    ("carrier", "line"),
    [
        (handling(reads_a_global), 'STARTED, SIZE = time.time(), len("three")'),
        (handling(reads_by_a_helper), 'STARTED, SIZE = time.time(), len("three")'),
        (handling(reads_a_tuple), "HERE = socket.gethostname()"),
        (handling(reads_a_default), "async def reads_a_default(self, request, at=time.time()):"),
        (handling(reads_a_member), "RED = random.random()"),
        (handling(around()), "since = date.today()"),
        (KeepsATime, "salt: str = secrets.token_hex(4)"),
        (KeepsAnothers, "born = time.time()"),
        (KeepsAGlobal, 'STARTED, SIZE = time.time(), len("three")'),
        (handling(reads_a_default_by_name), 'STARTED, SIZE = time.time(), len("three")'),
        (handling(reads_an_object), "born: float = time.time()"),
        (handling(reads_a_named_tuple), "born: float = time.monotonic()"),
        (handling(reads_what_was_added), "TOTAL += time.time_ns()"),
        (handling(reads_what_was_decided), 'if os.getenv("STATELAB_DEBUG"):'),
        (handling(reads_the_last), "for LAST in [time.perf_counter()]:"),
        (handling(reads_a_walrus), "LATER = (SOON := time.process_time()) + 1"),
    ],
)
def test_what_was_asked_when_a_class_was_made_is_found_with_its_line(carrier, line):
    verdict = check(carrier, seeds=1)
    assert "asks for what is none of its inputs" in verdict.text
    assert f"    {line}" in verdict.text


CELLS = [
    "import time\nfrom statelab import Node, scenario\nSTARTED = time.time()\n",
    "STARTED = 5\n",
    """class Web(Node):
    async def handle(self, request):
        return STARTED

@scenario
def run(world, server):
    world.start("web", server)
    world.call("web")
""",
]


@QUICK
@pytest.mark.parametrize(
    ("ran", "passed"), [([0, 2], 0), ([0, 1, 2], 1), ([1, 0, 2], 0), ([0, 1, 0, 2, 1], 1)]
)
def test_what_another_cell_made_is_found_if_it_was_the_last_to_make_it(ran, passed):
    names = {"__name__": "__main__", "In": [""]}
    for number in ran:
        text, file = CELLS[number], f"<cell {number}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), names)
        names["In"].append(text)
    verdict = lab.check(names["run"], {"server": names["Web"]}, seeds=1)
    assert verdict.passed == passed
    assert ("    STARTED = time.time()" in verdict.text) != passed


@QUICK
def test_what_a_class_works_out_for_itself_is_welcome():
    assert check(KeepsWhatNeverChanges, seeds=1).passed
    assert check(handling(reads_what_is_over), seeds=1).passed


@QUICK
@pytest.mark.parametrize(
    "pair", ["ab", "xy", "pq", "kl", ("alice", "bob"), ("bob", "store"), ("cleo", "store")]
)
def test_a_set_of_two_is_found_though_half_of_the_processes_agree_on_its_order(pair):
    async def orders(self, request):
        return list(set(pair))

    assert not check(handling(orders)).passed


def test_code_that_runs_in_one_of_the_two_processes_only_is_said_to():
    def needs_its_folder(world, random):
        os.stat("tests")

    text = lab.check(letters, {"carrier": Carrier}, day=needs_its_folder, seeds=1).text
    assert "needs_its_folder stopped: FileNotFoundError" in text
    assert "Only one of two processes stopped: it has not what the other has." in text


async def awaits(world, random=None):
    world.start("web", Node)


def yields(world, random=None):
    yield world.start("web", Node)


async def does_both(world, random=None):
    yield world.start("web", Node)


@QUICK
@pytest.mark.parametrize("function", [awaits, yields, does_both])
def test_a_scenario_or_a_day_of_which_nothing_has_run_does_not_pass(function):
    told = f"{function.__name__} gave a "
    as_a_day = lab.check(letters, {"carrier": Carrier}, day=function, seeds=1)
    as_a_scenario = lab.check(scenario(function), seeds=1)
    for verdict in (as_a_day, as_a_scenario):
        assert not verdict.passed
        assert told in verdict.text
        assert "nothing of that has happened: write it as a plain def" in verdict.text
    other = types.SimpleNamespace(start=lambda *args: None)  # as a live world is one
    for world in (World(), other):
        with pytest.raises(TypeError, match=told):
            scenario(function)(world)


@QUICK
def test_the_first_two_processes_begin_alone_and_the_others_when_these_agree(monkeypatch):
    begun = []

    def begin(parcel, number, hash_seed, seconds):
        begun.append((number, hash_seed))
        return Runner(parcel, number, hash_seed, seconds)

    monkeypatch.setattr(_check, "Runner", begin)
    assert not check(handling(draws_globally)).passed
    assert begun == [(0, 1), (1, 2)]
    assert check(Carrier, seeds=7).passed
    assert begun[2:] == [(0, 1), *((1, hash_seed) for hash_seed in range(2, 7))]


@QUICK
def test_the_first_event_that_differs_is_named_even_if_only_memory_differs_there():
    verdict = check(handling(remembers_by_a_set))
    assert f"#{verdict.seq}  carrier now keeps turns = [" in verdict.text


@QUICK
def test_a_generator_that_is_seeded_but_shared_with_the_whole_process_is_found():
    assert "Reseeds.__init__ draws from the global random" in check(Reseeds).text


@QUICK
@pytest.mark.parametrize("handle", [orders_by_a_set, remembers_by_a_set])
def test_without_another_hash_seed_a_set_is_not_found(handle, monkeypatch):
    monkeypatch.setattr(_check, "HASH_SEEDS", (1, 1))
    assert check(handling(handle)).passed


@QUICK
@pytest.mark.parametrize("what", ["a local time", "its own file"])
def test_without_another_place_what_nobody_sees_asked_for_is_not_found(what, monkeypatch):
    ask, _ = READS[what]

    async def reads(self, request):
        return str(ask())

    monkeypatch.setattr(_check, "Runner", lambda parcel, number, *rest: Runner(parcel, 0, *rest))
    assert check(handling(reads)).passed


@QUICK
def test_without_its_own_pickler_an_imported_name_is_a_copied_generator(monkeypatch):
    monkeypatch.setattr("statelab.pickling._Pickler", cloudpickle.Pickler)
    assert "draws from the global random" not in check(handling(draws_by_an_imported_name)).text


def test_a_breach_is_named_with_its_event_and_a_code_that_replays_it():
    verdict = check(Carrier, invariants=[none_lost])
    assert not verdict.passed
    assert "this does not stay true: “no letter is lost”" in verdict.text
    assert verdict.code in verdict.text
    world = Run.parse(verdict.code).replay(letters)
    assert world.seed == verdict.seed
    assert world.trace.breach(none_lost).seq == verdict.seq


@QUICK
def test_an_invariant_that_holds_is_said_to_hold():
    everything = Invariant("water is wet", lambda rows: None)
    assert "True in every run: “water is wet”" in check(Carrier, invariants=[everything]).text


def kill_bob(world, random):
    world.run(random.uniform(0.2, 0.8))
    world.kill("bob")


@QUICK
def test_what_a_day_does_becomes_the_inputs_of_the_run():
    refused = Invariant(
        "bob is there", lambda rows: next((r.seq for r in rows if r.kind == "refused"), None)
    )
    verdict = lab.check(letters, {"carrier": Carrier}, invariants=[refused], day=kill_bob)
    (due, *kill) = Run.parse(verdict.code).inputs[0]
    assert kill == ["kill", "bob"]
    assert 200_000 <= due <= 800_000


@QUICK
@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        (handling(never_ends), "it was still in never_ends"),
        (handling(never_stops_sleeping), "too much happens in it"),
        (handling(leaves), "the process ended in the middle of the run"),
        (handling(exits), "carrier dies of SystemExit: 3"),
        (handling(has_a_typo), "NameError: name 'requst' is not defined"),
        (handling(asks_the_learner), "EOFError"),
        (handling(calls_nobody), "no node is named 'bobby'"),
        (handling(holds_a_lock), "your code cannot travel. TypeError: cannot pickle"),
        (handling(fills_memory), "MemoryError"),
        (Plain, "Plain.handle is not a coroutine: write async def handle"),
        (Lazy, "carrier.names is a str_ascii_iterator, which has no canonical form"),
        (Carrier(1), "write Carrier, not Carrier()"),
        (None, "start takes a subclass of Node"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_code_that_cannot_run_gets_a_verdict_that_says_why(carrier, said, capsys):
    verdict = check(carrier, seconds=1 if "never" in getattr(carrier, "__name__", "") else 5)
    assert not verdict.passed
    assert said in verdict.text
    assert capsys.readouterr().out == f"{verdict.text}\n"


def broken_invariant(rows):
    return rows[0].nothing


@QUICK
@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((None,), {}, "it takes a function marked @scenario first"),
        ((Carrier,), {}, "it takes a function marked @scenario first"),
        ((letters,), {}, "letters(world, carrier) does not take (world)"),
        ((letters, {"carrier": Carrier}), {"seeds": None}, "could not be run"),
        ((letters, {"carrier": Carrier}), {"invariants": [3]}, "could not be run"),
        (
            (letters, {"carrier": Carrier}),
            {"invariants": [Invariant("it", broken_invariant)]},
            "the check of “it” stopped: AttributeError",
        ),
        (
            (letters, {"carrier": Carrier}),
            {"invariants": [Invariant("it", lambda rows: sys.exit(3))]},
            "the check of “it” stopped: SystemExit: 3",
        ),
        (
            (letters, {"carrier": Carrier}),
            {"day": lambda world, random: world.kill("nobody")},
            "no node is named 'nobody'",
        ),
    ],
)
def test_a_check_that_is_set_wrongly_says_so_and_does_not_raise(arguments, options, said):
    assert said in lab.check(*arguments, **options).text


@pytest.mark.parametrize("handle", [draws_globally, orders_by_a_set, never_ends, has_a_typo])
def test_the_same_mistake_gets_the_same_verdict(handle):
    seconds = 0.5 if handle is never_ends else 5
    assert check(handling(handle), seconds=seconds) == check(handling(handle), seconds=seconds)


@QUICK
def test_a_verdict_shows_nothing_as_the_value_of_a_cell():
    verdict = check(Carrier)
    assert repr(verdict) == "<check passed>"
    assert verdict._ipython_display_() is None


@QUICK
def test_what_the_code_prints_is_not_in_the_way(capfd):
    async def prints(self, request):
        print("hello")
        os.write(1, b"hello")

    assert check(handling(prints)).passed
    assert "hello" not in capfd.readouterr().out


def test_an_interrupted_check_leaves_no_process(monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    before = set(psutil.Process().children())
    monkeypatch.setattr(Runner, "hear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check(Carrier)
    assert set(psutil.Process().children()) <= before


KERNEL = """
import sys
from statelab import Node, lab, scenario
class Endless(Node):
    async def run(self):
        while True:
            pass
@scenario
def alone(world):
    world.start("node", Endless)
print(flush=True)
lab.check(alone, seconds=60)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills like SIGKILL")
def test_a_killed_kernel_leaves_no_process():
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL], stdout=subprocess.PIPE, env=environment
    )
    with kernel:
        kernel.stdout.readline()
        process = psutil.Process(kernel.pid)
        while len(process.children()) < 2:  # the others are begun when these agree
            time.sleep(0.01)
        children = process.children()
        kernel.kill()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert len(gone) == len(children)
    assert not alive


FORKS = """
import os, subprocess, sys, time
from statelab import Node, lab, scenario

class Web(Node):
    async def handle(self, request):
        return 1

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)

def five():
    for _ in range(5):
        if os.fork() == 0:
            time.sleep(1000)

def dies():
    five()
    os._exit(3)

def never_ends():
    os.fork()
    while True:
        pass

def runs_a_program():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"],
                     start_new_session=True)

HOW = dict(five=five, daemon=daemon, dies=dies, never_ends=never_ends, program=runs_a_program)

@scenario
def run(world, how):
    HOW[how]()
    world.start("web", Web)

lab.check(run, {"how": sys.argv[1]}, seeds=1, seconds=2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork")
@pytest.mark.parametrize("how", ["five", "daemon", "dies", "never_ends", "program"])
def test_a_run_that_leaves_processes_behind_ends_in_time_and_so_do_they(how, tmp_path):
    mark = {"STATELAB_TEST_MARK": str(tmp_path)}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **mark}
    subprocess.run(
        [sys.executable, "-c", FORKS, how], env=environment, check=True, timeout=50,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    # Python's own resource tracker ends when it has seen that its parent has: at once, but later.
    wait_until(lambda: not [one for one in psutil.process_iter() if marked(one, mark)], seconds=2)


@scenario
def twice(world):
    world.start("web", Node)
    os.fork()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork")
def test_a_run_that_forks_and_goes_on_in_both_is_answered_by_one():
    verdict = lab.check(twice, seeds=1)
    assert "os.fork()" in verdict.text
    assert Run.parse(verdict.code).seed == verdict.seed


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_the_number_that_a_run_takes_for_its_own_is_no_processs(place):
    assert place.number > 1 << 22  # the most that Linux gives; `os.kill(os.getpid(), 9)` ends it
    with pytest.raises(ProcessLookupError):
        os.kill(place.number, 0)


@scenario
def nowhere(world):
    world.start("web", Node)
    raise LookupError("no such shop")


def test_a_scenario_that_stops_has_no_run_to_open(capsys):
    panel = lab.Panel(just_a_node)
    verdict = lab.check(nowhere, seeds=1, panel=panel)
    assert "nowhere stopped: LookupError: no such shop" in verdict.text
    assert (verdict.code, capsys.readouterr().out) == ("", verdict.text + "\n")


@scenario
def just_a_node(world):
    world.start("web", Node)


ENDED_AT_ITS_FORK = """
import os, signal
from statelab.lab.trials.trial import serve

fork = os.fork

def ended():
    child = fork()
    if child:
        os.kill(os.getpid(), signal.SIGTERM)
    return child

os.fork = ended
serve(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork")
def test_who_is_ended_just_when_its_trial_begins_takes_it_along():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", ENDED_AT_ITS_FORK]
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment) as keeper:
        said = []
        reader = threading.Thread(target=lambda: said.append(keeper.stdout.read()))
        reader.start()
        reader.join(40)
        keeper.stdin.close()
        reader.join()
    assert (said, keeper.returncode) == ([b""], 0)


LEAVES_A_PROGRAM = """
import os, subprocess, sys, time
from statelab.lab.trials.trial import serve

fork = os.fork

def forked():
    if child := fork():
        return child
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("begun", flush=True)
    time.sleep(60)

os.fork = forked
serve(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork")
@pytest.mark.parametrize("_", range(5))
def test_who_is_told_to_end_again_and_again_takes_along_what_a_run_left(_, tmp_path):
    mark = {"STATELAB_TEST_MARK": str(tmp_path)}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **mark}
    command = [sys.executable, "-c", LEAVES_A_PROGRAM]
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment) as keeper:
        assert keeper.stdout.readline() == b"begun\n"
        with contextlib.suppress(ProcessLookupError):
            while keeper.returncode is None:
                os.kill(keeper.pid, signal.SIGTERM)
                keeper.poll()
    assert not [process for process in psutil.process_iter() if marked(process, mark)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork")
def test_a_check_ends_also_when_who_keeps_its_trial_is_gone():
    job = job_of(just_a_node, None, invariants=[], day=None, until=1.0, seconds=5.0)
    with Runner(parcel_of(job), 0, 1, 60.0) as runner:
        assert runner.ask("run", 7)["wrong"] is None
        psutil.Process(runner._process.pid).kill()


def marked(process, mark):
    try:
        return mark.items() <= process.environ().items()
    except psutil.Error:
        return False
