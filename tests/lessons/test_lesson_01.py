"""Lesson 01: its predictions come true, its log and its memory agree, and its check can fail."""

import itertools
import random
from functools import reduce

import lessons
import nbformat
import pytest

from statelab import Run, World, lab

NAME = "01_state"


@pytest.fixture
def lesson():
    return lessons.load(NAME)


def cell(name):
    """The source of a cell by its id."""
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{NAME}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


def opened(lesson, number, answer):
    """The names of the lesson after it predicted, opened and observed what has that number."""
    names = dict(vars(lesson), lab=lab)
    for kind in ("predict", "panel"):
        exec(cell(f"{kind}-{number}"), names)
    names[f"guess_{number}"].answer(answer)
    exec(f"observation = {cell(f'observe-{number}')}", names)
    return names


# ------------------------------------------------------------------------------- the predictions
def test_whether_hit_3_matters_depends_on_the_rest():
    names = opened(lessons.load(NAME), 1, "the same")
    scrub, observation = names["scrub"], names["observation"]
    scrub.leave_out(2)
    assert "leave out input 4" in observation.verdict["text"]
    scrub.leave_out(4)
    assert observation.verdict["mark"] == "open"
    scrub.leave_out(4, 5, 6)
    assert observation.verdict["mark"] == "wrong"
    assert "depending on the rest" in observation.verdict["text"]


def test_who_first_leaves_out_too_much_is_told_how_to_go_on():
    names = opened(lessons.load(NAME), 1, "the same or not, depending on the rest")
    names["scrub"].leave_out(4, 5, 6)
    assert "put the others back" in names["observation"].verdict["text"]
    names["scrub"].leave_out(4)
    assert names["observation"].verdict["mark"] == "right"


def test_a_loot_left_out_besides_hit_3_tells_nothing_about_hits():
    names = opened(lessons.load(NAME), 1, "different")
    names["scrub"].leave_out(4)
    names["scrub"].leave_out(4, 7)
    assert names["observation"].verdict["mark"] == "open"
    names["scrub"].leave_out(2, 3, 4)
    assert names["observation"].verdict["mark"] == "wrong"


@pytest.mark.parametrize(("by_log", "mark"), [(True, "right"), (False, "wrong")])
def test_the_copies_of_the_folder_decide_which_prediction_came_true(by_log, mark):
    names = dict(vars(lessons.load(NAME)), lab=lab, by_files=True, by_log=by_log)
    exec(cell("predict-3"), names)
    names["guess_3"].answer("one of the two, no matter which")
    exec(cell("observe-3").replace("lab.compare", "observation = lab.compare"), names)
    assert names["observation"].verdict["mark"] == mark


WALK_TO_THE_GOLD = ("walk", "hit", "hit", "hit", "loot")


def press(panel, *buttons):
    for button in buttons:
        panel.do(*(button if type(button) is tuple else ("action", button)))


def test_the_same_packets_after_a_kill_come_to_the_same_record():
    names = opened(lessons.load(NAME), 2, "100 gold")
    panel, observation = names["panel"], names["observation"]
    assert observation.verdict["text"] == "Still to do: play until alice has the gold."
    press(panel, *WALK_TO_THE_GOLD)
    assert observation.verdict["text"] == "Still to do: kill the server, and restart it."
    press(panel, ("kill", "game"))
    assert "Restart the server, and play" in observation.verdict["text"]
    press(panel, ("restart", "game"), "walk", "hit")
    assert "Play the same packets: next comes /hit" in observation.verdict["text"]
    press(panel, "hit", "hit", "loot")
    assert observation.verdict["mark"] == "wrong"
    assert observation.verdict["text"].startswith("It was “50 gold, as before the kill”: the")


def test_other_packets_after_the_kill_are_no_answer_to_the_question():
    names = opened(lessons.load(NAME), 2, "100 gold")
    press(names["panel"], *WALK_TO_THE_GOLD, ("kill", "game"), ("restart", "game"), "hit")
    assert "These are other packets" in names["observation"].verdict["text"]
    names["panel"].do("again")
    press(names["panel"], "walk", ("kill", "game"))
    assert "start over" in names["observation"].verdict["text"]


# ------------------------------------------------------------------------------- what it says
def test_one_hit_lost_changes_the_run_and_not_the_record(lesson):
    def played(lost=()):
        world = World(seed=7)
        lesson.game(world)
        return lesson.adventure(world, lesson.LOG, lost), world.trace.digest()

    (record, digest), (other_record, other_digest) = played(), played((4,))
    assert record == other_record == {"place": "cave", "dragon": 0, "chest": 0, "gold": 50}
    assert digest != other_digest
    assert played((4, 5, 6))[0] != record


def test_order_counts(lesson):
    ends = {
        tuple(sorted(reduce(lesson.play, log, lesson.new_record()).items()))
        for log in itertools.permutations(["/walk", "/hit", "/hit", "/hit", "/loot"])
    }
    assert len(ends) > 1


@pytest.mark.parametrize("forgets", [False, True])
def test_memory_is_made_again_from_all_of_its_changes_and_not_from_fewer(lesson, forgets):
    world = World(seed=7, memory=True)
    lesson.game(world)
    lesson.adventure(world, lesson.LOG)
    changes = [row for row in world.trace.memory if row.node == "game"]
    made = lesson.rebuilt(changes[:-1] if forgets else changes, "game", 1)
    assert (made == lesson.memory_of(world, "game")) is not forgets
    world.kill("game")
    assert lesson.memory_of(world, "game") is None


def test_a_folder_is_made_again_from_its_log(lesson, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        for operation in lesson.OPERATIONS:
            lesson.do(folder, *operation)
    assert lesson.files(here) == lesson.files(there)
    lesson.do(there, *("update", "plan.txt", "buy nothing"))
    assert lesson.files(here) != lesson.files(there)


# ------------------------------------------------------------------------------- the bug hunt
def test_the_hunted_run_breaks_the_sentence_and_the_worked_answer_does_not(lesson):
    names = {}
    exec(cell("hunt-run").split("world =")[0], names)
    run = Run.parse(names["code"])
    world = run.replay(lesson.game)  # checks the digest as well
    assert world.trace.breach(lesson.FOLD) is not None
    mended = World(seed=run.seed)
    mended.replay(lesson.game, {"server": lesson.WholeJournal}, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.FOLD) is None


def test_a_journal_that_lacks_packets_fails_on_many_days_and_a_whole_one_on_none(lesson, seeds):
    broken = 0
    for seed in seeds(30):
        for server in (lesson.Journal, lesson.WholeJournal):
            world = World(seed)
            lesson.game(world, server=server)
            lesson.a_day(world, random.Random(seed))
            world.run(1)
            breach = world.trace.breach(lesson.FOLD)
            assert breach is None or server is lesson.Journal
            broken += breach is not None
    assert broken > 10
