"""Lesson 04: its predictions come true, and its forgeries fail."""

import lessons
import pytest
from lessons import press

from statelab import World, lab

lesson = lessons.Lesson("04_authentication")


def test_each_server_forgets_what_the_lesson_says_it_forgets():
    seen = [lesson.visit(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[200, 401, 401], [200, 200, 401], [200, 200, 200], [200, 200, 401]]
    seen = [lesson.price(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[401, 200], [401, 200], [200, 401], [200, 200]]
    for who in (lesson.taken_for, lesson.taken_for_behind_a_balancer):
        seen = [who(World(seed=7), *server) for server in lesson.SERVERS]
        assert seen == ["alice", "nobody", "nobody", "nobody"]


@pytest.mark.parametrize("server", ["LogoutThatCounts", "LogoutThatLasts"])
def test_a_token_that_was_taken_back_opens_no_path_and_a_login_gives_another(server):
    world = World(seed=7)
    lesson.shop_with_a_key(world, server=getattr(lesson, server))
    token = world.call("web", "/login", {"user": "alice"}).body["token"]
    brings = {"headers": lesson.bearer(token)}
    assert world.call("web", "/logout", **brings).status == 200
    for path in ("/profile", "/profile/", "/profile?x", "//profile", "/x"):
        assert world.call("web", path, **brings).status == 401
    assert world.call("web", "/login", {"user": "alice"}, **brings).status == 200


# ------------------------------------------------------------------------------- the panels
RESTART = (("kill", "web"), ("restart", "web"))
A_BUTTON = {
    who: ("action", "profile", client)
    for who, client in (("alice", "alice"), ("mobile", "alice-mobile"), ("bob", "bob"))
}


@pytest.mark.parametrize(
    ("answer", "mark"), [("200: alice's profile", "right"), ("401: log in first", "wrong")]
)
def test_whoever_comes_from_her_port_is_alice_and_alice_from_another_is_nobody(answer, mark):
    panel, observation = lesson.opened(1, answer)
    assert "let alice log in" in repr(observation)
    press(panel, "log in", A_BUTTON["alice"])
    assert "let alice leave" in repr(observation)
    press(panel, "leave", A_BUTTON["mobile"])
    assert "let bob ask" in repr(observation)
    press(panel, A_BUTTON["bob"])
    assert panel.verdict["mark"] == mark
    assert "alice's connection closed at 1.0 s" in repr(observation)
    press(panel, *RESTART, A_BUTTON["bob"])  # and the verdict stays
    assert panel.verdict["mark"] == mark
    statuses = [row.data[0] for row in panel.rows if row.kind == "answer"]
    assert statuses == [200, 200, 401, 200, 401]
    assert panel.world.trace.breach(lesson.OWN).data[1] == {"user": "alice"}


def test_a_kill_before_bob_asks_decides_nothing():
    panel, observation = lesson.opened(1, "401: log in first")
    press(panel, "log in", "leave", *RESTART, A_BUTTON["bob"])
    assert "killed before bob asked" in repr(observation)


def test_with_a_session_id_only_the_restart_logs_her_out():
    panel, observation = lesson.shown("panel-session", "observe-session")
    press(panel, "log in", "new connection", "profile")
    assert "kill and restart the server" in repr(observation)
    press(panel, *RESTART, "profile")
    assert repr(observation) == (
        "It was “again after the restart”: she was known on the new connection at 1.0 s; forgotten "
        "at 1.5 s, when the server was killed, and found out at 2.5 s."
    )


@pytest.mark.parametrize(
    ("answer", "mark"), [("none of the three", "right"), ("the logout only", "wrong")]
)
def test_no_new_connection_restart_or_logout_takes_a_token_back(answer, mark):
    panel, observation = lesson.opened(2, answer)
    press(panel, "log in")
    for todo, *steps in (
        ("take a new connection", "new connection", "profile"),
        ("kill and restart the server", *RESTART, "profile"),
        ("log out", "log out", "profile"),
    ):
        assert todo in repr(observation).partition("Still to do")[2]
        press(panel, *steps)
    assert panel.verdict["mark"] == mark
    assert "she logged out at 3.0 s, and at 3.5 s the same token brought 200." in repr(observation)
    press(panel, "alice's token, renamed", "alice's old token")  # and the verdict stays
    assert panel.verdict["mark"] == mark
    answers = [row.data[:2] for row in panel.rows if row.kind == "answer"]
    assert [status for status, _ in answers] == [200, 200, 200, 200, 200, 401, 401]
    assert "expired" in answers[-1][1]["error"]


@pytest.mark.parametrize(
    ("server", "choice"),
    [
        ("AuthBySession", "restart and logout"),
        ("LogoutThatLasts", "the logout only"),
        ("AuthByConnection", "all of the three"),
    ],
)
def test_other_servers_would_give_the_other_answers(server, choice):
    args = {"server": getattr(lesson, server)}
    scenario = lesson.shop_with_a_key if server == "LogoutThatLasts" else lesson.shop
    panel = lab.Panel(scenario, args, actions=lesson.ALICE_AND_MALLORY)
    press(panel, "log in", "new connection", "profile", "log in", *RESTART, "profile", "log in",
          "log out", "profile")  # fmt: skip
    assert lesson.what_ends_it(panel.rows)[0] == choice


@pytest.mark.parametrize(
    ("answer", "mark"), [("401 at every request", "right"), ("200 until it expires", "wrong")]
)
def test_a_key_that_a_process_makes_goes_with_it(answer, mark):
    panel, observation = lesson.opened(3, answer)
    press(panel, "log in", "profile", *RESTART, "profile")
    assert panel.verdict["mark"] == mark
    assert "the key was lost at 1.0 s, with the process" in repr(observation)


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
