"""Lesson 05: any shop will do, only one chat process will, and a copy that nobody tells is old."""

import random

import lessons
import pytest
from lessons import press

from statelab import NoReply, Refused, World, lab

lesson = lessons.Lesson("05_many_servers")


OPEN, LIST, HERS = "open a chat with bob", "list my chats", "look at her list"
LOOK = ("action", "look", "alice")
A_DEPLOY = (OPEN, LIST, HERS, HERS, HERS, HERS, "kill chat-1", LIST, "restart chat-1", LIST)


# ------------------------------------------------------------------------------- the evening
def test_only_what_is_in_the_database_is_there_for_every_instance_and_after_a_kill():
    seen = [lesson.evening(World(seed=7), *design) for _, *design in lesson.DESIGNS]
    assert seen == [
        ["✓ ✓ ✓ ✓", "✓ ✓", "✓ ✓"],
        ["✓ ✓ ✓ ✓", "✕ ✕", "– –"],
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
    status, each, killed = capsys.readouterr().out.splitlines()
    assert status.endswith("200 200")
    assert all(each.count(item) == 3 for item in ("rice", "milk"))
    assert killed == "the same after all died: True"


# ------------------------------------------------------------------------------- the panels
TOLD_AND_FOUND = "one tea, and an error for alice"


@pytest.mark.parametrize("answer", [TOLD_AND_FOUND, "no tea, and an error for alice"])
def test_a_shop_killed_in_the_middle_has_added_the_tea_and_alice_is_told_of_an_error(answer):
    panel, observation = lesson.opened(1, answer)
    assert "let alice add tea" in repr(observation)
    press(panel, "add tea")
    assert "kill the instance that has her tea" in repr(observation)
    press(panel, "kill shop-1", LOOK, LOOK)
    assert "let alice look, three times in all" in repr(observation)
    press(panel, LOOK)
    assert [light["row"] for light in panel.lights] == [-1]
    mark = "right" if answer == TOLD_AND_FOUND else "wrong"
    assert panel.verdict["mark"] == mark
    assert "shop-1 was killed at 0.5 s, when the database had written the tea" in repr(observation)
    press(panel, "restart shop-1", "kill shop-2", LOOK, LOOK, LOOK)
    assert panel.verdict["mark"] == mark
    assert all(look.ok for look in panel.rows.requests(method="GET"))


@pytest.mark.parametrize("name", ["shop-1", "shop-2", "shop-3"])
def test_nobody_notices_a_kill_between_two_requests_and_it_answers_no_question(name):
    panel, observation = lesson.opened(1, TOLD_AND_FOUND)
    press(panel, "add tea", "wait", ("kill", name), LOOK, LOOK, LOOK)
    assert "between two requests: it had nothing to lose. Start over" in repr(observation)
    assert [look.answer for look in panel.rows.requests(method="GET")] == [["tea"]] * 3


def test_who_adds_two_teas_is_asked_to_start_over():
    panel, observation = lesson.opened(1, TOLD_AND_FOUND)
    press(panel, "add tea", "add tea")
    assert "Start over: one tea is enough" in repr(observation)


def test_a_balancer_that_asked_again_without_a_reply_would_add_two_teas(monkeypatch):
    class AsksAgain(lesson.Balancer):
        async def _pass_on(self, request, server):
            try:
                return await super()._pass_on(request, server)
            except NoReply as nobody_knows:
                raise Refused(str(nobody_knows)) from None

    monkeypatch.setattr(lesson.module, "Balancer", AsksAgain)
    panel, _ = lesson.opened(1, "two teas, and a 200 for alice")
    press(panel, "add tea", "kill shop-1", "wait", "wait", LOOK, LOOK, LOOK)
    assert panel.verdict["mark"] == "right"


def test_a_shop_that_asked_the_storehouse_first_would_have_no_tea():
    class AsksFirst(lesson.Shop):
        async def handle(self, request):
            if request.method == "POST":
                await self.sleep(0.6)
            return await super().handle(request)

    panel = lab.Panel(lesson.shop, {"server": AsksFirst}, actions=lesson.SHOPPERS)
    press(panel, "add tea", "kill shop-1", LOOK, LOOK, LOOK)
    assert lesson.told_and_found(panel.rows)[0] == "no tea, and an error for alice"


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


@pytest.mark.parametrize("answer", ["never", "every other time"])
def test_sticky_keeps_bob_away_from_alices_chat_and_its_kill_takes_her_list(answer):
    panel, observation = lesson.opened(3, answer)
    assert "let alice open a chat" in repr(observation)
    press(panel, *A_DEPLOY[:3])
    assert "let bob look four times. So far: 1" in repr(observation)
    press(panel, *A_DEPLOY[3:6])
    assert panel.verdict["mark"] == ("right" if answer == "never" else "wrong")
    assert "stuck to chat-1, and bob to chat-2. And when chat-1 is killed?" in repr(observation)
    press(panel, *A_DEPLOY[6:])
    assert panel.verdict["mark"] == ("right" if answer == "never" else "wrong")
    assert "lost with chat-1 at 3.0 s, and was never seen again" in repr(observation)


def test_whom_a_balancer_sends_in_turn_bob_would_see_it_every_other_time():
    args = {"processes": 2, "people": ["alice", "bob"]}
    panel = lab.Panel(lesson.chat, args, actions=[*lesson.CHATTER, lesson.BOB])
    press(panel, OPEN, HERS, HERS, HERS, HERS)
    assert lesson.bob_sees(panel.rows)[0] == "every other time"


def test_a_chat_that_kept_its_list_on_disk_would_be_there_again():
    class ChatOnDisk(lesson.Chat):
        async def handle(self, request):
            if request.method == "POST":
                self.disk[request.path] = [*self.disk.get(request.path, []), request.body]
            return self.disk.get(request.path, [])

    args = {"processes": 2, "sticky": True, "server": ChatOnDisk}
    panel = lab.Panel(lesson.chat, args, actions=lesson.CHATTER)
    press(panel, OPEN, ("kill", "chat-1"), ("restart", "chat-1"), LIST)
    assert "was there again" in lesson.after_the_kill(panel.rows, "chat-1")


# ------------------------------------------------------------------------------- the workshop
def test_a_chat_in_the_database_is_there_for_every_process(capsys):
    lesson.run(lesson.cell("change").replace("(Chat)", "(Shop)"))
    assert capsys.readouterr().out == "✓ ✓ ✓ ✓   ✓ ✓   ✓ ✓\n"


def test_the_run_code_of_the_bug_hunt_shows_the_breach_and_the_mended_shop_has_none():
    run = lesson.hunted()
    world = run.replay(lesson.shop)
    assert world.trace.breach(lesson.NOTHING_MISSING).data[:2] == (200, ["tea"])
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
