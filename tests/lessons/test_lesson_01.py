"""Lesson 01: its predictions come true, its log and its memory agree, and its check can fail."""

import itertools
import random
from functools import reduce

import lessons
import pytest
from lessons import press

from statelab import World, lab

lesson = lessons.Lesson("01_state")


# ------------------------------------------------------------------------------- the predictions
def test_any_one_hit_may_be_left_out_and_not_any_three():
    scrub, observation = lesson.opened(1, "packet 5 or 6")
    scrub.leave_out(5)
    assert "leave out packet 2, 3 or 4" in observation.verdict["text"]
    scrub.leave_out(4)
    assert "The end is the same!" in observation.verdict["text"]
    scrub.leave_out(4, 5, 6)
    assert observation.verdict["mark"] == "wrong"
    assert "It was “any of them”: whichever hit" in observation.verdict["text"]
    for place in lesson.HITS:
        scrub.leave_out(place)
        assert ((place,), True) in scrub.tried


def test_a_dragon_that_needs_all_five_hits_gives_the_other_answer():
    names = lesson.run(lesson.cell("predict-1"))
    scrub = lab.Scrub(
        lesson.play, {**lesson.new_record(), "dragon": 5}, lesson.LOG, prediction=names["guess_1"]
    )
    observation = lab.observe(scrub, lesson.one_hit_less)
    names["guess_1"].answer("none of them")
    scrub.leave_out(3)
    assert observation.verdict["mark"] == "right"


@pytest.mark.parametrize(
    ("other", "choice"),
    [
        ({"a": "1"}, "the same files in it"),
        ({"a": "1", "b": "2"}, "one file too many in it"),
        ({"a": "2"}, "other words in plan.txt"),
    ],
)
def test_the_other_folder_decides_which_prediction_came_true(other, choice):
    first = {"a": "1", "plan.txt": "buy"}
    other = {"plan.txt": "buy" if choice != "other words in plan.txt" else "sell", **other}
    guess, observation = lesson.shown("predict-3", "observe-3", first=first, other=other)
    assert observation.verdict["mark"] == "open"
    guess.answer(choice)
    assert observation.verdict["mark"] == "right"


def test_after_a_kill_a_hit_falls_in_the_village():
    panel, observation = lesson.opened(2, "0 gold, dragon 2")
    assert observation.verdict["text"] == "Still to do: walk, hit, hit."
    press(panel, "walk", "hit")
    assert observation.verdict["text"] == "Still to do: hit."
    press(panel, "hit")
    assert observation.verdict["text"] == "Still to do: kill the server."
    press(panel, ("kill", "game"))
    assert "Still to do: restart the server." in observation.verdict["text"]
    press(panel, ("restart", "game"), "hit")
    assert observation.verdict["text"] == "Still to do: loot."
    press(panel, "loot")
    assert observation.verdict["mark"] == "wrong"
    assert observation.verdict["text"] == (
        "It was “0 gold, dragon 3”: the record was lost at 1.5 s, and with it went the place: her "
        "hit of 2.5 s fell in the village."
    )
    press(panel, "walk", "hit", "hit", "hit", "loot")  # and the verdict stays
    assert observation.verdict["mark"] == "wrong"
    assert panel.rows.requests(path="/loot")[-1].answer["gold"] == 50


def test_other_packets_are_no_answer_to_the_question():
    panel, observation = lesson.opened(2, "0 gold, dragon 2")
    press(panel, "hit")
    assert "Start over: before the kill come walk, hit, hit." in observation.verdict["text"]
    panel.do("again")
    press(panel, "walk", "hit", "hit", ("kill", "game"), ("restart", "game"), "loot")
    assert "Start over: after the kill come hit, loot." in observation.verdict["text"]


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
