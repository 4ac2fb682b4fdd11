"""The trace: its canonical form, its digest, and where two runs part."""

import dataclasses
import subprocess
import sys
from collections import namedtuple
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import statelab
from statelab import Invariant, Node, Soft, World
from statelab.canonical import canonical
from statelab.rows import KINDS
from statelab.words import described


@dataclasses.dataclass
class Player:
    name: str
    coins: int


Point = namedtuple("Point", "x y")


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


class Asker(Node):
    """Asks `to` every 0.1 s."""

    def __init__(self, to):
        self.to = to
        self.heard = 0

    async def run(self):
        while True:
            await self.sleep(0.1)
            self.heard = (await self.call(self.to)).body


def two_pairs(seed=7, **options):
    world = World(seed, **options)
    for pair in "ab":
        world.start(f"server-{pair}", Counter)
        world.start(f"asker-{pair}", Asker, f"server-{pair}")
    return world


def test_equal_state_has_one_form_whatever_its_order():
    forms = [
        canonical({"a": {1, 2, 3}, "b": [Point(1, 2), Player("eve", 3)]}),
        canonical({"b": [Point(1, 2), Player("eve", 3)], "a": {3, 2, 1}}),
    ]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("1", b"1"),
        ([1], (1,)),
        ({1}, [1]),
        ({}, set()),
        ({1: 2}, [(1, 2)]),
        (Point(1, 2), (1, 2)),
        (Player("eve", 3), {"name": "eve", "coins": 3}),
        (None, "None"),
    ],
)
def test_different_state_has_different_digests(one, other):
    class Keeper(Node):
        def __init__(self, kept):
            self.kept = kept

    worlds = [World(), World()]
    for world, kept in zip(worlds, (one, other), strict=True):
        world.start("node", Keeper, kept)
    digests = [world.trace.digest() for world in worlds]
    assert digests[0] != digests[1]
    assert worlds[0].trace.first_difference(worlds[1].trace).left.kind == "state"


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (Fraction(1, 2), "^is a Fraction"),
        ({"users": [1, object()]}, r"^\['users'\]\[1\] is a object"),
        ([Player("eve", Fraction(1))], r"^\[0\].coins is a Fraction"),
        ({Fraction(1): 1}, "a key. is a Fraction"),
    ],
)
def test_what_has_no_canonical_form_is_named_by_its_place(value, where):
    with pytest.raises(TypeError, match=where):
        canonical(value)


def test_soft_state_is_a_plain_named_tuple():
    assert canonical(Soft("alice", 2.0)) == ("Soft", "alice", 2.0)


@given(st.booleans(), st.integers(0, 3))
def test_looking_and_recording_change_nothing(memory, looks):
    plain, watched = two_pairs(), two_pairs(memory=memory)
    for world in (plain, watched):
        world.run(0.5)
        for _ in range(looks if world is watched else 0):
            trace = world.trace
            trace.digest(), trace.states(), list(trace.rows), world.names, repr(world)
            trace.after(0), trace.first_difference(plain.trace)
        world.kill("server-a")
        world.run(0.5)
    assert watched.trace.digest() == plain.trace.digest()
    assert watched.trace.rows == plain.trace.rows
    assert bool(watched.trace.memory) == memory


def test_memory_tells_what_changed_after_each_step():
    world = World(memory=True)
    world.start("web", Counter)
    world.client("alice").get("web")
    world.kill("web")
    world.restart("web")
    seen = [(row.node, row.life, row.data[0]) for row in world.trace.memory]
    port = world.client("alice").ports or 0
    assert seen[0] == ("web", 1, {"count": 0})
    assert ("web", 1, {"count": 1}) in seen
    assert seen[-1] == ("web", 2, {"count": 0})
    assert any(node == "alice" and list(data["ports"]) == ["web"] for node, _, data in seen[1:-1])
    assert port  # the reset has not reached alice yet


def test_a_fault_on_one_link_leaves_the_others_as_they_were():
    def rows_of_b(world):
        return [
            (row.time_us, row.kind, row.node, row.data)
            for row in world.trace.rows
            if row.node.endswith("-b")
        ]

    calm, faulty = two_pairs(), two_pairs()
    faulty.link("asker-a", "server-a", loss=0.5, duplicate=0.5)
    for world in (calm, faulty):
        world.run(2)
    assert rows_of_b(calm) == rows_of_b(faulty)
    assert calm.trace.digest() != faulty.trace.digest()


def test_with_one_stream_for_all_links_a_fault_would_move_the_others(monkeypatch):
    import random

    shared = random.Random(1).random
    monkeypatch.setattr(
        "statelab.sim.link.random.Random", lambda _: type("S", (), {"random": shared})
    )
    with pytest.raises(AssertionError):
        test_a_fault_on_one_link_leaves_the_others_as_they_were()


def test_the_first_difference_is_named_and_what_follows_from_it_marked():
    calm, killed = two_pairs(), two_pairs()
    for world in (calm, killed):
        world.run(0.25)
    killed.kill("server-a")
    for world in (calm, killed):
        world.run(0.25)
    difference = calm.trace.first_difference(killed.trace)
    assert difference.right.kind == "kill"
    assert "kill server-a" in str(difference)
    followers = {killed.trace.rows[seq].node for seq in difference.right_after}
    assert followers == {"server-a", "asker-a"}


def test_a_run_that_ended_earlier_differs_where_it_ended():
    short, long = two_pairs(), two_pairs()
    short.run(0.1)
    long.run(0.2)
    difference = short.trace.first_difference(long.trace)
    assert difference.left is None
    assert "the run has ended" in str(difference)


def test_equal_runs_have_no_difference():
    one, other = two_pairs(), two_pairs()
    one.run(1)
    other.run(1)
    assert one.trace.first_difference(other.trace) is None


def test_every_kind_of_row_is_in_the_table_and_can_be_described():
    world = two_pairs()
    world.run(0.2)
    for verb in ("partition", "heal", "hold", "release", "lose_next", "link"):
        getattr(world, verb)("asker-a", "server-a")
    world.kill("server-b")
    world.run(0.5)
    rows = [*world.trace.rows, *world.trace.states()]
    assert {row.kind for row in rows} <= set(KINDS)
    assert all(row.node in described(row) or row.kind == "skipped" for row in rows)


def test_an_invariant_names_the_row_that_broke_it():
    def first_death(rows):
        return next((row.seq for row in rows if row.kind == "kill"), None)

    nobody_dies = Invariant("nobody dies", first_death)
    world = two_pairs()
    world.run(0.1)
    assert world.trace.breach(nobody_dies) is None
    world.kill("server-a")
    assert world.trace.breach(nobody_dies).node == "server-a"


@pytest.mark.parametrize("name", statelab.__all__)
def test_each_public_name_is_there_also_one_that_is_loaded_later(name):
    assert getattr(statelab, name).__name__ == name


def test_importing_statelab_leaves_what_a_first_cell_does_not_need():
    script = "import sys, statelab; print(*sys.modules)"
    names = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    late = {"inspect", "dis", "dataclasses", "hashlib", "json", "statelab.sim.run", "statelab.live"}
    assert not late & set(names)


def test_importing_statelab_brings_nothing_of_others():
    script = "import sys; old = set(sys.modules); import statelab; print(*(set(sys.modules) - old))"
    names = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    foreign = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign <= {"statelab"}
