"""One contract for all leases: kept by the lease server in both worlds, by Redis, by ZooKeeper."""

import contextlib
import itertools

import pytest
from lease_holder import Holder

from statelab import LiveWorld, World
from statelab.engines import ENGINES
from statelab.engines.leases import RedisLease, ZooKeeperLease
from statelab.servers import Lease, LeaseServer, ServerLease

TTL_S = 1.0
LATER_S = 3.0  # an end that must not come before the next few requests, on a busy machine either
KEPT_S = 60.0  # one that no test waits for


def simulated():
    return contextlib.nullcontext(World(7)), lambda world: world.start("keeper", LeaseServer)


def live():
    return LiveWorld(), lambda world: world.start("keeper", LeaseServer)


def redis():
    return LiveWorld(), lambda world: world.start("keeper", ENGINES["redis"], append_only=True)


def zookeeper():
    return LiveWorld(), lambda world: world.start("keeper", ENGINES["zookeeper"])


LEASES = {redis: RedisLease, zookeeper: ZooKeeperLease}


@pytest.fixture(
    scope="module",
    params=[
        simulated,
        pytest.param(live, marks=pytest.mark.live),
        pytest.param(redis, marks=[pytest.mark.live, pytest.mark.engines("redis")]),
        pytest.param(zookeeper, marks=[pytest.mark.live, pytest.mark.engines("zookeeper")]),
    ],
    ids=lambda keeper: keeper.__name__,
)
def kept(request):
    """A world with a keeper."""
    new_world, start_keeper = request.param()
    with new_world as world:
        start_keeper(world)
        world.lease = LEASES.get(request.param, ServerLease)
        world.rounds = itertools.count()
        yield world


@pytest.fixture
def world(kept):
    """That world, in which the holders of the test before are gone, and the keeper is up."""
    yield kept
    for name, status in kept.names.items():
        if name != "keeper" and status in ("up", "paused"):
            kept.kill(name)
    assert kept.names["keeper"] == "up"


def start_holders(world, ann_s, bob_s=KEPT_S):
    """Starts ann and bob, who may ask for a right that is new, for so many seconds each."""
    where = world.address("keeper") if world.lease is not ServerLease else "keeper"
    number = next(world.rounds)
    names = f"ann {number}", f"bob {number}"
    for name, ttl_s in zip(names, (ann_s, bob_s), strict=True):
        world.start(name, Holder, name, f"bills-{number}", ttl_s, world.lease, where)
    return names


def ask(world, name, path):
    """A Soft as [token or None, until], or a bool for /release; asks until it is answered."""
    end = world.now() + 120
    while world.now() < end:
        answer = world.call(name, path, timeout=60)
        if answer.status == 200:
            return answer.body
        assert answer.status in (502, 504), answer.body  # a session that is gone is made anew
        world.run(0.02)
    raise AssertionError(f"{name} was not answered: {answer.body}")


def acquired(world, name):
    """The token that `name` gets when the right is free."""
    end = world.now() + 120
    while world.now() < end:
        token, _ = ask(world, name, "/acquire")
        if token is not None:
            return token
        world.run(0.02)
    raise AssertionError(f"{name} did not get the right")


def test_one_at_a_time_has_the_right_and_each_grant_has_a_larger_token(world):
    ann, bob = start_holders(world, KEPT_S)
    first = acquired(world, ann)
    assert ask(world, bob, "/acquire")[0] is None
    assert ask(world, ann, "/release") is True
    second = acquired(world, bob)
    assert ask(world, ann, "/acquire")[0] is None
    assert ask(world, bob, "/release") is True
    assert first < second < acquired(world, ann)


def test_a_holder_that_renews_keeps_its_right_and_its_token_beyond_the_first_end(world):
    ann, bob = start_holders(world, LATER_S)
    token = acquired(world, ann)
    until = 0
    for _ in range(5):
        world.run(LATER_S / 4)
        renewed, longer = ask(world, ann, "/renew")
        assert (renewed, longer > until) == (token, True)
        until = longer
        assert ask(world, bob, "/acquire")[0] is None


def test_what_a_non_owner_gives_back_stays_its_holders(world):
    ann, bob = start_holders(world, KEPT_S)
    acquired(world, ann)
    assert ask(world, ann, "/release") is True
    token = acquired(world, bob)
    assert ask(world, ann, "/release") is False  # with the token that it had
    assert ask(world, ann, "/renew")[0] is None
    assert ask(world, bob, "/renew")[0] == token


def test_after_a_kill_another_has_the_right_when_it_has_ended_and_not_before(world):
    ann, bob = start_holders(world, LATER_S)
    token = acquired(world, ann)
    world.kill(ann)
    assert ask(world, bob, "/acquire")[0] is None
    assert acquired(world, bob) > token


def test_a_holder_that_slept_past_its_end_finds_its_right_gone_and_can_end_nobody_elses(world):
    ann, bob = start_holders(world, TTL_S)
    token = acquired(world, ann)
    world.pause(ann)
    newer = acquired(world, bob)
    assert newer > token
    world.resume(ann)
    assert ask(world, ann, "/release") is False
    assert ask(world, ann, "/renew")[0] is None
    assert ask(world, bob, "/renew")[0] == newer


@pytest.mark.parametrize("path", ["/renew", "/acquire"])
def test_a_right_is_counted_from_before_the_request_not_from_its_answer(world, path):
    ann, _ = start_holders(world, TTL_S)
    token, end = None, world.now() + 120
    while token is None:  # a busy machine may take longer than the holder waits
        acquired(world, ann)
        if path == "/acquire":
            ask(world, ann, "/release")
        asked = world.now()
        world.pause("keeper")
        pending = world.call(ann, path, timeout=60, wait=False)
        world.run(0.1)
        resumed = world.now()
        world.resume("keeper")
        answer = pending.result()
        token, until = answer.body if answer.status == 200 else (None, None)
        assert world.now() < end
    assert asked + TTL_S <= until < resumed + TTL_S


def test_a_keeper_that_does_not_answer_leaves_the_holder_in_doubt_and_one_that_is_gone_does_not(
    world,
):
    ann, bob = start_holders(world, LATER_S, LATER_S)
    token = acquired(world, ann)
    world.pause("keeper")
    assert world.call(ann, "/renew", timeout=60).status == 504  # NoReply
    world.kill("keeper")
    assert world.call(bob, "/acquire", timeout=60).status in (502, 504)
    world.kill(ann)  # ZooKeeper's client would keep her right for her
    world.restart("keeper")
    assert acquired(world, bob) > token


def test_all_have_the_same_face():
    for lease in (ServerLease, RedisLease, ZooKeeperLease):
        assert issubclass(lease, Lease)
        for method in ("acquire", "renew", "release"):
            assert getattr(lease, method) is not getattr(Lease, method)


@pytest.mark.live
@pytest.mark.engines("redis")
def test_a_replica_grants_nothing_and_says_that_nothing_happened():
    with LiveWorld() as world:
        world.start("redis", ENGINES["redis"])
        world.start("replica", ENGINES["redis"], replica_of="redis")
        world.start("ann", Holder, "ann", "bills", TTL_S, RedisLease, world.address("replica"))
        answer = world.call("ann", "/acquire", timeout=60)
        assert answer.status == 502  # Refused
        assert "read only" in answer.body["error"]
