"""The queue: what is not acknowledged comes again, what is acknowledged does not."""

import pytest

from statelab import Node, NoReply, Refused, World
from statelab.servers import Queue, Store


def queue(**settings):
    """A world with one queue."""
    world = World(seed=7)
    world.start("queue", Queue, *settings.values())
    return world


def ask(world, path, **body):
    return world.call("queue", path, {"stream": "rides", **body}).body


def read(world, group="pay", **body):
    """What a group reads next: (id, entry, deliveries), or None."""
    found = ask(world, "/read", group=group, **body)
    return tuple(found[0].values()) if found else None


# ------------------------------------------------------------------------------- the queue alone
def test_entries_come_in_their_order_each_to_one_reader_of_a_group():
    world = queue()
    assert [ask(world, "/append", entry=e)["id"] for e in ("a", "b")] == [1, 2]
    assert [read(world), read(world), read(world)] == [(1, "a", 1), (2, "b", 1), None]
    assert read(world, group="count") == (1, "a", 1), "another group reads from the beginning"


def test_what_is_not_acknowledged_comes_again_when_it_is_visible_again():
    world = queue(visible_s=1.0)
    ask(world, "/append", entry="a")
    assert read(world) == (1, "a", 1)
    world.run(0.9)
    assert read(world) is None
    world.run(0.2)
    ask(world, "/append", entry="b")
    assert [read(world), read(world)] == [(1, "a", 2), (2, "b", 1)]


def test_what_is_acknowledged_never_comes_again():
    world = queue(visible_s=1.0)
    ask(world, "/append", entry="a")
    read(world)
    assert ask(world, "/pending", group="pay") == [1]
    assert ask(world, "/ack", group="pay", id=1) == {"acknowledged": True}
    assert ask(world, "/ack", group="pay", id=1) == {"acknowledged": False}
    world.run(5)
    assert read(world) is None
    assert ask(world, "/pending", group="pay") == []


def test_a_read_that_waits_gets_what_comes_meanwhile():
    world = queue()
    world.start("reader", Worker, WorksThenAcks)
    world.run(0.2)
    ask(world, "/append", entry="a")
    world.run(0.02)
    assert ask(world, "/pending", group="pay") == [1]


@pytest.mark.parametrize("durable", [True, False])
def test_a_durable_queue_remembers_across_a_kill_what_was_read_and_what_was_acknowledged(durable):
    world = queue(visible_s=1.0, durable=durable)
    for entry in "abc":
        ask(world, "/append", entry=entry)
    ask(world, "/ack", group="pay", id=read(world)[0])
    read(world)
    world.kill("queue")
    world.restart("queue")
    world.run(1.1)
    assert read(world) == ((2, "b", 2) if durable else None)
    assert read(world) == ((3, "c", 1) if durable else None)
    assert ask(world, "/append", entry="d")["id"] == (4 if durable else 1)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/pop", {"stream": "rides"}, 404),
        ("/append", {"stream": "two words"}, 400),
        ("/append", None, 400),
        ("/read", {"stream": "rides"}, 400),
        ("/ack", {"stream": "rides", "group": 3}, 400),
    ],
)
def test_what_is_no_request_to_a_queue_is_told_so(path, body, status):
    world = queue()
    answer = world.call("queue", path, body)
    assert answer.status == status
    assert "error" in answer.body


# ------------------------------------------------------------------------------- a worker that dies
class WorksThenAcks:
    """At least once: what dies between the two is done twice."""

    order = ("work", "ack")


class AcksThenWorks:
    """At most once: what dies between the two is done never."""

    order = ("ack", "work")


class NeverAcks:
    """The safeguard taken out: whatever is read comes again for ever."""

    order = ("work",)


class Worker(Node):
    """Takes rides from the queue and adds up what they cost, in a store."""

    def __init__(self, habit, idempotent=False):
        self._habit = habit
        self._idempotent = idempotent

    async def run(self):
        while True:
            try:
                asked = {"stream": "rides", "group": "pay", "wait": 0.5}
                for taken in (await self.call("queue", "/read", asked)).body:
                    for step in self._habit.order:
                        await getattr(self, step)(taken)
                        await self.sleep(0.1)
            except (Refused, NoReply):
                await self.sleep(0.1)

    async def work(self, taken):
        if self._idempotent:
            await self.call("db", "/put", {"key": f"ride {taken['id']}", "value": 1})
        else:
            await self.call("db", "/append", {"key": "rides", "value": taken["id"]})

    async def ack(self, taken):
        await self.call("queue", "/ack", {"stream": "rides", "group": "pay", "id": taken["id"]})


def paid(habit, idempotent=False, kill_at=0.05, visible_s=1.0):
    """The rides that were paid for, when the worker is killed between its two steps."""
    world = queue(visible_s=visible_s)
    world.start("db", Store)
    world.start("worker", Worker, habit, idempotent)
    for _ in range(2):
        ask(world, "/append", entry="ride")
    world.run(kill_at)
    world.kill("worker")
    world.restart("worker")
    world.run(3)
    if idempotent:
        return world.call("db", "/keys", {"prefix": "ride "}).body
    return world.call("db", "/get", {"key": "rides"}).body


def test_a_consumer_killed_between_work_and_ack_does_the_work_twice():
    assert paid(WorksThenAcks) == [1, 2, 1]


def test_a_consumer_that_acks_first_and_is_killed_loses_the_work():
    assert paid(AcksThenWorks) == [2]


def test_an_idempotent_consumer_is_given_it_twice_and_does_it_once():
    assert paid(WorksThenAcks, idempotent=True) == ["ride 1", "ride 2"]


def test_without_acks_what_was_done_is_done_again_and_again():
    assert len(paid(NeverAcks)) > 3


@pytest.mark.parametrize(("visible_s", "rides"), [(1.0, [2, 1]), (1000.0, [2])])
def test_without_redelivery_what_a_dead_consumer_had_taken_is_lost(visible_s, rides):
    assert paid(WorksThenAcks, kill_at=0.004, visible_s=visible_s) == rides
