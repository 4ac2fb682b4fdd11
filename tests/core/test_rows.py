"""The words in which a lesson asks what happened: which row, which request, after what."""

import math

import pytest

from statelab import Node, Refused, Response, UnknownNode, World
from statelab.rows import Rows


class Door(Node):
    def __init__(self):
        self.inside = []

    async def handle(self, request):
        if request.path == "/login":
            self.inside.append(request.body)
            return "in"
        return "hello" if self.inside else Response(401, "who?")


@pytest.fixture
def rows():
    """Alice logs in and asks; the door is killed, refuses her, is restarted, and knows nobody."""
    world = World(seed=7)
    world.start("door", Door)
    alice = world.client("alice")
    alice.post("door", "/login", "alice")
    alice.get("door", "/who")
    world.kill("door")
    world.run(0.1)
    with pytest.raises(Refused):
        alice.get("door", "/who")
    world.restart("door")
    alice.get("door", "/who")
    return world.trace.rows


def test_a_row_is_found_by_its_kind_its_node_and_what_was_before_it(rows):
    kill = rows.first("kill", "door")
    again = rows.first("start", "door", after=kill)
    assert (kill.life, again.life) == (1, 2)
    assert rows.first("start", "door", before=kill).life == 1
    assert rows.last("start") == again
    assert rows.where({"kill", "start"}) == [rows.first("start"), kill, again]
    assert rows.where("receive", other="alice") == rows.where("receive")
    assert rows.where("receive", other=["bob"]) == []
    assert rows.first("pause") is rows.last("pause") is None


def test_requests_are_told_in_the_order_of_sending_with_what_came_of_them(rows):
    assert [(r.path, r.outcome, r.status, r.ok) for r in rows.requests()] == [
        ("/login", "answered", 200, True),
        ("/who", "answered", 200, True),
        ("/who", "refused", None, False),
        ("/who", "answered", 401, False),
    ]
    assert [r.status for r in rows.requests("alice", "door", path="/who")] == [200, None, 401]
    assert rows.requests("bob") == rows.requests(to="shop") == rows.requests(status=404) == []
    with pytest.raises(TypeError, match="a request has no 'colour'"):
        rows.requests(colour="red")


def test_what_still_waits_is_not_over():
    world = World(seed=7)
    world.start("door", Door)
    alice = world.client("alice")
    alice.post("door", "/login", "alice")
    world.pause("door")
    alice.get("door", "/who", wait=False)
    world.run(0.1)
    login, waiting = world.trace.rows.requests()
    assert (login.over, waiting.over) == (True, False)
    assert (login.took, waiting.took) == (login.ended - login.sent, math.inf)
    assert world.trace.rows.requests(over=True) == [login]


def test_the_answer_to_one_question_may_stand_in_the_next(rows):
    login = rows.request(path="/login", ok=True)
    killed = rows.first("kill", after=login)
    page = rows.request("alice", path="/who", outcome="answered", after=killed)
    assert page.status == 401
    assert rows.request(path="/who", after=login).status == 200
    assert rows.request(path="/login", before=killed) == login
    assert rows.requests(before=login) == []


def test_nothing_is_after_what_has_not_happened_and_all_is_before_it(rows):
    never = rows.first("pause")
    assert rows.first("kill", after=never) is rows.request(after=never) is None
    assert rows.where(before=never) == rows.where() == rows
    assert rows.requests(before=never) == rows.requests()
    waiting = Rows(rows[: rows.first("receive").seq])
    assert waiting.requests(after=waiting.request()) == []


def test_a_moment_may_be_given_in_seconds(rows):
    kill = rows.first("kill")
    assert rows.first("kill", after=kill.time) is None
    assert rows.first("kill", before=kill.time) is None
    assert rows.first("kill", after=math.nextafter(kill.time, 0)) == kill
    assert rows.where(after=-1.0, before=math.inf) == rows
    assert rows.where(after=rows[-1].time + 1) == []


def test_a_request_that_could_not_be_sent_is_told_by_its_end():
    world = World(seed=7)
    world.client("alice")
    with pytest.raises((Refused, UnknownNode)):
        world.client("alice").get("nobody", "/")
    for exchange in world.trace.rows.requests():
        assert exchange.outcome == "refused"
