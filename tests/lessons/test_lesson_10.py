"""Lesson 10: the judge ranks designs rightly, each choice has its rule, and days come back."""

import os
import subprocess
import sys

import lessons
import pytest
from lessons import press

from statelab import Run, World, lab

lesson = lessons.Lesson("10_capstone")


def broken(table):
    """The places, in RULES, of the rules that some day broke."""
    return {place for place, name in enumerate(lesson.SENTENCES) if not table[name].all()}


# ------------------------------------------------------------------------------- the judge
def test_hostile_days_rank_three_designs_rightly_and_the_sound_one_survives_a_thousand():
    naive, reasonable, sound = (
        lesson.judged(design, lesson.HOSTILE, days)
        for design, days in ((lesson.MINE, 300), (lesson.NEIGHBOUR, 300), (lesson.SOUND, 1000))
    )
    assert lesson.survived(sound) == 1000
    assert lesson.survived(naive) < lesson.survived(reasonable) < 150
    rules_broken = [(~t[lesson.SENTENCES]).sum(axis=1).mean() for t in (naive, reasonable, sound)]
    assert rules_broken[0] > 2 * rules_broken[1] > rules_broken[2] == 0
    assert sound["lost"].sum() == sound["too much"].sum() == 0
    assert naive["lost"].sum() > 0 < reasonable["too much"].sum()
    assert reasonable["lost"].sum() == 0


LOGIN, LOST, TWICE, OVER, STILL, LIST, BOARD = range(7)


@pytest.mark.parametrize(
    ("choice", "rule", "days"),
    [
        ({"login": "memory"}, LOGIN, 30),
        ({"coins": "memory"}, LOST, 30),
        ({"coins": "disk"}, LOST, 30),
        ({"coins": "store"}, TWICE, 30),
        ({"online": "memory"}, LIST, 30),
        ({"online": "store"}, LIST, 60),
        ({"right": "lock"}, STILL, 60),
        ({"right": "lease"}, OVER, 200),
        ({"board": "told"}, BOARD, 30),
    ],
)
def test_each_weaker_choice_in_a_sound_design_breaks_its_own_rule(choice, rule, days):
    weaker = broken(lesson.judged({**lesson.SOUND, **choice}, lesson.HOSTILE, days))
    assert rule in weaker
    also = {LOST, TWICE, BOARD} if "coins" in choice else set()
    assert weaker <= {rule, *also}


def test_a_login_in_the_store_is_sound_too_and_asks_more():
    by_store = lesson.judged({**lesson.SOUND, "login": "store"}, lesson.HOSTILE, 100)
    assert lesson.survived(by_store) == 100
    quiet = [
        lesson.judged({**lesson.SOUND, "login": login}, lesson.PERFECT, 20)["ms"].mean()
        for login in ("token", "store")
    ]
    assert quiet[0] < quiet[1]


def test_on_a_perfect_network_only_a_list_in_two_memories_breaks_a_rule():
    for design in (lesson.MINE, lesson.NEIGHBOUR, lesson.SOUND):
        assert lesson.survived(lesson.judged(design, lesson.PERFECT, 30)) == 30
    table = lesson.judged({**lesson.MINE, "online": "memory"}, lesson.PERFECT, 30)
    assert broken(table) == {LIST}


def test_the_reasonable_design_survives_kills_and_not_the_days_without_one():
    days = {
        name: lesson.survived(
            lesson.judged(lesson.NEIGHBOUR, lesson.storm(trouble, gap=(0.1, 0.4)), 60)
        )
        for name, trouble in vars(lesson.module).items()
        if name in ("kill", "loss", "pause", "duplicate")
    }
    assert days["kill"] >= 55
    assert max(days["loss"], days["pause"], days["duplicate"]) < 55
    assert days["pause"] < 10


def test_no_rule_judges_the_end_of_a_day_that_is_not_over():
    world = World(7)
    lesson.backend(world, **{**lesson.MINE, "online": "memory"})
    world.run(1.0)
    world.kill("web-1")
    world.kill("web-2")
    world.run(until=7.0)
    assert [rule.first_breach(world.trace.rows) for rule in lesson.RULES[STILL:]] == [None] * 3


def test_a_design_with_a_word_that_is_no_choice_is_refused_by_name():
    with pytest.raises(lab.SweepError, match="coins is 'cloud': choose one of"):
        lesson.judged({**lesson.MINE, "coins": "cloud"}, lesson.PERFECT, 1)


# ------------------------------------------------------------------------------- a day, apart
REPLAY = """
import sys
import lessons
from statelab import Run
lesson = lessons.load(sys.argv[1])
print(Run.parse(sys.argv[2]).replay(lesson.backend).trace.digest())
"""


def test_the_naive_designs_worst_day_is_the_same_in_another_process():
    table = lesson.judged(lesson.MINE, lesson.HOSTILE, 100)
    seed = lesson.worst(table)
    of_all = (~table[lesson.SENTENCES]).sum(axis=1)
    assert of_all[seed] == of_all.max() >= 4
    code = table["code"][seed]
    run = subprocess.run(
        [sys.executable, "-c", REPLAY, lesson.name, code],
        env={**os.environ, "PYTHONHASHSEED": "99", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    world = Run.parse(code).replay(lesson.backend)
    assert run.stdout.split() == [Run.parse(code).digest] == [world.trace.digest()]
    for name, rule in zip(lesson.SENTENCES, lesson.RULES, strict=True):
        assert (world.trace.breach(rule) is None) == table[name][seed]


def test_a_day_taken_apart_keeps_only_what_the_breach_needs():
    table = lesson.judged(lesson.MINE, lesson.HOSTILE, 40)
    apart = 0
    for code in table["code"][~table[lesson.SENTENCES].all(axis=1)][:10]:
        day = Run.parse(code)
        rule, row = lesson.first_broken(day.replay(lesson.backend))
        assert row == day.replay(lesson.backend).trace.breach(rule)
        short = lesson.needed(day, rule)
        assert short.replay(lesson.backend).trace.breach(rule)
        for group in lesson.troubles(short):
            shorter = lesson.without(short, group).replay(lesson.backend)
            assert shorter.trace.breach(rule) is None
        apart += len(lesson.troubles(short)) < len(lesson.troubles(day))
    assert apart > 0


# ------------------------------------------------------------------------------- the panel
WAIT, PAUSE, RESUME = ("wait",), ("pause", "web-1"), ("resume", "web-1")


def test_a_pause_in_the_panel_decides_the_prediction():
    for answer, mark in (("yes, and a pause is enough", "right"), ("no: nothing died", "wrong")):
        choice = next(c for c in ("yes, and a pause is enough", NOTHING) if c.startswith(answer))
        panel, observation = lesson.opened(2, choice)
        assert "Still to do" in repr(observation)
        press(panel, WAIT, WAIT, WAIT, WAIT, PAUSE, WAIT)
        assert panel.verdict["mark"] == mark
        assert "“who has logged in stays logged in” broke at 2." in repr(observation)


NOTHING = "no: nothing died, so nothing is lost"


def test_a_kill_in_the_panel_is_not_what_was_asked():
    panel, observation = lesson.opened(2, NOTHING)
    press(panel, WAIT, ("kill", "web-1"))
    assert "Start over, and kill nothing" in repr(observation)


def test_a_sound_design_in_the_panel_decides_for_no(monkeypatch):
    monkeypatch.setattr(lesson.module, "MINE", lesson.SOUND)
    panel, observation = lesson.opened(2, NOTHING)
    press(panel, *[WAIT] * 4, PAUSE, WAIT, WAIT, RESUME)
    assert "No rule is broken yet" in repr(observation)
    press(panel, *[WAIT] * 8)
    assert panel.verdict["mark"] == "right"


# ------------------------------------------------------------------------------- the workshop
def test_a_restart_costs_dee_her_login_and_her_coins_unless_they_live_elsewhere():
    assert lesson.visit(World(7), lesson.MINE) == ({"coins": 10}, 401, "please log in")
    for design in (lesson.NEIGHBOUR, lesson.SOUND):
        assert lesson.visit(World(7), design) == ({"coins": 10}, 200, {"coins": 20})


def test_one_lost_answer_breaks_the_neighbours_design_and_one_kill_does_not():
    names = lesson.run(lesson.cell("attack").partition("\n\n")[2].partition("\n\nrule")[0])
    assert lesson.first_broken(names["world"]) == (None, None)
    assert [given[1] for given in names["world"].inputs] == ["kill", "restart"]
    world = World(7)
    lesson.break_the_neighbour(world)
    rule, _ = lesson.first_broken(world)
    assert rule == lesson.RULES[TWICE]
    assert [given[1] for given in world.inputs] == ["lose_next"]


def test_the_check_fails_the_neighbours_design_and_passes_the_sound_one(capsys):
    options = {"invariants": lesson.RULES, "day": lesson.HOSTILE, "until": lesson.DAY_S}
    failed = lab.check(lesson.backend, lesson.NEIGHBOUR, **options)
    assert not failed.passed
    assert Run.parse(failed.code).replay(lesson.backend).trace.breach(lesson.RULES[TWICE])
    assert lab.check(lesson.backend, lesson.SOUND, **options).passed
