"""Lesson 06: what a lost message leaves behind, and how long soft state should live."""

import random

import lessons
import pytest
from late import Late
from lessons import press

from statelab import Soft, World, lab

lesson = lessons.Lesson("06_hard_and_soft_state")


WAIT = ("wait",)
LOGOUTS = ("log out (until-logout)", "log out (until-idle)")
PAGES = ("my page (until-logout)", "my page (until-idle)")


# ------------------------------------------------------------------------------- lost logouts
@pytest.mark.parametrize("answer", ["only until-logout", "both of them"])
def test_a_page_that_is_left_open_keeps_her_in_where_silence_would_end_it(answer):
    panel, observation = lesson.opened(1, answer)
    press(panel, *LOGOUTS)
    logouts = panel.rows.requests("alice", method="DELETE")
    assert [r.outcome for r in logouts] == ["no reply", "no reply"]
    assert "look at both pages when a minute is over" in repr(observation)
    press(panel, *PAGES)
    assert panel.verdict["mark"] == ("right" if answer == "both of them" else "wrong")
    assert "Until 110.1 s the office PC loaded her page" in repr(observation)
    press(panel, "kill office-pc", *PAGES)
    assert panel.verdict["mark"] == ("right" if answer == "both of them" else "wrong")
    assert "With the PC off, she is still in at until-logout." in repr(observation)
    assert panel.lights[0]["text"] == "first broken at 60.0 s · alice"


def test_without_her_office_pc_only_a_logout_is_waited_for():
    panel, observation = lesson.opened(1, "both of them")
    press(panel, "kill office-pc")
    press(panel, *LOGOUTS, *PAGES)
    assert "Start over: the office PC stays on" in repr(observation)
    assert [r.status for r in panel.rows.requests("alice", method="GET")] == [200, 401]


def test_a_logout_that_arrives_is_no_answer_to_the_question():
    panel, observation = lesson.opened(1, "neither of them")
    press(panel, LOGOUTS[0], LOGOUTS[0])
    assert "Start over" in repr(observation)


@pytest.mark.parametrize("service", ["UntilLogout", "UntilFixed", "UntilIdle"])
def test_a_logout_that_arrives_ends_every_login(service):
    world = World(seed=7)
    world.start("web", getattr(lesson, service), *([] if service == "UntilLogout" else [30.0]))
    alice = world.client("alice")
    alice.put("web", "/alice")
    assert alice.get("web", "/alice").status == 200
    alice.delete("web", "/alice")
    assert alice.get("web", "/alice").status == 401


@pytest.mark.parametrize("expires", [True, False])
def test_without_its_expiry_the_second_service_would_keep_her_as_the_first_does(
    expires, monkeypatch
):
    if not expires:
        monkeypatch.setattr(lesson.UntilIdle, "handle", lesson.UntilLogout.handle)
    world = World(seed=7)
    lesson.six_o_clock(world)
    world.kill("office-pc")
    world.run(10_000 * 86_400)
    alice = world.client("alice")
    for service in lesson.SERVICES:  # the next message to each is lost
        with pytest.raises(lesson.NoReply):
            alice.get(service, "/alice")
    statuses = [alice.get(service, "/alice").status for service in lesson.SERVICES]
    assert statuses == [200, 401 if expires else 200]


def test_no_reply_does_not_tell_whether_it_happened(capsys):
    lesson.run(lesson.cell("no-reply"))
    logout, answer = capsys.readouterr().out.splitlines()
    assert "no reply" in logout
    assert "no reply" in answer
    assert logout.endswith("200")
    assert answer.endswith("401")


def test_time_and_a_kill_are_two_questions():
    found = dict(zip(lesson.KINDS, lesson.two_questions(World(seed=7)), strict=True))
    assert found == {
        ("hard", "memory"): [200, 401],
        ("hard", "disk"): [200, 200],
        ("soft", "memory"): [401, 401],
        ("soft", "disk"): [401, 200],
    }


# ------------------------------------------------------------------------------- the permission
def held_by(panel):
    """Who holds the permission, by its memory."""
    states = panel.world.trace.states()
    holder = next(row.data[0]["holder"] for row in states if row.node == "permission")
    return holder.value if isinstance(holder, Soft) else holder


@pytest.mark.parametrize(
    "answer", ["never, however long", "once it is restarted", "while it is still dead"]
)
def test_nobody_writes_ever_again_when_the_release_of_a_hard_permission_is_lost(answer):
    panel, observation = lesson.opened(2, answer)
    assert "Still to do: wait" in repr(observation)
    press(panel, WAIT)
    holder = held_by(panel)
    press(panel, ("kill", holder), WAIT)
    assert "Wait, then restart it" in repr(observation)
    press(panel, ("restart", holder), WAIT)
    assert "Wait some more" in repr(observation)
    press(panel, WAIT)
    assert panel.verdict["mark"] == ("right" if answer.startswith("never") else "wrong")
    assert "the release that it owed was never sent" in repr(observation)
    assert panel.lights[0]["text"].startswith("first broken at ")


def test_with_an_expiry_writing_resumes_although_the_holder_stays_dead():
    panel, observation = lesson.shown("panel-soft", "observe-soft")
    press(panel, WAIT)
    press(panel, ("kill", held_by(panel)))
    assert "Leave it dead; wait" in repr(observation)
    press(panel, WAIT, WAIT)
    assert "It was “while it is still dead" in repr(observation)
    press(panel, *[WAIT] * 5)
    assert panel.lights[0]["row"] == -1


@pytest.mark.parametrize(
    ("kind", "resumes"), [("Permission", False), ("PermissionThatExpires", True)]
)
def test_a_release_that_is_lost_on_its_way_does_what_a_death_does(kind, resumes):
    args = {"permission": getattr(lesson, kind)}
    args |= {"lifetime_s": 5.0} if resumes else {}
    panel = lab.Panel(lesson.two_writers, args, **{**lesson.HOW, "step": 2.0})
    press(panel, WAIT, WAIT)
    press(panel, ("lose_next", held_by(panel), "permission"), *[WAIT] * 8)
    assert (panel.lights[0]["row"] == -1) is resumes


def test_the_kill_of_a_writer_that_holds_nothing_is_no_answer_to_the_question():
    panel, observation = lesson.opened(2, "never, however long")
    press(panel, WAIT, WAIT)
    other = next(name for name in lesson.WRITERS if name != held_by(panel))
    press(panel, ("kill", other))
    assert "Start over" in repr(observation)


def test_a_restart_before_the_expiry_is_not_taken_for_its_cure():
    args = {"permission": lesson.PermissionThatExpires, "lifetime_s": 5.0}
    panel = lab.Panel(lesson.two_writers, args, step=2.0)
    press(panel, WAIT, WAIT)
    holder = held_by(panel)
    press(panel, ("kill", holder), ("restart", holder), WAIT, WAIT, WAIT)
    with pytest.raises(lab.NotYet, match="leave it dead"):
        lesson.writes_again(panel.rows)


def test_only_the_permission_that_expires_is_recovered_from(seeds):
    for seed in seeds(20):
        found = [lesson.writing_resumes(World(seed), *kind) for _, *kind in lesson.PERMISSIONS]
        assert found == [False, True]


def test_a_kill_that_comes_when_the_holder_has_released_already_decides_nothing(seeds):
    for seed in seeds(20):
        found = [lesson.writing_resumes(Late(seed), *kind) for _, *kind in lesson.PERMISSIONS]
        assert found == [False, True]


def test_a_restarted_holder_that_knew_what_it_held_would_recover(monkeypatch):
    """The safeguard missed here is knowledge: the new life of the holder knows nothing."""

    class Remembers(lesson.Writer):
        async def run(self):
            await self.call("permission", "/release", self.me)
            await super().run()

    monkeypatch.setattr(lesson.module, "Writer", Remembers)
    assert lesson.writing_resumes(World(seed=7), lesson.Permission)


# ------------------------------------------------------------------------------- time to live
ASK = "is alice online?"


def test_two_lost_refreshes_of_three_and_a_half_are_survived_and_a_third_is_not():
    panel, observation = lesson.shown("panel-3", "observe-3")
    press(panel, *[ASK] * 3)
    assert "let bob ask" in repr(observation)
    press(panel, ASK)
    assert "It was “still held”" in repr(observation)
    assert "From 2 s to 5 s is less than 3.5 s" in repr(observation)
    assert panel.lights[0]["row"] == -1
    panel.do("lose_next", "phone", "presence", at=4.4)
    press(panel, ASK)
    assert "It was “expired”: the time to live was over when bob asked at 5.6" in repr(observation)
    assert panel.lights[0]["text"] == "first broken at 5.6 s · bob"


@pytest.mark.parametrize("at", [4.0, 4.25, 4.5, 4.75, 4.99, 5.0])
def test_wherever_from_4_s_to_5_s_one_loses_a_third_one_the_outcome_is_true(at):
    panel, observation = lesson.shown("panel-3", "observe-3")
    press(panel, *[ASK] * 4)
    panel.do("lose_next", "phone", "presence", at=at)
    press(panel, ASK, ASK)
    true = "From 2 s to 5 s is less than 3.5 s" if at == 5.0 else "It was “expired”"
    assert true in repr(observation)


def test_who_did_not_look_in_the_gap_is_asked_to_start_over():
    panel, observation = lesson.shown("panel-3", "observe-3")
    press(panel, *[WAIT] * 4, ASK)
    assert "Nobody looked" in repr(observation)


def test_one_phone_in_ten_is_dropped_though_three_in_a_row_are_lost_once_in_a_thousand():
    guess, observation = lesson.shown("predict-3", "compare-3")
    guess.answer("about 1 in 1,000")
    assert observation.verdict["mark"] == "wrong"
    assert "It was “about 1 in 10”: 8% of 200 phones" in repr(observation)
    assert [lesson.compared(share) for share in (0.001, 0.01)] == guess.choices[:2]


@pytest.mark.parametrize(("idle", "statuses"), [(False, [200, 401]), (True, [200, 200])])
def test_idle_expiry_begins_anew_with_each_request_and_fixed_expiry_does_not(idle, statuses):
    world = World(seed=7)
    world.start("web", lesson.UntilIdle if idle else lesson.UntilFixed, 30.0)
    alice = world.client("alice")
    alice.put("web", "/alice")
    found = []
    for when in (20, 40):
        world.run(until=when)
        found.append(alice.get("web", "/alice").status)
    assert found == statuses
    world.run(until=80)
    assert alice.get("web", "/alice").status == 401


def test_a_longer_time_to_live_means_less_false_expiry_and_longer_outage():
    dropped = [lesson.false_expiry(lesson.LIVES, ttl) for ttl in lesson.TTLS]
    waits = [sum(lesson.outages(lesson.LIVES, ttl)) for ttl in lesson.TTLS]
    assert dropped == sorted(dropped, reverse=True)
    assert dropped[0] > 0.9 > 0.01 > dropped[-1]
    assert waits == sorted(waits)


def test_what_the_chart_counts_is_what_the_presence_service_does():
    """For some lives, bob asks the service itself when the arrivals say that it has expired."""
    for seed in range(5):
        world = World(seed)
        world.start("presence", lesson.Presence, 2.5)
        world.start("phone", lesson.Phone)
        world.link("phone", "presence", loss=lesson.LOSS)
        words = []
        for tenth in range(1, 300):
            world.run(until=tenth / 10)
            words.append(world.client("bob").get("presence", "/alice").body)
        rows = [row for row in world.trace.rows if row.kind == "receive" and row.other == "phone"]
        life = ([row.time for row in rows], 29.9)
        assert lesson.false_expiry([life], 2.5) == ("offline" in words[1:])


def test_without_loss_nobody_is_dropped(monkeypatch):
    monkeypatch.setattr(lesson.module, "LOSS", 0.0)
    assert lesson.false_expiry([lesson.one_life(seed) for seed in range(10)], 1.5) == 0


def test_the_slider_of_the_lesson_says_what_each_time_to_live_costs():
    slider = eval(lesson.cell("slider"), lesson.run())
    before = repr(slider)
    slider.control.value = 3.5
    assert "With a time to live of 3.5 s" in repr(slider) != before


# ------------------------------------------------------------------------------- the workshop
def test_what_the_worked_answer_says_of_a_worse_link_is_so(monkeypatch):
    monkeypatch.setattr(lesson.module, "LOSS", 0.3)
    lives = [lesson.one_life(seed) for seed in range(200)]
    assert lesson.false_expiry(lives, 3.5) > 0.8
    assert lesson.false_expiry(lives, 6.0) >= 0.1 > lesson.false_expiry(lives, 6.5)


def test_the_run_code_of_the_bug_hunt_shows_the_breach_and_the_mended_server_has_none():
    run = lesson.hunted()
    world = run.replay(lesson.one_service)
    assert world.trace.breach(lesson.NOT_LONGER).data[0] == 200
    mended = World(run.seed)
    args = {"server": lesson.KeepsTheMoment}
    mended.replay(lesson.one_service.__wrapped__, args, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.NOT_LONGER) is None
    assert [r.status for r in mended.trace.rows.requests()] == [200, 401]


def test_a_countdown_fails_on_many_days_and_a_moment_on_none(seeds):
    broken = 0
    for seed in seeds(40):
        for server in (lesson.CountsDown, lesson.KeepsTheMoment):
            world = World(seed)
            lesson.one_service(world, server=server)
            lesson.a_day(world, random.Random(seed))
            world.run(1)
            rules = (lesson.NOT_LONGER, lesson.NOT_SHORTER)
            breaches = [world.trace.breach(rule) for rule in rules]
            assert breaches == [None, None] or server is lesson.CountsDown
            broken += breaches[0] is not None
    assert broken > 5


@pytest.mark.parametrize("always", [True, False])
def test_a_service_that_knows_everybody_or_nobody_passes_no_check(always):
    please_log_in = lesson.PLEASE_LOG_IN

    class Simple(lesson.CountsDown):
        async def handle(self, request):
            known = always or request.method == "PUT"
            return {"ok": True} if known else please_log_in

    world = World(seed=7)
    lesson.one_service(world, server=Simple)
    alice = world.client("alice")
    alice.put("web", "/alice")
    for _ in range(2):
        alice.get("web", "/alice")
        world.run(3)
    breach = [world.trace.breach(rule) for rule in (lesson.NOT_LONGER, lesson.NOT_SHORTER)]
    assert (breach[0] is not None, breach[1] is not None) == (always, not always)


class Wrong(lesson.CountsDown):
    """A mend with an error in it."""

    async def run(self):
        self.nothing.at_all()


def test_a_mend_with_an_error_in_it_is_told_of_that_error(capsys):
    args, rules = {"server": Wrong}, [lesson.NOT_LONGER]
    lab.check(lesson.one_service, args, invariants=rules, day=lesson.a_day)
    assert "'Wrong' object has no attribute 'nothing'" in capsys.readouterr().out


def test_the_diagram_shows_the_death_of_the_holder_and_the_next_write(monkeypatch):
    diagrams = lesson.run(lesson.cell("twin-diagram"))
    world = diagrams["world"]
    kill = world.trace.rows.first("kill")
    assert lesson.had_it(world.trace.rows, kill)
    assert world.trace.rows.first("disk", "database", after=kill)


def test_the_same_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        rules = [lesson.NOT_LONGER, lesson.NOT_SHORTER]
        args = {"server": server}
        return lab.check(lesson.one_service, args, invariants=rules, day=lesson.a_day)

    assert not verdict(lesson.CountsDown).passed
    assert verdict(lesson.KeepsTheMoment).passed
    assert "no login lasts longer than two seconds" in capsys.readouterr().out
