"""What callers of a live node see of what is done to it."""

import time

import psutil
import pytest
from live_nodes import Counter, Echo, Sleeper, consistent, kinds
from processes import wait_until

from statelab.live.world import LiveWorld
from statelab.message import NoReply, Refused, Response
from statelab.node import Node

pytestmark = pytest.mark.live


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
    wait_until(lambda: "receive" in kinds(world))
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
    wait_until(lambda: world.trace.states()[0].data[0] == {"finished": 1})
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
    wait_until(lambda: "reply" in kinds(world))
    assert world.call("web").body == 2


def test_an_answer_that_waits_for_resume_still_comes_within_the_time_out(world):
    world.start("web", Counter)
    world.pause("web")
    pending = world.call("web", timeout=60, wait=False)
    world.run(0.1)
    assert pending.outcome is None
    world.resume("web")
    assert pending.result().body == 1


def test_a_time_out_does_not_cancel_the_handler(world):
    world.start("web", Sleeper)
    with pytest.raises(NoReply):
        world.call("web", body=0.3, timeout=0.05)
    wait_until(lambda: "reply" in kinds(world))
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
