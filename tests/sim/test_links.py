"""Faults of links: what is lost, held, cut off, doubled, and what its caller sees."""

import pytest

from statelab import Node, NoReply, Refused, World


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


def world_of_two(seed=7):
    world = World(seed)
    world.start("web", Counter)
    return world, world.client("alice")


def count(world):
    return next(row.data[0]["count"] for row in world.trace.states() if row.node == "web")


def test_a_partition_is_a_black_hole():
    world, alice = world_of_two()
    world.partition("alice", "web")
    with pytest.raises(NoReply):
        alice.post("web")
    assert world.now() == 1.0
    world.heal("alice", "web")
    assert alice.post("web").body == 1


def test_a_partition_hides_the_death_of_a_node():
    world, alice = world_of_two()
    world.kill("web")
    world.partition("alice", "web")
    with pytest.raises(NoReply):
        alice.post("web")
    world.heal("alice", "web")
    with pytest.raises(Refused):
        alice.post("web")


def test_a_partition_leaves_other_links_alone():
    world, _ = world_of_two()
    world.partition("alice", "web")
    assert world.client("bob").post("web").body == 1


def test_a_lost_request_did_not_happen_a_lost_reply_did_and_the_caller_cannot_tell():
    said = []
    for lost, counted in ((("alice", "web"), 0), (("web", "alice"), 1)):
        world, alice = world_of_two()
        world.lose_next(*lost)
        with pytest.raises(NoReply) as failed:
            alice.post("web")
        said.append(str(failed.value))
        assert count(world) == counted
        assert alice.ports == {}  # the time-out closed the connection
        assert alice.post("web").body == counted + 1
    assert said[0] == said[1]


def test_what_is_held_arrives_after_the_release_in_its_order():
    world, alice = world_of_two()
    others = [world.client(name) for name in ("bob", "carol")]
    for name in ("bob", "carol"):
        world.hold(name, "web")
    pending = [one.post("web", timeout=5, wait=False) for one in others]
    assert alice.post("web").body == 1
    world.run(2)
    assert [one.outcome for one in pending] == [None, None]
    world.release("bob", "web")
    world.release("carol", "web")
    assert [one.result().body for one in pending] == [2, 3]
    received = [row for row in world.trace.rows if row.kind == "receive"]
    assert [row.time > 2 for row in received] == [False, True, True]


def test_a_held_reply_comes_too_late_for_a_caller_that_timed_out():
    world, alice = world_of_two()
    pending = alice.post("web", timeout=0.5, wait=False)
    world.run(0.0015)  # the request is on its way or there; no reply has arrived
    world.hold("alice", "web")
    with pytest.raises(NoReply):
        pending.result()
    world.release("alice", "web")
    world.run(1)
    assert "too late" in [row.data for row in world.trace.rows if row.kind == "drop"]


def test_a_held_link_can_be_cut_and_what_was_held_is_lost_on_release():
    world, alice = world_of_two()
    world.hold("alice", "web")
    pending = alice.post("web", wait=False)
    world.run(0.1)
    world.partition("alice", "web")
    world.release("alice", "web")
    with pytest.raises(NoReply):
        pending.result()
    assert count(world) == 0


def test_a_doubled_request_is_handled_twice_and_answered_once():
    world, alice = world_of_two()
    world.link("alice", "web", duplicate=1.0)
    assert alice.post("web").body in (1, 2)
    world.run(1)
    assert count(world) == 2


def test_loss_of_everything_and_of_nothing():
    world, alice = world_of_two()
    world.link("alice", "web", loss=1.0)
    with pytest.raises(NoReply):
        alice.post("web")
    world.link("alice", "web")
    assert [alice.post("web").body for _ in range(50)] == list(range(1, 51))


def test_latency_lies_within_its_bounds():
    world, alice = world_of_two()
    world.link("alice", "web", (0.01, 0.02))
    for _ in range(200):
        before = world.now()
        alice.post("web")
        assert 0.02 <= world.now() - before <= 0.04
    world.link("alice", "web", 0)
    before = world.now()
    alice.post("web")
    assert world.now() - before == pytest.approx(2e-6)  # a microsecond is the least


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"loss": 1.5}, "loss=1.5 is not a share"),
        ({"duplicate": "x"}, "duplicate='x' is not a share"),
        ({"latency": -1}, "the latency is -1"),
        ({"latency": (2, 1)}, "the wrong way round"),
        ({"latency": (1, 2, 3)}, "neither a number nor two bounds"),
    ],
)
def test_a_link_that_cannot_be_is_refused(bad, sentence):
    world, _ = world_of_two()
    with pytest.raises(ValueError, match=sentence):
        world.link("alice", "web", **bad)


def test_a_name_has_no_link_to_itself():
    world, _ = world_of_two()
    with pytest.raises(ValueError, match="web has no link to itself"):
        world.partition("web", "web")
