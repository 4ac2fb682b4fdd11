"""Lesson 09: its predictions come true, its copies part where it says, on PostgreSQL too."""

import random

import lessons
import pytest
from lessons import press

from statelab import Response, Run, World, lab

lesson = lessons.Lesson("09_replicas")


# ------------------------------------------------------------------------------- the panels
COME, SELL, COUNT = "3 cups come in", "sell 4 cups", "count: 10 cups"
HOLD, RELEASE = "hold original replica", "release original replica"
DELETES = (COME, COME, "wait", HOLD, "DELETE, no WHERE", "read the original", "read the replica",
           RELEASE, "wait", "read the replica")  # fmt: skip
LOSES = ("lose_next original replica", COUNT, "wait", SELL, SELL, COME, SELL, COUNT)
WAYS_OUT = ("wait", HOLD, *["wait"] * 3, "kill original", "restart original", "read the original",
            "kill original", "promote the replica")  # fmt: skip
BOTH_HAVE_IT = ("wait", HOLD, "wait", "wait", "kill original", "promote the replica")


@pytest.mark.parametrize(
    ("number", "buttons", "right", "wrong"),
    [
        (1, DELETES, "nothing: the DELETE came late", "all: it missed the DELETE"),
        (2, LOSES, "more", "ten fewer"),
        (3, WAYS_OUT, "the promotion of the replica", "both: the kill took them"),
    ],
)
def test_what_a_panel_asks_for_decides_its_prediction(number, buttons, right, wrong):
    for answer, mark in ((right, "right"), (wrong, "wrong")):
        panel, observation = lesson.opened(number, answer)
        assert "Still to do" in repr(observation)
        press(panel, *buttons)
        assert panel.verdict["mark"] == mark
        assert panel.verdict["text"].startswith("And so it was" if mark == "right" else "It was")


def lights(panel):
    """Which sentences of a panel have been broken."""
    return {light["sentence"] for light in panel.lights if light["row"] >= 0}


def test_an_obedient_copy_is_behind_while_the_link_is_held_and_never_parts():
    panel, observation = lesson.opened(1, "all: it is the backup")
    press(panel, *DELETES[:7])
    original, replica = panel.rows.requests("operator", path="/read")
    assert original.answer == {"table": {}, "position": 3}
    assert replica.answer == {"table": {"cups": 6}, "position": 2}
    assert "Still to do: release the link" in repr(observation)
    press(panel, *DELETES[7:])
    assert panel.rows.requests("operator", "replica")[-1].answer == {"table": {}, "position": 3}
    assert lights(panel) == set()


def test_a_delete_without_a_held_link_is_not_what_was_asked():
    panel, observation = lesson.opened(1, "all: it is the backup")
    press(panel, COME, "wait", "DELETE, no WHERE", "wait")
    assert "Start over: this time hold the link" in repr(observation)


def test_a_read_is_as_it_should_be_if_it_was_true_at_its_position():
    panel, _ = lesson.opened(1, "all: it is the backup")
    press(panel, *DELETES)  # the second read is stale, and was true
    reads = panel.rows.requests("operator", path="/read")
    assert [lesson.true_then(panel.rows, read) for read in reads] == [True] * 3
    panel, _ = lesson.opened(2, "more")
    press(panel, *LOSES[:4], "read the replica", "read the original")
    reads = panel.rows.requests("operator", path="/read")
    assert [lesson.true_then(panel.rows, read) for read in reads] == ["[('cups', 10)]", True]


def test_a_copy_that_missed_ten_cups_has_more_of_them_later_and_a_count_wipes_it_away():
    panel, observation = lesson.opened(2, "as many")
    press(panel, *LOSES[:-1])
    (light,) = panel.lights
    row = panel.rows[light["row"]]
    assert (row.node, row.data) == ("replica", "at 1: []")  # it took the sale for input 1
    assert "after the third sale 1 and 3 cups." in repr(observation)
    earned = panel.verdict["text"]
    press(panel, LOSES[-1])
    assert panel.verdict["text"] == earned
    last = {row.node: row.data for row in panel.rows.where("log")}
    assert last == {"original": "at 6: [('cups', 10)]", "replica": "at 5: [('cups', 10)]"}


def test_a_kill_loses_no_order_and_a_promotion_does():
    panel, observation = lesson.opened(3, "both: the kill took them")
    press(panel, *WAYS_OUT[:-1])
    assert "Still to do: kill the original once more" in repr(observation)
    assert lights(panel) == set()
    press(panel, WAYS_OUT[-1])
    assert "60 were acknowledged. The original, restarted, had 60" in repr(observation)
    assert lights(panel) == {"what was acknowledged survives"}
    promotion = panel.rows.request(path="/promote")
    assert promotion.ok
    assert lesson.keeps_its_word(panel.rows, promotion) == "60 orders"  # were due
    unanswered = panel.rows.requests("replica", path="/log", outcome="no reply")
    assert [lesson.keeps_its_word(panel.rows, one) for one in unanswered[:2]] == [True, True]


def test_the_two_ways_out_may_be_tried_in_the_other_order():
    panel, _ = lesson.opened(3, "both: the kill took them")
    press(panel, *WAYS_OUT[:6], "promote the replica", "restart original", "read the original")
    assert panel.verdict["text"].startswith("It was “the promotion of the replica”")


def test_what_two_have_is_not_lost_and_nobody_knows_of_the_order_in_between():
    panel, observation = lesson.shown("panel-synchronous", "observe-synchronous")
    press(panel, *BOTH_HAVE_IT)
    assert "It was “none is lost”" in repr(observation)
    assert lights(panel) == set()
    assert 0 < lesson.thanked(panel.rows) < 60  # the till waits
    told = set()
    for place in range(20):  # where the hold comes in the way of an order
        world = World(seed=7)
        lesson.evening(world, original=lesson.WaitsForTwo)
        world.run(1 + place / 100)
        world.hold("original", "replica")
        world.run(1)
        world.kill("original")
        world.client("operator").post("replica", "/promote")
        choice, said = lesson.survivors(world.trace.rows)
        assert choice == "none is lost"
        assert world.trace.breach(lesson.SAFE) is None
        told.add(said.partition("survived. ")[2].partition(" on ")[0])
    assert told == {"One was", "One more was"}


def test_a_backup_and_the_log_up_to_the_mistake_bring_the_table_back(capsys):
    names = lesson.run(lesson.cell("restore"))
    assert vars(names["restored"]) == {"table": {"cups": 6, "tea": 3}, "position": 3}
    assert vars(names["backup"]) == {"table": {"cups": 10}, "position": 1}
    assert {name: found["table"] for name, found in names["now"].items()} == {
        "original": {}, "replica": {},
    }  # fmt: skip


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
            lesson.shop,
            {"original": lesson.HandsOnUntilAnswered, "copy": copy},
            invariants=[lesson.SAME, lesson.ARRIVED],
            day=lesson.a_lossy_day,
            until=8.0,
        )

    class TakesNothing(lesson.TakesAnything):
        async def handle(self, request):
            if request.path == "/input":
                return {"position": self.position}
            return await super().handle(request)

    assert not verdict(TakesNothing).passed
    assert "the copy is where the original is" in capsys.readouterr().out
    starter = verdict(lesson.TakesAnything)
    assert not starter.passed
    assert "at the same position, the same table" in capsys.readouterr().out
    assert verdict(lesson.TakesTheNext).passed
    world = Run.parse(starter.code).replay(lesson.shop)
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
            lesson.shop(world, original=lesson.HandsOnUntilAnswered, copy=half)
            lesson.a_lossy_day(world, random.Random(seed))
            world.run(4)
            breaches.append(world.trace.breach(lesson.SAME) is not None)
        assert any(breaches), half.__name__
