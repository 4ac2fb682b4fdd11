"""ZooKeeper as the lessons need it: sessions that end with their holder, and an ensemble."""

import tempfile
import time
from pathlib import Path

import pytest
from kazoo.exceptions import KazooException

from statelab import Node
from statelab.engines import ZooKeeper
from statelab.engines import zookeeper as engine
from statelab.live import LiveWorld

pytestmark = [pytest.mark.live, pytest.mark.engines("zookeeper")]

ENSEMBLE = ("zk-1", "zk-2", "zk-3")


@pytest.fixture(scope="module")
def shared():
    """A world with an ensemble, which is costly: each member is a Java runtime."""
    with LiveWorld(seed=7) as world:
        for name in ENSEMBLE:
            world.start(name, ZooKeeper, ensemble=ENSEMBLE)
        yield world


@pytest.fixture
def world(shared):
    """That world, where all members are up, whatever the test before did with them."""
    for name in ENSEMBLE:
        if shared.status(name) == "dead":
            shared.restart(name)
    return shared


@pytest.fixture
def connect(world):
    """A function: a client with a session at the servers of those names."""
    clients = []

    def connect(*names, session_s=1.0):
        hosts = ",".join(world.address(name) for name in names)
        clients.append(engine.client(hosts, timeout=session_s))
        clients[-1].start(timeout=30)
        return clients[-1]

    yield connect
    for client in clients:
        client.stop()
        client.close()


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class Holder(Node):
    """Holds a lease as long as its process lives: a node that ends with its session."""

    def __init__(self, hosts):
        self._client = engine.client(hosts, timeout=1.0)
        self._client.start(timeout=30)
        self._client.create("/lease", b"holder", ephemeral=True)


def test_a_lease_ends_with_the_session_of_a_killed_holder_and_of_nobody_else(world, connect):
    watcher = connect("zk-1", session_s=3.0)
    world.start("holder", Holder, world.address("zk-1"))
    watcher.sync("/")
    assert watcher.get("/lease")[0] == b"holder"
    world.kill("holder")
    until(lambda: watcher.exists("/lease") is None)


def mode(world, name):
    """The role of a server as it tells itself, or what else it says."""
    client = engine.client(world.address(name), timeout=4.0)
    client.start(timeout=30)
    try:
        lines = client.command(b"srvr").splitlines()
        return next(line.split()[1] for line in lines if line.startswith("Mode:"))
    finally:
        client.stop()
        client.close()


def test_a_lease_survives_the_kill_of_the_leader_and_writing_goes_on(world, connect):
    client = connect(*ENSEMBLE, session_s=4.0)
    client.create("/survivor", b"holder", ephemeral=True)
    roles = {name: mode(world, name) for name in ENSEMBLE}
    assert sorted(roles.values()) == ["follower", "follower", "leader"]
    leader = next(name for name in ENSEMBLE if roles[name] == "leader")
    session = client.client_id[0]
    world.kill(leader)
    client.retry(client.set, "/survivor", b"still the holder")
    assert client.client_id[0] == session
    assert client.get("/survivor")[0] == b"still the holder"
    left = [name for name in ENSEMBLE if name != leader]
    assert sorted(mode(world, name) for name in left) == ["follower", "leader"]
    world.restart(leader)
    assert mode(world, leader) == "follower"


def test_a_minority_serves_nobody_and_a_majority_has_all_that_was_written(world, connect):
    client = connect(*ENSEMBLE)
    client.create("/key", b"value")
    client.stop()
    world.kill("zk-1")
    world.kill("zk-2")
    with pytest.raises(KazooException):
        connect_briefly(world.address("zk-3"))
    world.restart("zk-1")
    client = connect("zk-3", session_s=4.0)
    assert client.retry(client.get, "/key")[0] == b"value"


def connect_briefly(hosts):
    client = engine.client(hosts, timeout=1.0)
    try:
        client.start(timeout=2)
    except client.handler.timeout_exception as late:
        raise KazooException(str(late)) from None
    finally:
        client.stop()
        client.close()


def test_an_ensemble_outlives_the_kill_of_all_its_members(world, connect):
    client = connect(*ENSEMBLE)
    client.create("/other", b"value")
    client.stop()
    for name in ENSEMBLE:
        world.kill(name)
    for name in reversed(ENSEMBLE):
        world.restart(name)
    client = connect(*ENSEMBLE, session_s=4.0)  # and on a busy machine it may be lost once more
    assert client.retry(client.get, "/other")[0] == b"value"


def test_it_leaves_no_file_in_the_folder_that_all_programs_share(world):
    pids = {str(world.pid(name)) for name in ENSEMBLE}
    assert not [path for path in Path(tempfile.gettempdir()).glob("hsperfdata_*/*")
                if path.name in pids]  # fmt: skip


def test_without_java_or_its_jar_it_says_how_to_get_them(monkeypatch, tmp_path):
    assert ZooKeeper.missing() == ""
    with monkeypatch.context() as patch:
        patch.setattr(engine.shutil, "which", lambda name: None)
        assert "sudo apt install libzookeeper-java default-jre-headless" in ZooKeeper.missing()
    monkeypatch.setattr(engine, "JAR", tmp_path / "zookeeper.jar")
    assert "sudo apt install libzookeeper-java default-jre-headless" in ZooKeeper.missing()
