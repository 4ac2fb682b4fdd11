"""The simulated world: what each verb does to a node, and what its callers see."""

import collections
import gc
import weakref

import pytest

from statelab import (
    Node,
    NoReply,
    Refused,
    Response,
    UnknownNode,
    World,
    WrongState,
    effects,
    message,
    node,
    task,
)
from statelab.sim import network


class Counter(Node):
    def __init__(self, start=0):
        self.count = start

    async def handle(self, request):
        self.count += 1
        return self.count


class Notebook(Node):
    """Keeps what it is told on its disk, and in memory how often it was told."""

    def __init__(self):
        self.told = 0

    async def handle(self, request):
        self.told += 1
        self.disk["notes"] = [*self.disk.get("notes", []), request.body]
        return {"notes": self.disk["notes"], "told": self.told}


class Slow(Node):
    """Takes its time, and tells in memory how far it came."""

    def __init__(self):
        self.begun = self.done = 0

    async def handle(self, request):
        self.begun += 1
        await self.sleep(request.body or 0.5)
        self.done += 1
        return "done"


class Front(Node):
    """Sends every request on to `back`."""

    async def handle(self, request):
        return await self.call("back", request.path, request.body, timeout=0.2)


class Echo(Node):
    async def handle(self, request):
        return {
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "body": request.body,
            "peer": list(request.peer),
        }


def world_with(**nodes):
    world = World(seed=7)
    for name, factory in nodes.items():
        world.start(name, factory)
    return world


def kinds(world, *wanted):
    return [row.kind for row in world.trace.rows if not wanted or row.kind in wanted]


# ------------------------------------------------------------------------------- kill
def test_a_kill_erases_memory_and_leaves_the_disk():
    world = world_with(web=Notebook)
    world.call("web", body="one")
    world.kill("web")
    world.restart("web")
    assert world.call("web", body="two").body == {"notes": ["one", "two"], "told": 1}


def test_restart_gives_the_arguments_anew():
    class Keeper(Node):
        def __init__(self, names):
            self.names = names

        async def handle(self, request):
            self.names.append(request.body)
            return self.names

    world = World()
    world.start("web", Keeper, ["alice"])
    assert world.call("web", body="bob").body == ["alice", "bob"]
    world.kill("web")
    world.restart("web")
    assert world.call("web", body="carol").body == ["alice", "carol"]


def test_a_call_to_a_dead_node_is_refused():
    world = world_with(web=Counter)
    world.kill("web")
    with pytest.raises(Refused, match="web is dead, so it did not happen"):
        world.call("web")


def test_a_kill_during_a_request_means_no_reply_at_once():
    world = world_with(web=Slow)
    pending = world.call("web", body=0.5, wait=False)
    world.run(0.1)
    world.kill("web")
    with pytest.raises(NoReply, match="may or may not have happened"):
        pending.result()
    assert world.now() < 0.11


def test_without_the_reset_the_caller_would_wait_for_its_time_out(monkeypatch):
    monkeypatch.setattr(network.Network, "reset", lambda *_: None)
    world = world_with(web=Slow)
    pending = world.call("web", body=0.5, wait=False)
    world.run(0.1)
    world.kill("web")
    with pytest.raises(NoReply):
        pending.result()
    assert world.now() == 1.0


class Leaver(Node):
    """Holds something that it gives back in a `finally`."""

    async def handle(self, request):
        try:
            self.disk["held"] = True
            await self.sleep(10)
        finally:
            self.disk["held"] = False
            self.log("released")
            await self.call("store", "/release")


def killed_while_it_holds():
    world = world_with(store=Notebook, web=Leaver)
    world.call("web", wait=False)
    world.run(0.1)
    world.kill("web")
    world.run(1)
    disk = next(row.data[1] for row in world.trace.states() if row.node == "web")
    return disk["held"], kinds(world, "log"), world.trace


def test_a_finally_in_a_dead_node_releases_nothing():
    held, logs, trace = killed_while_it_holds()
    assert (held, logs) == (True, [])
    assert not [row for row in trace.rows if row.node == "store" and row.kind == "receive"]


def test_without_the_shut_door_the_dead_node_would_release(monkeypatch):
    monkeypatch.setattr(node, "opened", lambda door: door)
    monkeypatch.setattr(effects, "opened", lambda door: door)
    assert killed_while_it_holds()[:2] == (False, ["log"])


def test_timers_and_replies_of_a_dead_life_reach_nobody():
    class Ticker(Node):
        def __init__(self):
            self.ticks = 0

        async def run(self):
            while True:
                await self.sleep(0.3)
                self.ticks += 1
                await self.call("back", "/tick", 0.4)

        async def handle(self, request):
            return self.ticks

    world = world_with(back=Slow, web=Ticker)
    world.run(0.5)  # the first tick's call is under way
    world.kill("web")
    world.restart("web")
    world.run(0.25)
    assert world.call("web").body == 0  # neither the old timer nor the old reply
    drops = [row.data for row in world.trace.rows if row.kind == "drop"]
    assert drops == ["the caller is dead"]


def test_a_node_that_calls_goes_on_when_its_callee_dies():
    world = world_with(back=Slow, web=Front)
    pending = world.call("web", body=0.1, wait=False)
    world.run(0.05)
    world.kill("back")
    answer = pending.result()
    assert answer.status == 504
    assert "NoReply: back died during POST /" in answer.body["error"]
    assert world.call("web").status == 502


def test_an_error_in_run_kills_the_node_and_the_trace_says_of_what():
    class Broken(Node):
        async def run(self):
            await self.sleep(0.1)
            return 1 / 0

    world = world_with(web=Broken)
    world.run(1)
    (crash,) = [row for row in world.trace.rows if row.kind == "crash"]
    assert (crash.node, crash.time, crash.data) == (
        "web",
        0.1,
        "ZeroDivisionError: division by zero",
    )
    assert world.status("web") == "dead"
    world.restart("web")
    assert world.status("web") == "up"


# ------------------------------------------------------------------------------- pause
def test_a_paused_node_answers_nobody_and_then_everybody():
    world = world_with(web=Counter)
    world.pause("web")
    with pytest.raises(NoReply, match=r"after 0.5 s"):
        world.call("web", timeout=0.5)
    world.resume("web")
    assert world.call("web").body == 2  # the queued request was handled, too late for its caller


def test_a_paused_node_goes_on_in_the_middle_of_what_it_did():
    class Holder(Node):
        async def run(self):
            until = self.now() + 1.0
            await self.sleep(0.5)
            self.log(f"{'held' if self.now() < until else 'expired'} at {self.now():g}")

    world = world_with(web=Holder)
    world.run(0.2)
    world.pause("web")
    world.run(5)
    world.resume("web")
    world.run(0)
    assert [row.data for row in world.trace.rows if row.kind == "log"] == ["expired at 5.2"]


def test_a_paused_node_can_be_killed_and_what_waited_is_answered_by_nobody():
    world = world_with(web=Counter)
    world.pause("web")
    pending = world.call("web", wait=False)
    world.run(0.1)
    world.kill("web")
    with pytest.raises(NoReply, match="died during"):
        pending.result()
    world.restart("web")
    assert world.call("web").body == 1


# ------------------------------------------------------------------------------- connections
def test_a_client_keeps_its_connection_and_its_port():
    world = world_with(web=Echo)
    alice = world.client("alice")
    ports = {alice.get("web").body["peer"][1] for _ in range(3)}
    assert ports == {alice.ports["web"]}


def test_reconnect_takes_another_port():
    world = world_with(web=Echo)
    alice = world.client("alice")
    before = alice.get("web").body["peer"]
    alice.reconnect()
    assert alice.ports == {}
    assert alice.get("web").body["peer"] != before


def test_a_client_can_take_a_port_again_when_it_is_free():
    world = world_with(web=Echo)
    alice = world.client("alice")
    port = alice.get("web").body["peer"][1]
    with pytest.raises(WrongState, match=f"port {port} is in use by alice's connection to web"):
        world.client("bob", port=port)
    alice.reconnect()
    assert world.client("bob", port=port).get("web").body["peer"] == ["127.0.0.1", port]


def test_the_world_calls_on_a_fresh_connection_each_time():
    world = world_with(web=Echo)
    assert len({world.call("web").body["peer"][1] for _ in range(3)}) == 3
    assert world.client("you").ports == {}


def test_one_request_at_a_time_on_a_connection():
    world = world_with(web=Slow)
    alice = world.client("alice")
    first = alice.post("web", body=0.3, wait=False)
    second = alice.post("web", body=0.3, wait=False)
    first.result()
    assert world.now() == pytest.approx(0.3, abs=0.01)
    second.result()
    assert world.now() == pytest.approx(0.6, abs=0.01)


def test_a_request_that_never_left_the_queue_is_refused():
    world = world_with(web=Slow)
    alice = world.client("alice")
    alice.post("web", body=0.8, wait=False)
    with pytest.raises(Refused, match="never sent"):
        alice.post("web", body=0.1, timeout=0.3)
    world.run(1)
    assert kinds(world, "receive") == ["receive"]


def test_a_time_out_closes_the_connection_and_does_not_cancel_the_handler():
    world = world_with(web=Slow)
    alice = world.client("alice")
    with pytest.raises(NoReply):
        alice.post("web", body=0.5, timeout=0.1)
    assert alice.ports == {}
    world.run(1)
    states = {row.node: row.data[0] for row in world.trace.states()}
    assert states["web"] == {"begun": 1, "done": 1}


def test_via_names_a_connection_of_its_own():
    class Two(Node):
        async def handle(self, request):
            answers = [await self.call("echo", via=via) for via in ("a", "b", "a", None)]
            return [answer.body["peer"][1] for answer in answers]

    world = world_with(echo=Echo, web=Two)
    a, b, again, none = world.call("web").body
    assert a == again
    assert len({a, b, none}) == 3


def test_a_closed_connection_is_opened_anew_before_it_is_used():
    world = world_with(back=Counter, web=Front)
    assert world.call("web").body == 1
    world.kill("back")
    world.restart("back")
    world.run(0.1)  # web hears of the reset
    assert world.call("web").body == 1


def test_a_request_on_a_connection_that_died_unheard_of_gets_no_reply():
    world = world_with(web=Counter)
    alice = world.client("alice")
    alice.post("web")
    world.partition("alice", "web")
    world.kill("web")
    world.restart("web")
    world.run(0.1)  # the reset is lost in the partition
    world.heal("alice", "web")
    with pytest.raises(NoReply, match="web died"):
        alice.post("web")
    assert alice.post("web").body == 1


# ------------------------------------------------------------------------------- messages
def test_a_request_arrives_as_it_was_sent():
    world = world_with(web=Echo)
    body = {"n": [1, 2.5, None, True], "이름": "앨리스"}
    seen = world.client("alice").put("web", "/a?b=c", body, headers={"X-One": "1"}).body
    assert seen["method"] == "PUT"
    assert (seen["path"], seen["headers"]) == ("/a?b=c", {"x-one": "1"})
    assert seen["body"] == body


class Greedy(Node):
    """Changes what it was sent, and keeps what it answers."""

    def __init__(self):
        self.kept = []

    async def handle(self, request):
        request.body.append("changed")
        return self.kept


class Sender(Node):
    async def handle(self, request):
        sent = ["sent"]
        answer = await self.call("greedy", body=sent)
        answer.body.append("mine now")
        again = await self.call("greedy", body=sent)
        return [sent, again.body]


def test_nodes_share_no_objects():
    world = world_with(greedy=Greedy, web=Sender)
    assert world.call("web").body == [["sent"], []]
    sent = [row.data[2] for row in world.trace.rows if row.kind == "send" and row.node == "web"]
    assert sent == [["sent"], ["sent"]]


def test_without_copies_nodes_would_share_objects(monkeypatch):
    monkeypatch.setattr(message, "copied", lambda body: body)
    monkeypatch.setattr(task, "copied", lambda body: body)
    world = world_with(greedy=Greedy, web=Sender)
    assert world.call("web").body != [["sent"], []]


def test_a_client_keeps_the_token_of_an_answer_and_sends_it():
    class Door(Node):
        async def handle(self, request):
            if request.path == "/login":
                return {"token": "t-1"}
            return request.headers

    world = world_with(web=Door)
    alice = world.client("alice")
    assert alice.get("web").body == {}
    alice.post("web", "/login")
    assert alice.token == "t-1"
    assert alice.get("web").body == {"authorization": "Bearer t-1"}
    own = {"Authorization": "Bearer forged"}
    assert alice.get("web", headers=own).body == {"authorization": "Bearer forged"}


# ------------------------------------------------------------------------------- waiting
def test_gather_waits_for_all_and_keeps_their_order():
    class Both(Node):
        async def handle(self, request):
            return await self.gather(self.nap(0.2), self.nap(0.1))

        async def nap(self, seconds):
            await self.sleep(seconds)
            return [seconds, round(self.now(), 1)]

    world = world_with(web=Both)
    assert world.call("web").body == [[0.2, 0.2], [0.1, 0.1]]


def test_gather_raises_the_first_failure_in_order_after_all_have_ended():
    class Both(Node):
        def __init__(self):
            self.ended = 0

        async def handle(self, request):
            try:
                await self.gather(self.fail(0.2, "one"), self.fail(0.1, "two"), self.gather())
            except ValueError as error:
                return [str(error), self.ended]

        async def fail(self, seconds, text):
            await self.sleep(seconds)
            self.ended += 1
            raise ValueError(text)

    world = world_with(web=Both)
    assert world.call("web").body == ["one", 2]


def test_handlers_switch_only_at_await():
    class Bank(Node):
        def __init__(self):
            self.money = 100

        async def handle(self, request):
            money = self.money
            if request.path == "/careless":
                await self.sleep(0.01)
            self.money = money - 10
            return self.money

    for path, left in (("/careful", 80), ("/careless", 90)):
        world = world_with(web=Bank)
        pending = [world.client(name).post("web", path, wait=False) for name in ("alice", "bob")]
        for one in pending:
            one.result()
        assert world.trace.states()[2].data[0] == {"money": left}


def test_waiting_for_what_cannot_come_is_an_error_that_names_who_waits():
    world = world_with(web=Slow)
    world.client("alice")
    world.lose_next("alice", "web")
    with pytest.raises(RuntimeError, match=r"alice waits.*nothing is left to run.*POST / of web"):
        world.client("alice").post("web", timeout=None)
    assert world.call("web", body=0.1).body == "done"


def test_a_node_that_never_rests_is_stopped(monkeypatch):
    class Busy(Node):
        async def run(self):
            while True:
                await self.sleep(0)

    monkeypatch.setattr("statelab.sim.clock.MAX_EVENTS", 1000)
    world = world_with(web=Busy)
    with pytest.raises(RuntimeError, match="loop with a sleep of almost nothing"):
        world.run(1)


# ------------------------------------------------------------------------------- bad input
def test_an_unknown_name_is_told_with_the_known_ones():
    world = world_with(web=Counter)
    world.client("alice")
    for act in (
        lambda: world.call("wbe"),
        lambda: world.kill("wbe"),
        lambda: world.client("alice").get("wbe"),
        lambda: world.partition("alice", "wbe"),
    ):
        with pytest.raises(UnknownNode, match=r"no node is named 'wbe'.*The nodes: web"):
            act()
    with pytest.raises(UnknownNode, match="alice is a client, not a node"):
        world.kill("alice")
    assert world.call("web").body == 1


@pytest.mark.parametrize(
    ("before", "verb", "sentence"),
    [
        (["kill"], "kill", "web is dead already"),
        (["kill"], "pause", "web is dead already"),
        (["kill"], "resume", "web is dead already"),
        ([], "restart", "web is up: only a dead node can be restarted"),
        (["pause"], "restart", "web is paused: only a dead node"),
        (["pause"], "pause", "web is paused already"),
        ([], "resume", "web is not paused"),
    ],
)
def test_a_verb_that_does_not_apply_says_so_and_changes_nothing(before, verb, sentence):
    world = world_with(web=Counter)
    for earlier in before:
        getattr(world, earlier)("web")
    digest, inputs = world.trace.digest(), list(world.inputs)
    with pytest.raises(WrongState, match=sentence):
        getattr(world, verb)("web")
    assert (world.trace.digest(), world.inputs) == (digest, inputs)


@pytest.mark.parametrize("verb", ["heal", "release"])
def test_what_has_not_begun_cannot_end(verb):
    world = world_with(web=Counter, back=Counter)
    with pytest.raises(WrongState):
        getattr(world, verb)("web", "back")


def test_time_runs_one_way():
    world = world_with(web=Counter)
    world.run(2)
    for bad in ({"seconds": -1}, {"until": 1}, {"seconds": float("nan")}, {"until": float("inf")}):
        with pytest.raises(ValueError, match=r"past|finite"):
            world.run(**bad)
    with pytest.raises(TypeError, match="give seconds as a number"):
        world.run("2")
    assert world.now() == 2


def test_a_handler_that_raises_answers_500_and_lives():
    class Wrong(Node):
        def __init__(self):
            self.asked = 0

        async def handle(self, request):
            self.asked += 1
            if request.path == "/raise":
                raise KeyError("alice")
            return {"set": {1}, "nan": float("nan"), "big": "x" * 2_000_000, "n": self.asked}[
                request.path[1:]
            ]

    world = world_with(web=Wrong)
    for path, sentence in (
        ("/raise", "KeyError: 'alice'"),
        ("/set", "body is a set, which JSON has no form for"),
        ("/nan", "body is nan"),
        ("/big", "the body is too large: more than 1,000,000"),
    ):
        answer = world.call("web", path)
        assert answer.status == 500
        assert sentence in answer.body["error"]
    assert world.call("web", "/n").body == 5


def test_a_request_that_cannot_be_sent_is_an_error_of_its_sender():
    world = world_with(web=Echo)
    rows = len(world.trace)
    for bad, sentence in (
        ({"body": {1, 2}}, "body is a set"),
        ({"body": {"a": [object()]}}, r"body\['a'\]\[0\] is a object"),
        ({"path": "x"}, "must be a str that begins with '/'"),
        ({"method": "FETCH"}, "method 'FETCH' is none of"),
        ({"headers": {"a": 1}}, "two ASCII strings"),
        ({"timeout": -1}, "the timeout is -1 s"),
        ({"body": "x" * 2_000_000}, "too large"),
    ):
        with pytest.raises((TypeError, ValueError), match=sentence):
            world.call("web", **bad)
    assert len(world.trace) == rows


def test_a_status_never_raises():
    class Teapot(Node):
        async def handle(self, request):
            return Response(418, {"short": "and stout"}, {"X-Kind": "teapot"})

    answer = world_with(web=Teapot).call("web")
    assert (answer.status, answer.headers) == (418, {"x-kind": "teapot"})


def test_a_status_that_is_none_is_a_500():
    class Odd(Node):
        async def handle(self, request):
            return Response(99)

    assert "the status 99 is not an int from 200 to 599" in str(world_with(web=Odd).call("web"))


def test_a_name_is_taken_once():
    world = world_with(web=Counter)
    world.client("alice")
    for name in ("web", "alice"):
        with pytest.raises(WrongState, match=f"the name {name} is taken"):
            world.start(name, Counter)
    with pytest.raises(WrongState, match="web is a node"):
        world.client("web")


def test_init_has_no_effects_but_may_look():
    class Looks(Node):
        def __init__(self):
            self.notes = self.disk.get("notes", 0)
            self.began = self.now()
            self.key = self.random.randbytes(4)

        async def handle(self, request):
            self.disk["notes"] = self.notes + 1
            return self.notes

    class Acts(Node):
        def __init__(self):
            self.log("hello")

    world = world_with(web=Looks)
    world.call("web")
    world.kill("web")
    world.restart("web")
    assert world.call("web").body == 1
    with pytest.raises(RuntimeError, match=r"acts.__init__ has an effect \(log\): move it to run"):
        world.start("acts", Acts)
    assert "acts" not in world.names


def test_an_init_that_raises_leaves_no_node_behind():
    class Never(Node):
        def __init__(self):
            raise ValueError("no configuration")

    world = World()
    with pytest.raises(ValueError, match="no configuration"):
        world.start("web", Never)
    assert world.names == {}


def test_a_world_is_not_driven_from_within():
    class Reacher(Node):
        async def handle(self, request):
            world.kill("web")

    world = world_with(web=Reacher)
    answer = world.call("web")
    assert answer.status == 500
    assert "a node acts by self.call" in answer.body["error"]
    assert world.status("web") == "up"


def test_memory_without_a_canonical_form_names_node_and_attribute():
    class Locked(Node):
        def __init__(self, kept=None):
            self.kept = {"users": [kept]}

        async def handle(self, request):
            self.kept = lambda: 0
            return 1

    world = World()
    with pytest.raises(TypeError, match=r"web.kept\['users'\]\[0\] is a object.*named _kept"):
        world.start("web", Locked, object())
    for memory in (False, True):
        world = World(memory=memory)
        world.start("web", Locked)
        if memory:
            with pytest.raises(TypeError, match=r"web.kept is a function"):
                world.call("web")
        assert world.call("web").body == 1  # the world goes on
        with pytest.raises(TypeError, match=r"web.kept is a function"):
            world.trace.digest()


def test_the_readme_example_counts():
    world = World(seed=7)
    world.start("web", Counter)
    assert [world.call("web").body for _ in range(2)] == [1, 2]
    world.kill("web")
    world.restart("web")
    assert world.call("web").body == 1


def dropped_while_a_node_holds():
    world = World()
    world.start("store", Notebook)
    world.start("web", Leaver)
    world.call("web", wait=False)
    world.run(0.1)
    rows = world._rows
    del world
    gc.collect()
    return [kind for _, _, kind, *_ in rows if kind in ("log", "disk")]


def test_a_world_that_is_garbage_goes_in_silence():
    assert dropped_while_a_node_holds() == ["disk"]


class Ticks(Node):
    async def run(self):
        while True:
            await self.sleep(0.001)


def test_long_runs_of_worlds_that_are_gone_are_not_kept(monkeypatch):
    monkeypatch.setattr("statelab.sim.clock._LONG", 10_000)
    monkeypatch.setattr("statelab.sim.clock._MANY", 40_000)
    gone = []
    for _ in range(4):
        world = World()
        world.start("web", Ticks)
        gone.append(weakref.ref(world.trace))
        world.run(20)
        del world
    assert [world() is None for world in gone[:2]] == [True, True]


def test_many_runs_of_a_few_events_are_no_long_run(monkeypatch):
    looks = []
    monkeypatch.setattr("statelab.sim.clock._unseen", 0)
    monkeypatch.setattr("statelab.sim.clock.gc.collect", lambda *_: looks.append(1))
    world = World()
    world.start("web", Ticks)
    for _ in range(1000):
        world.run(0.001)
    World()
    assert looks == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_its_shut_doors_a_world_that_is_garbage_would_act(monkeypatch):
    monkeypatch.setattr("statelab.sim.world._shut", lambda doors: None)
    assert dropped_while_a_node_holds() == ["disk", "disk", "log"]


def test_requests_that_time_out_at_once_are_each_given_a_connection_once():
    world = World(7)
    world.start("web", Slow)
    alice = world.client("alice")
    for _ in range(300):
        alice.get("web", wait=False, timeout=0.1)
    world.run(2)
    kinds = collections.Counter(row.kind for row in world.trace.rows)
    assert (kinds["noreply"], kinds["connect"], kinds["send"]) == (300, 300, 300)
