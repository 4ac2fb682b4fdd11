"""The model-honesty table: for each fault, what the simulated and the live world do.

Each row is one body that runs in both worlds. `python -m tests.worlds.test_honesty` prints the
table as Markdown, for the docs.
"""

import asyncio
import subprocess
import sys
import time
from enum import Enum
from pathlib import Path

import pytest

from statelab import LiveWorld, Node, NoReply, Refused, Response, UnknownNode, World, WrongState
from statelab.message import MAX_BODY

WORLDS = [
    pytest.param(World, id="simulated"),
    pytest.param(LiveWorld, id="live", marks=pytest.mark.live),
]
ROWS = []  # (what is done, what the simulated world does, what the live one does)
SAME = "the same"


@pytest.fixture(params=WORLDS)
def world(request):
    """Each test runs twice: in a simulated world, and in a live one."""
    if request.param is World:
        yield World(seed=7)
    else:
        with LiveWorld(seed=7) as world:
            yield world


def row(done, simulated, live=SAME):
    """Mark a test as the proof of a row of the table."""
    ROWS.append((done, simulated, live))
    return lambda test: test


# ------------------------------------------------------------------------------- the nodes
class Counter(Node):
    """Counts in memory and on disk; answers with both, and with the port that the caller has."""

    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        self.disk["count"] = self.disk.get("count", 0) + 1
        return [self.count, self.disk["count"], request.peer[1]]


class Slow(Node):
    """Takes as long as it is told; answers what it had finished before, and with whom."""

    def __init__(self):
        self.finished = []

    async def handle(self, request):
        finished = list(self.finished)
        name, seconds = request.body or ("", 0)
        await self.sleep(seconds)
        self.finished.append(name)
        return finished


class Tidy(Node):
    """Would release what it holds, however its handler ends."""

    async def handle(self, request):
        if request.path == "/held":
            return self.disk.get("lease")
        self.disk["lease"] = "held"
        try:
            await self.sleep(9)
        finally:
            self.disk["lease"] = "released"


class Passer(Node):
    """Passes requests on, and catches nothing."""

    async def handle(self, request):
        answer = await self.call(*request.body, timeout=0.3)
        return answer.body


class Waits(Node):
    """Calls itself, and waits as long as it is told for the answer."""

    async def handle(self, request):
        await self.call("web", timeout=request.body)


class Faulty(Node):
    """Answers with what is asked for, sendable or not."""

    async def handle(self, request):
        if request.path == "/raise":
            return {}["missing"]
        answers = {"/large": "x" * (MAX_BODY + 1), "/set": {1}, "/status": Response(999)}
        return answers.get(request.path, "fine")


class Mortal(Node):
    """Dies of an error of its own after a moment."""

    async def run(self):
        await self.sleep(0.05)
        raise ValueError("enough")


def eventually(world, look):
    """Whether `look()` comes true, within 5 seconds."""
    return any(look() or world.run(0.1) for _ in range(50))


def seconds(world, do):
    """How many of the world's seconds it took, and what failed."""
    begun = world.now()
    with pytest.raises((Refused, NoReply)) as failed:
        do()
    return world.now() - begun, failed.value


# ------------------------------------------------------------------------------- kill, restart
@row("kill, then a request", "`Refused` at once: it did not happen")
def test_a_request_to_a_dead_node_is_refused_at_once(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.kill("web")
    world.run(0.1)
    for do in (alice.post, world.call):
        took, failed = seconds(world, lambda do=do: do("web", timeout=9))
        assert type(failed) is Refused
        assert took < 2


@row("kill in the middle of a request", "`NoReply` at once: nobody knows")
def test_a_kill_in_the_middle_of_a_request_is_no_reply_at_once(world):
    world.start("web", Slow)
    pending = world.client("alice").post("web", body=["alice", 9], timeout=9, wait=False)
    world.run(0.2)
    world.kill("web")
    took, failed = seconds(world, pending.result)
    assert type(failed) is NoReply
    assert took < 2


@row("kill of a paused node that a request waits for", "`NoReply` at once")
def test_a_kill_of_a_paused_node_is_no_reply_to_who_waits(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.pause("web")
    pending = alice.post("web", timeout=9, wait=False)
    world.run(0.1)
    world.kill("web")
    took, failed = seconds(world, pending.result)
    assert type(failed) is NoReply
    assert took < 2


@row(
    "kill and, in the same instant, a request on a connection that was open",
    "`NoReply`: the news of the kill takes a millisecond, and the request crosses it",
    "`Refused`: `kill` waits for the process's end, and the news is there by then",
)
def test_a_request_in_the_instant_of_the_kill_fails_in_each_worlds_own_way(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.kill("web")
    _, failed = seconds(world, lambda: alice.post("web"))
    assert type(failed) is (NoReply if isinstance(world, World) else Refused)


@row(
    "kill while a handler is in `try … finally`", "the `finally` has no effect: nothing is released"
)
def test_a_dead_node_releases_nothing(world):
    world.start("web", Tidy)
    pending = world.call("web", wait=False)
    world.run(0.2)
    world.kill("web")
    seconds(world, pending.result)
    world.restart("web")
    assert world.call("web", "/held").body == "held"


@row("restart", "the same name and disk, a new memory", "the same, and the same port")
def test_a_restart_keeps_name_and_disk_and_loses_the_memory(world):
    world.start("web", Counter)
    port = None if isinstance(world, World) else world.port("web")
    assert [world.call("web").body[:2] for _ in range(2)] == [[1, 1], [2, 2]]
    world.kill("web")
    world.restart("web")
    assert world.call("web").body[:2] == [1, 3]
    assert port is None or world.port("web") == port


@row("an error in `run`", "the node dies, as by a kill, and the trace says of what")
def test_an_error_in_run_kills_the_node(world):
    world.start("web", Mortal)
    assert eventually(world, lambda: world.status("web") == "dead")
    with pytest.raises(Refused):
        world.call("web")
    (crash,) = [row for row in world.trace.rows if row.kind == "crash"]
    assert crash.data == "ValueError: enough"


@row("a verb that does not apply (kill of a dead node, …)", "`WrongState`; nothing is done")
def test_a_verb_that_does_not_apply_says_so_and_does_nothing(world):
    world.start("web", Counter)
    for verb in (world.restart, world.resume):
        with pytest.raises(WrongState, match="web"):
            verb("web")
    with pytest.raises(WrongState, match="web is taken"):
        world.start("web", Counter)
    world.pause("web")
    with pytest.raises(WrongState, match="paused already"):
        world.pause("web")
    world.resume("web")
    assert world.call("web").body[:2] == [1, 1]
    world.kill("web")
    for verb in (world.kill, world.pause, world.resume):
        with pytest.raises(WrongState, match="web is dead"):
            verb("web")


@row("a name that no node has", "`UnknownNode`; nothing is sent. In a handler: 500")
def test_an_unknown_name_is_an_error_and_nothing_is_sent(world):
    world.start("web", Passer)
    for do in (world.call, world.client("alice").get, world.kill, world.status):
        with pytest.raises(UnknownNode, match="nobody"):
            do("nobody")
    assert not [row for row in world.trace.rows if row.kind == "send"]
    answer = world.call("web", body=["nobody"])
    assert (answer.status, "UnknownNode" in answer.body["error"]) == (500, True)


def test_an_unknown_name_is_told_in_the_same_words_in_both_worlds(world):
    world.start("web", Passer)
    world.client("alice")
    rest = "; nothing was sent or done. The nodes: web"
    told = {
        "nobody": f"no node is named 'nobody'{rest}",
        "alice": f"alice is a client, not a node{rest}",
    }
    for name, text in told.items():
        verbs = [world.call, world.client("bob").get, world.kill, world.status]
        if name == "nobody":
            verbs.append(lambda name: world.partition("web", name))
        for do in verbs:
            with pytest.raises(UnknownNode) as failed:
                do(name)
            assert str(failed.value) == text
        assert text in world.call("web", body=[name]).body["error"]


@pytest.mark.parametrize("name", ["", "x" * 300, "\ud800"])
def test_a_text_that_is_no_name_is_the_same_error_of_each_verb_in_both_worlds(world, name):
    world.start("web", Passer)
    for do in (world.call, world.client("alice").get, world.kill, world.status):
        with pytest.raises((TypeError, ValueError), match=r"^somebody's name"):
            do(name)
    assert not [row for row in world.trace.rows if row.kind == "send"]


@pytest.mark.parametrize("timeout", [0, 0.0, 1e-9])
def test_a_timeout_in_which_nobody_can_answer_is_refused(world, timeout):
    world.start("web", Waits)
    for ask in (world.call, world.client("alice").get):
        with pytest.raises(ValueError, match=r"nobody can answer; nothing was sent: give a "):
            ask("web", timeout=timeout)
    answer = world.call("web", body=timeout)
    assert (answer.status, "ValueError: the timeout is" in answer.body["error"]) == (500, True)
    assert [row.kind for row in world.trace.rows].count("send") == 1


# ------------------------------------------------------------------------------- pause, resume
@row(
    "pause",
    "`NoReply` after the caller's time-out; after `resume` the request is handled after all",
)
def test_a_paused_node_lets_callers_wait_and_handles_their_requests_later(world):
    world.start("web", Slow)
    alice = world.client("alice")
    alice.post("web")
    world.pause("web")
    took, failed = seconds(world, lambda: alice.post("web", body=["waited", 0], timeout=0.3))
    assert type(failed) is NoReply
    assert 0.29 < took < 2
    world.resume("web")
    assert eventually(world, lambda: "waited" in alice.post("web").body)


@row(
    "pause in the middle of a handler",
    "after `resume` it goes on where it was, and time has passed",
)
def test_a_resumed_node_goes_on_in_the_middle_of_what_it_did(world):
    world.start("web", Slow)
    pending = world.call("web", body=["you", 1], timeout=30, wait=False)
    world.run(0.05)
    world.pause("web")
    world.run(1.1)
    assert pending.outcome is None
    world.resume("web")
    assert pending.result().body == []
    assert world.now() > 1.15
    assert world.call("web").body == ["you"]


# ------------------------------------------------------------------------------- connections
@row("requests of one client", "come from one port, until `reconnect`: then from a new one")
def test_a_client_keeps_its_port_until_it_reconnects(world):
    world.start("web", Counter)
    alice = world.client("alice")
    first, again = (alice.post("web").body[2] for _ in range(2))
    assert first == again == alice.ports["web"]
    alice.reconnect()
    assert alice.ports == {}
    assert alice.post("web").body[2] != first


@row("the server restarts", "the client's next request opens a new connection, from a new port")
def test_a_restart_of_the_server_gives_its_clients_new_ports(world):
    world.start("web", Counter)
    alice = world.client("alice")
    first = alice.post("web").body[2]
    world.kill("web")
    world.restart("web")
    world.run(0.1)
    assert alice.post("web").body[2] != first


@row("`world.call`", "a fresh connection each time, from a new port")
def test_each_call_of_the_world_is_a_connection_of_its_own(world):
    world.start("web", Counter)
    assert len({world.call("web").body[2] for _ in range(3)}) == 3


@row("`client(name, port=…)`", "takes a port that is free again; while it is in use, `WrongState`")
def test_a_client_takes_a_port_again(world):
    world.start("web", Counter)
    alice = world.client("alice")
    port = alice.post("web").body[2]
    with pytest.raises(WrongState, match="in use"):
        world.client("bob", port=port)
    alice.reconnect()
    bob = world.client("bob", port=port)
    assert bob.post("web").body[2] == port
    bob.reconnect()
    assert bob.post("web").body[2] == port


@row("a caller's time-out", "closes its connection, and does not cancel the handler")
def test_a_time_out_closes_the_connection_and_the_handler_goes_on(world):
    world.start("web", Slow)
    alice = world.client("alice")
    alice.post("web")
    port = alice.ports["web"]
    _, failed = seconds(world, lambda: alice.post("web", body=["late", 1], timeout=0.1))
    assert type(failed) is NoReply
    assert alice.ports == {}
    assert eventually(world, lambda: "late" in alice.post("web").body)
    assert alice.ports["web"] != port


@row("several requests on one connection", "go one at a time, in order; other connections go on")
def test_a_connection_carries_one_request_at_a_time(world):
    world.start("web", Slow)
    alice = world.client("alice")
    first = alice.post("web", body=["first", 1.5], timeout=30, wait=False)
    second = alice.post("web", body=["second", 0], timeout=30, wait=False)
    world.client("bob").post("web", body=["bob", 0])
    assert first.outcome is None
    assert "second" not in first.result().body
    assert second.result().body == ["bob", "first"]


@row("a time-out before the request's turn on its connection", "`Refused`: it was never sent")
def test_a_request_that_timed_out_in_the_queue_was_never_sent(world):
    world.start("web", Slow)
    alice = world.client("alice")
    first = alice.post("web", body=["first", 1.5], timeout=30, wait=False)
    second = alice.post("web", body=["second", 0], timeout=0.1, wait=False)
    _, failed = seconds(world, second.result)
    assert type(failed) is Refused
    assert first.result().body == []
    assert alice.post("web").body == ["first"]


# ------------------------------------------------------------------------------- errors
@row(
    "an error in `handle`",
    "500 and the error's name; an uncaught `Refused` 502, `NoReply` 504; the node lives",
)
def test_an_error_in_a_handler_is_a_5xx_and_the_node_lives(world):
    world.start("faulty", Faulty)
    world.start("web", Passer)
    world.start("back", Counter)
    answer = world.call("faulty", "/raise")
    assert (answer.status, answer.body) == (500, {"error": "KeyError: 'missing'"})
    assert world.call("faulty").body == "fine"
    world.pause("back")
    assert world.call("web", body=["back"]).status == 504
    world.kill("back")
    world.run(0.1)
    assert world.call("web", body=["back"]).status == 502
    assert world.call("web", body=["faulty"]).body == "fine"


@row("an answer that is no JSON, has no HTTP status, or is too large", "500 that says which")
def test_an_answer_that_cannot_be_sent_is_a_500(world):
    world.start("web", Faulty)
    for path, why in ("/set", "set"), ("/status", "999"), ("/large", "too large"):
        answer = world.call("web", path)
        assert (answer.status, why in answer.body["error"]) == (500, True)
    assert world.call("web").body == "fine"


@row("a request whose body is no JSON, or too large", "an error at the caller; nothing is sent")
def test_a_request_that_cannot_be_sent_is_not(world):
    world.start("web", Counter)
    for body, error in (
        ({1}, TypeError),
        (float("nan"), TypeError),
        ("x" * (MAX_BODY + 1), ValueError),
    ):
        with pytest.raises(error, match="body"):
            world.call("web", body=body)
    assert world.call("web").body[0] == 1


class Polite(Node):
    """Answers with the header that it got, and sends one of its own."""

    async def handle(self, request):
        return Response(200, request.headers["x-name"], {"x-kind": "\tteapot "})


class Mode(Enum):
    OPEN = 1


class Odd(Node):
    """Answers with what is asked for, fit for HTTP or not."""

    def __init__(self):
        self.mode = Mode.OPEN

    async def handle(self, request):
        if request.path == "/forgets":
            self.call("web", "/raise")
            return "done"
        if request.path == "/exits":
            sys.exit(3)
        answers = {
            "/digits": 10**5000,
            "/list": Response(200, 1, [("a", "b")]),
            "/blank": Response(200, 1, {"a b": "c"}),
            "/none": Response(204, "unseen"),
            "/mode": self.mode.name,
        }
        return answers.get(request.path, "fine")


@row(
    "a message that HTTP or JSON has no room for: an integer of 4,000 digits, a path of 2,000 "
    "characters, a header's name with a blank in it",
    "an error that says which, where it is sent; of an answer, 500",
)
def test_what_a_message_has_no_room_for_is_an_error_where_it_is_sent(world):
    world.start("web", Odd)
    for bad in (
        {"body": 10**5000},
        {"path": "/" + "a" * 70_000},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b" * 20_000}},
        {"headers": [("a", "b")]},
    ):
        with pytest.raises((TypeError, ValueError)):
            world.call("web", **bad)
    for path, sentence in (
        ("/digits", "more than 4,000 digits"),
        ("/list", "headers are a dict"),
        ("/blank", "no name of a header"),
    ):
        answer = world.call("web", path)
        assert (answer.status, sentence in answer.body["error"]) == (500, True)
    assert world.call("web", "/" + "한" * 1_999).body == "fine"


@row("an answer to HEAD, or with status 204 or 304", "has no body")
def test_an_answer_that_has_no_room_for_a_body_has_none(world):
    world.start("web", Odd)
    assert world.call("web", method="HEAD").body is None
    assert world.call("web", "/none") == Response(204, None)


@row("an effect that a node does not await", "does not happen, and is an error, with its line")
def test_an_effect_that_is_not_awaited_is_an_error(world):
    world.start("web", Odd)
    answer = world.call("web", "/forgets")
    assert answer.status == 500
    assert "did not await" in answer.body["error"]
    assert 'self.call("web", "/raise")' in answer.body["error"]


@row("asyncio or `time.sleep` in a node", "an error: a node waits by its own effects only")
def test_a_node_that_waits_by_asyncio_or_stops_its_process_is_told_so(world):
    class Sleeps(Node):
        async def handle(self, request):
            await asyncio.sleep(1)

    class Stops(Node):
        async def handle(self, request):
            time.sleep(1)

    for server in (Sleeps, Stops):
        with pytest.raises(TypeError, match=r"a node waits with self.sleep"):
            world.start("web", server)


@row(
    "a program, a socket or another's page that a node's class asks for",
    "`TypeError` that names the line: all of the world would stand still meanwhile",
    "the node's process asks for it, and waits",
)
def test_a_node_asks_what_is_outside_of_its_world_live_only(world):
    class Asks(Node):
        async def handle(self, request):
            return subprocess.run([sys.executable, "-c", ""], check=True).returncode

    if isinstance(world, World):
        with pytest.raises(TypeError, match=r"subprocess\.run, in line \d+: that is outside"):
            world.start("web", Asks)
    else:
        world.start("web", Asks)
        assert world.call("web", timeout=20).body == 0


LIMIT = 3


class Limited(Node):
    async def handle(self, request):
        vars(self)["asked"] = 1
        return LIMIT


@row(
    "a global that another cell binds anew",
    "all lives find what it is now",
    "a life finds what it was at the first start",
)
def test_a_global_that_is_bound_anew_is_found_as_the_table_says(world, monkeypatch):
    world.start("web", Limited)
    assert world.call("web").body == 3
    monkeypatch.setitem(globals(), "LIMIT", 5)
    world.kill("web")
    world.restart("web")
    assert world.call("web").body == (5 if isinstance(world, World) else 3)


@row("`sys.exit()` in a handler", "the node dies, and the trace says of what")
def test_a_handler_that_exits_ends_its_node(world):
    world.start("web", Odd)
    with pytest.raises(NoReply):
        world.call("web", "/exits")
    assert eventually(world, lambda: world.status("web") == "dead")
    assert "SystemExit: 3" in [row.data for row in world.trace.rows if row.kind == "crash"]


class Sturdy(Node):
    def __init__(self):
        raise ValueError("no configuration")


@row("an error in `__init__`", "`start` raises it; nothing is started", "`RuntimeError` names it")
def test_an_error_in_init_starts_nothing(world):
    with pytest.raises((ValueError, RuntimeError), match="no configuration"):
        world.start("web", Sturdy)
    assert world.names == {}


class Guarded(Node):
    def __init__(self):
        self.lock = object()


@row(
    "memory that has no canonical form, such as a lock",
    "`TypeError` that names it: no digest could stand for it",
    "is shown by its text",
)
def test_memory_that_has_no_canonical_form_has_no_place_in_a_digest(world):
    if isinstance(world, World):
        with pytest.raises(TypeError, match=r"web\.lock is a object, which has no canonical form"):
            world.start("web", Guarded)
        assert world.names == {}
    else:
        world.start("web", Guarded)
        assert eventually(world, lambda: "<object object" in repr(world.trace.states()))


class Silent(Node):
    async def handle(self):
        return 1


class Kept(Node):
    seen = []  # noqa: RUF012 - the mistake itself


@row(
    "a class whose `handle` takes no request, or that keeps state outside of `self`",
    "`TypeError` that names it; nothing is started",
)
def test_a_class_that_cannot_be_a_node_is_refused(world):
    for factory in (Silent, Kept, Odd()):
        with pytest.raises(TypeError):
            world.start("web", factory)
    assert world.names == {}


@row(
    "any text as a name, of 200 characters at the most", "is taken, but for `you`: `world.call` is"
)
def test_any_text_is_a_name(world):
    for name in ("..", "files", "a/b", "복제본" * 20, "Müller", "x" * 200):
        world.start(name, Odd)
        assert world.call(name, "/mode").body == "OPEN"
        assert world.client("앨리스").get(name).body == "fine"
    for bad in ("you", "", "x" * 201, "\ud800", 5):
        with pytest.raises((TypeError, ValueError)):
            world.start(bad, Odd)


@row("blanks around a header's value", "are not part of it, and not sent")
def test_a_header_comes_without_the_blanks_around_its_value(world):
    world.start("web", Polite)
    answer = world.client("alice").get("web", headers={"X-Name": " bob the  first "})
    assert (answer.body, answer.headers["x-kind"]) == ("bob the  first", "teapot")


# ------------------------------------------------------------------------------- links
@row(
    "`partition` / `heal`",
    "what arrives vanishes until `heal`: `NoReply` after the time-out; it did not happen",
    "the same; TCP would send again, so a connection that lost bytes stays silent until its end",
)
def test_a_partition_is_a_black_hole_until_it_heals(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.partition("alice", "web")
    took, failed = seconds(world, lambda: alice.post("web", timeout=0.3))
    assert type(failed) is NoReply
    assert 0.29 < took < 2
    lost = alice.post("web", timeout=0.4, wait=False)
    world.run(0.1)
    world.heal("alice", "web")
    assert type(seconds(world, lost.result)[1]) is NoReply
    assert alice.post("web").body[0] == 2


@row("kill behind a partition", "nobody learns of it: `NoReply`; after `heal`, `Refused`")
def test_a_partition_hides_the_death_of_a_node(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.partition("alice", "web")
    world.kill("web")
    for _ in range(2):  # on the connection that was open, and on a new one
        assert type(seconds(world, lambda: alice.post("web", timeout=0.2))[1]) is NoReply
    world.heal("alice", "web")
    assert type(seconds(world, lambda: alice.post("web"))[1]) is Refused


@row("`hold` / `release`", "what arrives waits until `release`, in its order")
def test_what_is_held_arrives_after_the_release_in_its_order(world):
    world.start("web", Slow)
    carol = world.client("carol")
    for name in ("alice", "bob"):
        world.client(name).post("web")
        world.hold(name, "web")
    pending = []
    for name in ("bob", "alice"):
        pending.append(world.client(name).post("web", body=[name, 0], timeout=9, wait=False))
        world.run(0.05)
    assert carol.post("web", body=["carol", 0]).body == ["", ""]
    assert [one.outcome for one in pending] == [None, None]
    for name in ("bob", "alice"):
        world.release(name, "web")
        world.run(0.05)
    assert [one.result().body for one in pending] == [["", "", "carol"], ["", "", "carol", "bob"]]


@row("`hold` in the middle of a request", "its reply waits")
def test_a_reply_is_held_too(world):
    world.start("web", Slow)
    alice = world.client("alice")
    pending = alice.post("web", body=["alice", 1.5], timeout=30, wait=False)
    world.run(0.1)
    world.hold("alice", "web")
    assert eventually(world, lambda: "alice" in world.call("web").body)
    world.run(0.2)
    assert pending.outcome is None
    world.release("alice", "web")
    assert pending.result().body == []


@row("`partition` of a held link, then `release`", "what was held is lost")
def test_what_was_held_is_lost_if_the_link_is_cut_when_it_is_released(world):
    world.start("web", Counter)
    alice = world.client("alice")
    world.hold("alice", "web")
    pending = alice.post("web", timeout=0.5, wait=False)
    world.run(0.1)
    world.partition("alice", "web")
    world.release("alice", "web")
    assert type(seconds(world, pending.result)[1]) is NoReply
    assert world.call("web").body[0] == 1


@row("kill of a node whose link is held", "the news of it waits too: `NoReply` after `release`")
def test_the_news_of_a_kill_is_held_too(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.hold("alice", "web")
    pending = alice.post("web", timeout=9, wait=False)
    world.run(0.1)
    world.kill("web")
    world.run(0.1)
    assert pending.outcome is None
    world.release("alice", "web")
    assert type(seconds(world, pending.result)[1]) is NoReply


@row(
    "a fault of a link whose connection is open",
    "the connection stays open, and the server sees the caller's own port",
)
def test_a_fault_of_a_link_leaves_connections_and_ports_as_they_were(world):
    world.start("web", Counter)
    alice = world.client("alice")
    port = alice.post("web").body[2]
    world.hold("alice", "web")
    pending = alice.post("web", wait=False)
    world.run(0.1)
    world.release("alice", "web")
    assert pending.result().body == [2, 2, port]
    assert alice.ports == {"web": port}
    alice.reconnect()
    assert alice.post("web").body[2] == alice.ports["web"] != port


@row("a fault of the link between two nodes", "their calls feel it, and nobody else's")
def test_a_fault_of_a_link_between_nodes_is_theirs_alone(world):
    world.start("web", Passer)
    world.start("back", Counter)
    assert world.call("web", body=["back"]).body[0] == 1
    world.partition("back", "web")
    assert world.call("web", body=["back"]).status == 504
    assert world.call("back").body[0] == 2
    world.heal("web", "back")
    assert world.call("web", body=["back"]).body[0] == 3
    world.partition("web", "back")
    world.kill("web")
    world.restart("web")
    assert world.call("web", body=["back"]).status == 504


@row(
    "`lose_next`",
    "the next message of that direction is lost: `NoReply` after the time-out",
    "the same, as if an intermediary had taken it and died; what a network loses, TCP sends again",
)
def test_a_lost_request_did_not_happen_a_lost_reply_did_and_the_caller_cannot_tell(world):
    world.start("web", Counter)
    alice = world.client("alice")
    for sender, receiver, happened in (("alice", "web", 0), ("web", "alice", 1)):
        before = world.call("web").body[0]
        world.lose_next(sender, receiver)
        took, failed = seconds(world, lambda: alice.post("web", timeout=0.3))
        assert type(failed) is NoReply
        assert 0.29 < took < 2
        assert alice.post("web").body[0] == before + happened + 1


@row(
    "`link(latency=…)`",
    "sets how long each message takes",
    "the same, on top of the real time",
)
def test_a_link_has_the_latency_that_is_set(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.link("alice", "web", latency=0.6)
    begun = world.now()
    assert alice.post("web", timeout=30).body[0] == 2
    assert 1.2 <= world.now() - begun < 6
    world.link("alice", "web")
    begun = world.now()
    alice.post("web", timeout=30)
    assert world.now() - begun < 1.2


@row("a fault of a link, or its end, where it does not apply", "`WrongState`; nothing is done")
def test_a_fault_that_does_not_apply_says_so(world):
    world.start("web", Counter)
    alice = world.client("alice")
    for begin, end in ((world.partition, world.heal), (world.hold, world.release)):
        with pytest.raises(WrongState, match=r"the link between alice and web is not (cut|held)"):
            end("alice", "web")
        begin("alice", "web")
        with pytest.raises(WrongState, match=r"between web and alice is \w+ already"):
            begin("web", "alice")
        end("web", "alice")
        with pytest.raises(ValueError, match="web has no link to itself"):
            begin("web", "web")
        with pytest.raises(UnknownNode, match="nobody"):
            begin("alice", "nobody")
    assert alice.post("web").body[0] == 1


@row("a fault of a link, in the trace", "a row for the verb, and a `drop` for what it cost")
def test_the_trace_tells_of_a_fault_and_of_what_it_cost(world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.hold("alice", "web")
    world.release("web", "alice")
    world.link("alice", "web", latency=0)
    world.partition("alice", "web")
    seconds(world, lambda: alice.post("web", timeout=0.3))
    world.heal("alice", "web")
    world.lose_next("web", "alice")
    seconds(world, lambda: alice.post("web", timeout=0.3))
    rows = world.trace.rows
    verbs = ("hold", "release", "link", "partition", "heal", "lose_next")
    assert [(r.kind, r.node, r.life, r.other, r.data) for r in rows if r.kind in verbs] == [
        ("hold", "alice", 0, "web", None), ("release", "web", 0, "alice", None),
        ("link", "alice", 0, "web", (0, 0, 0.0, 0.0)), ("partition", "alice", 0, "web", None),
        ("heal", "alice", 0, "web", None), ("lose_next", "web", 0, "alice", None),
    ]  # fmt: skip
    drops = [(r.node, r.other, r.data, rows[r.cause].kind) for r in rows if r.kind == "drop"]
    assert drops == [
        ("web", "alice", "cut off by the partition", "partition"),
        ("alice", "web", "lost on the way", "lose_next"),
    ]
    assert [rows[r.cause].kind for r in rows if r.kind == "noreply"] == ["drop", "drop"]


ROWS.append(
    (
        "`link(loss=…, duplicate=…)`",
        "shares of requests and replies that are lost or doubled",
        "not there; the error says why",
    )
)


@pytest.mark.live
@pytest.mark.parametrize("share", ["loss", "duplicate"])
def test_a_share_of_loss_is_refused_in_the_live_world_with_the_reason(share):
    with LiveWorld() as world:
        world.start("web", Counter)
        alice = world.client("alice")
        with pytest.raises(NotImplementedError, match=r"TCP repairs both: .+ the simulated World"):
            world.link("alice", "web", **{share: 0.5})
        assert alice.post("web").body[0] == 1


@pytest.mark.parametrize("share", ["loss", "duplicate"])
def test_a_share_of_loss_does_in_the_simulated_world_what_the_table_says(share):
    world = World(seed=7)
    world.start("web", Counter)
    alice = world.client("alice")
    world.link("alice", "web", **{share: 1})
    if share == "loss":
        assert type(seconds(world, lambda: alice.post("web"))[1]) is NoReply
    else:
        assert alice.post("web").body[0] in (1, 2)
        assert world.call("web").body[0] == 3


# ------------------------------------------------------------------------------- as a table
def table():
    """The rows as a Markdown table."""
    lines = ["| What is done | Simulated world | Live world |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in ROWS])


def test_the_table_in_the_docs_is_the_one_that_is_tested():
    text = (Path(__file__).parents[2] / "docs" / "honesty.md").read_text(encoding="utf-8")
    assert table() in text, "put in what `python -m tests.worlds.test_honesty` prints"


if __name__ == "__main__":
    print(table())
