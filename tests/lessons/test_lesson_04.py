"""Lesson 04: its predictions come true, its forgeries fail, and its servers are the package's."""

import inspect

import lessons
import nbformat
import pytest

from statelab import Run, World
from statelab.servers import auth

NAME = "04_authentication"


@pytest.fixture
def lesson():
    return lessons.load(NAME)


def cell(name):
    """The source of a cell by its id."""
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{NAME}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


@pytest.mark.parametrize(
    "name", ["AuthByConnection", "AuthBySession", "AuthByToken", "KeyMadeAtStart"]
)
def test_the_servers_that_the_lesson_shows_are_those_of_the_package(lesson, name):
    assert inspect.getsource(getattr(lesson, name)) == inspect.getsource(getattr(auth, name))


def test_each_server_forgets_what_the_lesson_says_it_forgets(lesson):
    seen = [lesson.visit(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[200, 401, 401], [200, 200, 401], [200, 200, 200], [200, 200, 401]]
    seen = [lesson.price(World(seed=7), *server) for server in lesson.SERVERS]
    assert seen == [[401, 200], [401, 200], [200, 401], [200, 200]]
    for who in (lesson.taken_for, lesson.taken_for_behind_a_balancer):
        seen = [who(World(seed=7), *server) for server in lesson.SERVERS]
        assert seen == ["alice", "nobody", "nobody", "nobody"]


# ------------------------------------------------------------------------------- the panels
def opened(lesson, number, answer):
    """A panel of the lesson and its observation, as its cells make them, after a prediction."""
    names = dict(vars(lesson))
    exec(cell(f"predict-{number}"), names)
    exec(cell(f"panel-{number}"), names)
    names[f"guess_{number}"].answer(answer)
    exec(f"observation = {cell(f'observe-{number}')}", names)
    return names[f"panel_{number}"], names["observation"]


def press(panel, *buttons):
    for button in buttons:
        panel.do(*(button if type(button) is tuple else ("action", button)))


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
def test_the_day_that_a_panel_asks_for_decides_its_prediction(lesson, number, right, wrong):
    for answer, mark in ((right, "right"), (wrong, "wrong")):
        panel, observation = opened(lesson, number, answer)
        assert "Still to do" in repr(observation)
        press(panel, *THE_DAY)
        assert panel.error == ""
        assert panel.verdict["mark"] == mark
        assert panel.verdict["text"].startswith("And so it was" if mark == "right" else "It was")


def test_the_observation_names_the_moment_when_the_login_was_lost(lesson):
    panel, observation = opened(lesson, 1, "after both")
    press(panel, *THE_DAY)
    assert "lost at 1.0 s, when her connection closed; she found out at 1.5 s" in repr(observation)
    assert "lost at 2.5 s, when the server was killed; she found out at 3.5 s" in repr(observation)


def test_a_logged_out_alice_still_gets_in_with_her_token_and_mallory_never_does(lesson):
    panel, _ = opened(lesson, 2, "after neither")
    press(panel, "log in", "log out", "profile", "alice's token, renamed", "alice's old token")
    answers = [row.data[:2] for row in panel.rows if row.kind == "answer"]
    assert [status for status, _ in answers] == [200, 200, 200, 401, 401]
    assert answers[2][1] == {"user": "alice"}
    assert "expired" in answers[4][1]["error"]


# ------------------------------------------------------------------------------- the workshop
def test_the_run_code_of_the_bug_hunt_shows_the_breach_and_the_mended_server_has_none(lesson):
    names = {}
    exec(cell("hunt-run").partition("world =")[0], names)
    run = Run.parse(names["code"])
    world = run.replay(lesson.shop_with_a_key)
    breach = world.trace.breach(lesson.LOGOUT_COUNTS)
    assert breach.data[:2] == (200, {"user": "alice"})
    mended = World(run.seed)
    args = {"server": lesson.LogoutThatLasts}
    mended.replay(lesson.shop_with_a_key.__wrapped__, args, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.LOGOUT_COUNTS) is None
    statuses = [row.data[0] for row in mended.trace.rows if row.kind == "answer"]
    assert statuses == [200, 200, 401, 401]


def test_the_edit_of_the_workshop_keeps_sessions_through_a_restart(lesson):
    names = dict(vars(lesson))
    edited = cell("change").replace("self.logged_in", "self.disk")
    start, end = edited.index("    def __init__"), edited.index("    async def handle")
    exec((edited[:start] + edited[end:]).partition("\n\n\nprint")[0], names)
    assert lesson.visit(World(seed=7), names["SessionOnDisk"]) == [200, 200, 200]


def test_every_forgery_of_the_appendix_is_refused_and_the_honest_token_is_not(lesson):
    world = World(seed=7)
    lesson.shop_with_a_key(world, server=lesson.AuthByToken)
    statuses = [
        world.call("web", "/profile", method="GET", headers=lesson.bearer(token)).status
        for token in lesson.FORGERIES.values()
    ]
    assert statuses == [200] + [401] * 10
