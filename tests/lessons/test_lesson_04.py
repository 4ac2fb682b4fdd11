"""Lesson 04: its predictions come true, and its forgeries fail."""

import lessons
import pytest
from lessons import press

from statelab import World

lesson = lessons.Lesson("04_authentication")


def test_each_server_forgets_what_the_lesson_says_it_forgets():
    seen = [lesson.visit(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[200, 401, 401], [200, 200, 401], [200, 200, 200], [200, 200, 401]]
    seen = [lesson.price(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[401, 200], [401, 200], [200, 401], [200, 200]]
    for who in (lesson.taken_for, lesson.taken_for_behind_a_balancer):
        seen = [who(World(seed=7), *server) for server in lesson.SERVERS]
        assert seen == ["alice", "nobody", "nobody", "nobody"]


# ------------------------------------------------------------------------------- the panels
THE_DAY = (
    "log in", "profile", "new connection", "profile",
    "log in", ("kill", "web"), ("restart", "web"), "profile",
)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "right", "wrong"),
    [
        (1, "after both", "after the restart only"),
        (2, "after neither", "after both"),
        (3, "401", "200 until it expires, then 401"),
    ],
)
def test_the_day_that_a_panel_asks_for_decides_its_prediction(number, right, wrong):
    for answer, mark in ((right, "right"), (wrong, "wrong")):
        panel, observation = lesson.opened(number, answer)
        assert "Still to do" in repr(observation)
        press(panel, *THE_DAY)
        assert panel.error == ""
        assert panel.verdict["mark"] == mark
        assert panel.verdict["text"].startswith("And so it was" if mark == "right" else "It was")


def test_the_observation_names_the_moment_when_the_login_was_lost():
    panel, observation = lesson.opened(1, "after both")
    press(panel, *THE_DAY)
    assert "lost at 1.0 s, when her connection closed; she found out at 1.5 s" in repr(observation)
    assert "lost at 2.5 s, when the server was killed; she found out at 3.5 s" in repr(observation)


def test_a_logged_out_alice_still_gets_in_with_her_token_and_mallory_never_does():
    panel, _ = lesson.opened(2, "after neither")
    press(panel, "log in", "log out", "profile", "alice's token, renamed")
    press(panel, "alice's old token")
    answers = [row.data[:2] for row in panel.rows if row.kind == "answer"]
    assert [status for status, _ in answers] == [200, 200, 200, 401, 401]
    assert answers[2][1] == {"user": "alice"}
    assert "expired" in answers[4][1]["error"]


# ------------------------------------------------------------------------------- the workshop
def test_the_run_code_of_the_bug_hunt_shows_the_breach_and_the_mended_server_has_none():
    run = lesson.hunted()
    world = run.replay(lesson.shop_with_a_key)
    breach = world.trace.breach(lesson.LOGOUT_COUNTS)
    assert breach.data[:2] == (200, {"user": "alice"})
    mended = World(run.seed)
    args = {"server": lesson.LogoutThatLasts}
    mended.replay(lesson.shop_with_a_key.__wrapped__, args, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.LOGOUT_COUNTS) is None
    statuses = [row.data[0] for row in mended.trace.rows if row.kind == "answer"]
    assert statuses == [200, 200, 401, 401]


def test_the_edit_of_the_workshop_keeps_sessions_through_a_restart():
    edited = lesson.cell("change").replace("self.logged_in", "self.disk")
    start, end = edited.index("    def __init__"), edited.index("    async def handle")
    names = lesson.run((edited[:start] + edited[end:]).partition("\n\n\nprint")[0])
    assert lesson.visit(World(seed=7), names["SessionOnDisk"]) == [200, 200, 200]


def test_every_forgery_of_the_appendix_is_refused_and_the_honest_token_is_not():
    world = World(seed=7)
    lesson.shop_with_a_key(world, server=lesson.AuthByToken)
    statuses = [
        world.call("web", "/profile", method="GET", headers=lesson.bearer(token)).status
        for token in lesson.FORGERIES.values()
    ]
    assert statuses == [200] + [401] * 10
