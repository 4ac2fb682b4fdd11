"""A run is a function of code, seed and inputs: in any process, on any Python, watched or not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bad_days
import lessons
import pytest

from statelab import LiveWorld, Run, World, lab

PROGRAM = Path(bad_days.__file__)
FAULTS = {"kill", "pause", "resume", "partition", "heal", "hold", "release", "lose_next"}
FATES = {"drop", "noreply", "refused", "error", "answer", "close", "disk", "log", "received twice"}


def run(*arguments, python=sys.executable, hash_seed="1", text=None):
    """The lines that the program of bad days prints, in a process of its own."""
    path = os.pathsep.join([str(PROGRAM.parents[2]), str(PROGRAM.parent)])
    done = subprocess.run(
        [python, "-W", "error", str(PROGRAM), *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def made(node, count, **process):
    """The codes and digests of so many seeds, and how often each kind of row was there."""
    *lines, kinds = run("make", node, count, **process)
    return [tuple(line.split()) for line in lines], json.loads(kinds)


def replayed(codes, **process):
    return run("replay", text="\n".join(codes), **process)


def other_pythons():
    """Other versions of Python that are here and really run (a shim may name one that is not)."""
    found = []
    for name in ("python3.11", "python3.12", "python3.13", "python3.14"):
        if name == "python{}.{}".format(*sys.version_info[:2]):
            continue
        installed = Path.home().glob(f".pyenv/versions/*/bin/{name}")
        for path in filter(None, [shutil.which(name), *map(str, installed)]):
            ask = [path, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
            if done.stdout.strip() == name:
                found.append(path)
                break
    return found


@pytest.mark.parametrize("hash_seed", [0, 1, 4242, "random"])
def test_a_fresh_interpreter_makes_the_same_runs_whatever_its_hash_seed(hash_seed):
    runs, _ = made("Store", 10, hash_seed=hash_seed)
    here = [Run.of(bad_days.run_of(seed)) for seed in range(10)]
    assert runs == [(made_here.code(), made_here.digest) for made_here in here]


@pytest.mark.parametrize("python", [sys.executable, *other_pythons()], ids=lambda p: Path(p).name)
def test_another_python_makes_the_same_runs_and_replays_ours(python):
    runs, _ = made("Store", 10)
    theirs, _ = made("Store", 10, python=python, hash_seed=3)
    assert [digest for _, digest in theirs] == [digest for _, digest in runs]
    assert replayed([code for code, _ in runs], python=python) == [digest for _, digest in runs]


def test_hundreds_of_bad_days_are_replayed_from_their_codes_alone_in_another_process(seeds):
    count = len(list(seeds(300)))
    runs, kinds = made("Store", count, hash_seed=1)
    assert kinds.keys() >= FAULTS | FATES, "the days are not bad enough to show anything"
    digests = replayed([code for code, _ in runs], hash_seed=2)
    assert len(digests) == count
    parted = [seed for seed, digest in enumerate(digests) if digest != runs[seed][1]]
    assert not parted, f"seed {parted[0]} parts; its run code: {runs[parted[0]][0]}"


@pytest.mark.parametrize("node", ["Clocked", "Shared", "Ordered"])
def test_a_server_that_asks_for_more_than_its_inputs_does_not_replay(node):
    runs, _ = made(node, 5, hash_seed=1)
    digests = replayed([code for code, _ in runs], hash_seed=2)
    assert digests != [digest for _, digest in runs]


def test_the_order_of_a_set_is_seen_only_where_text_is_hashed_otherwise():
    runs, _ = made("Ordered", 5, hash_seed=1)
    assert replayed([code for code, _ in runs], hash_seed=1) == [digest for _, digest in runs]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("node", [bad_days.Clocked, bad_days.Shared, bad_days.Ordered])
def test_the_check_of_an_exercise_names_the_answer_at_which_such_a_server_parts(node):
    verdict = lab.check(bad_days.shop, {"store": node}, day=bad_days.bad_day, seeds=3, until=1)
    assert not verdict.passed
    assert "store → web" in verdict.text.splitlines()[1]


@pytest.mark.usefixtures("quick")
def test_the_check_passes_a_server_that_asks_for_its_inputs_only():
    assert lab.check(bad_days.shop, day=bad_days.bad_day, seeds=3, until=1).passed


def test_a_run_with_one_input_less_is_another_run():
    run = Run.of(bad_days.run_of(0))
    faults = [item for item in run.inputs if item[1] in FAULTS]
    assert faults
    for left_out in faults:
        less = [item for item in run.inputs if item is not left_out]
        world = World(run.seed)
        world.replay(bad_days.shop.__wrapped__, {}, less, run.horizon_us)
        assert world.trace.digest() != run.digest, left_out


@pytest.mark.parametrize("seed", range(5))
def test_recording_memory_changes_no_event_and_no_digest(seed):
    seen, unseen = bad_days.run_of(seed, memory=True), bad_days.run_of(seed)
    assert seen.trace.memory
    assert not unseen.trace.memory
    assert seen.trace.first_difference(unseen.trace) is None
    assert seen.trace.digest() == unseen.trace.digest()


# --------------------------------------------------------------------------- lesson 02
@pytest.fixture(scope="module")
def lesson():
    return lessons.load("02_determinism")


@pytest.mark.usefixtures("quick")
def test_the_lessons_bug_to_find_fails_its_check_with_the_line_to_mend(lesson):
    verdict = lab.check(lesson.letters, {"network": lesson.Network})
    assert not verdict.passed
    assert "Network.handle draws from the global random" in verdict.text
    assert "if random.random() < 0.25:" in verdict.text


@pytest.mark.usefixtures("quick")
def test_the_lessons_worked_answer_passes_the_same_check(lesson):
    assert lab.check(lesson.letters, {"network": lesson.MendedNetwork}).passed


def test_the_lessons_game_agrees_and_what_looks_like_it_does_not(lesson):
    fates = {}
    for machine in (lesson.Game, lesson.Unseeded, lesson.Clocked, lesson.TwoHands):
        world = World(seed=7)
        lesson.two_machines(world, machine=machine)
        fates[machine.__name__] = lesson.where_they_part(lesson.feed(world))
    assert fates.pop("Game") == "agree"
    assert all(fate.startswith("part at key") for fate in fates.values()), fates


@pytest.mark.usefixtures("quick")
def test_the_lessons_pure_game_parts_at_its_third_key_in_another_process(lesson):
    verdict = lab.check(
        lesson.two_machines, {"machine": lesson.Turns}, day=lesson.they_join, seeds=1
    )
    world = Run.parse(verdict.code).replay(lesson.two_machines, check=False)
    keys = [row for row in world.trace.rows[: verdict.seq] if row.kind == "receive"]
    assert [row.node for row in keys].count("left") == 3


@pytest.mark.live
@pytest.mark.parametrize("machine", ["Game", "Unseeded", "Turns"])
def test_the_lessons_games_come_out_alike_in_both_worlds(lesson, machine):
    keys = lesson.NAMES if machine == "Turns" else lesson.KEYS
    with LiveWorld() as live:
        worlds = [World(seed=7), live]
        fates = []
        for world in worlds:
            lesson.two_machines(world, machine=getattr(lesson, machine))
            answers = lesson.feed(world, keys)
            fates.append(answers if machine == "Game" else lesson.where_they_part(answers, keys))
    assert fates[0] == fates[1]
