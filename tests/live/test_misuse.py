"""Verbs that do not apply, and nodes that cannot start."""

import contextlib
import os
import shutil
import signal
import threading

import pytest
from live_nodes import Caller, Counter, Sleeper, kinds
from processes import folder_of, spin, wait_until, warden_of

from statelab.effects import UnknownNode, WrongState
from statelab.engines.engine import Engine
from statelab.live.world import LiveWorld
from statelab.message import NoReply, Refused
from statelab.node import Node

pytestmark = pytest.mark.live


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
        (lambda: world.partition("web", "wab"), UnknownNode, "no node is named 'wab'"),
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
    wait_until(lambda: "disk" in kinds(world))
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


@contextlib.contextmanager
def no_room(pid=0):
    """In the block, a process can write no file; nor can those that it starts."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits another process")
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class Writer(Engine):
    @classmethod
    def missing(cls):
        return ""

    def prepare(self, place):
        place.write("conf", "text")


@pytest.mark.parametrize("factory", [Counter, Writer])
def test_a_start_where_no_file_can_be_written_says_so_and_leaves_the_name_free(world, factory):
    world.start("a", Caller)
    with no_room(), pytest.raises(RuntimeError, match="b did not start, and nothing of it is left"):
        world.start("b", factory)
    assert world.names == {"a": "up"}
    with pytest.raises(UnknownNode):
        world.call("b")
    assert world.call("a", body={"to": "b"}).body["error"].startswith("UnknownNode")
    world.start("b", Counter)
    assert world.call("a", body={"to": "b"}).body == [1]


def test_a_node_that_cannot_say_why_it_fails_in_its_log_says_it_all_the_same(world):
    class Picky(Node):
        def __init__(self):
            raise ValueError("no good day")

    world.start("a", Counter)
    with no_room(warden_of(world).pid):
        with pytest.raises(RuntimeError, match="b did not start: ValueError: no good day"):
            world.start("b", Picky)
        world.start("b", Counter)
        world.kill("b")
        world.restart("b")
        assert (world.call("a").body, world.call("b").body) == (1, 1)


def test_a_process_that_cannot_have_its_log_is_not_started(world):
    world.start("a", Counter)
    world.start("b", Counter)
    world.kill("b")
    verbs = {
        "2.log": lambda: world.restart("b"),
        "3.log": lambda: world.start("c", Counter),
        "proxy.log": lambda: world.partition("a", "b"),
    }
    for name, verb in verbs.items():
        log = folder_of(world) / name
        log.unlink(missing_ok=True)
        log.mkdir()
        with pytest.raises(RuntimeError, match=f"Is a directory: .*{name}"):
            verb()
        log.rmdir()
    assert world.names == {"a": "up", "b": "dead"}
    world.restart("b")
    world.partition("a", "b")
    world.start("c", Counter)
    assert world.call("a").body == 1


def test_a_link_proxy_that_cannot_start_fails_its_verb_and_not_the_world(world):
    world.start("a", Counter)
    world.client("alice")
    taken = folder_of(world) / "links"
    taken.mkdir()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"(?s)the link proxy did not start.*in use"):
            world.hold("alice", "a")
    assert world.client("alice").post("a").body == 1
    taken.rmdir()
    world.hold("alice", "a")
    with pytest.raises(NoReply):
        world.client("alice").post("a", timeout=0.1)


def test_a_call_to_a_node_that_is_still_starting_ends(world):
    class Slow(Node):
        def __init__(self):
            spin(0.5)

        async def handle(self, request):
            return "here"

    def call():
        wait_until(lambda: "slow" in world.names)
        while not ended or ended[-1] != "here":
            try:
                ended.append(world.call("slow", timeout=0.1).body)
            except (Refused, NoReply) as error:
                ended.append(type(error))

    ended = []
    thread = threading.Thread(target=call)
    thread.start()
    world.start("slow", Slow)
    thread.join(5)
    assert ended[0] is Refused
    assert ended[-1] == "here"


def test_the_end_of_a_world_of_many_nodes_is_silent(caplog):
    with LiveWorld() as world:
        for number in range(9):
            world.start(f"web-{number}", Counter)
    assert caplog.messages == []


@pytest.mark.skipif(os.name != "posix", reason="a process is stopped")
def test_a_verb_that_nobody_answers_says_so(monkeypatch):
    monkeypatch.setattr("statelab.live.driver.processes.STEP_S", 0.3)
    with LiveWorld() as world:
        world.start("web", Counter)
        os.kill(warden_of(world).pid, signal.SIGSTOP)
        with pytest.raises(RuntimeError, match="did not answer in time, so this may or may not"):
            world.pause("web")


def test_a_folder_that_somebody_else_has_removed_is_no_end_of_the_world():
    with LiveWorld() as world:
        world.start("web", Counter)
        shutil.rmtree(folder_of(world))
        with pytest.raises(FileNotFoundError):
            _ = world.folder
        assert world.call("web").body == 1


def test_a_closed_world_says_so():
    world = LiveWorld()
    world.start("web", Sleeper)
    alice = world.client("alice")
    pending = alice.post("web", body=30, timeout=None, wait=False)
    wait_until(lambda: "receive" in kinds(world))
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
        lambda: world.folder,
        lambda: world.port("web", caller="alice"),
        lambda: world.client("bob"),
        lambda: world.hold("alice", "web"),
    ):
        with pytest.raises(WrongState, match="this world is closed: make a new one"):
            verb()
    assert world.status("web") == "dead"
    assert world.trace.rows[0].kind == "start"
