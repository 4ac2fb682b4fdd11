"""Lesson 03: only the careless one forgets, a REST call needs no memory, and TCP counts."""

import sys

import lessons
import pytest
from lessons import press

from statelab import LiveWorld, Node, World, lab

lesson = lessons.Lesson("03_stateful_or_stateless")
WEB = ["web-1", "web-2"]


def after_a_night(world):
    """What each part answered, how often the cache looked up, and who was wrong."""
    lesson.shop(world)
    answers = lesson.night(world)
    return answers, lesson.lookups(world.trace), lesson.who_is_wrong(world.trace.rows)


# ------------------------------------------------------------------------------- which part must
def test_only_the_counter_is_wrong_and_the_cache_has_to_ask_again():
    answers, lookups, (choice, sentence) = after_a_night(World(seed=7))
    assert answers == {
        "calculator": [5, 5, 5], "counter": [1, 2, 1], "cache": [3, 3, 3], "database": [1, 2, 3],
    }  # fmt: skip
    assert (lookups, choice) == (2, "counter")
    assert sentence == (
        "the counter said 2, then 1; the cache was right, and took 0.2 s once more; the database "
        "went on at 3."
    )


@pytest.mark.live
def test_on_real_processes_it_is_the_same():
    with LiveWorld() as world:
        real = after_a_night(world)
    simulated = after_a_night(World(seed=7))
    assert real[:2] == simulated[:2]
    assert real[2][0] == simulated[2][0]


def test_a_database_that_kept_all_in_memory_would_be_found_out(monkeypatch):
    class Database(Node):
        def __init__(self):
            self.numbers = {}

        async def handle(self, request):
            name, n = request.body["name"], request.body.get("n", 0)
            self.numbers[name] = self.numbers.get(name, 0) + n
            return self.numbers[name]

    monkeypatch.setattr(lesson.module, "Database", Database)
    choice = after_a_night(World(seed=7))[2][0]
    assert choice == "counter and database"


def test_without_a_cache_every_price_would_take_its_time(monkeypatch):
    class Cache(Node):
        async def handle(self, request):
            return (await self.call("database", "/get", request.body)).body

    monkeypatch.setattr(lesson.module, "Cache", Cache)
    answers, lookups, _ = after_a_night(World(seed=7))
    assert (answers["cache"], lookups) == ([3, 3, 3], 3)


# ------------------------------------------------------------------------------- each call itself
def test_with_a_note_in_each_call_any_server_gives_the_same_answers_on_any_day():
    seen = lesson.all_days(lesson.LooksEachTime, lambda: World(seed=7), range(100))
    assert seen == {("in", 1, 2, 2): 100}


def test_a_server_that_remembers_logins_answers_by_what_happened_before():
    seen = lesson.all_days(lesson.RemembersLogin, lambda: World(seed=7), range(100))
    assert len(seen) > 3
    assert seen[("in", 1, 2, 2)] < 50
    assert {answer for answers in seen for answer in answers} == {"in", 0, 1, 2, "log in first"}


def test_nobody_gets_in_without_a_note():
    world = World(seed=7)
    lesson.fruit(world)
    assert world.client("alice").post("web-1", "/apple").status == 401
    forged = {"authorization": "Bearer alice"}
    assert world.call("web-1", "/basket", headers=forged).status == 401


# ------------------------------------------------------------------------------- the panels
@pytest.mark.parametrize(("answer", "mark"), [("counter", "right"), ("database", "wrong")])
def test_the_first_panel_decides_when_all_four_were_restarted(answer, mark):
    panel, observation = lesson.opened(1, answer)
    for part, (what, _, _) in lesson.QUESTIONS.items():
        assert part in repr(observation).partition("Still to do")[2]
        press(panel, what, what, ("kill", part), ("restart", part), what)
    assert panel.verdict["mark"] == mark
    assert "the counter said 2, then 1" in repr(observation)


@pytest.mark.parametrize(
    ("answer", "mark"), [("the same answers", "right"), ("nothing: REST stores nothing", "wrong")]
)
def test_the_second_panel_decides_when_both_servers_and_a_restart_were_tried(answer, mark):
    panel, observation = lesson.opened(2, answer)
    press(panel, "login (web-1)", "an apple (web-1)", "an apple (web-2)")
    assert "Still to do" in repr(observation)
    press(panel, ("kill", "web-1"), ("restart", "web-1"), "how many? (web-1)")
    assert panel.verdict["mark"] == mark
    assert "web-1 was killed, and then still counted 2" in repr(observation)


def test_the_same_clicks_at_the_server_that_remembers_give_other_answers():
    world = World(seed=7)
    lesson.fruit(world, server=lesson.RemembersLogin)
    alice = world.client("alice")
    for web, path in (("web-1", "/login"), ("web-1", "/apple"), ("web-2", "/apple")):
        alice.post(web, path, {"user": "alice"})
    world.kill("web-1")
    world.restart("web-1")
    world.run(0.1)
    alice.post("web-1", "/basket")
    choice, sentence = lesson.same_from_any(world.trace.rows)
    assert choice == "other answers"
    assert sentence == "web-2 said 'log in first', where she had not logged in."


# ------------------------------------------------------------------------------- TCP
@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it remembers")
def test_tcp_counts_on_from_request_to_request_and_cannot_know_what_was_read():
    with LiveWorld() as world:
        rows = dict(lesson.by_hand(world).rows)
    size = len(lesson.REQUEST)
    assert [now[:3] for now in rows.values()] == [
        (0, 0, 0), (size, size, 0), (2 * size, 2 * size, 0), (3 * size, 3 * size, size),
        (3 * size, 3 * size, 0), (3 * size, 3 * size, 0),
    ]  # fmt: skip
    assert rows["it was killed"].state == "close-wait"


# ------------------------------------------------------------------------------- the workshop
def test_the_edit_of_the_workshop_lets_the_counter_come_through(capsys):
    edited = lesson.cell("change").replace(
        "self.count += 1\n        return self.count",
        'self.disk["count"] = self.disk.get("count", 0) + 1\n        return self.disk["count"]',
    )
    exec(edited, lesson.run())
    assert capsys.readouterr().out == "1 2 3\n"


def test_the_same_check_fails_the_starter_and_passes_the_worked_answer(capsys):
    def verdict(server):
        return lab.check(
            lesson.counter_and_database,
            {"server": server},
            invariants=[lesson.STAYS],
            day=lesson.a_day,
        )

    assert not verdict(lesson.Orders).passed
    assert verdict(lesson.WritesThrough).passed
    assert "a confirmed order stays" in capsys.readouterr().out


def test_to_confirm_before_the_database_has_it_is_not_enough():
    """The nearest wrong answer: an order is handed on at once, and confirmed before it is there."""

    class ConfirmsFirst(Node):
        def __init__(self):
            self.to_do = 0

        async def handle(self, request):
            if request.path == "/order":
                self.to_do += 1
                return "confirmed"
            answer = await self.call("database", "/add", {"name": "orders", "n": 0})
            return answer.body + self.to_do

        async def run(self):
            while True:
                await self.sleep(0.3)
                n, self.to_do = self.to_do, 0
                await self.call("database", "/add", {"name": "orders", "n": n})

    verdict = lab.check(
        lesson.counter_and_database,
        {"server": ConfirmsFirst},
        invariants=[lesson.STAYS],
        day=lesson.a_day,
    )
    assert not verdict.passed
