"""Lesson 05: any shop will do, only one chat process will, and a copy that nobody tells is old."""

import random

import lessons
import pytest
from lessons import press

from statelab import World, lab

lesson = lessons.Lesson("05_many_servers")


OPEN, LIST = "open a chat with bob", "list my chats"
A_DEPLOY = (OPEN, LIST, LIST, ("kill", "chat-1"), LIST, ("restart", "chat-1"), LIST)


# ------------------------------------------------------------------------------- the evening
def test_only_what_is_in_the_database_is_there_for_every_instance_and_after_a_kill():
    seen = [lesson.evening(World(seed=7), *design) for _, *design in lesson.DESIGNS]
    assert seen == [
        ["✓ ✓ ✓ ✓", "✓ ✓", "✓ ✓"],
        ["✓ ✓ ✓ ✓", "– –", "– –"],
        ["– ✓ – ✓", "– –", "– –"],
        ["✓ ✓ ✓ ✓", "– –", "– –"],
    ]


def test_a_database_that_forgot_would_lose_the_baskets(monkeypatch):
    class Forgetful(lesson.Store):
        async def handle(self, request):
            return None if request.path == "/get" else await super().handle(request)

    monkeypatch.setattr(lesson.module, "Store", Forgetful)
    seen = lesson.evening(World(seed=7), lesson.shop, {}, "/basket/alice", "shop-1")
    assert seen == ["– – – –", "– –", "– –"]


def test_two_inputs_at_one_moment_are_both_in_the_basket_and_a_kill_of_everything_takes_none(
    capsys,
):
    lesson.run(lesson.cell("database"))
    tea, status, each, killed = capsys.readouterr().out.splitlines()
    assert tea.count("['tea']") == 3
    assert status.endswith("200 200")
    assert all(each.count(item) == 3 for item in ("tea", "rice", "milk"))
    assert killed.endswith("the same True")


# ------------------------------------------------------------------------------- the panels
@pytest.mark.parametrize("answer", ["nobody notices", "some baskets are lost with it"])
@pytest.mark.parametrize("name", ["shop-1", "shop-2", "shop-3"])
def test_nobody_notices_that_one_shop_died_whichever_it_was(answer, name):
    panel, observation = lesson.opened(1, answer)
    press(panel, "add tea", ("action", "add rice", "bob"))
    assert "kill one of the three" in repr(observation)
    press(panel, ("kill", name), ("action", "look", "alice"), ("action", "look", "bob"))
    assert "Still to do: look, three times in all" in repr(observation)
    press(panel, "add tea", ("action", "look", "alice"))
    assert [light["row"] for light in panel.lights] == [-1]
    assert panel.verdict["mark"] == ("right" if answer == "nobody notices" else "wrong")
    assert f"{name} was killed at 1.0 s, and had nothing to lose" in repr(observation)


def test_a_shop_that_remembered_in_its_memory_would_be_missed():
    world = World(seed=7)
    lesson.shop(world, server=lesson.Chat)
    alice = world.client("alice")
    for item in ("tea", "tea", "tea"):
        alice.post("balancer", "/basket/alice", item)
    world.kill("shop-1")
    world.run(0.1)
    for _ in range(3):
        alice.get("balancer", "/basket/alice")
    assert lesson.noticed(world.trace.rows)[0] == "some baskets are lost with it"


def test_without_a_retry_every_third_request_would_fail(monkeypatch):
    monkeypatch.setattr(lesson.module, "Balancer", _never_retries(lesson.Balancer))
    panel, _ = lesson.opened(1, "every third request fails")
    look = ("action", "look", "alice")
    press(panel, "add tea", ("kill", "shop-2"), look, look, look)
    assert panel.verdict["mark"] == "right"


def _never_retries(balancer):
    class NeverRetries(balancer):
        def __init__(self, servers, *settings):
            super().__init__(servers)

    return NeverRetries


@pytest.mark.parametrize("answer", ["always", "every other time"])
def test_a_second_process_hides_the_chat_every_other_time(answer):
    panel, observation = lesson.opened(2, answer)
    assert "let alice open a chat" in repr(observation)
    press(panel, OPEN, LIST, LIST, LIST)
    assert "four times. So far: 3" in repr(observation)
    press(panel, LIST)
    assert panel.verdict["mark"] == ("right" if answer == "every other time" else "wrong")
    assert panel.lights[0]["text"] == "first broken at 0.51 s · alice"
    assert "only chat-1 knows of the chat. At 0.5 s the balancer" in repr(observation)


def test_with_one_process_the_chat_appears_always():
    world = World(seed=7)
    lesson.chat(world, processes=1)
    alice = world.client("alice")
    alice.post("balancer", "/chats/alice", "bob")
    for _ in range(4):
        alice.get("balancer", "/chats/alice")
    assert lesson.appears(world.trace.rows)[0] == "always"


def test_who_opens_two_chats_or_kills_is_asked_to_start_over():
    panel, observation = lesson.opened(2, "always")
    press(panel, OPEN, OPEN)
    assert "Start over" in repr(observation)
    press(panel, ("again",), OPEN, ("kill", "chat-1"))
    assert "Start over" in repr(observation)


@pytest.mark.parametrize("answer", ["gone for good", "there again, once her process is back"])
def test_sticky_keeps_the_list_until_the_kill_and_not_after_it(answer):
    panel, observation = lesson.opened(3, answer)
    press(panel, *A_DEPLOY[:3])
    assert "The chat was there in 2 of 2 looks" in repr(observation)
    press(panel, *A_DEPLOY[3:])
    assert panel.verdict["mark"] == ("right" if answer == "gone for good" else "wrong")
    assert "lost at 1.5 s, with the memory of chat-1. At 3.0 s chat-2" in repr(observation)


def test_the_list_is_gone_even_if_nobody_looked_while_the_process_was_dead():
    panel, observation = lesson.opened(3, "gone for good")
    press(panel, OPEN, ("kill", "chat-1"))
    assert "Still to do: list alice's chats" in repr(observation)
    press(panel, ("restart", "chat-1"), LIST)
    assert "At 1.5 s chat-1 answered, and knew nothing of it" in repr(observation)


def test_a_kill_before_the_chat_was_opened_took_nothing_of_it():
    panel, observation = lesson.opened(3, "gone for good")
    press(panel, "kill chat-1", "restart chat-1", OPEN, LIST, LIST)
    assert "The chat was there in 2 of 2 looks. Still to do: kill chat-1" in repr(observation)


def test_a_chat_that_kept_its_list_on_disk_would_be_there_again():
    class ChatOnDisk(lesson.Chat):
        async def handle(self, request):
            if request.method == "POST":
                self.disk[request.path] = [*self.disk.get(request.path, []), request.body]
            return self.disk.get(request.path, [])

    args = {"processes": 2, "sticky": True, "server": ChatOnDisk}
    panel = lab.Panel(lesson.chat, args, actions=lesson.CHATTER)
    press(panel, OPEN, ("kill", "chat-1"), ("restart", "chat-1"), LIST)
    choice, _ = lesson.after_the_kill(panel.rows)
    assert choice == "there again, once her process is back"


# ------------------------------------------------------------------------------- the workshop
def test_a_chat_in_the_database_is_there_for_every_process(capsys):
    lesson.run(lesson.cell("change").replace("(Chat)", "(Shop)"))
    assert capsys.readouterr().out == "✓ ✓ ✓ ✓   ✓ ✓   ✓ ✓\n"


def test_the_run_code_of_the_bug_hunt_shows_the_breach_and_the_mended_shop_has_none():
    run = lesson.hunted()
    world = run.replay(lesson.shop)
    assert world.trace.breach(lesson.NOTHING_MISSING).data[:2] == (200, [])
    mended = World(run.seed)
    args = {"server": lesson.AsksEachTime}
    mended.replay(lesson.shop.__wrapped__, args, list(run.inputs), run.horizon_us)
    assert mended.trace.breach(lesson.NOTHING_MISSING) is None


def test_a_shop_that_remembers_baskets_fails_on_many_days_and_one_that_asks_on_none(seeds):
    broken = 0
    for seed in seeds(30):
        for server in (lesson.FasterShop, lesson.AsksEachTime):
            world = World(seed)
            lesson.shop(world, server=server)
            lesson.a_day(world, random.Random(seed))
            world.run(1)
            breach = world.trace.breach(lesson.NOTHING_MISSING)
            assert breach is None or server is lesson.FasterShop
            broken += breach is not None
    assert broken > 5


def test_the_same_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        args = {"server": server}
        invariants = [lesson.NOTHING_MISSING]
        return lab.check(lesson.shop, args, invariants=invariants, day=lesson.a_day)

    assert not verdict(lesson.FasterShop).passed
    assert verdict(lesson.AsksEachTime).passed
    assert "is seen by the next look" in capsys.readouterr().out
