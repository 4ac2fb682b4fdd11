"""A node's effects: those it does not await, those it has no business with, and its end."""

import asyncio
import contextlib
import enum
import functools
import gc
import json
import queue
import signal
import sys
import threading
import time
from asyncio import sleep as nap
from concurrent import futures
from concurrent.futures import ProcessPoolExecutor as ThePool
from time import sleep as stop

import anyio
import httpx
import pytest

from statelab import LiveWorld, Node, NoReply, Response, World
from statelab.servers.store import Store


@pytest.fixture(scope="module", params=[World, pytest.param(LiveWorld, marks=pytest.mark.live)])
def world(request):
    """A world of either kind, with nodes that do what they should not."""
    made = request.param()
    if isinstance(made, LiveWorld):  # a busy machine may need longer than a second
        made.call = functools.partial(made.call, timeout=60)
    for name, factory in (("store", Store), ("web", Hasty), ("ends", Ends), ("loops", Loops)):
        made.start(name, factory)
    yield made
    if isinstance(made, LiveWorld):
        made.close()


def crashes(world):
    return [(row.node, row.data) for row in world.trace.rows if row.kind == "crash"]


# ------------------------------------------------------------------------------- not awaited
class Helper:
    def __init__(self, node):
        self.node = node

    async def save(self):
        await self.node.put()


async def save(node):
    await node.put()


class Hasty(Node):
    """Does not wait for what it asks for, or has it done by coroutines of its own."""

    def __init__(self):
        self._helper = Helper(self)
        self._todo = []
        self._jobs = {"mail": []}
        self._queue = queue.Queue()

    async def handle(self, request):
        return await getattr(self, request.body)()

    def put(self):
        return self.call("store", "/put", {"key": "k", "value": 1})

    async def save(self):
        await self.put()
        return 1

    async def each(self):
        self.save()
        yield 1

    async def awaited(self, coroutine):
        return await coroutine

    # ---- forgotten
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

    async def loop(self):
        for _ in self.put():
            pass

    async def in_self(self):
        self._later = self.sleep(1)

    async def in_a_list_of_self(self):
        self._todo.append(self.put())

    async def own(self):
        self.save()
        return "saved"

    async def own_of_another_object(self):
        self._helper.save()
        return "saved"

    async def own_by_name(self):
        getattr(self, "save")()  # noqa: B009
        return "saved"

    async def own_by_partial(self):
        functools.partial(self.save)()
        return "saved"

    async def own_in_a_comprehension(self):
        [self.save() for _ in range(2)]
        return "saved"

    async def own_or_nothing(self):
        self.save() or None
        return "saved"

    async def own_of_two(self):
        self.save() if self._todo else self.put()
        return "saved"

    async def own_in_an_async_generator(self):
        async for _ in self.each():
            pass
        return "saved"

    async def own_kept(self):
        kept = self.save()  # noqa: F841
        return "saved"

    async def own_kept_in_self(self):
        self._later = self.save()
        return "saved"

    async def own_kept_in_a_list_of_self(self):
        self._todo.append(self.save())
        return "saved"

    async def own_kept_deep_in_self(self):
        self._jobs["mail"].append(("now", self.save()))
        return "saved"

    async def own_kept_but_not_last(self):
        self._todo[:] = [self.save(), 1]
        return "saved"

    async def own_kept_in_a_queue(self):
        self._queue.put(self.save())
        return "saved"

    async def own_kept_in_another_object(self):
        self._helper.later = {self.save()}
        return "saved"

    async def own_kept_in_a_closure(self):
        kept = self.save()
        self._todo.append(lambda: kept)
        return "saved"

    async def own_kept_in_a_partial(self):
        self._todo.append(functools.partial(print, self.save()))
        return "saved"

    async def kept_deep_in_self(self):
        self._jobs["mail"].append(("now", self.put()))
        return "saved"

    async def own_subscripted(self):
        saved = self.save()
        return saved["n"]

    async def own_added(self):
        saved = self.save()
        return saved + 1

    async def own_as_json(self):
        return json.dumps({"saved": self.save()})

    async def own_joined(self):
        saved = [self.save()]
        return ", ".join(saved)

    async def own_unpacked(self):
        saved = self.save()
        return [*saved]

    async def own_in_an_error(self):
        raise ValueError(self.save())

    async def own_as_the_answer(self):
        return self.save()

    async def own_in_the_answer(self):
        return {"done": [self.save()]}

    async def own_in_a_body(self):
        await self.call("store", "/put", {"key": "k", "value": self.save()})

    async def own_in_a_text(self):
        return f"{self.save()}"

    async def own_at_the_end(self):
        try:
            return "saved"
        finally:
            self.save()

    async def own_where_all_is_caught(self):
        with contextlib.suppress(Exception):
            self.save()
            await self.sleep(0.1)
        return "saved"

    async def own_in_a_gather(self):
        await self.gather(self.sleep(0.1), self.own())

    async def a_function(self):
        save(self)
        return "saved"

    async def a_function_within(self):
        async def inner():
            await self.put()

        inner()
        return "saved"

    # ---- not forgotten
    async def later(self):
        calls = [self.call("store", "/get", {"key": "k"}) for _ in range(2)]
        return [(await call).status for call in calls]

    async def own_later(self):
        kept, self._later = self.save(), self.save()
        await self.sleep(0.1)
        return [await kept, await self._later]

    async def own_passed_on(self):
        return await self.gather(self.save(), self.awaited(self.save()))


FORGETS = [name for name in vars(Hasty) if not name.startswith("_")]
KEEPS = FORGETS[FORGETS.index("later") :]
FORGETS = FORGETS[FORGETS.index("statement") : FORGETS.index("later")]


@pytest.mark.parametrize("how", FORGETS)
def test_a_forgotten_await_is_an_error_by_its_line_and_nothing_was_done(world, how):
    answer = world.call("web", "/", how)
    assert answer.status == 500
    assert "write await before it" in answer.body["error"]
    assert "line " in answer.body["error"]
    told = [row.data for row in world.trace.rows if row.kind == "error"][-1]
    assert told == answer.body["error"]
    assert world.call("store", "/get", {"key": "k"}).body is None
    assert world.call("web", "/", "later").status == 200  # nothing of it is left


@pytest.mark.parametrize("how", KEEPS)
def test_what_is_awaited_later_or_by_another_is_done(world, how):
    assert world.call("web", "/", how).body in ([200, 200], [1, 1])
    world.call("store", "/delete", {"key": "k"})


class Waits(Node):
    async def save(self):
        await self.sleep(1)

    async def handle(self, request):
        later = self.save()
        await self.sleep(5)
        await later


class Collects(Node):
    async def handle(self, request):
        return gc.collect() > 0


def test_a_node_is_not_blamed_for_what_another_world_left_when_nobody_had_it_any_more():
    gc.collect()
    for _ in range(20):
        world = World()
        world.start("waits", Waits)
        world.call("waits", wait=False)
        world.run(1)
        del world
        world = World()
        world.start("collects", Collects)
        assert world.call("collects").body is True


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("Response(self.save())", "did not await save(), so nothing"),
        ("{self.save(): 1}", "did not await save(), so nothing"),
        ("await self.gather([self.save()])", "write self.gather(*those)"),
        ("await self.gather(self.save() for _ in 'ab')", "write self.gather(*those)"),
        ("await self.call('x', via=self.save())", "via is save() without await; nothing was sent"),
    ],
)
def test_what_was_not_awaited_is_told_where_it_stands_in_an_answer_a_gather_or_a_call(
    world, answer, told
):
    names = {"Waits": Waits, "Response": Response}
    exec(
        f"class Answers(Waits):\n    async def handle(self, request):\n        return {answer}",
        names,
    )
    world.start(answer, names["Answers"])
    assert told in world.call(answer).body["error"]
    world.kill(answer)


@pytest.mark.parametrize("via", ["[1]", "{'a'}", "object()", "self", "(1, [2])", "1.5"])
def test_what_cannot_name_a_connection_is_no_via(world, via):
    names = {"Node": Node}
    call = f"await self.call('x', via={via})"
    exec(f"class Calls(Node):\n    async def handle(self, request):\n        {call}", names)
    world.start(f"via {via}", names["Calls"])
    told = world.call(f"via {via}").body["error"]
    assert told.startswith("TypeError: via is ")
    assert "; nothing was sent: name the connection by a str, " in told
    world.kill(f"via {via}")


class Passes(Node):
    async def handle(self, request):
        return (await self.call("waits", via=(request.peer, None, "a"))).status


def test_what_a_request_brings_may_name_a_connection_with_more_beside_it(world):
    world.start("waits", Node)
    world.start("passes", Passes)
    assert world.call("passes").body == 404
    world.kill("passes")
    world.kill("waits")


class Coro(Node):
    async def save(self):
        await self.sleep(1)


class Awaitless(Coro):
    def __init__(self):
        self.save()


class Naps(Coro):
    def __init__(self):
        self._nap = self.sleep(1)


class AsyncInit(Coro):
    async def __init__(self):
        pass


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (Awaitless, r"did not await save\(\), so nothing of it happened.*line \d+: self.save\(\)"),
        (Naps, r"new.__init__ has an effect \(sleep\): move it to run"),
        (AsyncInit, r"AsyncInit.__init__ returned a coroutine: write def __init__"),
    ],
)
def test_a_forgotten_await_in_init_is_an_error_of_the_start(world, factory, sentence):
    with pytest.raises((TypeError, RuntimeError), match=sentence):
        world.start("new", factory)
    assert "new" not in world.names


class Returns(Coro):
    async def run(self):
        return self.save()


class Keeps(Coro):
    async def run(self):
        self._later = self.save()


@pytest.mark.parametrize("factory", [Returns, Keeps])
def test_a_forgotten_await_at_the_end_of_run_is_its_error(world, factory):
    name = factory.__name__
    world.start(name, factory)
    while world.status(name) != "dead":
        world.run(0.01)
    node, of = crashes(world)[-1]
    assert node == name
    assert "did not await save()" in of


def test_a_coroutine_that_no_node_has_made_is_pythons_affair():
    with pytest.warns(RuntimeWarning, match="was never awaited"):
        save(None)


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
WAITS = "a node waits with self.sleep, self.call and self.gather only"


class Plain(Node):
    async def nothing(self):
        pass


class MakesATask(Plain):
    async def handle(self, request):
        asyncio.create_task(self.nothing())  # noqa: RUF006


class AsksThePolicy(Plain):
    async def handle(self, request):
        asyncio.get_event_loop_policy().get_event_loop().create_task(self.nothing())


class CatchesAll(Plain):
    async def handle(self, request):
        with contextlib.suppress(Exception):
            await asyncio.sleep(1)
        return "slept"


class InInit(Plain):
    def __init__(self):
        self._task = asyncio.ensure_future(self.nothing())


class Gathers(Plain):
    async def handle(self, request):
        await asyncio.gather(self.sleep(1), self.sleep(2))


class ByItsName(Plain):
    async def handle(self, request):
        await nap(0)


class Imports(Plain):
    async def handle(self, request):
        from asyncio import sleep

        await sleep(0)


class Threads(Plain):
    async def handle(self, request):
        threading.Thread(target=len, args=("",)).start()


class IsAThread(threading.Thread):
    pass


class ThreadsOfItsOwn(Plain):
    async def handle(self, request):
        IsAThread().start()


class Pools(Plain):
    async def handle(self, request):
        with futures.ThreadPoolExecutor() as pool:
            return pool.submit(len, "").result()


class Processes(Plain):
    async def handle(self, request):
        with ThePool() as pool:
            return pool.submit(len, "").result()


class Stops(Plain):
    async def handle(self, request):
        time.sleep(0.1)


class StopsByItsName(Plain):
    async def handle(self, request):
        stop(0.1)


class StopsByAnImport(Plain):
    async def handle(self, request):
        import time as clocks

        clocks.sleep(0.1)


class StopsByAnotherImport(Plain):
    async def handle(self, request):
        from time import sleep as wait

        wait(0.1)


BESIDE = [
    Stops, StopsByItsName, StopsByAnImport, StopsByAnotherImport,
    MakesATask, AsksThePolicy, CatchesAll, InInit, Gathers, ByItsName, Imports, Threads,
    ThreadsOfItsOwn, Pools, Processes,
]  # fmt: skip


@pytest.mark.parametrize("factory", BESIDE)
def test_what_would_run_beside_a_node_or_stop_it_is_refused_at_its_start(world, factory):
    with pytest.raises(TypeError, match=WAITS) as refused:
        world.start("new", factory)
    assert "in line " in str(refused.value) or factory is ThreadsOfItsOwn  # it is its base
    assert "new" not in world.names


class Loops(Node):
    """Uses a library that asks for asyncio's loop, which a notebook has, and a live process."""

    async def handle(self, request):
        return await getattr(self, request.body)()

    async def sleep_there(self):
        await anyio.sleep(1)

    async def yield_there(self):
        await anyio.sleep(0)

    async def catch_all(self):
        with contextlib.suppress(Exception):
            await anyio.sleep(0)
        return "slept"

    async def thread(self):
        await anyio.to_thread.run_sync(len, "")

    async def fetch(self):
        async with httpx.AsyncClient() as client:
            await client.get("http://127.0.0.1:1")


ASKS = [name for name in vars(Loops) if not name.startswith("_") and name != "handle"]


@pytest.mark.parametrize("how", ASKS)
def test_asyncio_by_a_library_is_an_error_of_the_handler(world, how):
    assert WAITS in world.call("loops", "/", how).body["error"]


def test_asyncio_by_a_library_is_an_error_where_a_loop_runs_and_the_loop_is_left_as_it_was():
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
    assert all(WAITS in text for text in said)


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


class UnsayableToo(Exception):
    def __str__(self):
        raise SystemExit


def fails(how):
    if how == "long":
        raise ValueError("x" * 1_000_001)
    if how == "digits":
        raise ValueError(10**5000)
    if how == "exit":
        sys.exit(10**5000)
    raise UnsayableToo if how == "too" else Unsayable


class Fails(Node):
    async def handle(self, request):
        fails(request.body)


class FailsAtWork(Node):
    def __init__(self, how):
        self.how = how

    async def run(self):
        fails(self.how)


class FailsToBegin(Node):
    def __init__(self, how):
        fails(how)


def test_an_error_that_cannot_be_said_or_is_too_long_is_a_500_all_the_same(world):
    world.start("fails", Fails)
    for how in ("long", "digits", "unsayable", "too"):
        answer = world.call("fails", "/", how, timeout=9)
        assert answer.status == 500
        assert len(answer.body["error"]) < 1_200


OF = {
    "digits": "ValueError", "exit": "SystemExit", "unsayable": "Unsayable", "too": "UnsayableToo"
}  # fmt: skip


@pytest.mark.parametrize("how", OF)
def test_an_error_of_run_that_cannot_be_said_is_a_crash_all_the_same(world, how):
    world.start(f"at work {how}", FailsAtWork, how)
    while world.status(f"at work {how}") != "dead":
        world.run(0.01)
    assert crashes(world)[-1] == (f"at work {how}", OF[how])


@pytest.mark.parametrize("how", OF)
def test_an_error_of_init_that_cannot_be_said_is_one_of_the_start_all_the_same(world, how):
    with pytest.raises(RuntimeError, match=rf"begins did not start: {OF[how]}$"):
        world.start("begins", FailsToBegin, how)
    assert "begins" not in world.names
    assert world.call("store", "/get", {"key": "k"}).status == 200


class Fine(enum.IntEnum):
    CREATED = 201


class Silly(enum.IntEnum):
    LOW = 99


class Statuses(Node):
    async def handle(self, request):
        return Response(Silly.LOW if request.body else Fine.CREATED, "made")


def test_a_member_of_an_int_enum_is_a_status(world):
    world.start("statuses", Statuses)
    answer = world.call("statuses")
    assert (answer.status, type(answer.status), answer.body) == (201, int, "made")
    reply = [row.data for row in world.trace.rows if row.kind == "reply"][-1]
    assert type(reply[0]) is int
    answer = world.call("statuses", "/", 1)
    assert answer.status == 500
    assert "is not an int from 200 to 599" in answer.body["error"]


def test_a_line_whose_text_is_not_here_is_told_by_its_number():
    names = {"Node": Node, "__name__": "a_cell"}
    text = "class Web(Node):\n    async def handle(self, request):\n        self.sleep(1)\n"
    exec(compile(text, "a cell", "exec"), names)
    world = World()
    world.start("web", names["Web"])
    assert world.call("web").body["error"].endswith("write await before it (line 3)")
