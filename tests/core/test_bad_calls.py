"""Whatever a verb is given, its error is one of ours: it says what was wrong and what to do."""

import dataclasses

import pytest

from statelab import (
    Client,
    Invariant,
    LiveWorld,
    Node,
    NoReply,
    Refused,
    Run,
    UnknownNode,
    World,
    WrongState,
    scenario,
)
from statelab.diagrams.diagram import sequence
from statelab.servers import Balancer, Queue


class Array:
    """As numpy's: compared it is another one, and whether it is true it does not say."""

    __hash__ = None

    def __eq__(self, other):
        return Array()

    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")


# What Python itself says of a value that somebody forgot to look at.
PYTHONS = (
    "argument must be", "cannot be interpreted", "cannot unpack", "codec", "Exceeds the limit",
    "has no attribute", "has no len", "not callable", "not iterable", "not subscriptable",
    "not supported between", "out of range", "too large to convert", "unexpected keyword",
    "unhashable", "unsupported operand", "ambiguous",
)  # fmt: skip
VALUES = (
    None, 5, -1, True, "", "x", "\ud800", b"b", [], [1], {}, {"a": 1}, (1, 2), -(10**400), 10**5000,
    float("nan"), 1e308, object(), str, 3.5, {1}, Array(), lambda: 0,
)  # fmt: skip
VERBS = {
    "start(name)": lambda w, v: w.start(v, Web),
    "start(factory)": lambda w, v: w.start("new", v),
    "kill": lambda w, v: w.kill(v),
    "restart": lambda w, v: w.restart(v),
    "pause": lambda w, v: w.pause(v),
    "resume": lambda w, v: w.resume(v),
    "status": lambda w, v: w.status(v),
    "client(name)": lambda w, v: w.client(v),
    "client(port)": lambda w, v: w.client("bob", v),
    "call(to)": lambda w, v: w.call(v),
    "call(path)": lambda w, v: w.call("web", v),
    "call(body)": lambda w, v: w.call("web", "/", v),
    "call(method)": lambda w, v: w.call("web", method=v),
    "call(headers)": lambda w, v: w.call("web", headers=v),
    "call(header)": lambda w, v: w.call("web", headers={"a": v}),
    "call(timeout)": lambda w, v: w.call("web", timeout=v),
    "send(method)": lambda w, v: w.client("alice").send(v, "web"),
    "send(to)": lambda w, v: w.client("alice").get(v),
    "partition": lambda w, v: w.partition("web", v),
    "heal": lambda w, v: w.heal(v, "web"),
    "hold": lambda w, v: w.hold("web", v),
    "release": lambda w, v: w.release(v, "web"),
    "lose_next": lambda w, v: w.lose_next("web", v),
    "link(latency)": lambda w, v: w.link("web", "db", latency=v),
    "link(loss)": lambda w, v: w.link("web", "db", loss=v),
    "link(duplicate)": lambda w, v: w.link("web", "db", duplicate=v),
}
LIVE = {
    "pid": lambda w, v: w.pid(v),
    "port": lambda w, v: w.port(v),
    "port(caller)": lambda w, v: w.port("web", caller=v),
    "address": lambda w, v: w.address(v),
}
TRACE = {
    "breach": lambda w, v: w.trace.breach(v),
    "breach(returned)": lambda w, v: w.trace.breach(Invariant("it holds", lambda rows: v)),
    "first_difference": lambda w, v: w.trace.first_difference(v),
    "after": lambda w, v: w.trace.after(v),
    "since": lambda w, v: w.trace.since(v),
    "since(most)": lambda w, v: w.trace.since(0, v),
    "Invariant(sentence)": lambda w, v: Invariant(v, len),
    "Invariant(first_breach)": lambda w, v: Invariant("it holds", v),
    "client.token": lambda w, v: setattr(w.client("alice"), "token", v),
    "where(kind)": lambda w, v: w.trace.rows.where(v),
    "where(node)": lambda w, v: w.trace.rows.where(node=v),
    "where(after)": lambda w, v: w.trace.rows.where(after=v),
    "first(before)": lambda w, v: w.trace.rows.first(before=v),
    "requests(client)": lambda w, v: w.trace.rows.requests(v),
    "requests(to)": lambda w, v: w.trace.rows.requests(to=v),
    "requests(wanted)": lambda w, v: w.trace.rows.requests(colour=v),
    "Client": lambda w, v: Client(w, v).get("web"),
    "sequence(trace)": lambda w, v: sequence(v),
    "sequence(nodes)": lambda w, v: sequence(w.trace, nodes=v),
    "sequence(title)": lambda w, v: sequence(w.trace, title=v),
    "sequence(limit)": lambda w, v: sequence(w.trace, limit=v),
}
SIMULATED = {
    "attempt": lambda w, v: w.attempt(v),
    "attempt(name)": lambda w, v: w.attempt("kill", v),
    "reconnect": lambda w, v: w.reconnect(v),
    "request(name)": lambda w, v: w.request(v, "GET", "web", "/", None, None, 1),
    "set_up(scenario)": lambda w, v: w.set_up(5 if callable(v) else v, {}),
    "set_up(args)": lambda w, v: w.set_up(lambda world: None, v),
    "scenario": lambda w, v: scenario(v),
    "a scenario's world": lambda w, v: empty(v),
    "a scenario's argument by place": lambda w, v: empty(w, v),
    "Run": lambda w, v: Run(v, v, v, v, v).code(),
    "Run(inputs)": lambda w, v: Run("empty", {}, 7, ((0, v),), 0).python(),
    "a scenario's argument in a run": lambda w, v: run_of(v),
    "Balancer": lambda w, v: World().start("b", Balancer, v),
    "Balancer(server)": lambda w, v: World().start("b", Balancer, ["a", v]),
    "Balancer(setting)": lambda w, v: World().start("b", Balancer, ["a"], v),
    "run": lambda w, v: w.run(v),
    "run(until)": lambda w, v: w.run(until=v),
    "World(seed)": lambda w, v: World(v),
}


class Web(Node):
    async def handle(self, request):
        return 1


class Keeps(Web):
    def __init__(self, kept):
        self.kept = kept


@scenario
def empty(world, n=1):
    pass


def run_of(value):
    world = World()
    empty(world, n=value)
    return Run.of(world)


@pytest.fixture(scope="module")
def live():
    with LiveWorld() as world:
        world.start("web", Web)
        world.start("db", Web)
        yield world


def tried(world, verb):
    for value in VALUES:
        try:
            verb(world, value)
        except (UnknownNode, WrongState, Refused, NoReply):
            continue
        except (TypeError, ValueError, NotImplementedError, RuntimeError) as wrong:
            yield value, str(wrong)


def nested():
    deep, itself = [], []
    for _ in range(3000):
        deep = [deep]
    itself.append(itself)
    return [deep, itself, {"a": itself}]


@pytest.mark.parametrize("value", nested(), ids=["deep", "itself", "within"])
def test_an_argument_that_is_nested_without_end_is_named(value):
    with pytest.raises(TypeError, match="an argument of empty is nested too deep"):
        empty(World(), n=value)
    with pytest.raises(TypeError, match=r"nested|recursion"):
        World().start("web", Keeps, value)


@pytest.mark.parametrize("name", [*VERBS, *SIMULATED, *TRACE])
def test_a_bad_call_of_the_simulated_world_says_what_was_wrong(name):
    world = World()
    world.start("web", Web)
    world.start("db", Web)
    for value, said in tried(world, {**VERBS, **SIMULATED, **TRACE}[name]):
        assert not any(words in said for words in PYTHONS), (type(value), said)


@pytest.mark.live
@pytest.mark.parametrize("name", [*VERBS, *LIVE, *TRACE])
def test_a_bad_call_of_the_live_world_says_what_was_wrong(live, name):
    for value, said in tried(live, {**VERBS, **LIVE, **TRACE}[name]):
        assert not any(words in said for words in PYTHONS), (type(value), said)


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (lambda w: w.kill(), r"missing .*'name'; nothing was done: write kill\(name\)"),
        (lambda w: w.kill("web", 5), r"nothing was done: write kill\(name\)"),
        (lambda w: w.partition("web"), r"nothing was done: write partition\(a, b\)"),
        (lambda w: w.set_up(lambda world: 1, {"x": 1}), r"\(world\) does not take \(world, x=1\)"),
    ],
)
def test_a_verb_with_too_little_or_too_much_says_what_to_write(verb, sentence):
    world = World()
    world.start("web", Web)
    with pytest.raises(TypeError, match=sentence):
        verb(world)
    assert world.names == {"web": "up"}


def test_a_question_that_no_row_could_answer_is_refused_and_finds_not_nothing():
    rows = World().trace.rows
    with pytest.raises(ValueError, match="no row is of the kind 'klil'; the kinds: start, client"):
        rows.where("klil")
    with pytest.raises(TypeError, match="kind is a name or a list of names, not <generator"):
        rows.where(kind for kind in ("kill", "crash"))
    with pytest.raises(TypeError, match=r"a moment is seconds, .* not nan"):
        rows.where(after=float("nan"))


@pytest.mark.parametrize("kind", [World, LiveWorld])
def test_a_scenario_is_given_a_world_and_no_class(kind):
    with pytest.raises(TypeError, match=r"empty sets up a world, such as World\(\), not <class"):
        empty(kind)


@pytest.mark.live
def test_a_client_that_no_world_has_made_is_refused(live):
    for world in (World(), live):
        with pytest.raises(TypeError, match=r"write world.client\('alice'\)"):
            Client(world, "bob")


@pytest.mark.live
def test_an_engine_that_is_given_what_it_does_not_take_names_its_options(live):
    from statelab.engines import Redis

    for args, options in (((True,), {}), ((), {"appendonly": True})):
        with pytest.raises(TypeError, match=r"nothing was started\. .* append_only, replica_of"):
            live.start("redis", Redis, *args, **options)
    assert "redis" not in live.names


@pytest.mark.parametrize(
    "does",
    [
        lambda node: node.log("x"),
        lambda node: node.now(),
        lambda node: node.random,
        lambda node: node.disk,
        lambda node: node.sleep(1),
        lambda node: node.call("db"),
        lambda node: node.gather(),
    ],
)
def test_a_node_that_no_world_has_made_says_so(does):
    with pytest.raises(AttributeError, match=r"in no world, .*: .* world.start\('web', Web\)"):
        does(Web())


class Reads(Node):
    async def handle(self, request):
        how, key = request.body
        return {"read": self.disk.__getitem__, "get": self.disk.get, "pop": self.disk.pop,
                "in": self.disk.__contains__, "erase": self.disk.__delitem__}[how](key)  # fmt: skip


@pytest.mark.parametrize("how", ["read", "get", "pop", "in", "erase"])
def test_a_disks_key_that_can_be_none_is_refused_by_name(how):
    world = World()
    world.start("web", Reads)
    said = world.call("web", "/", [how, ["a"]]).body["error"]
    assert said == "TypeError: disk key ['a'] is not a str"


@pytest.mark.parametrize("wrong", [None, "x", [], {}, True, 1.5, -0.5, 1e308])
def test_a_queue_refuses_a_wait_or_an_id_that_is_none(wrong):
    world = World()
    world.start("queue", Queue)
    group = {"stream": "s", "group": "g"}
    if wrong != 1.5:
        assert world.call("queue", "/read", {**group, "wait": wrong}).status == 400
    assert world.call("queue", "/ack", {**group, "id": wrong}).status == 400
    assert world.call("queue", "/read", group).body == []


# ------------------------------------------------------------------------------- a node's own names
class TakesDisk(Web):
    def __init__(self):
        self.disk = {}


class TakesCall(Web):
    async def handle(self, request):
        self.call = 5


class TakesLog(Web):
    log = ()


@dataclasses.dataclass
class TakesNow(Web):
    now: int


class TakesDoor(Web):
    def __init__(self):
        self._door = 5


class MakesAnother(Web):
    def __new__(cls):
        return Web()


class MakesNothing(Web):
    def __new__(cls):
        return None


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (TakesDisk, r"TakesDisk.__init__ assigns self.disk, which every node has .* in line \d+"),
        (TakesCall, r"TakesCall.handle assigns self.call, which every node has .* in line \d+"),
        (TakesLog, "TakesLog.log is what every node has for itself: choose another name"),
        (TakesNow, "assigns self.now, which every node has for itself"),
        (TakesDoor, "TakesDoor.__init__ uses _door"),
        (MakesAnother, "MakesAnother.__new__ made .*Web.*: let it make a MakesAnother"),
        (MakesNothing, "MakesNothing.__new__ made None: let it make a MakesNothing"),
    ],
)
@pytest.mark.parametrize("simulated", [True, pytest.param(False, marks=pytest.mark.live)])
def test_a_node_that_takes_what_every_node_has_is_refused(request, simulated, factory, sentence):
    world = World() if simulated else request.getfixturevalue("live")
    with pytest.raises((TypeError, RuntimeError), match=sentence):
        world.start("new", factory)
    assert "new" not in world.names


def test_a_node_may_extend_what_every_node_has():
    class Prefixes(Node):
        def log(self, text):
            super().log(f"web: {text}")

        async def handle(self, request):
            self.log("asked")

    world = World()
    world.start("web", Prefixes)
    world.call("web")
    assert [row.data for row in world.trace.rows if row.kind == "log"] == ["web: asked"]
