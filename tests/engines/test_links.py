"""Faults of the links of real engines: what is acknowledged, and what a failover then has.

Those of PostgreSQL stand in test_postgres.py, which has the servers for it.
"""

import threading

import pytest
import redis

from statelab import Node, WrongState
from statelab.engines import Redis
from statelab.live import LiveWorld

pytestmark = pytest.mark.live


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


def until(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it has not come true within 20 s")


@pytest.mark.engines("redis")
def test_a_lease_that_was_acknowledged_is_granted_again_after_a_failover_behind_a_held_link(world):
    world.start("primary", Redis)
    world.start("copy", Redis, replica_of="primary")
    with (
        redis.Redis.from_url(world.address("primary"), decode_responses=True) as primary,
        redis.Redis.from_url(world.address("copy"), decode_responses=True) as copy,
    ):
        primary.set("before", 1)
        until(lambda: copy.get("before") == "1")
        world.hold("primary", "copy")
        assert primary.set("lease", "alice", nx=True, px=60_000)
        assert primary.wait(1, 200) == 0
        world.kill("primary")
        copy.replicaof("NO", "ONE")
        assert copy.set("lease", "bob", nx=True, px=60_000)


class Asker(Node):
    """Asks Redis for a number, and says if no answer comes within a moment."""

    def __init__(self, address):
        self._client = redis.Redis.from_url(address, socket_timeout=0.3)

    async def handle(self, request):
        try:
            return self._client.incr("count")
        except redis.RedisError as wrong:
            return type(wrong).__name__


@pytest.mark.engines("redis")
def test_a_node_is_cut_off_from_its_engine_and_another_is_not(world):
    world.start("redis", Redis)
    for name in ("alice", "bob"):
        world.start(name, Asker, world.address("redis", caller=name))
    assert [world.call(name).body for name in ("alice", "bob")] == [1, 2]
    world.partition("alice", "redis")
    assert world.call("alice", timeout=60).body == "TimeoutError"
    assert world.call("bob").body == 3
    world.heal("alice", "redis")
    assert world.call("alice", timeout=60).body == 4
    world.kill("redis")
    assert world.call("alice", timeout=60).body == "ConnectionError"
    world.restart("redis")
    assert world.call("alice", timeout=60).body == 1


@pytest.mark.engines("redis")
def test_a_fault_that_would_do_nothing_is_refused_with_what_to_do(world):
    world.start("redis", Redis)
    world.start("alice", Asker, world.address("redis"))
    sentence = r"goes straight there.+ world.address\('redis', caller='alice'\)"
    for a, b in (("alice", "redis"), ("redis", "alice")):
        with pytest.raises(WrongState, match=sentence):
            world.partition(a, b)
    assert world.call("alice").body == 1
