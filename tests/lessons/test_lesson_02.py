"""Lesson 02: its predictions come true, and its observation claims only what the machines hold."""

import lessons
import pytest
from lessons import press

from statelab import World

lesson = lessons.Lesson("02_determinism")


DIGS = ("dig", "dig", "dig")
RESTART = (("kill", "right"), ("restart", "right"))


def memory_of(panel, name):
    return next(row.data[0] for row in panel.world.trace.states() if row.node == name)


def test_a_seed_and_the_keys_bring_back_the_gold():
    panel, observation = lesson.opened(1, "another sum: dice are chance")
    assert "let alice dig three times" in observation.verdict["text"]
    press(panel, *DIGS)
    assert observation.verdict["text"] == "Still to do: kill right."
    press(panel, ("kill", "right"), "dig", ("restart", "right"))
    assert "let the operator feed it again" in observation.verdict["text"]
    press(panel, "feed right again")
    assert observation.verdict["mark"] == "wrong"
    gold = memory_of(panel, "left")["gold"]
    assert memory_of(panel, "right")["gold"] == gold
    assert f"A seed and 4 keys brought it back: both have {gold}." in observation.verdict["text"]


@pytest.mark.parametrize(
    "before",
    [(("kill", "log"), ("restart", "log")), (("kill", "left"), ("restart", "left"))],
    ids=["the log is lost", "left is lost"],
)
def test_nothing_is_claimed_where_another_memory_was_lost_too(before):
    panel, observation = lesson.opened(1, "another sum: dice are chance")
    press(panel, *DIGS, *before, *RESTART, "feed right again")
    assert memory_of(panel, "left") != memory_of(panel, "right")
    assert observation.verdict["mark"] == "open"
    assert "kill only right" in observation.verdict["text"]


def test_who_kills_right_before_it_has_gold_is_told_how_to_go_on():
    panel, observation = lesson.opened(1, "another sum: dice are chance")
    press(panel, *RESTART, *DIGS)
    assert "Start over, and let alice dig first" in observation.verdict["text"]


@pytest.mark.parametrize(
    ("turns", "choice"),
    [
        (["eve", "gus", "gus"], "sometimes"),
        (["eve", "eve", "eve"], "always equal"),
        (["eve", "gus", "ann"], "never"),
    ],
)
def test_the_processes_decide_which_prediction_came_true(turns, choice):
    guess, observation = lesson.shown("predict-2", "observe-2", turns=turns)
    guess.answer(choice)
    assert observation.verdict["mark"] == "right"


def test_one_machine_loses_gold_between_its_hands_and_the_other_does_not():
    world = World(seed=7)
    lesson.two_machines(world, machine=lesson.TwoHands)
    assert lesson.feed(world)[0] == {"left": 1, "right": 2}


def test_two_pasts_may_come_to_one_state():
    world = World(seed=7)
    lesson.rich_and_poor(world)
    assert lesson.feed(world, ["pay", "pay"])[-1] == {"left": 0, "right": 0}
