"""Lesson 07's companion: on ZooKeeper a right ends with its session, and outlives its leader."""

import lessons
import pytest
from kazoo.client import KazooClient
from lessons import press

from statelab import LiveWorld, World
from statelab.engines.leases import ZooKeeperLease

companion = lessons.Lesson("07_write_lease_zookeeper")
THREE = ("zk-1", "zk-2", "zk-3")

KILLED = ("wait", "wait", "wait", "kill writer-1", "wait", "wait", "wait")


# ------------------------------------------------------------------------------- the model
@pytest.mark.parametrize("answer", ["2 s after its last heartbeat", "at once: the break tells it"])
def test_a_session_ends_when_it_was_silent_for_its_time_and_not_when_its_connection_breaks(answer):
    panel, observation = companion.opened(1, answer)
    assert "Still to do" in repr(observation)
    press(panel, *KILLED)
    assert panel.verdict["mark"] == ("right" if answer.startswith("2 s") else "wrong")
    assert "last heard at 1.3 s, and killed at 1.5 s" in repr(observation)
    assert "had the right at 3.4 s" in repr(observation)


def test_who_kills_the_writer_that_has_no_right_is_asked_to_start_over():
    panel, observation = companion.opened(1, "2 s after the break")
    press(panel, "wait", "kill writer-2")
    assert "Start over: kill the writer that has the right" in repr(observation)


def test_each_life_of_a_writer_has_a_session_of_its_own():
    world = World(seed=7)
    companion.model(world)
    world.run(1)
    world.kill("writer-1")
    world.restart("writer-1")
    world.run(1)
    sessions = next(row.data[0] for row in world.trace.states() if row.node == "zookeeper")
    assert sorted(name.partition(" ")[0] for name in sessions["sessions"]) == [
        "writer-1", "writer-1", "writer-2",
    ]  # fmt: skip


# ------------------------------------------------------------------------------- the real one
on_zookeeper = pytest.mark.engines("zookeeper")


@pytest.fixture(scope="module")
def bills():
    """A world with one ZooKeeper and two writers who are up, and a database that does not fence."""
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world)
        yield world


@pytest.mark.live
@on_zookeeper
def test_another_has_the_right_soon_after_its_holder_was_killed(bills):
    dead = companion.holder(bills)
    bills.kill(dead)
    killed = bills.now()
    assert companion.holder(bills) != dead
    assert bills.now() - killed < companion.LiveWriter.ttl + 10
    bills.restart(dead)


@pytest.mark.live
@on_zookeeper
def test_a_paused_holder_writes_late(bills):
    found = companion.a_pause(bills)
    assert found == {"the sleeper's bill": 200, "landed": ["the other", "the sleeper"]}


@pytest.mark.live
@on_zookeeper
def test_a_paused_holder_does_not_write_late_where_the_database_fences():
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world, True)
        found = companion.a_pause(world)
    assert found == {"the sleeper's bill": 409, "landed": ["the other"]}


@pytest.mark.live
@on_zookeeper
def test_the_right_outlives_the_leader_of_the_ensemble_and_the_next_write_comes_soon():
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world, keepers=THREE, writer=companion.PatientWriter)
        assert companion.a_leader_dies(world, THREE) == {
            "the same holder": True,
            "the same token": True,
            "its bill": 200,
        }
        (killed,) = (row for row in world.trace.rows if row.kind == "kill")
        assert killed.node in THREE
        assert world.now() - killed.time < companion.LiveWriter.work + 10


@pytest.mark.live
@on_zookeeper
def test_a_renewal_hears_of_all_changes_before_it_looks(bills, monkeypatch):
    asked = []
    for name in ("sync_async", "exists_async"):
        ask = getattr(KazooClient, name)

        def note(client, path, name=name, ask=ask):
            asked.append(name)
            return ask(client, path)

        monkeypatch.setattr(KazooClient, name, note)
    lease = ZooKeeperLease(bills, "loans", "ann", 10.0, bills.address("zookeeper"))
    right = done(lease.acquire())
    asked.clear()
    assert done(lease.renew(right)).value == right.value
    lease._client.stop()
    lease._client.close()
    assert asked == ["sync_async", "exists_async"]


def done(asked):
    """What a coroutine returns that awaits nothing."""
    with pytest.raises(StopIteration) as returned:
        asked.send(None)
    return returned.value.value
