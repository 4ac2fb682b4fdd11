"""Verbs that do not apply, and nodes that cannot start."""

import os
import threading

import pytest
from live_nodes import Counter, Sleeper, kinds
from processes import wait_until

from statelab.effects import UnknownNode, WrongState
from statelab.live.world import LiveWorld
from statelab.message import NoReply
from statelab.node import Node

pytestmark = pytest.mark.live


def test_wrong_verbs_say_so_and_the_world_goes_on(world):
    world.start("web", Counter)
    wrong = [
        (lambda: world.restart("web"), WrongState, "web is up: only a dead node can be restarted"),
        (lambda: world.resume("web"), WrongState, "web is not paused"),
        (lambda: world.kill("wab"), UnknownNode, "no node is named 'wab'.*The nodes: web"),
        (lambda: world.call("wab"), UnknownNode, "no node is named 'wab'"),
        (lambda: world.status("wab"), UnknownNode, "no node is named 'wab'"),
        (lambda: world.start("web", Counter), WrongState, "the name web is taken"),
        (lambda: world.start("", Counter), TypeError, "a node's name is a str"),
        (lambda: world.start("b", Counter()), TypeError, "write Counter, not Counter"),
        (lambda: world.start("b", dict), TypeError, "a subclass of Node"),
        (lambda: world.start("b", Counter, threading.Lock()), TypeError, "cannot travel"),
        (lambda: world.start("b", Counter, 1, 2, 3), RuntimeError, "b did not start: TypeError"),
        (lambda: world.client("web"), WrongState, "web is a node"),
        (lambda: world.run(-1), ValueError, "-1"),
        (lambda: world.call("web", "x"), ValueError, "begins with '/'"),
        (lambda: world.call("web", body={1, 2}), TypeError, "a set, which JSON has no form for"),
        (lambda: world.call("web", timeout=-1), ValueError, "the timeout"),
        (lambda: world.partition("web", "wab"), UnknownNode, "no node is named 'wab'"),
        (lambda: world.link("web", "you", loss=1), NotImplementedError, "has no share of loss"),
    ]
    for verb, error, text in wrong:
        with pytest.raises(error, match=text):
            verb()
    world.pause("web")
    with pytest.raises(WrongState, match="paused already"):
        world.pause("web")
    world.kill("web")
    for verb in (world.kill, world.pause, world.resume):
        with pytest.raises(WrongState, match="web is dead already"):
            verb("web")
    world.restart("web")
    world.start("b", Counter)
    assert (world.call("web").body, world.call("b").body) == (1, 1)


def test_an_init_that_fails_raises_at_the_start_and_at_the_restart(world):
    class Picky(Node):
        def __init__(self):
            if "bad" in self.disk:
                raise ValueError("a bad disk")

        async def run(self):
            await self.sleep(0.01)
            self.disk["bad"] = True

    class Writer(Node):
        def __init__(self):
            self.disk["x"] = 1

    world.start("picky", Picky)
    wait_until(lambda: "disk" in kinds(world))
    world.kill("picky")
    with pytest.raises(RuntimeError, match="picky did not start: ValueError: a bad disk"):
        world.restart("picky")
    assert world.status("picky") == "dead"
    with pytest.raises(RuntimeError, match="__init__ has an effect"):
        world.start("writer", Writer)
    assert "writer" not in world.names


def test_a_process_that_dies_while_it_starts_shows_its_last_lines(world):
    class Stillborn(Node):
        def __init__(self):
            os.write(2, b"the last words\n")
            os._exit(3)

    with pytest.raises(RuntimeError, match="the last words"):
        world.start("web", Stillborn)
    world.start("web", Counter)


def test_the_end_of_a_world_of_many_nodes_is_silent(caplog):
    with LiveWorld() as world:
        for number in range(9):
            world.start(f"web-{number}", Counter)
    assert caplog.messages == []


def test_a_closed_world_says_so():
    world = LiveWorld()
    world.start("web", Sleeper)
    alice = world.client("alice")
    pending = alice.post("web", body=30, timeout=None, wait=False)
    wait_until(lambda: "receive" in kinds(world))
    world.close()
    world.close()
    with pytest.raises(NoReply, match="closed"):
        pending.result()
    for verb in (
        lambda: world.kill("web"),
        lambda: world.call("web"),
        lambda: world.start("b", Counter),
        lambda: alice.post("web"),
        alice.reconnect,
    ):
        with pytest.raises(WrongState, match="this world is closed"):
            verb()
    assert world.status("web") == "dead"
    assert world.trace.rows[0].kind == "start"
