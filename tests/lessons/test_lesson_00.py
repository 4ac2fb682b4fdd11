"""Lesson 00 says: a deploy takes the list in a server's memory, and not a ticket that is signed."""

import lessons
import pytest

from statelab import LiveWorld, World, lab

lesson = lessons.Lesson("00_start_here")


def deployed(world):
    """What the lesson's run without hands gives, and what its `observe` says of it."""
    lesson.two_logins(world)
    return lesson.deploy(world), lesson.who_is_still_in(world.trace.rows)


def test_in_the_simulated_world_only_bob_is_still_in():
    statuses, (choice, sentence) = deployed(World(seed=7))
    assert statuses == {"alice": 401, "bob": 200}
    assert choice == "only bob"
    assert sentence.startswith("alice's login was lost at ")


@pytest.mark.live
def test_on_real_processes_it_is_the_same():
    with LiveWorld() as world:
        statuses, (choice, _) = deployed(world)
    assert (statuses, choice) == ({"alice": 401, "bob": 200}, "only bob")


def test_a_key_made_anew_at_each_start_would_log_bob_out_too(monkeypatch):
    defined = lesson.module

    class KeyMadeAtStart(lesson.SignsTickets):
        def __init__(self):
            self.key = self.random.randbytes(32)

        async def handle(self, request):
            if request.path == "/login":
                return {"token": defined.signed(request.body["user"], self.key, 0, 3600)}
            try:
                return defined.user_of(defined.brought_by(request), self.key, 0)
            except defined.BadToken:
                return defined.PLEASE_LOG_IN

    monkeypatch.setattr(lesson.module, "SignsTickets", KeyMadeAtStart)
    statuses, (choice, _) = deployed(World(seed=7))
    assert (statuses, choice) == ({"alice": 401, "bob": 401}, "neither")


def test_without_a_deploy_nothing_is_decided_and_the_next_step_is_said():
    world = World(seed=7)
    lesson.two_logins(world)
    assert lesson.who_is_still_in(world.trace.rows) == (
        None,
        "Still to do: let alice log in; let bob log in.",
    )
    world.client("alice").post("web-a", "/login", {"user": "alice"})
    assert "kill web-a" in lesson.who_is_still_in(world.trace.rows)[1]


def test_the_same_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        return lab.check(
            lesson.one_server,
            {"server": server},
            invariants=[lesson.STAYS_IN],
            day=lesson.a_day,
        )

    assert not verdict(lesson.ListOnDisk).passed
    assert verdict(lesson.ListReadBack).passed
    assert "who has logged in stays logged in" in capsys.readouterr().out
