"""A run code comes from anybody: it is read, refused in a sentence, or stopped in time."""

import ast
import base64
import inspect
import json
import os
import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statelab import Node, Run, RunCodeError, World, scenario
from statelab.sim import budget
from statelab.sim.clock import Clock
from statelab.sim.inputs import VERBS


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


class Asker(Node):
    async def run(self):
        while True:
            await self.sleep(0.1)
            await self.call("web")


class Stubborn(Node):
    """Never ends, whatever is raised in it that it can catch."""

    async def run(self):
        while True:
            try:
                while True:
                    pass
            except Exception:
                self.log("goes on")


@scenario
def shop(world, server=Counter, askers=1, loop=0, much=0, more=0):
    for _ in range(loop):
        pass
    hoard = bytearray(much)
    for _ in range(more):
        hoard += bytes(1_000_000)
    world.start("web", server)
    for number in range(askers):
        world.start(f"asker-{number}", Asker)


def packed(kept):
    """A whole run code, whatever it holds."""
    return whole(zlib.compress(json.dumps(kept).encode()))


def whole(data):
    """These bytes as a run code, with their checksum."""
    data += zlib.crc32(data).to_bytes(4, "big")
    return f"SL1-{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}"


def of(args=None, inputs=(), horizon_us=200_000, name="shop", seed=7, digest="", code=""):
    return packed([name, args or {}, seed, list(inputs), horizon_us, digest, code])


def refused(text):
    """What a text is refused with, by parse or by replay."""
    with pytest.raises(RunCodeError) as failed:
        Run.parse(text).replay(shop)
    said = str(failed.value)
    assert 0 < len(said) <= 500
    assert "\n" not in said
    return said


# ------------------------------------------------------------------------------- what it may cost
@pytest.mark.parametrize(
    "code",
    [
        of(horizon_us=10**15),
        of({"askers": 10**9}),
        of({"askers": 300}, horizon_us=10**10),
        of(inputs=[[0, "request", "you", "GET", "web", "/", None, None, 1.0]] * 19_000),
    ],
    ids=["a long time", "many nodes", "both", "many inputs"],
)
def test_a_pasted_run_that_asks_for_very_much_is_stopped(code, monkeypatch):
    monkeypatch.setattr(budget, "MAX_EVENTS", 1_000)
    assert "too" in refused(code)


def test_a_run_that_never_comes_to_an_event_is_stopped_by_the_clock(monkeypatch):
    monkeypatch.setattr(budget, "MAX_S", 0.3)
    monkeypatch.setattr(budget, "_STUCK_S", 0.1)
    assert "more than 0.3 s" in refused(of({"loop": 10**12}))
    assert "more than 0.3 s" in refused(of({"server": {"class": "Stubborn"}}))


def test_a_run_that_fills_memory_is_stopped(monkeypatch):
    monkeypatch.setattr(budget, "MAX_BYTES", 200 << 20)
    assert "more than 200 MB" in refused(of({"more": 10**9}))
    if os.name != "nt" and os.uname().sysname == "Linux":
        import resource

        before = resource.getrlimit(resource.RLIMIT_AS)
        assert "more than 200 MB" in refused(of({"much": 10**10}))
        assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_stop_that_falls_into_the_end_of_an_object_is_not_shown():
    class Ends:
        def __del__(self):
            raise budget.OverBudget

    budget.within_budget(Clock(), [], Ends)  # what is shown is a warning, and so an error here


TRACED = """
import sys
from statelab.sim import budget
from statelab.sim.clock import Clock

if sys.argv[1] == "stopped":  # once more when it has been stopped already
    budget.Budget.over, budget._LOOK_S, budget._STUCK_S = lambda self: "much", 0.01, 0.01

def loop():
    while sys.argv[1] == "stopped":
        pass

try:
    budget.within_budget(Clock(), [], loop)
except budget.OverBudget:
    print("stopped")
sys.settrace(lambda *event: None)
print((lambda: "went on")())
"""


@pytest.mark.parametrize(("how", "said"), [("stopped", "stopped\nwent on"), ("free", "went on")])
def test_after_a_pasted_run_a_debugger_goes_on(how, said):
    command = [sys.executable, "-c", TRACED, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == said


def test_a_long_run_without_a_verb_is_stopped_soon(monkeypatch):
    monkeypatch.setattr(budget, "MAX_EVENTS", 1_000)
    most = []
    monkeypatch.setattr(
        budget.Budget, "over",
        lambda self: most.append(len(self._rows)) or ("much" * (most[-1] > 20_000)),
    )  # fmt: skip
    assert "more than much" in refused(of({"askers": 50}, horizon_us=10**10))
    assert max(most) < 80_000


def test_ones_own_run_may_cost_what_it_costs(monkeypatch):
    world = World(7)
    shop(world)
    world.run(2)
    monkeypatch.setattr(budget, "MAX_EVENTS", 10)
    assert Run.of(world).replay(shop).trace.rows == world.trace.rows


# ------------------------------------------------------------------------------- what it may say
EVIL = [
    "shop(world); import os; x",
    "__import__('os').system('x')",
    "class",
    "a b",
    "",
    "a\nb",
    "1",
    "__import__",
    "ｅｖａｌ",
    "x" * 201,
]


@pytest.mark.parametrize("text", EVIL)
def test_what_becomes_a_word_of_python_must_be_one(text):
    assert "no name" in refused(of(name=text))
    assert "no name" in refused(of({text: 1}))
    assert "no name" in refused(of({"server": {"class": text}}))


@pytest.mark.parametrize("text", ["match", "case", "_", "type", "eval", "exec", "print", "object"])
def test_what_python_itself_means_something_by_is_no_scenario_and_no_class(text):
    assert "no name" in refused(of(name=text))
    assert "no name" in refused(of({"server": {"class": text}}))


def test_a_scenario_that_no_code_could_name_has_none():
    def match(world):
        world.start("web", Counter)

    world = World(7)
    scenario(match)(world)
    with pytest.raises(RunCodeError, match="no name: 'match'"):
        Run.of(world).code()


@pytest.mark.parametrize("seed", [10**100, -(10**100), 10**300])
def test_a_seed_that_no_world_takes_is_refused_when_it_is_read(seed):
    with pytest.raises(RunCodeError, match="more than 100 digits"):
        Run.parse(of(seed=seed))


GOOD = b'["shop",{"askers":1},7,[],9,"",""]'
READ_IN_TWO_WAYS = {
    "no end": zlib.compress(GOOD)[:-4],
    "the half of it": zlib.compress(GOOD)[:20],
    "more behind it": zlib.compress(GOOD) + b"more",
    "two in one": zlib.compress(GOOD) * 2,
    "two bytes a character": zlib.compress(GOOD.decode().encode("utf-16")),
    "four bytes a character": zlib.compress(GOOD.decode().encode("utf-32-le")),
    "a mark before it": zlib.compress(GOOD.decode().encode("utf-8-sig")),
    "a key twice": zlib.compress(GOOD.replace(b":1}", b':1,"askers":1}')),
    "a key twice, written otherwise": zlib.compress(GOOD.replace(b":1}", rb':1,"\u0061skers":2}')),
    "a number without end": zlib.compress(GOOD.replace(b":1}", b":1e400}")),
    "one below zero": zlib.compress(GOOD.replace(b":1}", b":[-1e999]}")),
    "infinity": zlib.compress(GOOD.replace(b":1}", b":Infinity}")),
    "too many digits": zlib.compress(GOOD.replace(b":1}", b":" + b"9" * 5000 + b"}")),
}


@pytest.mark.parametrize("how", READ_IN_TWO_WAYS)
def test_what_could_be_read_in_two_ways_is_damaged(how):
    assert Run.parse(whole(zlib.compress(GOOD))).args == {"askers": 1}
    with pytest.raises(RunCodeError, match="damaged"):
        Run.parse(whole(READ_IN_TWO_WAYS[how]))


@pytest.mark.parametrize("text", [None, 5, b"SL1-x", ["SL1-"], 1.5, object()])
def test_what_is_no_text_is_refused(text):
    assert refused(text).startswith("a run code is a text")


@pytest.mark.parametrize(
    "code",
    [
        of(name="x" * 900_000),
        of(inputs=[[1, ["x" * 900_000]]]),
        of(inputs=[[1, "x" * 900_000]]),
        of(inputs=["x" * 900_000]),
        of(inputs=[[1, "kill", "x" * 900_000]]),
        of({"server": {"class": "x" * 900_000}}),
        of({"x" * 900_000: 1}),
        "SL" + "9" * 90_000 + "-x",
        of({"askers": float("nan")}),
        of({"askers": float("inf")}),
        of(digest="x" * 900_000),
    ],
    ids=range(11),
)
def test_what_it_is_refused_with_is_short(code):
    refused(code)


@pytest.mark.parametrize("text", ["SL\ud800-x", "SL\0\ud800\n-x", "SL\udcff-\ud800"])
def test_what_it_is_refused_with_can_be_written(text):
    assert refused(text).encode()


# ------------------------------------------------------------------------------- whatever it holds
names = st.sampled_from(["web", "asker-0", "you", "alice", "", "x" * 300, "복제본", "\ud800", "\0"])
numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, 1, -1, 10**6, 10**18, 10**300, 1e308, True])
)
plain = st.one_of(st.none(), st.booleans(), numbers, names, st.text(max_size=5))
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def arguments(verb):
    """About as many arguments as that verb takes, most of them wrong."""
    count = len(inspect.signature(VERBS[verb]).parameters) - 1
    fitting = [names, st.sampled_from(["GET", "POST"]), names, st.just("/"), values]
    return st.tuples(*[(fitting[i] if i < 5 else values) | values for i in range(count)])


inputs = st.lists(
    st.one_of(
        st.sampled_from(sorted(VERBS)).flatmap(
            lambda verb: arguments(verb).map(lambda args: [1000, verb, *args])
        ),
        st.lists(values, max_size=4),
        values,
    ),
    max_size=4,
)
kept = st.one_of(
    st.tuples(
        st.just("shop"),
        st.dictionaries(
            st.sampled_from(["server", "askers", "other"]),
            values | st.just({"class": "Counter"}) | st.just({"class": "Nobody"}),
        ),
        st.integers(),
        inputs,
        st.integers(0, 10**5),
        st.just(""),
        st.just(""),
    ),
    st.tuples(*[values] * 7),
    st.tuples(st.just("shop"), st.just({}), st.just(7), inputs, st.just(10**5), values, values),
    values,
)


@settings(max_examples=max(400, settings.default.max_examples))
@pytest.mark.fuzz
@given(kept)
def test_a_whole_code_of_whatever_kind_is_read_or_refused_in_one_short_sentence(kept):
    code = packed(kept)
    try:
        run = Run.parse(code)
    except RunCodeError:
        refused(code)
        return
    ast.parse(run.python())
    assert Run.parse(run.code()) == run
    try:
        world = run.replay(shop)
    except RunCodeError:
        refused(code)
        return
    assert Run.of(world).scenario == "shop"


@settings(max_examples=max(200, settings.default.max_examples))
@pytest.mark.fuzz
@given(st.data())
def test_the_bytes_of_a_code_may_be_anything(data):
    body = zlib.compress(json.dumps(["shop", {}, 7, [[5, "kill", "web"]], 9, "", ""]).encode())
    place = data.draw(st.integers(0, len(body)))
    body = (
        body[:place]
        + data.draw(st.binary(max_size=8))
        + body[place + data.draw(st.integers(0, 8)) :]
    )
    text = whole(body)
    try:
        Run.parse(text).replay(shop)
    except RunCodeError:
        refused(text)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda run: Run.of(5), "only the run of a simulated World"),
        (lambda run: run.replay(5), "replay takes a function marked @scenario"),
    ],
)
def test_what_cannot_be_done_with_a_run_is_said(call, said):
    with pytest.raises((TypeError, RunCodeError), match=said):
        call(Run.parse(of()))
