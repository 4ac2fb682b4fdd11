"""Lesson 10: the judge ranks designs rightly, each choice has its rule, and days come back."""

import os
import subprocess
import sys

import lessons
import nbformat
import pytest

from statelab import Run, World, lab

NAME = "10_capstone"


@pytest.fixture(scope="module")
def lesson():
    return lessons.load(NAME)


def cell(name):
    """The source of a cell by its id."""
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{NAME}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


def broken(table, lesson):
    """The places, in RULES, of the rules that some day broke."""
    return {place for place, name in enumerate(lesson.SENTENCES) if not table[name].all()}


# ------------------------------------------------------------------------------- the judge
def test_hostile_days_rank_three_designs_rightly_and_the_sound_one_survives_a_thousand(lesson):
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
def test_each_weaker_choice_in_a_sound_design_breaks_its_own_rule(lesson, choice, rule, days):
    weaker = broken(lesson.judged({**lesson.SOUND, **choice}, lesson.HOSTILE, days), lesson)
    assert rule in weaker
    also = {LOST, TWICE, BOARD} if "coins" in choice else set()
    assert weaker <= {rule, *also}


def test_a_login_in_the_store_is_sound_too_and_asks_more(lesson):
    by_store = lesson.judged({**lesson.SOUND, "login": "store"}, lesson.HOSTILE, 100)
    assert lesson.survived(by_store) == 100
    quiet = [
        lesson.judged({**lesson.SOUND, "login": login}, lesson.PERFECT, 20)["ms"].mean()
        for login in ("token", "store")
    ]
    assert quiet[0] < quiet[1]


def test_on_a_perfect_network_only_a_list_in_two_memories_breaks_a_rule(lesson):
    for design in (lesson.MINE, lesson.NEIGHBOUR, lesson.SOUND):
        assert lesson.survived(lesson.judged(design, lesson.PERFECT, 30)) == 30
    table = lesson.judged({**lesson.MINE, "online": "memory"}, lesson.PERFECT, 30)
    assert broken(table, lesson) == {LIST}


def test_the_reasonable_design_survives_kills_and_not_the_days_without_one(lesson):
    days = {
        name: lesson.survived(
            lesson.judged(lesson.NEIGHBOUR, lesson.storm(trouble, gap=(0.1, 0.4)), 60)
        )
        for name, trouble in vars(lesson).items()
        if name in ("kill", "loss", "pause", "duplicate")
    }
    assert days["kill"] >= 55
    assert max(days["loss"], days["pause"], days["duplicate"]) < 55
    assert days["pause"] < 10


def test_no_rule_judges_the_end_of_a_day_that_is_not_over(lesson):
    world = World(7)
    lesson.backend(world, **{**lesson.MINE, "online": "memory"})
    world.run(1.0)
    world.kill("web-1")
    world.kill("web-2")
    world.run(until=7.0)
    assert [rule.first_breach(world.trace.rows) for rule in lesson.RULES[STILL:]] == [None] * 3


def test_a_design_with_a_word_that_is_no_choice_is_refused_by_name(lesson):
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


def test_the_naive_designs_worst_day_is_the_same_in_another_process(lesson):
    table = lesson.judged(lesson.MINE, lesson.HOSTILE, 100)
    seed = lesson.worst(table)
    of_all = (~table[lesson.SENTENCES]).sum(axis=1)
    assert of_all[seed] == of_all.max() >= 4
    code = table["code"][seed]
    run = subprocess.run(
        [sys.executable, "-c", REPLAY, NAME, code],
        env={**os.environ, "PYTHONHASHSEED": "99", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    world = Run.parse(code).replay(lesson.backend)
    assert run.stdout.split() == [Run.parse(code).digest] == [world.trace.digest()]
    for name, rule in zip(lesson.SENTENCES, lesson.RULES, strict=True):
        assert (world.trace.breach(rule) is None) == table[name][seed]


def test_a_day_taken_apart_keeps_only_what_the_breach_needs(lesson):
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
def opened(lesson, answer):
    names = dict(vars(lesson))
    for name in ("predict-2", "panel-2"):
        exec(cell(name), names)
    names["guess_2"].answer(answer)
    exec(f"observation = {cell('observe-2')}", names)
    return names["panel_2"], names["observation"]


def press(panel, *clicks):
    for click in clicks:
        panel.do(*click)


WAIT, PAUSE, RESUME = ("wait",), ("pause", "web-1"), ("resume", "web-1")


def test_a_pause_in_the_panel_decides_the_prediction(lesson):
    for answer, mark in (("yes, and a pause is enough", "right"), ("no: nothing died", "wrong")):
        choice = next(c for c in ("yes, and a pause is enough", NOTHING) if c.startswith(answer))
        panel, observation = opened(lesson, choice)
        assert "Still to do" in repr(observation)
        press(panel, WAIT, WAIT, WAIT, WAIT, PAUSE, WAIT)
        assert panel.verdict["mark"] == mark
        assert "“who has logged in stays logged in” broke at 2." in repr(observation)


NOTHING = "no: nothing died, so nothing is lost"


def test_a_kill_in_the_panel_is_not_what_was_asked(lesson):
    panel, observation = opened(lesson, NOTHING)
    press(panel, WAIT, ("kill", "web-1"))
    assert "Start over, and kill nothing" in repr(observation)


def test_a_sound_design_in_the_panel_decides_for_no(lesson, monkeypatch):
    monkeypatch.setattr(lesson, "MINE", lesson.SOUND)
    panel, observation = opened(lesson, NOTHING)
    press(panel, *[WAIT] * 4, PAUSE, WAIT, WAIT, RESUME)
    assert "No rule is broken yet" in repr(observation)
    press(panel, *[WAIT] * 8)
    assert panel.verdict["mark"] == "right"


# ------------------------------------------------------------------------------- the workshop
def test_a_restart_costs_dee_her_login_and_her_coins_unless_they_live_elsewhere(lesson):
    assert lesson.visit(World(7), lesson.MINE) == ({"coins": 10}, 401, "please log in")
    for design in (lesson.NEIGHBOUR, lesson.SOUND):
        assert lesson.visit(World(7), design) == ({"coins": 10}, 200, {"coins": 20})


def test_one_lost_answer_breaks_the_neighbours_design_and_one_kill_does_not(lesson):
    names = dict(vars(lesson))
    exec(cell("attack").partition("\n\n")[2].partition("\n\nrule")[0], names)
    assert lesson.first_broken(names["world"]) == (None, None)
    assert [given[1] for given in names["world"].inputs] == ["kill", "restart"]
    world = World(7)
    lesson.break_the_neighbour(world)
    rule, _ = lesson.first_broken(world)
    assert rule == lesson.RULES[TWICE]
    assert [given[1] for given in world.inputs] == ["lose_next"]


def test_the_check_fails_the_neighbours_design_and_passes_the_sound_one(lesson, capsys):
    options = {"invariants": lesson.RULES, "day": lesson.HOSTILE, "until": lesson.DAY_S}
    failed = lab.check(lesson.backend, lesson.NEIGHBOUR, **options)
    assert not failed.passed
    assert Run.parse(failed.code).replay(lesson.backend).trace.breach(lesson.RULES[TWICE])
    assert lab.check(lesson.backend, lesson.SOUND, **options).passed
