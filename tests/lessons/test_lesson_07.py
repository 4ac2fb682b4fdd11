"""Lesson 07: its predictions come true, each step taken out breaks its sentence, on Redis too."""

import inspect

import lessons
import pytest
from lessons import press

from statelab import LiveWorld, Response, Run, World, lab
from statelab.servers import database, lease

lesson = lessons.Lesson("07_write_lease")


@pytest.mark.parametrize(
    ("name", "module"), [("LeaseServer", lease), ("Database", database)], ids=lambda it: str(it)
)
def test_the_servers_that_the_lesson_shows_are_those_of_the_package(name, module):
    assert inspect.getsource(getattr(lesson, name)) == inspect.getsource(getattr(module, name))


# ------------------------------------------------------------------------------- the panels
VERBS = ("kill", "pause", "resume", "wait", "again")
FIRST, OTHER = "bill by writer-1", "bill by writer-2"
DIES = ("wait", FIRST, "kill writer-1", "restart writer-1", FIRST, OTHER, "wait")
SLEEPS = (FIRST, "pause writer-1", "wait", "wait", OTHER, "wait", "wait", "resume writer-1")
WAKES_FIRST = (FIRST, "pause writer-1", "wait", "wait", "resume writer-1")
THEN_SLEEPS = (OTHER, "pause writer-2", "wait", "wait", FIRST, "wait", "wait", "resume writer-2")


@pytest.mark.parametrize(
    ("number", "buttons", "right", "wrong"),
    [
        (1, DIES, "neither: the right still runs", "writer-1: the right is its own"),
        (2, SLEEPS, "it is written: two bills", "writer-1 itself drops it"),
        (3, WAKES_FIRST, "it is written", "it is refused"),
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


def test_a_writer_that_comes_back_at_once_waits_for_its_own_right_to_end_as_the_other_does():
    panel, observation = lesson.opened(1, "writer-2: writer-1 was dead")
    press(panel, *DIES)
    assert "with the right until 1.7 s. Its new life, from 1.0 s on, knows no token" in repr(
        observation
    )
    assert "writer-2 has had the next right since 1.7 s" in repr(observation)
    assert [r.status for r in panel.rows.requests("alice")] == [None, 503, 503]


def test_who_comes_back_too_late_is_asked_to_start_over():
    panel, observation = lesson.opened(1, "neither: the right still runs")
    press(panel, FIRST, "kill writer-1", *["wait"] * 5, "restart writer-1")
    assert "Start over: writer-1 came back when its right had ended" in repr(observation)


class AsksWithItsOldToken(lesson.LeaseServer):
    """Gives a right to whoever had it before, by its name alone."""

    async def handle(self, request):
        grant = self.grants.get(request.body["name"])
        if grant and request.body["holder"] == grant.value["holder"]:
            return self.keep("bills", request.body["holder"], grant.value["token"] + 1, 1.0)
        return await super().handle(request)


def test_a_lease_server_that_knew_a_name_again_would_let_the_new_life_write_at_once():
    panel = lab.Panel(
        lesson.billing, {"server": AsksWithItsOldToken}, actions=lesson.ALICE, step=0.2
    )
    press(panel, *DIES)
    assert lesson.after_the_kill(panel.rows)[0] == "writer-1: the right is its own"


def test_without_an_end_or_with_nobody_who_looks_at_it_a_dead_writer_keeps_the_right():
    for step in (0, 2):
        world = World(seed=7)
        lesson.billing(world, **lesson.TAKEN_OUT[step])
        world.run(1)
        world.kill("writer-1")
        world.run(5)
        world.call("writer-2", "/bill", {"bill": 1})
        assert lesson.records(world.trace.rows)[-1][1] == "writer-1"
        assert world.trace.breach(lesson.STEPS[4]).time > 4


def test_the_second_observation_tells_of_two_bills_and_alice_was_told_of_none():
    panel, observation = lesson.opened(2, "it is written: two bills")
    press(panel, *SLEEPS)
    assert "with token 1, was written at 4.0 s, after one with a newer token" in repr(observation)
    told = {row.other: row.kind for row in panel.rows if row.node == "alice" if row.kind in ENDS}
    assert told == {"writer-1": "noreply", "writer-2": "answer"}


ENDS = ("answer", "refused", "noreply")


def test_who_wakes_the_sleeper_too_early_is_asked_to_let_the_other_write_first():
    panel, observation = lesson.opened(2, "it is written: two bills")
    press(panel, *WAKES_FIRST)
    assert "Start over, and let writer-2 write before writer-1 goes on" in repr(observation)


def test_the_third_verdict_stays_when_the_other_order_is_tried_and_is_told_of_its_refusal():
    panel, observation = lesson.opened(3, "it is written")
    press(panel, *WAKES_FIRST, *THEN_SLEEPS)
    assert panel.verdict["mark"] == "right"
    assert "writer-2's bill, with token 2, was refused at 6.5 s" in repr(observation)
    assert panel.lights[0]["row"] == -1


def test_the_third_panel_asks_for_the_other_order_when_the_newer_token_was_seen_first():
    panel, observation = lesson.opened(3, "it is written")
    press(panel, *SLEEPS)
    assert panel.verdict["mark"] == "open"
    assert "was refused at 4.0 s, after one with a newer token. Still to do" in repr(observation)


class RefusesFirst(lesson.Writer):
    """Has lost its right for a moment when it is first asked, as on a busy machine."""

    async def handle(self, request):
        if not self.disk.get("asked"):
            self.disk["asked"] = True
            return Response(503)
        return await super().handle(request)


def test_a_story_waits_until_a_bill_is_really_being_made_out():
    world = World(seed=7)
    lesson.billing(world, writer=RefusesFirst)
    found = lesson.a_pause(world)
    assert found == {"the sleeper's bill": 200, "landed": ["the other", "the sleeper"]}


def test_a_story_whose_writer_never_says_that_it_makes_a_bill_out_ends_with_a_sentence():
    class Silent(lesson.Writer):
        def log(self, text):
            """Says nothing."""

    world = World(seed=7)
    lesson.billing(world, writer=Silent)
    with pytest.raises(TimeoutError, match="no writer has said"):
        lesson.a_pause(world)


# ------------------------------------------------------------------------------- the four steps
def test_each_step_taken_out_breaks_its_own_sentence_and_no_other():
    for number, taken_out in enumerate([{}, *lesson.TAKEN_OUT]):
        world = World(seed=7)
        lesson.billing(world, **taken_out)
        lesson.a_day(world)
        broken = [world.trace.breach(sentence) is not None for sentence in lesson.STEPS]
        assert broken[:4] == [place == number for place in (1, 2, 3, 4)]
        assert broken[4:] == [number in (1, 3), number == 4]


# ------------------------------------------------------------------------------- the real thing
@pytest.mark.live
@pytest.mark.engines("redis")
@pytest.mark.parametrize("fencing", [False, True])
def test_on_a_real_redis_a_paused_holder_writes_late_unless_the_database_fences(fencing):
    with LiveWorld() as world:
        lesson.billing_on_redis(world, fencing)
        found = lesson.a_pause(world)
    if fencing:
        assert found == {"the sleeper's bill": 409, "landed": ["the other"]}
    else:
        assert found == {"the sleeper's bill": 200, "landed": ["the other", "the sleeper"]}


@pytest.mark.live
@pytest.mark.engines("redis")
def test_on_a_real_redis_another_has_the_right_soon_after_its_holder_was_killed():
    with LiveWorld() as world:
        lesson.billing_on_redis(world)
        dead = lesson.holder(world)
        world.kill(dead)
        killed = world.now()
        assert lesson.holder(world) != dead
        assert world.now() - killed < lesson.LiveWriter.ttl + 10


@pytest.mark.live
@pytest.mark.engines("redis")
@pytest.mark.parametrize(("append_only", "of_bob"), [(False, 1), (True, None)])
def test_a_killed_redis_forgets_the_right_and_its_count_unless_it_has_a_file(append_only, of_bob):
    with LiveWorld() as world:
        assert lesson.redis_dies(world, append_only) == {"ann": 1, "bob": of_bob}


@pytest.mark.live
@pytest.mark.engines("redis")
@pytest.mark.parametrize(("held", "copies", "of_bob"), [(True, 0, 1), (False, 1, None)])
def test_an_acknowledged_right_is_lost_by_failover_to_a_replica_behind_a_held_link(
    held, copies, of_bob
):
    with LiveWorld() as world:
        assert lesson.redis_fails_over(world, held) == {"ann": 1, "copies": copies, "bob": of_bob}


# ------------------------------------------------------------------------------- the workshop
LOOK_AGAIN = (
    "# here",
    'if not self.may_write():\n            return Response(503, {"error": "my right is over"})',
)


def test_to_look_twice_stops_the_sleeper_and_not_the_write_that_is_on_its_way(capsys):
    lesson.run(lesson.cell("change"))
    assert capsys.readouterr().out.count("'the other', 'the s") == 2
    lesson.run(lesson.cell("change").replace(*LOOK_AGAIN))
    sleeper, slow = capsys.readouterr().out.splitlines()
    assert sleeper == str({"the sleeper's bill": 503, "landed": ["the other"]})
    assert slow == str({"landed": ["the other", "the slow one"]})


def test_the_failing_day_opens_in_a_panel_that_watches_the_sentence_of_the_hunt():
    names = lesson.run(lesson.cell("panel-hunt"))
    assert names["panel_hunt"].lights[0]["row"] == -1
    exec(lesson.cell("hunt"), names)
    assert names["panel_hunt"].lights[0]["row"] == names["verdict"].seq


def test_the_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        return lab.check(
            lesson.billing,
            {"writer": lesson.AsksForEachBill, "server": server, "fencing": True},
            invariants=[lesson.ITS_OWN],
            day=lesson.a_day_of_pauses,
            until=8.0,
        )

    starter = verdict(lesson.GivesBackAnything)
    assert not starter.passed
    assert "who gives a grant back ends no other grant" in capsys.readouterr().out
    assert verdict(lesson.GivesBackItsOwn).passed
    run = Run.parse(starter.code)
    world = run.replay(lesson.billing)
    assert world.trace.breach(lesson.ITS_OWN).seq == starter.seq


class ComparesTheHolder(lesson.GivesBackAnything):
    """No mending: a writer that slept may have a newer grant of its own."""

    async def handle(self, request):
        holder = self.grants.get("bills", lesson.Soft({"holder": None}, 0)).value["holder"]
        if request.path == "/release" and request.body["holder"] != holder:
            return Response(409)
        return await super().handle(request)


def test_a_mend_that_compares_the_holder_and_not_the_token_fails_the_check():
    assert not lab.check(
        lesson.billing,
        {"writer": lesson.AsksForEachBill, "server": ComparesTheHolder, "fencing": True},
        invariants=[lesson.ITS_OWN],
        day=lesson.a_day_of_pauses,
        until=8.0,
    ).passed
