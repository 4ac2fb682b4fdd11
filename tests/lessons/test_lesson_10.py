"""Lesson 10: the judge ranks designs rightly, each choice has its rule, and days come back."""

import os
import re
import subprocess
import sys

import lessons
import pytest
from lessons import press

from statelab import Run, World, lab

lesson = lessons.Lesson("10_capstone")
_tables = {}


def hostile(design, days):
    """The table of the first so many hostile days of a design; they are run once for all tests."""
    key = tuple(design.items())
    if len(_tables.get(key, ())) < days:
        _tables[key] = lesson.judged(design, lesson.HOSTILE, days)
    return _tables[key].head(days)


def broken(table):
    """The places, in RULES, of the rules that some day broke."""
    return {place for place, name in enumerate(lesson.SENTENCES) if not table[name].all()}


# ------------------------------------------------------------------------------- the judge
def test_hostile_days_rank_three_designs_rightly_and_the_sound_one_survives_them_all(seeds):
    days = len([*seeds(300)])
    naive, reasonable, sound = (
        hostile(design, many)
        for design, many in ((lesson.MINE, 100), (lesson.NEIGHBOUR, 100), (lesson.SOUND, days))
    )
    assert lesson.survived(sound) == days
    assert lesson.survived(naive) < lesson.survived(reasonable) < 50
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
    weaker = broken(hostile({**lesson.SOUND, **choice}, days))
    assert rule in weaker
    also = {LOST, TWICE, BOARD} if "coins" in choice else set()
    assert weaker <= {rule, *also}


def test_a_login_in_the_store_is_sound_too_and_has_another_price():
    by_store = hostile({**lesson.SOUND, "login": "store"}, 100)
    assert lesson.survived(by_store) == 100
    token, store = (lesson.prices({**lesson.SOUND, "login": login}) for login in ("token", "store"))
    assert (token["store asked"], store["store asked"]) == ("1.0 times a request",
                                                            "2.0 times a request")  # fmt: skip
    assert (token["logout at once"], store["logout at once"]) == ("no", "yes")


def test_while_the_store_is_away_only_what_needs_it_not_goes_on():
    away = "store away: a match is paid", "store away: who is there"
    for design, goes_on in (
        (lesson.MINE, ("yes", "no")),
        ({**lesson.MINE, "online": "memory"}, ("yes", "yes")),
        ({**lesson.MINE, "login": "store"}, ("no", "no")),
        (lesson.SOUND, ("no", "no")),
    ):
        assert tuple(lesson.prices(design)[what] for what in away) == goes_on


def test_what_breaks_no_rule_makes_somebody_wait_more_often():
    waited = [
        int((hostile(design, 100)["wait"] > lesson.PATIENCE_S).sum())
        for design in (lesson.MINE, lesson.SOUND)
    ]
    assert waited[0] < 3 < waited[1]


def test_no_choice_stands_where_its_place_or_its_length_would_tell_that_it_is_sound():
    sound = lesson.SOUND.items()
    last = [piece for piece, choice in sound if lesson.CHOICES[piece][-1] == choice]
    longest = [
        piece
        for piece, choice in sound
        if all(len(other) < len(choice) for other in lesson.CHOICES[piece] if other != choice)
    ]
    assert len(last) < 2
    assert len(longest) < 2


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
    table = hostile(lesson.MINE, 100)
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
    table = hostile(lesson.MINE, 40)
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


@pytest.fixture
def told(capsys):
    """Runs the cells that show the worst day of a design, and takes it apart; what they print."""

    def tell(design, days):
        table = hostile(design, days)
        cells = map(lesson.cell, ("worst-day", "apart-run"))
        names = lesson.run(*cells, MINE=design, table=table)
        return names, capsys.readouterr().out

    return tell


def test_who_survives_every_day_is_shown_the_one_on_which_somebody_waited_longest(told):
    names, said = told(lesson.SOUND, 60)
    assert "No rule broke on any day" in said
    assert names["seed"] == names["table"]["wait"].idxmax()
    assert names["rule"] == lesson.PATIENCE
    assert 0 < len(lesson.troubles(names["day"])) < 4
    assert names["day"].replay(lesson.backend).trace.breach(lesson.PATIENCE)


def test_a_design_of_which_nobody_waited_has_nothing_to_take_apart(told):
    names, said = told(lesson.SOUND, 2)
    assert names["table"]["wait"].max() < lesson.PATIENCE_S
    assert "there is nothing to take apart" in said


def test_the_worst_day_of_a_design_that_breaks_is_told_in_times(told):
    _, said = told(lesson.MINE, 40)
    assert re.search(r"^✕ who has logged in stays logged in, at \d\.\d s$", said, re.MULTILINE)


# ------------------------------------------------------------------------------- the panel
DAY = ("wait", "wait", "pause web-1", "wait", "wait", "resume web-1", *["wait"] * 4)
OUT, NONE = "somebody is logged out", "none: no memory was lost"


@pytest.mark.parametrize(("answer", "mark"), [(OUT, "right"), (NONE, "wrong")])
def test_a_pause_in_the_panel_decides_the_prediction(answer, mark):
    panel, observation = lesson.opened(1, answer)
    assert "Still to do" in repr(observation)
    press(panel, *DAY[:4])
    assert panel.verdict["mark"] == mark
    assert "“who has logged in stays logged in” broke at 2." in repr(observation)
    earned = panel.verdict["text"]
    press(panel, *DAY[4:])
    assert panel.verdict["text"] == earned


def test_a_kill_in_the_panel_is_not_what_was_asked():
    panel, observation = lesson.opened(1, NONE)
    press(panel, "wait", "kill web-1")
    assert "Start over, and kill nothing" in repr(observation)


@pytest.mark.parametrize(
    ("design", "choice"),
    [("SOUND", NONE), ("NEIGHBOUR", "a match is paid twice")],
)
def test_another_design_decides_the_prediction_otherwise(monkeypatch, design, choice):
    monkeypatch.setattr(lesson.module, "MINE", getattr(lesson, design))
    panel, observation = lesson.opened(1, choice)
    press(panel, *DAY[:4])
    if choice == NONE:
        assert "No rule is broken yet" in repr(observation)
    press(panel, *DAY[4:])
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
