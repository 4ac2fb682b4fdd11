"""Lesson 02: its predictions come true, and its observation claims only what the machines hold."""

import lessons
import nbformat
import pytest

from statelab import World, lab

NAME = "02_determinism"


def cell(name):
    """The source of a cell by its id."""
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{NAME}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


@pytest.fixture
def opened():
    """The lesson's panel, its observation, and a function that presses buttons."""
    names = dict(vars(lessons.load(NAME)), lab=lab)
    exec(cell("predict-1"), names)
    exec(cell("panel-1"), names)
    names["guess"].answer("another sum: dice are chance")
    exec(f"observation = {cell('observe-1')}", names)

    def press(*buttons):
        for button in buttons:
            names["panel"].do(*(button if type(button) is tuple else ("action", button)))

    return names["panel"], names["observation"], press


DIGS = ("dig", "dig", "dig")
RESTART = (("kill", "right"), ("restart", "right"))


def memory_of(panel, name):
    return next(row.data[0] for row in panel.world.trace.states() if row.node == name)


def test_a_seed_and_the_keys_bring_back_the_gold(opened):
    panel, observation, press = opened
    assert "let alice dig three times" in observation.verdict["text"]
    press(*DIGS)
    assert observation.verdict["text"] == "Still to do: kill right."
    press(("kill", "right"), "dig", ("restart", "right"))
    assert "let the operator feed it again" in observation.verdict["text"]
    press("feed right again")
    assert observation.verdict["mark"] == "wrong"
    gold = memory_of(panel, "left")["gold"]
    assert memory_of(panel, "right")["gold"] == gold
    assert f"A seed and 4 keys brought it back: both have {gold}." in observation.verdict["text"]


@pytest.mark.parametrize(
    "before",
    [(("kill", "log"), ("restart", "log")), (("kill", "left"), ("restart", "left"))],
    ids=["the log is lost", "left is lost"],
)
def test_nothing_is_claimed_where_another_memory_was_lost_too(opened, before):
    panel, observation, press = opened
    press(*DIGS, *before, *RESTART, "feed right again")
    assert memory_of(panel, "left") != memory_of(panel, "right")
    assert observation.verdict["mark"] == "open"
    assert "kill only right" in observation.verdict["text"]


def test_who_kills_right_before_it_has_gold_is_told_how_to_go_on(opened):
    _, observation, press = opened
    press(*RESTART, *DIGS)
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
    names = dict(vars(lessons.load(NAME)), lab=lab, turns=turns)
    exec(cell("predict-2"), names)
    names["guess_2"].answer(choice)
    exec(cell("observe-2").replace("lab.compare", "observation = lab.compare"), names)
    assert names["observation"].verdict["mark"] == "right"


def test_one_machine_loses_gold_between_its_hands_and_the_other_does_not():
    lesson = lessons.load(NAME)
    world = World(seed=7)
    lesson.two_machines(world, machine=lesson.TwoHands)
    assert lesson.feed(world)[0] == {"left": 1, "right": 2}


def test_two_pasts_may_come_to_one_state():
    lesson = lessons.load(NAME)
    world = World(seed=7)
    lesson.rich_and_poor(world)
    assert lesson.feed(world, ["pay", "pay"])[-1] == {"left": 0, "right": 0}
