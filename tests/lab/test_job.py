"""What check and sweep are given is looked at once, by one rule for both."""

import itertools

import numpy
import pandas
import pytest

from statelab import Invariant, Node, lab, scenario
from statelab.lab.trials.job import seeds_of


class Web(Node):
    async def handle(self, request):
        return 1


@scenario
def visit(world, path="/"):
    world.start("web", Web)
    world.call("web", path)


HOLDS = Invariant("it holds", lambda rows: None)


def ten_first(count):
    return range(10, 10 + count)


@pytest.mark.parametrize(
    ("seeds", "named"),
    [
        (2, [10, 11]),
        (numpy.int64(2), [10, 11]),
        ([1, 1, 2], [1, 1, 2]),
        ((3, 1), [3, 1]),
        ({9, 8, 7}, [8, 9, 7]),
        (range(3), [0, 1, 2]),
        ((n for n in (5, 4)), [5, 4]),
        (numpy.arange(3), [0, 1, 2]),
        (pandas.Series([4, 2]), [4, 2]),
        (pandas.Index([4, 2]), [4, 2]),
        ([-1, 2**63 - 1], [-1, 2**63 - 1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_seeds_are_how_many_or_which_of_any_kind_of_whole_numbers(seeds, named):
    assert seeds_of(seeds, ten_first) == named


WRONG_SEEDS = [
    -1, 0, 10**9, 10**5000, True, None, 1.0, 2.5, float("nan"), "123", b"123", [], [1.0], [True],
    ["1"], [None], [[1]], [2**63], [-(2**64)], {1: 2}, numpy.arange(2) / 2, object(), print,
]  # fmt: skip


@pytest.mark.parametrize(
    "seeds", [*WRONG_SEEDS, itertools.count()], ids=lambda seeds: type(seeds).__name__
)
def test_other_seeds_are_refused_by_both_in_the_same_sentence(seeds):
    with pytest.raises((TypeError, ValueError)) as failed:
        lab.sweep(visit, seeds)
    assert len(str(failed.value)) < 300
    verdict = lab.check(visit, seeds=seeds)
    assert not verdict.passed
    if not isinstance(seeds, itertools.count):  # which has gone on
        assert str(failed.value) in verdict.text


def test_a_sweep_has_a_row_for_each_seed_that_is_named_in_their_order():
    table = lab.sweep(
        visit, [1, 1, 2], invariants=[HOLDS], measure=lambda rows: {"rows": len(rows)}
    )
    assert list(table.index) == [1, 1, 2]
    assert list(table.columns) == ["code", "it holds", "broken at: it holds", "rows"]
    assert table["rows"].notna().all()
    assert len(lab.sweep(visit, [0, 1, 1, 2, 1])) == 5


WRONG = [
    {"args": 5},
    {"args": "path"},
    {"args": 0},
    {"args": False},
    {"args": ""},
    {"args": []},
    {"args": ()},
    {"args": numpy.array([])},
    {"args": {1: 2}},
    {"args": [("path", 1)]},
    {"invariants": 5},
    {"invariants": HOLDS},
    {"invariants": "it"},
    {"invariants": [("it", len)]},
    {"day": 5},
    {"until": -1},
    {"until": "5"},
    {"until": None},
    {"until": float("nan")},
    {"until": 1e308},
    {"until": 10**400},
    {"seconds": 0},
    {"seconds": -1},
    {"seconds": "5"},
    {"seconds": None},
    {"seconds": float("inf")},
]


@pytest.mark.parametrize("options", WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_meant_is_refused_by_both_before_anything_runs(options, capsys):
    with pytest.raises((TypeError, ValueError)) as failed:
        lab.sweep(visit, 2, **options)
    verdict = lab.check(visit, seeds=2, **options)
    assert str(failed.value) in verdict.text
    assert verdict.text.startswith("✕ this check could not be run: ")
    assert len(verdict.text) < 300
    assert capsys.readouterr().out == f"{verdict.text}\n"


@pytest.mark.parametrize("panel", [5, "panel", print, Web, []])
def test_a_check_with_no_panel_where_one_should_be_says_so(panel):
    assert "panel is a Panel, not" in lab.check(visit, seeds=1, panel=panel).text


def test_a_sweep_says_what_its_own_options_are():
    with pytest.raises(TypeError, match="measure is a function, not 5"):
        lab.sweep(visit, 2, measure=5)
    with pytest.raises(TypeError, match="executor has a method submit, unlike 5"):
        lab.sweep(visit, 2, executor=5)
