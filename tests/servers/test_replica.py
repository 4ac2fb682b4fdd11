"""A replica, simulated: equal state at equal position, and what makes a copy part."""

import random

import lessons
import pytest

from statelab import World

lesson = lessons.load("09_replicas")
Original, Replica = lesson.Original, lesson.Replica
LOG = lesson.LOG


def shop(seed=7, synchronous=False, **world):
    world = World(seed=seed, **world)
    world.start("original", lesson.WaitsForTwo if synchronous else Original)
    world.start("replica", Replica)
    return world


def write(world, *changes, **options):
    return [world.call("original", "/write", change, **options) for change in changes]


def read(world, name):
    return world.call(name, "/read").body


# ------------------------------------------------------------------------------- it follows
def test_at_the_same_position_a_replica_has_the_same_table():
    world = shop()
    write(world, *LOG)
    assert read(world, "replica")["position"] < len(LOG)  # always equal is not at every instant
    world.run(0.5)
    one, other = read(world, "original"), read(world, "replica")
    assert one == other
    assert one["position"] == len(LOG)
    assert lesson.digest(one["table"]) == lesson.digest(other["table"])
    assert world.trace.breach(lesson.SAME) is None


def test_a_fresh_replica_and_a_restarted_one_replay_the_log_to_the_same_table():
    world = shop()
    write(world, *LOG)
    world.run(0.5)
    world.start("fresh", Replica)
    for name in ("original", "replica"):
        world.kill(name)
        world.restart(name)
    world.run(0.5)
    assert read(world, "original") == read(world, "replica") == read(world, "fresh")


def a_bad_day(world, dice):
    """Writes, with loss both ways, duplicates, held links, kills and restarts of both."""
    world.link("original", "replica", loss=0.2, duplicate=0.2)
    held = False
    for _ in range(25):
        what = dice.choice(
            [["add", "cups", 3], ["set", "cups", 9], ["sell", "cups", 5], ["delete"]]
        )
        world.call("original", "/write", what, wait=False)
        fault = dice.random()
        if fault < 0.2:
            (world.release if held else world.hold)("original", "replica")
            held = not held
        elif fault < 0.4:
            name = dice.choice(["original", "replica"])
            world.kill(name)
            world.run(0.1)
            world.restart(name)
        world.run(dice.uniform(0, 0.2))
    if held:
        world.release("original", "replica")
    world.link("original", "replica")
    world.run(3)


def test_on_bad_days_no_replica_parts_and_each_catches_up(seeds):
    for seed in seeds(50):
        world = shop(seed)
        a_bad_day(world, random.Random(seed))
        assert world.trace.breach(lesson.SAME) is None
        assert read(world, "original") == read(world, "replica")


def test_a_copy_without_positions_parts_on_such_days():
    """The test above can fail."""
    parted = 0
    for seed in range(20):
        world = World(seed=seed)
        lesson.shop(world, original=lesson.HandsOn, copy=lesson.TakesWhatComes)
        a_bad_day(world, random.Random(seed))
        parted += world.trace.breach(lesson.SAME) is not None
    assert parted > 10


# ------------------------------------------------------------------------------- one fault
ORIGINAL = lesson.fed([[change] for change in LOG])


@pytest.mark.parametrize(
    ("what", "place", "first", "same_at_the_end"),
    [
        ("lost", 0, 0, True),  # a later set wipes it away
        ("lost", 1, 1, True),
        ("lost", 5, 5, False),
        ("twice", 3, None, True),  # a set is idempotent
        ("twice", 5, 5, False),
        ("swapped", 0, 0, True),  # two adds of two items commute
        ("swapped", 3, 3, False),  # a set and a sell do not
    ],
)
def test_one_fault_may_part_a_copy(what, place, first, same_at_the_end):
    tables = lesson.fed(lesson.faulty(what, place))
    pairs = enumerate(zip(tables, ORIGINAL, strict=True))
    assert next((n for n, (one, other) in pairs if one != other), None) == first
    assert (tables[-1] == ORIGINAL[-1]) == same_at_the_end


def test_inputs_that_commute_may_change_places():
    one, other = ["add", "cups", 3], ["add", "tea", 2]
    assert lesson.fed([[one], [other]])[-1] == lesson.fed([[other], [one]])[-1]
    one, other = ["add", "cups", 3], ["set", "cups", 2]
    assert lesson.fed([[one], [other]])[-1] != lesson.fed([[other], [one]])[-1]


def run_of(log):
    world = World(seed=7)
    world.start("original", Original)
    write(world, *log)
    return world.trace


def test_the_first_event_at_which_two_runs_part_is_the_input_that_was_lost():
    whole = run_of(LOG)
    parting = whole.first_difference(run_of(LOG[:2] + LOG[3:]))
    assert (parting.left.kind, parting.left.data[2]) == ("send", LOG[2])
    assert whole.first_difference(run_of(LOG)) is None


def test_a_copy_that_throws_its_own_dice_parts_at_the_first_throw():
    class Other(lesson.ThrowsDice, lesson.Replica):
        """Follows, and throws too."""

    world = World(seed=7)
    world.start("original", lesson.ThrowsDice)
    world.start("replica", Other)
    write(world, *LOG)
    world.run(0.5)
    row = world.trace.breach(lesson.SAME)
    assert (row.node, row.data[:4]) == ("replica", "at 2")


# ------------------------------------------------------------------------------- promotion
def test_a_replica_takes_no_writes_until_it_is_promoted_and_stays_so_after_a_kill():
    world = shop()
    assert world.call("replica", "/write", ["set", "cups", 1]).status == 409
    write(world, ["set", "cups", 2])
    world.run(0.2)
    world.kill("original")
    world.call("replica", "/promote")
    world.kill("replica")
    world.restart("replica")
    world.restart("original")
    write(world, ["delete"])  # nobody follows that one any more
    assert world.call("replica", "/write", ["add", "cups", 1]).status == 200
    world.run(0.5)
    assert read(world, "replica")["table"] == {"cups": 3}


@pytest.mark.parametrize(("synchronous", "told"), [(False, 60), (True, 30)])
def test_behind_a_held_link_only_what_two_have_is_safe(synchronous, told):
    found = lesson.failover(World(seed=7), synchronous)
    assert found == {"acknowledged": told, "surviving": 30}


def test_a_synchronous_write_is_answered_when_the_link_is_back():
    world = shop(synchronous=True)
    world.hold("original", "replica")
    asked = world.call("original", "/write", ["set", "cups", 1], wait=False, timeout=10)
    world.run(2)
    assert asked.outcome is None
    world.release("original", "replica")
    assert asked.result().status == 200
