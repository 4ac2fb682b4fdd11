"""The connections of clients and nodes in the live world: whose port, how long, in what order."""

import os
import signal

import pytest
from live_nodes import Caller, Counter, Echo, Sleeper, consistent, kinds
from processes import spin, wait_until

from statelab.effects import WrongState
from statelab.message import NoReply, Refused
from statelab.node import Node

pytestmark = pytest.mark.live


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
    second = alice.post("web", body=0, timeout=60, wait=False)
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
                spin(request.body)  # its loop cannot see the connection close
            try:
                return (await self.call("store")).body
            except Refused:
                return "refused"

    world.start("store", Counter)
    world.start("web", Busy)
    assert world.call("web").body == 1
    pending = world.call("web", body=0.3, timeout=60, wait=False)
    wait_until(lambda: kinds(world).count("receive") >= 2)
    world.kill("store")
    assert pending.result().body == "refused"


def test_what_a_node_sends_is_told_before_its_answer_comes(world):
    world.start("web", Caller)
    world.start("echo", Echo)
    world.pause("echo")
    pending = world.call("web", body={"to": "echo", "timeout": 5}, timeout=60, wait=False)
    wait_until(lambda: [r.other for r in world.trace.rows if r.kind == "send"] == ["web", "echo"])
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
    pending = bob.post("web", timeout=60, wait=False)
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


def test_a_node_that_signals_its_process_group_hits_itself_only(world):
    class Wild(Node):
        async def handle(self, request):
            os.killpg(0, signal.SIGKILL)

    world.start("web", Counter)
    world.start("wild", Wild)
    with pytest.raises(NoReply):
        world.call("wild")
    assert world.call("web").body == 1
    wait_until(lambda: world.status("wild") == "dead")


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
