"""A server that somebody runs already: a world uses a namespace of its own there, and no more."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import engine_clients
import psycopg
import pytest
import redis

from statelab import WrongState
from statelab.engines import ENGINES, Postgres, Redis, ZooKeeper, outside, zookeeper
from statelab.engines.engine import Command
from statelab.live import LiveWorld

pytestmark = pytest.mark.live


def redis_contents(address):
    with redis.Redis.from_url(address, decode_responses=True) as client:
        return sorted(client.keys())


def zookeeper_contents(address):
    client = zookeeper.client(address)
    client.start(timeout=30)
    try:
        return sorted(client.get_children("/"))
    finally:
        client.stop()
        client.close()


def postgres_contents(address):
    with psycopg.connect(address) as connection:
        found = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
    return [name for (name,) in found]


CONTENTS = {"redis": redis_contents, "zookeeper": zookeeper_contents, "postgres": postgres_contents}


@pytest.fixture
def somebodys(shared, name, monkeypatch):
    """A server with something in it, whose address stands in the environment."""
    with contextlib.closing(engine_clients.client(shared, name)) as client:
        client.put("somebody's")
        monkeypatch.setenv(ENGINES[name].variable, shared.address(name))
        yield shared
        assert client.get() == "somebody's"


def test_a_world_keeps_what_it_writes_apart_and_removes_it_at_its_end(somebodys, name):
    address = somebodys.address(name)
    before = CONTENTS[name](address)
    with LiveWorld() as world:
        engine_clients.start(world, name)
        assert (world.status(name), world.pid(name)) == ("up", None)
        assert world.port(name) == somebodys.port(name)
        with contextlib.closing(engine_clients.client(world, name)) as client:
            client.put("ours")
            assert client.get() == "ours"
            with LiveWorld() as another:
                engine_clients.start(another, name)
                with contextlib.closing(engine_clients.client(another, name)) as theirs:
                    theirs.put("theirs")
            assert client.get() == "ours"
        assert len(CONTENTS[name](address)) == len(before) + 1
    assert CONTENTS[name](address) == before


def test_what_somebody_else_runs_is_not_killed_and_says_so(somebodys, name):
    with LiveWorld() as world:
        engine_clients.start(world, name)
        for verb in ("kill", "pause", "resume", "restart"):
            with pytest.raises(WrongState, match=f"to kill, .* unset {ENGINES[name].variable}"):
                getattr(world, verb)(name)
        assert world.status(name) == "up"
    assert somebodys.status(name) == "up"


KERNEL = """
import time, engine_clients
from statelab.live import LiveWorld

world = LiveWorld()
engine_clients.start(world, "{name}")
engine_clients.client(world, "{name}").put("ours")
print("ready", flush=True)
time.sleep(1000)
"""


def test_kill_9_of_the_kernel_removes_what_was_written_there(somebodys, name):
    address = somebodys.address(name)
    before = CONTENTS[name](address)
    paths = os.pathsep.join(sys.path)
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL.format(name=name)], stdout=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert kernel.stdout.readline() == "ready\n"
    assert CONTENTS[name](address) != before
    os.killpg(kernel.pid, signal.SIGKILL)
    kernel.communicate()
    end = time.monotonic() + 30
    while CONTENTS[name](address) != before:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("redis", "redis://:secret@127.0.0.1:1/0"),
        ("zookeeper", "127.0.0.1:1"),
        ("postgres", "postgresql://postgres:secret@127.0.0.1:1/postgres"),
    ],
)
def test_an_address_where_nobody_is_says_so_and_tells_no_password(name, address, monkeypatch):
    monkeypatch.setenv(ENGINES[name].variable, address)
    variable = ENGINES[name].variable
    with LiveWorld() as world:
        with pytest.raises(RuntimeError, match=f"the server of {variable} cannot be") as error:
            engine_clients.start(world, name)
        assert "secret" not in str(error.value)
        assert world.names == {}


@pytest.mark.parametrize(
    ("engine", "option"), [(Redis, {"replica_of": "a"}), (Postgres, {"standby_of": "a"})]
)
def test_a_copy_of_what_somebody_else_runs_is_refused(engine, option, monkeypatch):
    monkeypatch.setenv(engine.variable, "scheme://127.0.0.1:1/0")
    with LiveWorld() as world:
        with pytest.raises(
            WrongState, match=f"both must be of this world: unset {engine.variable}"
        ):
            world.start("copy", engine, **option)
        assert world.names == {}


class Clustered(Redis):
    """A member of a Redis Cluster: it has a share of the keys, and sends others away."""

    def prepare(self, place):
        commands = super().prepare(place)
        with open(place.folder / "redis.conf", "a", encoding="utf-8") as conf:
            conf.write("cluster-enabled yes\n")
        return commands


@pytest.mark.engines("redis")
def test_a_member_of_a_redis_cluster_is_refused_at_once(monkeypatch):
    with LiveWorld() as theirs, LiveWorld() as world:
        theirs.start("redis", Clustered)
        monkeypatch.setenv(Redis.variable, theirs.address("redis"))
        with pytest.raises(RuntimeError, match="is part of a Redis Cluster; name one that stands"):
            world.start("redis", Redis)
        assert world.names == {}


def test_the_members_of_an_ensemble_share_one_namespace(monkeypatch):
    monkeypatch.setenv(ZooKeeper.variable, "127.0.0.1:1,127.0.0.1:2")
    monkeypatch.setattr(outside, "command", lambda *_: Command(["true"], {}))
    with LiveWorld() as world:
        ensemble = ("zk-1", "zk-2")
        for name in ensemble:
            world.start(name, ZooKeeper, ensemble=ensemble)
        world.start("zk-3", ZooKeeper)
        one, two, three = map(world.address, ("zk-1", "zk-2", "zk-3"))
        assert one == two != three


@pytest.mark.parametrize(
    ("engine", "address", "said"),
    [
        ("postgres", "postgres//bob:s3cret@localhost/db", "ProgrammingError"),
        ("postgres", "postgresql://bob:s3 cret@127.0.0.1:1/db", "ProgrammingError"),
        ("redis", "redis://:s3cret/x@127.0.0.1:1", "ValueError: Port could not be cast"),
        ("redis", "redis://bob:12:s3cret#x@127.0.0.1:1/0", "ValueError: Port could not be cast"),
    ],
)
def test_the_password_of_an_address_that_cannot_be_read_is_not_shown(
    engine, address, said, monkeypatch
):
    monkeypatch.setenv(outside.ADDRESS, address)
    with pytest.raises(SystemExit) as failed:
        outside.main("make", engine, "statelab_x")
    assert f"cannot be used: {said}" in str(failed.value)
    assert "cret" not in str(failed.value)
