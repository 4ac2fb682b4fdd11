"""Whatever a verb is given, its error is one of ours: it says what was wrong and what to do."""

import pytest

from statelab import LiveWorld, Node, NoReply, Refused, UnknownNode, World, WrongState

# What Python itself says of a value that somebody forgot to look at.
PYTHONS = (
    "argument must be", "cannot be interpreted", "cannot unpack", "codec", "Exceeds the limit",
    "has no attribute", "has no len", "not callable", "not iterable", "not subscriptable",
    "not supported between", "out of range", "too large to convert", "unexpected keyword",
    "unhashable", "unsupported operand",
)  # fmt: skip
VALUES = (
    None, 5, -1, True, "", "x", "\ud800", b"b", [], [1], {}, {"a": 1}, (1, 2), -(10**400), 10**5000,
    float("nan"), 1e308, object(), str, 3.5, {1}, lambda: 0,
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
SIMULATED = {
    "run": lambda w, v: w.run(v),
    "run(until)": lambda w, v: w.run(until=v),
    "World(seed)": lambda w, v: World(v),
}


class Web(Node):
    async def handle(self, request):
        return 1


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


@pytest.mark.parametrize("name", [*VERBS, *SIMULATED])
def test_a_bad_call_of_the_simulated_world_says_what_was_wrong(name):
    world = World()
    world.start("web", Web)
    world.start("db", Web)
    for value, said in tried(world, {**VERBS, **SIMULATED}[name]):
        assert not any(words in said for words in PYTHONS), (type(value), said)


@pytest.mark.live
@pytest.mark.parametrize("name", [*VERBS, *LIVE])
def test_a_bad_call_of_the_live_world_says_what_was_wrong(live, name):
    for value, said in tried(live, {**VERBS, **LIVE}[name]):
        assert not any(words in said for words in PYTHONS), (type(value), said)
