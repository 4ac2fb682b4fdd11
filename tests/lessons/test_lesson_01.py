"""Lesson 01: its predictions come true, its log and its memory agree, and its check can fail."""

import itertools
import random
from functools import reduce

import lessons
import pytest
from lessons import press

from statelab import World

lesson = lessons.Lesson("01_state")


# ------------------------------------------------------------------------------- the predictions
def test_whether_hit_3_matters_depends_on_the_rest():
    scrub, observation = lesson.opened(1, "the same")
    scrub.leave_out(2)
    assert "leave out input 4" in observation.verdict["text"]
    scrub.leave_out(4)
    assert observation.verdict["mark"] == "open"
    scrub.leave_out(4, 5, 6)
    assert observation.verdict["mark"] == "wrong"
    assert "depending on the rest" in observation.verdict["text"]


def test_who_first_leaves_out_too_much_is_told_how_to_go_on():
    scrub, observation = lesson.opened(1, "the same or not, depending on the rest")
    scrub.leave_out(4, 5, 6)
    assert "put the others back" in observation.verdict["text"]
    scrub.leave_out(4)
    assert observation.verdict["mark"] == "right"


def test_a_loot_left_out_besides_hit_3_tells_nothing_about_hits():
    scrub, observation = lesson.opened(1, "different")
    scrub.leave_out(4)
    scrub.leave_out(4, 7)
    assert observation.verdict["mark"] == "open"
    scrub.leave_out(2, 3, 4)
    assert observation.verdict["mark"] == "wrong"


@pytest.mark.parametrize(("by_log", "mark"), [(True, "right"), (False, "wrong")])
def test_the_copies_of_the_folder_decide_which_prediction_came_true(by_log, mark):
    guess, observation = lesson.shown("predict-3", "observe-3", by_files=True, by_log=by_log)
    guess.answer("one of the two, no matter which")
    assert observation.verdict["mark"] == mark


WALK_TO_THE_GOLD = ("walk", "hit", "hit", "hit", "loot")


def test_the_same_packets_after_a_kill_come_to_the_same_record():
    panel, observation = lesson.opened(2, "100 gold")
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
    panel, observation = lesson.opened(2, "100 gold")
    press(panel, *WALK_TO_THE_GOLD, ("kill", "game"), ("restart", "game"), "hit")
    assert "These are other packets" in observation.verdict["text"]
    panel.do("again")
    press(panel, "walk", ("kill", "game"))
    assert "start over" in observation.verdict["text"]


# ------------------------------------------------------------------------------- what it says
def test_one_hit_lost_changes_the_run_and_not_the_record():
    def played(lost=()):
        world = World(seed=7)
        lesson.game(world)
        return lesson.adventure(world, lesson.LOG, lost), world.trace.digest()

    (record, digest), (other_record, other_digest) = played(), played((4,))
    assert record == other_record == {"place": "cave", "dragon": 0, "chest": 0, "gold": 50}
    assert digest != other_digest
    assert played((4, 5, 6))[0] != record


def test_order_counts():
    ends = {
        tuple(sorted(reduce(lesson.play, log, lesson.new_record()).items()))
        for log in itertools.permutations(["/walk", "/hit", "/hit", "/hit", "/loot"])
    }
    assert len(ends) > 1


@pytest.mark.parametrize("forgets", [False, True])
def test_memory_is_made_again_from_all_of_its_changes_and_not_from_fewer(forgets):
    world = World(seed=7, memory=True)
    lesson.game(world)
    lesson.adventure(world, lesson.LOG)
    changes = [row for row in world.trace.memory if row.node == "game"]
    made = lesson.rebuilt(changes[:-1] if forgets else changes, "game", 1)
    assert (made == lesson.memory_of(world, "game")) is not forgets
    world.kill("game")
    assert lesson.memory_of(world, "game") is None


def test_a_folder_is_made_again_from_its_log(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        for operation in lesson.OPERATIONS:
            lesson.do(folder, *operation)
    assert lesson.files(here) == lesson.files(there)
    lesson.do(there, *("update", "plan.txt", "buy nothing"))
    assert lesson.files(here) != lesson.files(there)


# ------------------------------------------------------------------------------- the bug hunt
def test_the_hunted_run_breaks_the_sentence_and_the_worked_answer_does_not():
    run = lesson.hunted()
    world = run.replay(lesson.game)  # checks the digest as well
    assert world.trace.breach(lesson.FOLD) is not None
    mended = World(seed=run.seed)
    mended.replay(lesson.game, {"server": lesson.WholeJournal}, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.FOLD) is None


def test_a_journal_that_lacks_packets_fails_on_many_days_and_a_whole_one_on_none(seeds):
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
