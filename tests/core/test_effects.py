"""A node's effects: those it does not await, those it has no business with, and its end."""

import asyncio
import contextlib
import signal
import sys

import pytest

from statelab import LiveWorld, Node, NoReply, World
from statelab.servers.store import Store


@pytest.fixture(scope="module", params=[World, pytest.param(LiveWorld, marks=pytest.mark.live)])
def world(request):
    """A world of either kind, with nodes that do what they should not."""
    made = request.param()
    for name, factory in (("store", Store), ("web", Hasty), ("ends", Ends), ("loops", Loops)):
        made.start(name, factory)
    yield made
    if isinstance(made, LiveWorld):
        made.close()


def crashes(world):
    return [(row.node, row.data) for row in world.trace.rows if row.kind == "crash"]


# ------------------------------------------------------------------------------- not awaited
class Hasty(Node):
    """Does not wait for what it asks for."""

    async def handle(self, request):
        return await getattr(self, request.body)()

    def put(self):
        return self.call("store", "/put", {"key": "k", "value": 1})

    async def statement(self):
        self.call("store", "/put", {"key": "k", "value": 1})
        return "saved"

    async def name(self):
        kept = self.put()  # noqa: F841
        return "saved"

    async def answer(self):
        return self.put()

    async def inside(self):
        return {"done": [self.put()]}

    async def part(self):
        return self.put().body

    async def condition(self):
        return "saved" if self.put() else "not saved"

    async def before(self):
        self.sleep(1)
        await self.put()

    async def together(self):
        self.gather(self.sleep(1), self.sleep(2))

    async def later(self):
        calls = [self.call("store", "/get", {"key": "k"}) for _ in range(2)]
        return [(await call).status for call in calls]


FORGETS = [name for name in vars(Hasty) if not name.startswith("_")]
FORGETS = [name for name in FORGETS if name not in ("handle", "put", "later")]


@pytest.mark.parametrize(
    "how", [name for name in FORGETS if name not in ("handle", "put", "later")]
)
def test_a_forgotten_await_is_an_error_and_nothing_was_done(world, how):
    answer = world.call("web", "/", how)
    assert answer.status == 500
    assert "await" in answer.body["error"]
    if how in ("statement", "part", "before", "together"):
        assert "line " in answer.body["error"]
    assert world.call("store", "/get", {"key": "k"}).body is None


def test_an_effect_may_be_awaited_later_than_it_was_asked_for(world):
    assert world.call("web", "/", "later").body == [200, 200]


class Worker(Node):
    async def run(self):
        while True:
            self.sleep(9)
            await self.sleep(0.1)


def test_a_forgotten_await_in_work_without_end_is_said_at_the_next_effect():
    world = World()
    world.start("worker", Worker)
    world.run(1)
    [(node, of)] = crashes(world)
    assert node == "worker"
    assert "self.sleep(9)" in of


def test_a_dead_node_is_not_blamed_for_what_it_could_not_await():
    class Slow(Node):
        async def handle(self, request):
            later = self.call("store")
            await self.sleep(1)
            return (await later).body

    world = World()
    world.start("store", Store)
    world.start("web", Slow)
    pending = world.call("web", wait=False)
    world.run(0.5)
    world.kill("web")
    with pytest.raises(NoReply):
        pending.result()
    assert {row.kind for row in world.trace.rows}.isdisjoint({"error", "crash"})


# ------------------------------------------------------------------------------- asyncio
class Loops(Node):
    """Asks for asyncio's loop, which a notebook has, and a live process."""

    async def handle(self, request):
        return await getattr(self, request.body)()

    async def nothing(self):
        pass

    async def create_task(self):
        asyncio.create_task(self.nothing())  # noqa: RUF006

    async def ensure_future(self):
        asyncio.ensure_future(self.nothing())  # noqa: RUF006

    async def of_the_loop(self):
        asyncio.get_event_loop().create_task(self.nothing())

    async def sleep_there(self):
        await asyncio.sleep(1)

    async def timeout(self):
        async with asyncio.timeout(1):
            await self.sleep(0.1)

    async def wait_for(self):
        await asyncio.wait_for(self.call("store"), 1)

    async def event(self):
        await asyncio.Event().wait()

    async def thread(self):
        await asyncio.to_thread(len, "")

    async def group(self):
        async with asyncio.TaskGroup():
            pass


ASKS = [name for name in vars(Loops) if not name.startswith("_")]
ASKS = [name for name in ASKS if name not in ("handle", "nothing")]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("how", ASKS)
def test_asyncio_in_a_handler_is_refused(world, how):
    said = world.call("loops", "/", how).body["error"]
    assert "a node waits with self.sleep, self.call and self.gather only" in said


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_asyncio_in_a_handler_is_refused_where_a_loop_runs_and_the_loop_is_left_as_it_was():
    async def as_in_a_notebook():
        world = World()
        world.start("store", Store)
        world.start("loops", Loops)
        said = [world.call("loops", "/", how).body["error"] for how in ASKS]
        assert asyncio.get_running_loop() is loop
        return said

    loop = asyncio.new_event_loop()
    said = loop.run_until_complete(as_in_a_notebook())
    assert not asyncio.all_tasks(loop)
    loop.close()
    assert all("a node waits with self.sleep" in text for text in said)


# ------------------------------------------------------------------------------- the end
class Ends(Node):
    """Its process would end."""

    async def handle(self, request):
        if request.body == "exit":
            sys.exit(3)
        if request.body == "interrupt":
            raise KeyboardInterrupt
        if request.body == "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        if request.body == "gather":
            await self.gather(self.leave(), self.sleep(1))
        return "lives"

    async def leave(self):
        await self.sleep(0.1)
        raise GeneratorExit


@pytest.mark.parametrize(
    ("how", "of"),
    [("exit", "SystemExit: 3"), ("interrupt", "KeyboardInterrupt"), ("gather", "GeneratorExit")],
)
def test_what_would_end_a_process_ends_the_node(world, how, of):
    with pytest.raises(NoReply):
        world.call("ends", "/", how)
    while world.status("ends") != "dead":  # the live world hears of it a moment later
        world.run(0.01)
    assert crashes(world)[-1] == ("ends", of)
    world.restart("ends")
    assert world.call("ends").body == "lives"


def test_somebody_who_interrupts_a_handler_is_heard_and_the_world_goes_on():
    world = World()
    world.start("ends", Ends)
    with pytest.raises(KeyboardInterrupt):
        world.call("ends", "/", "ctrl-c")
    assert crashes(world) == [("ends", "KeyboardInterrupt")]
    world.restart("ends")
    assert world.call("ends").body == "lives"


def test_a_world_that_was_interrupted_in_its_own_step_says_so(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    world = World()
    world.start("store", Store)
    monkeypatch.setattr("statelab.sim.network.answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.call("store")
    with pytest.raises(RuntimeError, match="interrupted in the middle of a step: make a new one"):
        world.run(1)


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Fails(Node):
    async def handle(self, request):
        if request.body == "long":
            raise ValueError("x" * 1_000_001)
        if request.body == "digits":
            raise ValueError(10**5000)
        raise Unsayable


@pytest.mark.parametrize("make", [World, pytest.param(LiveWorld, marks=pytest.mark.live)])
def test_an_error_that_cannot_be_said_or_is_too_long_is_a_500_all_the_same(make):
    with contextlib.ExitStack() as stack:
        world = make()
        if make is LiveWorld:
            stack.enter_context(world)
        world.start("web", Fails)
        for how in ("long", "digits", "unsayable"):
            answer = world.call("web", "/", how, timeout=9)
            assert answer.status == 500
            assert len(answer.body["error"]) < 1_200
