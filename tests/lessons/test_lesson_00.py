"""Lesson 00 says: a deploy takes the list in a server's memory, and not a token that is signed."""

import lessons
import pytest
from lessons import press

from statelab import LiveWorld, World, lab

lesson = lessons.Lesson("00_start_here")


def deployed(world, **servers):
    """What the lesson's run without hands gives, and what its `observe` says of it."""
    lesson.two_logins(world, **servers)
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


def test_a_key_made_anew_at_each_start_would_log_bob_out_too():
    defined = lesson.module

    class KeyMadeAtStart(lesson.ByToken):
        def __init__(self):
            self.key = self.random.randbytes(32)

        async def handle(self, request):
            if request.path == "/login":
                return {"token": defined.signed(request.body["user"], self.key, 0, 3600)}
            try:
                return defined.user_of(defined.brought_by(request), self.key, 0)
            except defined.BadToken:
                return defined.PLEASE_LOG_IN

    statuses, (choice, _) = deployed(World(seed=7), b=KeyMadeAtStart)
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


@pytest.mark.parametrize(("answer", "mark"), [("please log in", "right"), ("hello alice", "wrong")])
def test_what_is_written_to_disk_and_not_read_back_lets_nobody_in(answer, mark):
    panel, observation = lesson.opened(2, answer)
    press(panel, "log in", "kill web", "restart web")
    assert "let alice open the profile" in repr(observation)
    press(panel, "open profile")
    assert panel.verdict["mark"] == mark
    assert "alice's login was lost at 0.5 s" in repr(observation)


def test_the_edit_of_the_workshop_logs_out_who_is_on_a_list_and_nobody_else():
    edit = "self.logged_in.pop(brought_by(request), None)"
    names = lesson.run(
        lesson.cell("change")
        .replace("# yours: what must web-a forget?", edit)
        .partition("lab.Panel")[0]
    )
    world = World(seed=7)
    lesson.two_logins(world, a=names["LogoutById"], b=names["LogoutByToken"])
    seen = []
    for who, web in (("alice", "web-a"), ("bob", "web-b")):
        client = world.client(who)
        client.post(web, "/login", {"user": who})
        client.post(web, "/logout")
        seen.append(client.get(web, "/profile").status)
    assert seen == [401, 200]


def test_the_same_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        return lab.check(
            lesson.one_server,
            {"server": server},
            invariants=[lesson.STAYS_IN],
            day=lesson.a_day,
        )

    assert not verdict(lesson.OnDisk).passed
    assert verdict(lesson.ReadsBack).passed
    assert "who has logged in stays logged in" in capsys.readouterr().out
