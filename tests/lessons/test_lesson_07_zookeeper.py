"""Lesson 07's companion: on ZooKeeper a right ends with its session, and outlives its leader."""

import lessons
import pytest

from statelab import LiveWorld

companion = lessons.Lesson("07_write_lease_zookeeper")
THREE = ("zk-1", "zk-2", "zk-3")

on_zookeeper = pytest.mark.engines("zookeeper")


@pytest.mark.live
@on_zookeeper
def test_another_has_the_right_soon_after_its_holder_was_killed():
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world)
        dead = companion.holder(world)
        world.kill(dead)
        killed = world.now()
        assert companion.holder(world) != dead
        assert world.now() - killed < companion.QuickWriter.ttl + 10


@pytest.mark.live
@on_zookeeper
@pytest.mark.parametrize("fencing", [False, True])
def test_a_paused_holder_writes_late_unless_the_database_fences(fencing):
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world, fencing)
        found = companion.a_pause(world)
    if fencing:
        assert found == {"the sleeper's bill": 409, "landed": ["the other"]}
    else:
        assert found == {"the sleeper's bill": 200, "landed": ["the other", "the sleeper"]}


@pytest.mark.live
@on_zookeeper
def test_the_right_outlives_the_leader_of_the_ensemble():
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world, keepers=THREE, writer=companion.PatientWriter)
        assert companion.a_leader_dies(world, THREE) == {
            "the same holder": True,
            "the same token": True,
            "its bill": 200,
        }


@pytest.mark.live
@on_zookeeper
def test_the_next_write_comes_soon_after_the_leaders_death():
    with LiveWorld() as world:
        companion.billing_on_zookeeper(world, keepers=THREE, writer=companion.PatientWriter)
        writer = companion.holder(world)
        modes = {name: companion.mode(world.address(name)) for name in THREE}
        world.kill(next(name for name in THREE if modes[name] == "leader"))
        killed = world.now()
        while companion.bill(world, writer).result().status != 200:
            world.run(0.01)
        assert world.now() - killed < companion.QuickWriter.work + 10
