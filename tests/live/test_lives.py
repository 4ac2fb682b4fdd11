"""The lives of a live node: what begins and ends with its process, and what it reports."""

import dataclasses
import os
import re
import signal
import time

import psutil
import pytest
from live_nodes import Counter, consistent, kinds
from processes import spin, wait_until

from statelab.message import NoReply
from statelab.node import Node, Soft

pytestmark = pytest.mark.live


def test_a_restart_is_a_new_process_on_the_same_port(world):
    world.start("web", Counter)
    port, pid = world.port("web"), world.pid("web")
    world.kill("web")
    assert world.pid("web") is None
    assert not psutil.pid_exists(pid)
    world.restart("web")
    assert world.port("web") == port
    assert world.pid("web") != pid
    assert [row.life for row in world.trace.rows if row.kind == "start"] == [1, 2]


def test_kill_works_on_a_paused_node(world):
    world.start("web", Counter)
    world.pause("web")
    world.kill("web")
    assert world.status("web") == "dead"
    world.restart("web")
    assert world.call("web").body == 1


def test_ports_of_nodes_lie_outside_of_the_ephemeral_range(world):
    from statelab.live.transport.ports import first_ephemeral

    world.start("web", Counter)
    assert 1024 <= world.port("web") < first_ephemeral()


def test_the_disk_outlives_a_kill(world):
    class Store(Node):
        async def handle(self, request):
            if request.method == "DELETE":
                del self.disk["key"]
            elif request.body is not None:
                self.disk["key"] = request.body
            return dict(self.disk)

    world.start("store", Store)
    world.call("store", body={"a": [1, "ä"]})
    world.kill("store")
    assert world.trace.states()[0].data == (None, {"key": {"a": [1, "ä"]}})
    world.restart("store")
    assert world.call("store").body == {"key": {"a": [1, "ä"]}}
    world.call("store", method="DELETE")
    world.kill("store")
    world.restart("store")
    assert world.call("store").body == {}
    assert [row.data for row in world.trace.rows if row.kind == "disk"] == [
        ("key", {"a": [1, "ä"]}),
        ("key",),
    ]


def test_what_is_acknowledged_after_a_disk_was_full_outlives_a_kill(world):
    resource = pytest.importorskip("resource")

    class Store(Node):
        async def handle(self, request):
            match request.body:
                case "room", size:  # of its largest file
                    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
                case key, value:
                    self.disk[key] = value
            return dict(self.disk)

    world.start("store", Store)
    for number in range(5):
        world.call("store", body=["a", number])
        world.call("store", body=["room", 36 * number + 20])  # each line has nine bytes
        assert world.call("store", body=["b", "long" * 100]).status == 500
        world.call("store", body=["room", 10_000])
        world.call("store", body=["c", number])
        world.kill("store")
        world.restart("store")
        assert world.call("store", body=["d", number]).body == dict.fromkeys("acd", number)


def test_an_argument_is_made_anew_for_each_life(world):
    class Keeper(Node):
        def __init__(self, things):
            self.things = things

        async def handle(self, request):
            self.things.append(1)
            return len(self.things)

    shared = []
    world.start("a", Keeper, shared)
    world.start("b", Keeper, shared)
    assert (world.call("a").body, world.call("b").body, shared) == (1, 1, [])
    world.kill("a")
    world.restart("a")
    assert world.call("a").body == 1


def test_a_class_may_close_over_constants_helpers_and_its_super(world):
    step = 5

    def twice(number):
        return 2 * number

    class Base(Node):
        def __init__(self):
            self.count = 0

    class Stepper(Base):
        def __init__(self):
            super().__init__()
            self.at = Place(1, 2)

        async def handle(self, request):
            self.count += twice(step)
            return self.count

    @dataclasses.dataclass
    class Place:
        x: int
        y: int

    world.start("web", Stepper)
    assert world.call("web").body == 10
    memory = world.trace.states()[0].data[0]
    assert memory["count"] == 10
    assert "Place(x=1, y=2)" in memory["at"]


def test_an_edited_class_runs_as_it_is_at_the_start(world):
    namespace = {"Node": Node, "__name__": "__main__"}
    source = "class Web(Node):\n    async def handle(self, request):\n        return {}\n"
    for number in range(2):
        exec(source.format(number), namespace)
        world.start(f"web{number}", namespace["Web"])
    assert [world.call(f"web{number}").body for number in range(2)] == [0, 1]


def test_randomness_is_a_stream_of_seed_name_and_life(world):
    class Dice(Node):
        async def handle(self, request):
            return self.random.random()

    import random

    world.start("dice", Dice)
    assert world.call("dice").body == random.Random("7:dice:1").random()
    world.kill("dice")
    world.restart("dice")
    assert world.call("dice").body == random.Random("7:dice:2").random()


def test_all_nodes_share_the_clock_of_the_world(world):
    class Clock(Node):
        async def handle(self, request):
            return self.now()

    world.start("clock", Clock)
    before, there, after = world.now(), world.call("clock").body, world.now()
    assert before <= there <= after


def test_run_acts_on_its_own(world):
    class Ticker(Node):
        def __init__(self):
            self.ticks = 0

        async def run(self):
            while self.ticks < 3:
                await self.sleep(0.02)
                self.ticks += 1
                self.log(f"tick {self.ticks}")

    world.start("ticker", Ticker)
    wait_until(lambda: [r.data for r in world.trace.rows if r.kind == "log"][-1:] == ["tick 3"])
    assert world.status("ticker") == "up"
    assert [row.data[0] for row in world.trace.memory] == [{"ticks": n} for n in range(4)]


def test_an_error_in_run_is_a_crash_that_says_of_what(world):
    class Crasher(Node):
        async def run(self):
            if not self.disk:  # the next life goes on: who looks may come late
                self.disk["crashed"] = True
                raise ValueError("no more")

    world.start("web", Crasher)
    wait_until(lambda: world.status("web") == "dead")
    crashes = [row for row in world.trace.rows if row.kind == "crash"]
    assert [row.data for row in crashes] == ["ValueError: no more"]
    world.restart("web")
    assert world.status("web") == "up"


@pytest.mark.parametrize("how", ["exit", "signal"])
def test_a_death_that_no_verb_asked_for_is_seen(world, how):
    class Leaver(Node):
        async def handle(self, request):
            raise SystemExit("enough")

    world.start("web", Leaver)
    if how == "exit":
        with pytest.raises(NoReply):
            world.call("web")
    else:
        os.kill(world.pid("web"), signal.SIGKILL)
    wait_until(lambda: world.status("web") == "dead")
    end = [row for row in world.trace.rows if row.kind in ("crash", "kill")]
    expected = ("crash", "SystemExit: enough") if how == "exit" else ("kill", None)
    assert [(row.kind, row.data) for row in end] == [expected]
    world.restart("web")
    assert world.status("web") == "up"


def test_what_a_node_did_not_report_dies_with_it(world):
    class Busy(Node):
        def __init__(self):
            self.told = 0

        async def handle(self, request):
            self.told = 1
            self.log("never heard of")
            end = time.monotonic() + 30
            while time.monotonic() < end:  # a step that does not end
                pass

    world.start("web", Busy)
    pending = world.call("web", timeout=20, wait=False)
    world.run(0.1)
    world.kill("web")
    with pytest.raises(NoReply):
        pending.result()
    assert "log" not in kinds(world)
    assert all(row.data[0].get("told") != 1 for row in world.trace.memory)
    assert consistent(world.trace)


def test_memory_is_told_after_each_step_and_only_what_changed(world):
    class Keeper(Node):
        def __init__(self):
            self.seen = {}
            self.same = (1, {2}, b"3")
            self.lease = Soft("me", 1.5)
            self._hidden = object()
            self.odd = re.compile("x")

        async def handle(self, request):
            self.seen[request.body] = True
            if request.body == "b":
                del self.odd
            return len(self.seen)

    world.start("web", Keeper)
    for body in "aab":
        world.call("web", body=body)
    rows = [row.data for row in world.trace.memory if row.node == "web"]
    assert rows == [
        (
            {"seen": {}, "same": (1, {2}, b"3"), "lease": Soft("me", 1.5),
             "odd": "re.compile('x')"}, (),
        ),
        ({"seen": {"a": True}}, ()),
        ({"seen": {"a": True, "b": True}}, ("odd",)),
    ]  # fmt: skip
    reply = [row.seq for row in world.trace.rows if row.kind == "reply"]
    assert [row.seq for row in world.trace.memory if row.node == "web"][1:] == [reply[0], reply[2]]


def test_handlers_switch_only_at_await(world):
    class Careful(Node):
        def __init__(self):
            self.inside = 0

        async def handle(self, request):
            self.inside += 1
            most = self.inside
            spin(0.01)
            most = max(most, self.inside)
            self.inside -= 1
            await self.sleep(0.001)
            return most

    world.start("web", Careful)
    pendings = [world.call("web", wait=False) for _ in range(8)]
    assert {pending.result().body for pending in pendings} == {1}
