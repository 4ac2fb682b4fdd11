"""Lesson 09: its predictions come true, its copies part where it says, on PostgreSQL too."""

import random

import lessons
import pytest
from lessons import press

from statelab import Response, Run, World, lab

lesson = lessons.Lesson("09_replicas")


# ------------------------------------------------------------------------------- the panels
COME, SELL, COUNT = "3 cups come in", "sell a cup", "count: 10 cups"
DELETES = (COME, "wait", "DELETE, no WHERE", "wait")
LOSES = (COME, "wait", "lose_next original replica", COME, "wait", SELL, "wait", COUNT, "wait")
EVENING = ("wait", "hold original replica", *["wait"] * 8, "kill original", "promote the replica",
           "wait")  # fmt: skip


@pytest.mark.parametrize(
    ("number", "buttons", "right", "wrong"),
    [
        (1, DELETES, "nothing", "all of it: it is the backup"),
        (2, LOSES, "it depends on the other inputs", "by that one input: it is nearly right"),
        (3, EVENING, "fewer", "all"),
    ],
)
def test_what_a_panel_asks_for_decides_its_prediction(number, buttons, right, wrong):
    for answer, mark in ((right, "right"), (wrong, "wrong")):
        panel, observation = lesson.opened(number, answer)
        assert "Still to do" in repr(observation)
        press(panel, *buttons)
        assert panel.error == ""
        assert panel.verdict["mark"] == mark
        assert panel.verdict["text"].startswith("And so it was" if mark == "right" else "It was")


def lights(panel):
    """Which sentences of a panel have been broken."""
    return {light["sentence"] for light in panel.lights if light["row"] >= 0}


def test_an_obedient_copy_is_behind_while_the_link_is_held_and_never_parts():
    panel, _ = lesson.opened(1, "nothing")
    press(panel, "hold original replica", COME, SELL, "wait", "wait")
    positions = {row.node: row.data[0] for row in panel.world.trace.states()}
    assert positions["original"]["position"] == 2
    assert positions["replica"]["position"] == 0
    press(panel, "release original replica", "wait", "wait", "wait")
    positions = {row.node: row.data[0] for row in panel.world.trace.states()}
    assert positions["replica"]["position"] == 2
    assert lights(panel) == set()


def test_the_second_panel_names_the_first_event_at_which_the_copy_parts():
    panel, observation = lesson.opened(2, "not at all")
    press(panel, *LOSES)
    (light,) = panel.lights
    row = panel.rows[light["row"]]
    assert (row.node, row.data) == ("replica", "at 2: [('cups', 2)]")
    assert "they were the same again" in repr(observation)


def test_a_lost_count_makes_what_is_sold_after_it_come_out_otherwise():
    panel, observation = lesson.opened(2, "not at all")
    press(panel, "lose_next original replica", COUNT, "wait", SELL, "wait")
    assert "[('cups', 9)] and [('cups', 0)]" in repr(observation) or "[('cups', 10)]" in repr(
        observation
    )
    states = {row.node: row.data[0] for row in panel.world.trace.states()}
    assert states["original"]["table"] == {"cups": 9}
    assert states["replica"]["table"] == {}


def test_what_is_acknowledged_by_one_is_lost_and_what_is_by_two_is_not():
    panel, observation = lesson.opened(3, "fewer")
    press(panel, *EVENING)
    assert "60 were acknowledged" in repr(observation)
    assert lights(panel) == {"what was acknowledged survives"}
    panel, observation = lesson.shown("panel-synchronous", "observe-synchronous")
    press(panel, *EVENING)
    assert "Nothing was lost" in repr(observation)
    assert lights(panel) == set()
    assert 0 < lesson.thanked(panel.rows) < 60  # the till waits


# ------------------------------------------------------------------------------- the real thing
def test_statements_with_random_part_and_their_effects_do_not():
    assert lesson.statements_replayed() == {"by statements": 3, "by effects": 0}


@pytest.mark.live
@pytest.mark.engines("postgres")
def test_on_postgresql_thirty_survive_and_random_does_not_part():
    assert lesson.failover_on_postgres() == {
        "random() is the same": True,
        "asynchronous": {"acknowledged": 60, "surviving": 30},
        "synchronous": {"acknowledged": 30, "surviving": 30},
    }


@pytest.mark.live
@pytest.mark.engines("postgres")
def test_the_table_of_the_appendix_has_the_documented_answers():
    found = lesson.bad_days()
    fresh = {s for s, days in found.items() if days["read at the standby"] == "fresh"}
    assert fresh == {"remote_apply"}
    for setting, days in found.items():
        waits = setting not in ("off", "local")
        assert days["link held"] == ("waits" if waits else "acknowledged at once")
        told = 0 if waits else 20
        assert days["failover behind the held link"] == f"{told} acknowledged, 0 survive"
        cancelled = "1 acknowledged, primary 1, standby 0"
        assert days["wait cancelled"] == (cancelled if waits else "–")


# ------------------------------------------------------------------------------- the workshop
THROW_FIRST = (
    "# here",
    'if change[-1] == "some":\n            change = [*change[:-1], self.random.randint(1, 1000)]',
)


def test_a_log_of_what_came_out_keeps_the_replica_equal(capsys):
    lesson.run(lesson.cell("change"))
    exec(lesson.cell("change").replace(*THROW_FIRST), lesson.run())
    assert capsys.readouterr().out.splitlines() == ["the same: False", "the same: True"]


def test_the_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(copy):
        return lab.check(
            lesson.careless_shop,
            {"original": lesson.HandsOnUntilAnswered, "copy": copy},
            invariants=[lesson.SAME],
            day=lesson.a_lossy_day,
            until=8.0,
        )

    starter = verdict(lesson.TakesAnything)
    assert not starter.passed
    assert "at the same position, the same table" in capsys.readouterr().out
    assert verdict(lesson.TakesTheNext).passed
    world = Run.parse(starter.code).replay(lesson.careless_shop)
    assert world.trace.breach(lesson.SAME).seq == starter.seq


def test_to_refuse_only_what_it_has_is_not_enough(capsys):
    """Each half of the worked answer, alone, fails the check."""

    class OnlyOnce(lesson.TakesAnything):
        async def handle(self, request):
            if request.path == "/input" and request.body["position"] <= self.position:
                return {"position": self.position}
            return await super().handle(request)

    class OnlyInOrder(lesson.TakesAnything):
        async def handle(self, request):
            if request.path == "/input" and request.body["position"] > self.position + 1:
                return Response(409, {})
            return await super().handle(request)

    for half in (OnlyOnce, OnlyInOrder):
        breaches = []
        for seed in range(60):
            world = World(seed=seed)
            lesson.careless_shop(world, original=lesson.HandsOnUntilAnswered, copy=half)
            lesson.a_lossy_day(world, random.Random(seed))
            world.run(4)
            breaches.append(world.trace.breach(lesson.SAME) is not None)
        assert any(breaches), half.__name__
