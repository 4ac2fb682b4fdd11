"""The rules of the simulated world, over worlds that hypothesis draws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import with_input

from statelab import Node, NoReply, Refused, Run, Soft, World, WrongState, scenario
from statelab.effects import UnknownNode

NODES = ("front", "back", "store")
ACTS = ("receive", "reply", "send", "answer", "refused", "noreply", "log", "disk")
NAMES = (*NODES, "asker", "alice", "bob")


class Store(Node):
    def __init__(self):
        self.asked = 0

    async def handle(self, request):
        self.asked += 1
        await self.sleep(0.01 * self.random.random())
        self.disk["sum"] = self.disk.get("sum", 0) + (request.body or 0)
        return {"sum": self.disk["sum"], "asked": self.asked}


class Front(Node):
    """Asks two others side by side, and remembers for a while what they said."""

    def __init__(self):
        self.last = Soft(None, 0.0)

    async def handle(self, request):
        answers = await self.gather(
            self.call("back", "/", request.body, timeout=0.2),
            self.call("store", "/", request.body, timeout=0.3),
        )
        self.last = Soft([answer.body for answer in answers], self.now() + 0.5)
        return self.last.value


class Asker(Node):
    async def run(self):
        while True:
            await self.sleep(0.05 + 0.1 * self.random.random())
            try:
                answer = await self.call("front", "/", 1, timeout=0.25)
                self.log(f"{answer.status}")
            except (Refused, NoReply) as failed:
                self.log(type(failed).__name__)


@scenario
def busy(world):
    for name, factory in (("back", Store), ("store", Store), ("front", Front), ("asker", Asker)):
        world.start(name, factory)
    for name in ("alice", "bob"):
        world.client(name)


names, nodes = st.sampled_from(NAMES), st.sampled_from([*NODES, "asker"])
clients = st.sampled_from(["alice", "bob"])
pairs = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
steps = st.one_of(
    st.tuples(st.sampled_from(["kill", "restart", "pause", "resume"]), nodes),
    st.tuples(st.sampled_from(["partition", "heal", "hold", "release", "lose_next"]), pairs).map(
        lambda step: (step[0], *step[1])
    ),
    pairs.map(lambda pair: ("link", *pair, (0.001, 0.02), 0.3, 0.3)),
    st.tuples(st.just("run"), st.floats(0, 0.5)),
    st.tuples(st.just("post"), clients, st.sampled_from(NODES), st.integers(0, 3)),
    st.tuples(st.just("reconnect"), clients),
)
days = st.tuples(st.integers(0, 1000), st.lists(steps, max_size=25))


def lived(day, memory=False):
    """A world after such a day; a verb that does not apply is passed over."""
    seed, deeds = day
    world = World(seed, memory=memory)
    busy(world)
    for verb, *args in deeds:
        try:
            if verb == "post":
                world.client(args[0]).post(args[1], "/", args[2], wait=False)
            elif verb == "reconnect":
                world.client(args[0]).reconnect()
            else:
                getattr(world, verb)(*args)
        except WrongState:
            continue
    world.run(0.5)
    return world


@given(days)
def test_no_event_comes_before_its_cause(day):
    rows = lived(day).trace.rows
    for seq, row in enumerate(rows):
        assert row.seq == seq
        assert row.cause is None or row.cause < seq
        assert seq == 0 or rows[seq - 1].time_us <= row.time_us


@given(days)
def test_nothing_happens_in_a_dead_or_a_stopped_life(day):
    alive, lives, stopped = {}, dict.fromkeys(NAMES, 0), set()
    for row in lived(day).trace.rows:
        if row.kind == "start":
            assert row.node not in alive
            lives[row.node] += 1
            assert row.life == lives[row.node]
            alive[row.node] = row.life
        elif row.kind in ("kill", "crash"):
            assert alive.pop(row.node) == row.life
            stopped.discard(row.node)
        elif row.kind == "pause":
            stopped.add(row.node)
        elif row.kind == "resume":
            stopped.discard(row.node)
        elif row.kind in ACTS and row.node in lives and row.node not in ("alice", "bob"):
            assert alive[row.node] == row.life
            assert row.node not in stopped


@given(days)
def test_every_request_ends_once_at_the_most_and_in_one_way(day):
    world = lived(day)
    ends = {}
    for row in world.trace.rows:
        if row.kind in ("answer", "refused", "noreply"):
            assert row.message not in ends
            ends[row.message] = row
    world.run(2)
    for row in world.trace.rows:
        if row.kind == "send" and row.node in ("alice", "bob"):
            end = next(
                r for r in world.trace.rows
                if r.message == row.message and r.kind in ("answer", "refused", "noreply")
            )  # fmt: skip
            assert end.time_us - row.time_us <= 1_000_000


@given(days)
def test_refused_means_that_it_did_not_happen(day):
    rows = lived(day).trace.rows
    received = {row.message for row in rows if row.kind == "receive"}
    refused = {row.message for row in rows if row.kind == "refused"}
    doubled = {row.other for row in rows if row.kind == "link"}
    if not doubled:  # an intermediary that repeats a request may deliver it after its refusal
        assert not received & refused


@given(days)
def test_a_run_code_makes_the_same_run_with_memory_recorded_or_not(day):
    world = lived(day)
    code = Run.of(world).code()
    again = Run.parse(code).replay(busy, memory=True)
    assert again.trace.rows == world.trace.rows
    assert again.trace.digest() == world.trace.digest()
    assert lived(day, memory=True).trace.digest() == world.trace.digest()


@given(days)
def test_the_run_as_python_makes_the_same_run(day):
    world = lived(day)
    names = {"World": World, "busy": busy}
    exec(Run.of(world).python(), names)
    assert names["world"].trace.digest() == world.trace.digest()


@given(days, st.integers(0, 3_000_000), steps)
def test_any_run_can_be_branched_anywhere(day, time_us, step):
    run = Run.of(lived(day))
    verb, *args = step
    if verb in ("run", "post"):
        return
    branch = with_input(run, time_us, verb, *args).replay(busy)
    again = Run.parse(Run.of(branch).code()).replay(busy)
    assert again.trace.digest() == branch.trace.digest()
    difference = run.replay(busy, check=False).trace.first_difference(branch.trace)
    if difference is not None and difference.right is not None:
        assert difference.right.kind == "state" or difference.right.time_us >= min(
            time_us, run.horizon_us
        )


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_may_be_any_text(one, other):
    world = World()
    world.start(one, Store)
    if one != other:
        assert world.client(other).post(one, "/", 1).status == 200
        with pytest.raises(UnknownNode, match="is a client"):
            world.kill(other)
    assert len(world.trace.digest()) == 16
