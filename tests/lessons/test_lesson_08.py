"""Lesson 08: four homes for a record, what a kill takes in each, and the same on real engines."""

import lessons
import nbformat
import pytest
from lessons import press

from statelab import LiveWorld, Run, World, lab

lesson = lessons.Lesson("08_sharing_state")


class PutsItOff(lesson.PaysRides):
    """Acknowledges before it pays: a kill between the two loses the ride."""

    async def pay(self, ride):
        await self.call("queue", "/ack", {"stream": "rides", "group": "pay", "id": ride})
        await self.sleep(0.6)
        await self.call("db", "/append", {"key": "paid", "value": ride})


# ------------------------------------------------------------------------------- the panels
VERBS = ("kill", "restart", "wait")
GIVE, HER = "give alice a coin", "look at alice"
CENTRAL = (GIVE, HER, "kill central", "restart central", "wait", "wait", HER)
QUEUED = ("win a coin", "kill game-1", GIVE, "restart game-1", *["wait"] * 4, HER)
RIDES = ("ride", "kill worker-1", *["wait"] * 4)


@pytest.mark.parametrize(
    ("number", "buttons", "right", "wrong"),
    [
        (1, CENTRAL, "dot on, no coins", "dot off, no coins"),
        (2, QUEUED, "only bob's", "only her own"),
        (3, RIDES, "twice: it is paid again", "once: it has been paid"),
    ],
)
def test_what_a_panel_asks_for_decides_its_prediction(number, buttons, right, wrong):
    for answer, mark in ((right, "right"), (wrong, "wrong")):
        panel, observation = lesson.opened(number, answer)
        seen = [repr(observation)]
        for button in buttons:
            press(panel, button)
            if repr(observation) != seen[-1]:
                seen.append(repr(observation))
        assert panel.verdict["mark"] == mark
        assert all("Still to do" in text for text in seen[:-1])
        assert len(seen) >= 4
        assert panel.lights[0]["row"] > 0


def test_where_coins_are_on_disk_both_are_back():
    args = {"server": lesson.AsksCentral, "central": lesson.DiskKeeper}
    panel = lab.Panel(lesson.game, args, actions=lesson.BUTTONS, invariants=[lesson.COINS_STAY])
    press(panel, *CENTRAL)
    assert panel.lights[0]["row"] == -1
    assert lesson.what_comes_back(panel.rows)[0] == "dot on, coins there"


def test_a_queue_that_forgot_and_an_owner_that_did_not_would_leave_only_her_own(monkeypatch):
    class Forgetful(lesson.Queue):
        async def handle(self, request):
            return [] if request.path == "/read" else await super().handle(request)

    class Remembers(lesson.DividedByQueue):
        def __init__(self, me):
            super().__init__(me)
            self.coins = dict(self.disk)

        def update(self, what, player):
            super().update(what, player)
            self.disk[player] = self.coins.get(player, 0)

    monkeypatch.setattr(lesson.module, "Queue", Forgetful)
    args = {"server": Remembers, "queue": True}
    panel = lab.Panel(lesson.game, args, actions=lesson.BUTTONS)
    press(panel, *QUEUED)
    assert lesson.which_coins(panel.rows)[0] == "only her own"


def test_just_after_a_gift_was_accepted_its_reader_still_sees_the_old_number():
    panel, _ = lesson.opened(2, "both coins")
    press(panel, GIVE)
    panel.do("action", HER, at=0.2)
    gift, look = [r for r in panel.rows.requests() if r.client == "bob"]
    assert (gift.status, look.answer["coins"]) == (202, 0)
    press(panel, HER)
    assert panel.rows.requests()[-1].answer["coins"] == 1


@pytest.mark.parametrize(
    "buttons", [("wait", "wait", "ride", "wait", "kill worker-1"), ("kill worker-1", "ride")]
)
def test_the_kill_of_a_worker_that_pays_nothing_is_no_answer_to_the_question(buttons):
    panel, observation = lesson.opened(3, "once: it has been paid")
    press(panel, *buttons)
    assert "Start over" in repr(observation) or "Still to do: kill" in repr(observation)


def test_two_honest_rides_are_no_breach():
    (panel,) = lesson.shown("panel-hunt")
    press(panel, "ride", "wait", "wait", "ride", "wait", "wait")
    paid = [ride for _, ride in lesson.payments(panel.rows)]
    assert paid[-1] == ["1", "2"]
    assert [light["row"] for light in panel.lights] == [-1, -1]


def test_a_worker_that_had_not_yet_paid_is_no_answer_to_the_question():
    panel = lab.Panel(lesson.rides, {"worker": PutsItOff}, actions=lesson.RIDE)
    press(panel, *RIDES)
    with pytest.raises(lab.NotYet, match="died before it had paid"):
        lesson.how_often(panel.rows)


def test_without_its_phone_a_dot_does_not_come_back_either():
    world = World(seed=7)
    lesson.game(world, server=lesson.AsksCentral, central=lesson.Keeper, phones=False)
    lesson.says(world, "refresh", "bob")
    assert lesson.says(world, "look", "bob")[1]["online"]
    world.kill("central")
    world.restart("central")
    world.run(2)
    assert not lesson.says(world, "look", "bob")[1]["online"]


def test_a_dot_that_is_not_refreshed_goes_out_and_a_coin_stays():
    for args, _ in lesson.WAYS.values():
        world = World(seed=7)
        lesson.game(world, **args, phones=False)
        lesson.says(world, "coin", "alice")
        assert lesson.says(world, "refresh", "alice")[1] == {"online": True, "coins": 1}
        world.run(lesson.Keeper.lasts)
        assert lesson.says(world, "look", "alice")[1] == {"online": False, "coins": 1}


# ------------------------------------------------------------------------------- measured
def test_each_way_pays_reads_and_loses_what_the_lesson_says():
    found = {way: lesson.measured(*how) for way, how in lesson.WAYS.items()}
    costs = {way: (of["own"][:2], of["other"][:2]) for way, of in found.items()}
    assert costs == {
        "divided, by RPC": ((1, 0), (2, 0)),
        "divided, by a queue": ((1, 0), (4, 3)),
        "central, in memory": ((2, 0), (2, 0)),
        "central, on disk": ((2, 1), (2, 1)),
    }
    told = [found[way]["other"][2] for way in lesson.WAYS]
    assert max(told) == told[3], "the disk is what takes longest"
    read = {way: (of["at once"], of["later"]) for way, of in found.items()}
    assert read.pop("divided, by a queue") == (0, 1)
    assert set(read.values()) == {(1, 1)}
    assert all(of["dot"] for of in found.values())
    assert [of["coins"] for of in found.values()] == [0, 1, 0, 1]
    assert [of["a coin meanwhile"] for of in found.values()] == [False, True, False, False]


def test_a_choice_of_two_homes_costs_no_disk_write_for_dots_and_loses_no_coin(capsys):
    measured = {way: lesson.measured(*how) for way, how in lesson.WAYS.items()}
    names = lesson.run(lesson.cell("change"), MEASURED=measured)
    dots, coins = capsys.readouterr().out.splitlines()
    assert "10000 disk writes" in dots
    names["bill"]({"dots": "divided, by RPC", "coins": "central, on disk"})
    dots, coins = capsys.readouterr().out.splitlines()
    assert " 0 disk writes" in dots
    assert " 333 disk writes" in coins
    assert coins.endswith("there")
    names["bill"]({"dots": "divided, by RPC", "coins": "divided, by a queue"})
    assert capsys.readouterr().out.splitlines()[1].endswith("lost")


def test_a_phone_that_nobody_has_heard_says_again_that_it_is_online():
    world = World(seed=7)
    lesson.game(world, server=lesson.DividedByRPC, phones=False)
    world.lose_next("alice", "game-2")
    lesson.says_online(world)
    assert lesson.says(world, "look", "bob")[1]["online"]


# ------------------------------------------------------------------------------- the real thing
AS = {
    "divided, by RPC": "divided, by RPC",
    "divided, Redis Stream": "divided, by a queue",
    "central, Redis": "central, in memory",
    "central, SQLite": "central, on disk",
    "central, PostgreSQL": "central, on disk",
}


@pytest.mark.live
@pytest.mark.engines("redis", "postgres")
@pytest.mark.parametrize("way", lesson.REAL)
def test_a_real_engine_reads_and_loses_as_its_model_does(way):
    args, keeper = lesson.WAYS[AS[way]]
    world = World(seed=7)
    lesson.game(world, **args, phones=False)
    model = lesson.readings(world, keeper)
    with LiveWorld() as world:
        assert lesson.readings(world, lesson.REAL[way](world)) == model


@pytest.mark.live
@pytest.mark.engines("redis")
def test_a_redis_stream_delivers_again_what_its_reader_took_and_did_not_acknowledge():
    with LiveWorld() as world:
        keeper = lesson.REAL["divided, Redis Stream"](world)
        assert lesson.says(world, "coin", "bob")[0] == 202
        world.run(0.1)  # taken, and not yet done
        world.kill(keeper)
        world.restart(keeper)
        for _ in range(300):  # a busy machine takes its time
            if lesson.coins_seen(world) == 1:
                break
            world.run(0.1)
        assert lesson.coins_seen(world) == 1


# ------------------------------------------------------------------------------- the workshop
def verdict(worker):
    return lab.check(
        lesson.rides,
        {"worker": worker},
        invariants=[lesson.ONCE, lesson.NONE_LOST, lesson.ALL_DONE],
        day=lesson.a_day_of_rides,
        until=lesson.DAY_S,
    )


def test_the_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    starter = verdict(lesson.PaysOnce)
    assert not starter.passed
    assert "no ride is paid for twice" in capsys.readouterr().out
    assert verdict(lesson.PaysByNumber).passed
    world = Run.parse(starter.code).replay(lesson.rides)
    assert world.trace.breach(lesson.ONCE).seq == starter.seq


class CountsByNumber(lesson.PaysRides):
    """No mending either: to count under a number counts twice."""

    async def pay(self, ride):
        await self.call("db", "/incr", {"key": f"ride {ride}"})
        await self.sleep(0.6)
        await self.call("queue", "/ack", {"stream": "rides", "group": "pay", "id": ride})


class LooksFirst(lesson.PaysRides):
    """Nor this: between the look and the payment the other worker may pay."""

    async def pay(self, ride):
        paid = (await self.call("db", "/get", {"key": "paid"})).body or []
        if ride not in paid:
            await self.call("db", "/append", {"key": "paid", "value": ride})
        await self.sleep(0.6)
        await self.call("queue", "/ack", {"stream": "rides", "group": "pay", "id": ride})


class PaysNobody(lesson.PaysRides):
    """Nor this: who does nothing pays nothing twice."""

    async def pay(self, ride):
        await self.sleep(0.6)


@pytest.mark.parametrize("worker", [PutsItOff, CountsByNumber, LooksFirst, PaysNobody])
def test_what_only_seems_to_mend_it_fails_the_check(worker):
    assert not verdict(worker).passed


@pytest.mark.parametrize("value", ["its number", 0, 2, (7, 7)])
def test_whatever_is_written_under_a_rides_own_number_pays_it_once(value):
    class Puts(lesson.PaysRides):
        async def pay(self, ride):
            written = ride if value == "its number" else value
            await self.call("db", "/put", {"key": f"ride {ride}", "value": written})
            await self.sleep(0.6)
            await self.call("queue", "/ack", {"stream": "rides", "group": "pay", "id": ride})

    assert verdict(Puts).passed


def test_nobody_is_dead_when_a_panel_of_the_recorded_lesson_opens():
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4)
    panels = [cell for cell in notebook.cells if cell.id.startswith("panel-")]
    assert len(panels) == 4
    for panel in panels:
        assert ", up" in panel.outputs[0].data["text/plain"]
        assert ", dead" not in panel.outputs[0].data["text/plain"]
