"""Lesson 03: only the careless one forgets, a REST call needs no memory, and TCP counts."""

import sys

import lessons
import pytest
from lessons import press

from statelab import LiveWorld, Node, World, lab
from statelab.lab.ask.prediction import NotYet
from statelab.live import tcp

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
    assert (lookups, choice) == (2, "only the counter")
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
def test_with_a_token_in_each_call_any_server_gives_the_same_answers_on_any_day():
    seen = lesson.all_days(lesson.ShopByToken, lambda: World(seed=7), range(100))
    assert seen == {("in", 1, 2, 2): 100}


def test_a_server_that_remembers_logins_answers_by_what_happened_before():
    seen = lesson.all_days(lesson.ShopByConnection, lambda: World(seed=7), range(100))
    assert len(seen) > 3
    assert seen[("in", 1, 2, 2)] < 50
    assert {answer for answers in seen for answer in answers} == {"in", 0, 1, 2, 401}


def test_nobody_gets_in_without_a_token():
    world = World(seed=7)
    lesson.fruit(world)
    assert world.client("alice").post("web-1", "/apple").status == 401
    forged = {"authorization": "Bearer alice"}
    assert world.call("web-1", "/basket", headers=forged).status == 401


# ------------------------------------------------------------------------------- the panels
@pytest.mark.parametrize(
    ("answer", "mark"), [("only the counter", "right"), ("counter and cache", "wrong")]
)
def test_the_first_panel_decides_when_all_four_were_restarted(answer, mark):
    panel, observation = lesson.opened(1, answer)
    for part, (what, _, _) in lesson.QUESTIONS.items():
        assert part in repr(observation).partition("Still to do")[2]
        press(panel, what, what, ("kill", part), ("restart", part), what)
    assert panel.verdict["mark"] == mark
    assert "the counter said 2, then 1" in repr(observation)


def restarted(*names):
    return [(verb, name) for name in names for verb in ("kill", "restart")]


@pytest.mark.parametrize(("answer", "mark"), [("none of these", "right"), ("web-1", "wrong")])
def test_the_second_panel_decides_when_all_three_were_restarted(answer, mark):
    panel, observation = lesson.opened(2, answer)
    assert "log in at web-1" in repr(observation)
    press(panel, "web-1: log in", "web-1: an apple", "web-2: an apple")
    assert "Still to do: kill and restart web-1, web-2, database." in repr(observation)
    press(panel, *restarted("web-1", "web-2", "database"), "web-1: how many?")
    assert "ask both servers how many" in repr(observation)
    press(panel, "web-2: how many?")
    assert panel.verdict["mark"] == mark
    assert "and then web-1 counted 2 apples and web-2 counted 2 apples." in repr(observation)


def of_a_shop_by_connection(*steps):
    """What is observed where alice has logged in at web-1 of a shop by connection."""
    world = World(seed=7)
    lesson.fruit(world, server=lesson.ShopByConnection)
    alice = world.client("alice")
    alice.post("web-1", "/login", {"user": "alice"})
    for verb, name in steps:
        if verb == "ask":
            alice.post(name, "/basket")
        else:
            getattr(world, verb)(name)
            world.run(0.1)
    try:
        return lesson.whose_kill(world.trace.rows)
    except NotYet as undecided:
        return None, str(undecided)


def test_a_shop_by_connection_would_give_the_other_answer():
    choice, sentence = of_a_shop_by_connection(*restarted("web-1"), ("ask", "web-1"))
    assert (choice, sentence) == ("web-1", "web-1 said 'log in first'.")
    both = (*restarted("web-1", "web-2"), ("ask", "web-2"))
    assert of_a_shop_by_connection(*both)[0] == "web-1 and web-2"
    choice, sentence = of_a_shop_by_connection(("ask", "web-2"))
    assert choice is None
    assert "nobody was killed" in sentence


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


ASLEEP = "62 acknowledged, none read"


@pytest.mark.parametrize(
    ("acknowledged", "unread", "choice"),
    [
        (62, 62, ASLEEP),
        (62, 0, "62 acknowledged, 62 read"),
        (0, 0, "none acknowledged, none read"),
        (62, None, None),
    ],
)
def test_what_tcp_tells_decides_the_third_prediction(acknowledged, unread, choice):
    at_rest = tcp.Counts(62, 62, 0 if unread is not None else None, 71, "established")
    sent = tcp.Counts(124, 62 + acknowledged, unread, 71, "established")
    awake = tcp.Counts(124, 124, 0, 142, "established")
    lines = [("request sent", at_rest), ("server paused", at_rest), ("request sent", sent),
             ("server resumed", awake), ("request sent", awake)]  # fmt: skip
    for few in (1, 2):
        with pytest.raises(NotYet, match="Still to do"):
            lesson.what_tcp_tells(lines[:few])
    if choice is None:
        with pytest.raises(NotYet, match="does not tell"):
            lesson.what_tcp_tells(lines)
        return
    for many in (3, 4, 5):
        assert lesson.what_tcp_tells(lines[:many])[0] == choice


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
