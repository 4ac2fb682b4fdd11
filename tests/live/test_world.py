"""The live world: what its verbs do to real processes, and what callers see of that."""

import asyncio
import dataclasses
import itertools
import os
import re
import signal
import threading
import time

import psutil
import pytest

from statelab.effects import UnknownNode, WrongState
from statelab.live.world import LiveWorld
from statelab.message import NoReply, Refused, Response
from statelab.node import Node, Soft

pytestmark = pytest.mark.live


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


class Counter(Node):
    """Remembers in its own memory."""

    def __init__(self, count=0):
        self.count = count

    async def handle(self, request):
        self.count += 1
        return self.count


class Echo(Node):
    async def handle(self, request):
        body = {"method": request.method, "path": request.path, "body": request.body}
        return {**body, "headers": request.headers, "peer": request.peer}


class Sleeper(Node):
    """Sleeps as long as it is told, and counts what it has finished."""

    def __init__(self):
        self.finished = 0

    async def handle(self, request):
        await self.sleep(request.body or 0)
        self.finished += 1
        return self.finished


class Caller(Node):
    """Calls the node that it is told to."""

    async def handle(self, request):
        body = request.body
        times = body.get("times", 1)
        answers = await self.gather(*[
            self.call(body["to"], body=body.get("body"), timeout=body.get("timeout", 1.0),
                      via=via if body.get("via") else None)
            for via in range(times)
        ])  # fmt: skip
        return [answer.body for answer in answers]


def kinds(world, message=None):
    return [row.kind for row in world.trace.rows if message in (None, row.message)]


def consistent(trace):
    """Each row stands where it says, after its cause, and not before an earlier time."""
    latest = 0
    for place, row in enumerate(trace.rows):
        assert row.seq == place
        assert row.cause is None or row.cause < place
        assert row.time_us >= latest
        latest = row.time_us
    return True


# ------------------------------------------------------------------------------- outcomes
def test_a_kill_erases_memory_and_a_restart_begins_anew(world):
    world.start("web", Counter, 10)
    before = [world.call("web").body, world.call("web").body]
    world.kill("web")
    world.restart("web")
    assert (before, world.call("web").body) == ([11, 12], 11)


def test_the_rows_of_one_call_have_one_message_and_their_causes():
    with LiveWorld() as world:
        world.start("web", Counter)
        world.call("web", "/path", {"a": 1}, headers={"X-Name": "v"})
        rows = [row for row in world.trace.rows if row.message == 1]
        assert [(row.kind, row.node, row.other) for row in rows] == [
            ("send", "you", "web"),
            ("receive", "web", "you"),
            ("reply", "web", "you"),
            ("answer", "you", "web"),
        ]
        assert [row.cause for row in rows[1:]] == [row.seq for row in rows[:-1]]
        assert rows[0].data == ("POST", "/path", {"a": 1}, {"x-name": "v"})
        assert rows[2].data == rows[3].data == (200, 1, {})
        assert consistent(world.trace)


def test_a_dead_node_refuses(world):
    world.start("web", Counter)
    world.kill("web")
    began = time.monotonic()
    with pytest.raises(Refused, match="web is dead; it did not happen"):
        world.call("web")
    assert time.monotonic() - began < 0.5
    refused = world.trace.rows[-1]
    assert (refused.kind, world.trace.rows[refused.cause].kind) == ("refused", "kill")


def test_a_kill_in_the_middle_of_a_request_is_no_reply_at_once(world):
    world.start("web", Sleeper)
    pending = world.client("alice").post("web", body=30, timeout=20, wait=False)
    wait_for(lambda: "receive" in kinds(world))
    began = time.monotonic()
    world.kill("web")
    with pytest.raises(NoReply, match="web died during POST /"):
        pending.result()
    assert time.monotonic() - began < 1.0
    noreply = next(row for row in world.trace.rows if row.kind == "noreply")
    assert world.trace.rows[noreply.cause].kind == "kill"
    assert consistent(world.trace)


def test_a_paused_node_lets_time_run_out_and_handles_the_request_when_it_resumes(world):
    world.start("web", Sleeper)
    world.pause("web")
    assert world.status("web") == "paused"
    with pytest.raises(NoReply, match=r"after 0.2 s: it may or may not have happened"):
        world.call("web", body=0, timeout=0.2)
    world.resume("web")
    wait_for(lambda: world.trace.states()[0].data[0] == {"finished": 1})
    rows = world.trace.rows
    noreply = next(row for row in rows if row.kind == "noreply")
    assert rows[noreply.cause].kind == "pause"
    late = [row for row in rows if row.kind == "receive" and row.node == "web"]
    assert len(late) == 1
    assert late[0].seq > noreply.seq
    assert consistent(world.trace)


def test_a_node_is_stopped_when_pause_returns(world):
    for number in range(10):
        world.start(f"web{number}", Counter)
        world.pause(f"web{number}")
        assert psutil.Process(world.pid(f"web{number}")).status() == psutil.STATUS_STOPPED


def test_a_large_request_to_a_paused_node_is_handled_when_it_resumes(world):
    world.start("web", Counter)
    world.pause("web")
    with pytest.raises(NoReply):
        world.call("web", body="x" * 300_000, timeout=0.3)
    world.resume("web")
    wait_for(lambda: "reply" in kinds(world))
    assert world.call("web").body == 2


def test_an_answer_that_waits_for_resume_still_comes_within_the_time_out(world):
    world.start("web", Counter)
    world.pause("web")
    pending = world.call("web", timeout=5, wait=False)
    world.run(0.1)
    assert pending.outcome is None
    world.resume("web")
    assert pending.result().body == 1


def test_a_time_out_does_not_cancel_the_handler(world):
    world.start("web", Sleeper)
    with pytest.raises(NoReply):
        world.call("web", body=0.3, timeout=0.05)
    wait_for(lambda: "reply" in kinds(world))
    assert world.call("web", body=0).body == 2


def test_errors_become_statuses_and_the_node_lives(world):
    class Faulty(Node):
        async def handle(self, request):
            if request.path == "/raise":
                raise KeyError("nothing")
            if request.path == "/refused":
                await self.call("gone")
            if request.path == "/late":
                await self.call("slow", body=9, timeout=0.05)
            if request.path == "/unknown":
                await self.call("nobody")
            if request.path == "/answer":
                return {1, 2}
            if request.path == "/large":
                return "x" * 1_000_001
            return "fine"

    world.start("gone", Counter)
    world.start("slow", Sleeper)
    world.start("web", Faulty)
    world.kill("gone")
    answers = {
        path: world.call("web", path)
        for path in ("/raise", "/refused", "/late", "/unknown", "/answer", "/large", "/")
    }
    statuses = {path: answer.status for path, answer in answers.items()}
    assert statuses == {
        "/raise": 500, "/refused": 502, "/late": 504, "/unknown": 500, "/answer": 500,
        "/large": 500, "/": 200,
    }  # fmt: skip
    assert answers["/raise"].body == {"error": "KeyError: 'nothing'"}
    assert "no node is named 'nobody'" in answers["/unknown"].body["error"]
    assert "too large" in answers["/large"].body["error"]
    assert kinds(world).count("error") == 6


def test_a_response_brings_its_status_and_headers(world):
    class Teapot(Node):
        async def handle(self, request):
            if request.method == "DELETE":
                return Response(204)
            return Response(418, {"short": True}, {"X-Pot": "yes"})

    world.start("web", Teapot)
    answer = world.client("alice").get("web", "/tea?milk=1")
    assert answer == Response(418, {"short": True}, {"x-pot": "yes"})
    assert world.client("alice").delete("web") == Response(204, None, {})
    assert world.call("web", method="HEAD") == Response(418, None, {"x-pot": "yes"})


def test_a_request_arrives_as_it_was_sent(world):
    world.start("web", Echo)
    for path in ("/", "/a/b?c=d&e=%20", "/ä b#c%d", "/a?b?", "/%C3%A4", '/"<>\\^`{|}'):
        for body in (None, 0, [], {"a": [1.5, "ä\ud800", None]}, "x" * 100_000):
            answer = world.call("web", path, body, headers={"X-One": "1"}, method="PUT")
            got = answer.body
            assert (got["path"], got["body"], got["method"]) == (path, body, "PUT")
            assert got["headers"] == {"x-one": "1"}


def test_headers_that_http_needs_for_itself_are_nobody_elses(world):
    class Liar(Node):
        async def handle(self, request):
            headers = {"Content-Length": "1", "Connection": "close", "X-Mine": "yes"}
            return Response(200, request.headers, headers)

    world.start("web", Liar)
    alice = world.client("alice")
    headers = {"Content-Length": "99", "Host": "x", "Transfer-Encoding": "chunked", "X-A": "b"}
    for _ in range(2):
        assert alice.post("web", headers=headers) == Response(200, {"x-a": "b"}, {"x-mine": "yes"})
    assert kinds(world).count("connect") == 1


def test_what_http_has_no_room_for_is_refused_and_the_connection_lives(world):
    world.start("web", Counter)
    alice = world.client("alice")
    with pytest.raises((Refused, ValueError)):
        alice.post("web", headers={"a b": "c"})
    assert alice.post("web").body == 1


# ------------------------------------------------------------------------------- connections
def test_a_node_sees_the_true_port_of_its_caller_and_it_stays(world):
    world.start("web", Echo)
    alice, bob = world.client("alice"), world.client("bob")
    peers = [tuple(alice.post("web").body["peer"]) for _ in range(3)]
    assert set(peers) == {("127.0.0.1", alice.ports["web"])}
    assert tuple(bob.post("web").body["peer"]) not in peers
    receive = next(row for row in world.trace.rows if row.kind == "receive")
    assert receive.data == alice.ports["web"]


def test_reconnect_gives_a_new_port(world):
    world.start("web", Echo)
    alice = world.client("alice")
    first = alice.post("web").body["peer"]
    alice.reconnect()
    assert alice.ports == {}
    assert alice.post("web").body["peer"] != first


def test_bob_takes_the_port_that_alice_gave_up(world):
    world.start("web", Echo)
    alice = world.client("alice")
    alice.post("web")
    port = alice.ports["web"]
    with pytest.raises(WrongState, match=f"port {port} is in use by alice's connection to web"):
        world.client("bob", port=port)
    for _ in range(5):  # at once, and again: nothing lingers
        alice.reconnect()
        bob = world.client("bob", port=port)
        assert bob.post("web").body["peer"] == ["127.0.0.1", port]
        bob.reconnect()
        alice = world.client("alice", port=port)
        assert alice.post("web").body["peer"] == ["127.0.0.1", port]


def test_one_port_serves_connections_to_two_servers(world):
    world.start("a", Echo)
    world.start("b", Echo)
    bob = world.client("bob", port=world.port("a") - 1)
    assert bob.post("a").body["peer"] == bob.post("b").body["peer"]


def test_a_port_of_another_program_is_said_to_be_in_use(world):
    world.start("web", Echo)
    with pytest.raises(WrongState, match="in use by another program"):
        world.client("bob", port=world.port("web"))
    with pytest.raises(ValueError, match="not an int from 1 to 65535"):
        world.client("bob", port=70_000)
    assert world.client("bob").post("web").status == 200


def test_a_time_out_closes_the_connection(world):
    world.start("web", Sleeper)
    alice = world.client("alice")
    alice.post("web", body=0)
    port = alice.ports["web"]
    with pytest.raises(NoReply):
        alice.post("web", body=0.2, timeout=0.05)
    assert alice.ports == {}
    assert alice.post("web", body=0).status == 200
    assert alice.ports["web"] != port


def test_requests_of_one_client_go_one_at_a_time_in_order(world):
    world.start("web", Sleeper)
    alice = world.client("alice")
    pendings = [alice.post("web", body=0.05, wait=False) for _ in range(4)]
    assert [pending.result().body for pending in pendings] == [1, 2, 3, 4]
    order = [row.kind for row in world.trace.rows if row.kind in ("receive", "reply")]
    assert order == ["receive", "reply"] * 4
    assert kinds(world).count("connect") == 1


def test_a_request_that_waits_too_long_for_its_connection_was_never_sent(world):
    world.start("web", Sleeper)
    alice = world.client("alice")
    first = alice.post("web", body=0.4, wait=False)
    with pytest.raises(Refused, match="it was never sent"):
        alice.post("web", body=0, timeout=0.1)
    assert first.result().body == 1
    assert alice.post("web", body=0).body == 2


def test_those_who_waited_behind_a_time_out_get_a_new_connection(world):
    world.start("web", Sleeper)
    alice = world.client("alice")
    first = alice.post("web", body=0.5, timeout=0.1, wait=False)
    second = alice.post("web", body=0, timeout=5, wait=False)
    with pytest.raises(NoReply):
        first.result()
    assert second.result().body == 1
    assert kinds(world).count("connect") == 2


def test_a_connection_whose_server_died_is_opened_anew(world):
    world.start("web", Counter)
    alice = world.client("alice")
    for _ in range(5):
        alice.post("web")
        world.kill("web")
        with pytest.raises(Refused):
            alice.post("web")
        world.restart("web")
        assert alice.post("web").body == 1


def test_a_node_that_was_busy_while_its_server_died_is_refused(world):
    class Busy(Node):
        async def handle(self, request):
            if request.body:
                time.sleep(request.body)  # its loop cannot see the connection close
            try:
                return (await self.call("store")).body
            except Refused:
                return "refused"

    world.start("store", Counter)
    world.start("web", Busy)
    assert world.call("web").body == 1
    pending = world.call("web", body=0.3, timeout=5, wait=False)
    wait_for(lambda: kinds(world).count("receive") >= 2)
    world.kill("store")
    assert pending.result().body == "refused"


def test_what_a_node_sends_is_told_before_its_answer_comes(world):
    world.start("web", Caller)
    world.start("echo", Echo)
    world.pause("echo")
    pending = world.call("web", body={"to": "echo", "timeout": 5}, timeout=5, wait=False)
    wait_for(lambda: [r.other for r in world.trace.rows if r.kind == "send"] == ["web", "echo"])
    assert pending.outcome is None
    world.resume("echo")
    assert pending.result().status == 200


def test_a_client_with_a_port_keeps_it_over_a_time_out(world):
    world.start("web", Counter)
    bob = world.client("bob", port=world.port("web") - 1)
    bob.post("web")
    world.pause("web")  # so that it cannot let go of its end
    with pytest.raises(NoReply):
        bob.post("web", timeout=0.05)
    pending = bob.post("web", timeout=5, wait=False)
    world.resume("web")
    assert pending.result().status == 200
    assert bob.ports == {"web": world.port("web") - 1}


def test_a_request_whose_time_is_over_at_once_is_not_sent(world):
    world.start("web", Counter)
    for _ in range(20):
        with pytest.raises((Refused, NoReply)):
            world.call("web", timeout=1e-6)
    sends = {row.message for row in world.trace.rows if row.kind == "send"}
    assert sends.isdisjoint(row.message for row in world.trace.rows if row.kind == "refused")


def test_changing_an_answer_does_not_change_the_trace(world):
    class Giver(Node):
        async def handle(self, request):
            return {"list": [1]}

    world.start("web", Giver)
    world.call("web").body["list"].append(2)
    assert world.trace.rows[-2].data == (200, {"list": [1]}, {})


def test_an_answer_does_not_wait_for_an_acknowledgement(world):
    world.start("web", Counter)
    alice = world.client("alice")
    took = []
    for _ in range(20):
        began = time.monotonic()
        alice.post("web")
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.03  # else two small writes wait 40 ms for a delayed ACK (RFC 896)


def test_a_node_that_signals_its_process_group_hits_itself_only(world):
    class Wild(Node):
        async def handle(self, request):
            os.killpg(0, signal.SIGKILL)

    world.start("web", Counter)
    world.start("wild", Wild)
    with pytest.raises(NoReply):
        world.call("wild")
    assert world.call("web").body == 1
    wait_for(lambda: world.status("wild") == "dead")


def test_calls_of_you_each_have_a_fresh_connection(world):
    world.start("web", Echo)
    ports = {world.call("web").body["peer"][1] for _ in range(5)}
    assert len(ports) == 5
    assert world.client("you").ports == {}


def test_nodes_call_nodes_over_one_connection_for_each_via(world):
    world.start("web", Caller)
    world.start("echo", Echo)
    one = world.call("web", body={"to": "echo", "times": 3}).body
    assert len({answer["peer"][1] for answer in one}) == 1
    three = world.call("web", body={"to": "echo", "times": 3, "via": True}).body
    assert len({answer["peer"][1] for answer in three}) == 3
    again = world.call("web", body={"to": "echo", "times": 3, "via": True}).body
    assert [a["peer"] for a in again] == [a["peer"] for a in three]
    assert consistent(world.trace)


def test_a_client_keeps_the_token_it_is_given(world):
    class Door(Node):
        async def handle(self, request):
            if request.path == "/login":
                return {"token": "abc"}
            return request.headers.get("authorization")

    world.start("web", Door)
    alice = world.client("alice")
    alice.post("web", "/login")
    assert (alice.token, alice.get("web").body) == ("abc", "Bearer abc")
    state = next(row for row in world.trace.states() if row.node == "alice")
    assert state.data[0] == {"ports": alice.ports, "token": "abc"}


# ------------------------------------------------------------------------------- lives
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
    wait_for(lambda: [r.data for r in world.trace.rows if r.kind == "log"][-1:] == ["tick 3"])
    assert world.status("ticker") == "up"
    assert [row.data[0] for row in world.trace.memory] == [{"ticks": n} for n in range(4)]


def test_an_error_in_run_is_a_crash_that_says_of_what(world):
    class Crasher(Node):
        async def run(self):
            await self.sleep(0.05)
            raise ValueError("no more")

    world.start("web", Crasher)
    wait_for(lambda: world.status("web") == "dead")
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
    wait_for(lambda: world.status("web") == "dead")
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
            time.sleep(0.01)
            most = max(most, self.inside)
            self.inside -= 1
            await self.sleep(0.001)
            return most

    world.start("web", Careful)
    pendings = [world.call("web", wait=False) for _ in range(8)]
    assert {pending.result().body for pending in pendings} == {1}


# ------------------------------------------------------------------------------- bad input
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
        (lambda: world.partition("web", "wab"), UnknownNode, "nobody is named 'wab'"),
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
    wait_for(lambda: "disk" in kinds(world))
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
    wait_for(lambda: "receive" in kinds(world))
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


# ------------------------------------------------------------------------------- threads
def test_verbs_may_be_called_from_several_threads(world):
    world.start("web", Counter)
    bodies, errors = [], []

    def work(number):
        try:
            client = world.client(f"c{number}")
            bodies.extend(client.post("web").body for _ in range(10))
            world.start(f"node{number}", Counter)
            world.kill(f"node{number}")
            bodies.append(world.call("web").body)
        except Exception as wrong:
            errors.append(wrong)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(bodies) == list(range(1, 56))
    assert consistent(world.trace)


def test_verbs_work_where_a_loop_runs_already(world):
    async def cell():
        world.start("web", Counter)
        return world.call("web").body

    assert asyncio.run(cell()) == 1


def test_two_worlds_live_side_by_side(world):
    with LiveWorld() as other:
        world.start("web", Counter)
        other.start("web", Counter)
        assert [world.call("web").body, world.call("web").body] == [1, 2]
        assert other.call("web").body == 1
        world.kill("web")
        assert other.call("web").body == 2
    world.restart("web")
    assert world.call("web").body == 1


def test_a_watcher_hears_of_rows_but_not_of_each(world):
    calls = []
    stop = world.watch(lambda: calls.append(time.monotonic()))
    world.start("web", Counter)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        world.call("web", timeout=60)
    wait_for(lambda: len(calls) >= 3)
    gaps = [after - before for before, after in itertools.pairwise(calls)]
    assert min(gaps) > 0.03
    stop()
    world.run(0.1)
    heard = len(calls)
    world.call("web")
    world.run(0.1)
    assert len(calls) == heard


def test_a_watcher_that_calls_a_verb_is_told_not_to(world):
    errors = []

    def watcher():
        try:
            world.kill("web")
        except RuntimeError as wrong:
            errors.append(str(wrong))

    world.watch(watcher)
    world.start("web", Counter)
    wait_for(lambda: errors)
    assert "on the thread that performs verbs" in errors[0]
    assert world.status("web") == "up"


def test_each_message_is_handled_once(world):
    world.start("web", Counter)
    world.start("middle", Caller)
    for _ in range(20):
        world.call("middle", body={"to": "web"})
    receives = [row.message for row in world.trace.rows if row.kind == "receive"]
    assert len(receives) == len(set(receives)) == 40
    assert consistent(world.trace)


def test_fresh_interpreters_do_the_same_as_forks():
    with LiveWorld(seed=7, fork=False) as world:
        world.start("web", Counter, 10)
        assert world.call("web").body == 11
        world.kill("web")
        world.restart("web")
        assert world.call("web").body == 11
        with pytest.raises(RuntimeError, match="b did not start: TypeError"):
            world.start("b", Counter, 1, 2, 3)


def wait_for(condition, seconds=5.0):
    """Waits until `condition()` holds, which must be soon."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_a_world_has_a_folder_for_its_nodes_files_that_goes_with_it():
    with LiveWorld() as world:
        (world.folder / "players.db").write_text("alice")
        folder = world.folder
        assert (folder / "players.db").read_text() == "alice"
    assert not folder.exists()
