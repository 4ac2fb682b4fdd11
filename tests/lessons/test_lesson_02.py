"""Lesson 02: its predictions come true, and its observation claims only what the machines hold."""

import lessons
import pytest
from lessons import press

from statelab import Node, World, lab

lesson = lessons.Lesson("02_determinism")


DIGS = ("dig", "dig", "dig")
RESTART = (("kill", "right"), ("restart", "right"))


def memory_of(panel, name):
    return next(row.data[0] for row in panel.world.trace.states() if row.node == name)


def test_a_new_life_has_a_new_die_and_a_seed_and_the_keys_bring_back_the_gold():
    panel, observation = lesson.opened(1, "as much as left does")
    assert "let alice dig three times" in observation.verdict["text"]
    press(panel, *DIGS)
    assert observation.verdict["text"] == "Still to do: kill right."
    press(panel, ("kill", "right"))
    assert "Still to do: restart right." in observation.verdict["text"]
    press(panel, ("restart", "right"))
    assert "Still to do: let alice dig once more." in observation.verdict["text"]
    press(panel, "dig")
    assert observation.verdict["mark"] == "wrong"
    assert observation.verdict["text"] == (
        "It was “as much as at dig 1”: right lost its gold and its die at 1.5 s. At 2.5 s it found "
        "3, as at dig 1: a new life has a new die. left found 6."
    )
    press(panel, *RESTART, "feed right again")  # and the verdict stays
    assert observation.verdict["mark"] == "wrong"
    assert memory_of(panel, "right")["gold"] == memory_of(panel, "left")["gold"]


@pytest.mark.parametrize(
    ("presses", "said"),
    [
        ((*DIGS, ("kill", "log"), ("restart", "log"), *RESTART, "dig"), ""),
        ((*DIGS, ("kill", "left"), *RESTART, "dig"), "kill only right"),
        ((*DIGS, *RESTART, "feed right again", "dig"), "fed before alice dug"),
        ((*RESTART, *DIGS), "Start over"),
        ((*DIGS, *DIGS, "dig", "dig", *RESTART, "dig"), "By chance left found 3"),
    ],
    ids=["the log is lost", "left is dead", "fed first", "killed first", "nine digs"],
)
def test_nothing_is_claimed_of_another_story(presses, said):
    panel, observation = lesson.opened(1, "as much as at dig 1")
    press(panel, *presses)
    assert observation.verdict["mark"] == ("open" if said else "right")
    assert said in observation.verdict["text"]


@pytest.mark.parametrize(
    ("machine", "choice"),
    [
        ("TwoHands", "machines part, runs agree"),
        ("Game", "machines agree, runs agree"),
        ("Unseeded", "machines part, runs part"),
    ],
)
def test_the_runs_decide_which_prediction_of_the_hands_came_true(machine, choice):
    names = lesson.run(lesson.cell("parting").partition("print")[0])
    hands = names["run_twice"](getattr(lesson, machine))
    guess, observation = lesson.shown("predict-2", "observe-2", hands=hands)
    assert observation.verdict["mark"] == "open"
    guess.answer(choice)
    assert observation.verdict["mark"] == "right"


class Sorted(Node):
    def __init__(self):
        self.names = []

    async def handle(self, request):
        self.names = sorted([*self.names, request.body])
        return self.names[0]


@pytest.mark.parametrize(
    ("machine", "choice"),
    [("Turns", "part at a later name"), (Sorted, "agree in all events")],
    ids=["a set", "a list"],
)
def test_two_processes_decide_which_prediction_of_the_turns_came_true(machine, choice):
    machine = getattr(lesson, machine) if machine == "Turns" else machine
    parted = lab.check(lesson.two_machines, {"machine": machine}, day=lesson.they_join, seeds=1)
    guess, observation = lesson.shown("predict-3", "observe-3", parted=parted)
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
