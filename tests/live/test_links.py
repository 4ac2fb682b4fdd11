"""Faults of live links, beyond what both worlds have in common: see also test_honesty.py."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest
from processes import folder_of, relay_of, spin
from programs import Program

from statelab import LiveWorld, Node, NoReply, Refused, WrongState
from statelab.engines.engine import Command
from statelab.live.transport import fdpass, http_client
from statelab.message import IP

pytestmark = pytest.mark.live


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return [self.count, request.peer[1]]


class Slow(Node):
    """Answers after as many seconds as it is told, with how much else it was told."""

    async def handle(self, request):
        await self.sleep(request.body[0])
        return len(request.body[1])


class Passer(Node):
    """Passes on to `web` what it is told, and counts the answers that it got."""

    def __init__(self):
        self.answers = 0

    async def handle(self, request):
        if request.path == "/answers":
            return self.answers
        if request.path == "/busy":
            spin(request.body)  # nothing else of it runs meanwhile
            return None
        answer = await self.call("web", body=request.body, timeout=60)
        self.answers += 1
        return answer.body


class Echo(Program):
    """A program that knows nothing of its world: it sends back each line.

    To `ends?` it says how many connections have ended; those that ask so are not counted.
    """

    CODE = """if True:
        import socket, sys, threading
        ends = 0

        def serve(near):
            global ends
            asked = False
            try:
                for line in near.makefile("rb"):
                    asked = asked or line == b"ends?\\n"
                    near.sendall(b"%d\\n" % ends if asked else line)
            except ConnectionError:
                pass
            near.close()
            ends += not asked

        with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
            open("ready", "w").close()
            while True:
                threading.Thread(target=serve, args=server.accept()[:1]).start()"""

    def command(self, place):
        return Command([sys.executable, "-c", self.CODE, str(place.port)])

    async def is_up(self, place, life):
        return (place.folder / "ready").exists()


@pytest.fixture
def echo(world):
    """The port of a raw TCP server that the world knows by the name `echo`."""
    world.start("echo", Echo)
    return world.port("echo")


def ends(port):
    with socket.create_connection((IP, port)) as sock:
        sock.sendall(b"ends?\n")
        return int(sock.recv(100))


def says(sock, text, seconds=5.0):
    """What comes within that time; None if nothing does."""
    sock.settimeout(seconds)
    try:
        sock.sendall(text)
        data = b""
        while len(data) < len(text):
            data += sock.recv(1 << 16) or pytest.fail("the other side has closed")
        return data
    except TimeoutError:
        return None


def eventually(look):
    end = time.monotonic() + 5
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)
    return True


# ------------------------------------------------------------------------------- an engine's link
def test_a_raw_tcp_server_behind_a_link_is_held_and_released_in_order(world, echo):
    port = world.port("echo", caller="copy")
    assert port == world.port("echo", caller="copy") != echo
    with socket.create_connection((IP, port)) as sock:
        assert says(sock, b"before\n") == b"before\n"
        world.hold("copy", "echo")
        lines = b"".join(b"%d\n" % number for number in range(20_000))
        assert says(sock, lines, 0.3) is None
        world.release("copy", "echo")
        sock.settimeout(5)
        sock.shutdown(socket.SHUT_WR)
        assert sock.makefile("rb").read() == lines


def test_an_engine_is_cut_off_and_a_new_connection_works_after_the_heal(world, echo):
    port = world.port("echo", caller="copy")
    with socket.create_connection((IP, port)) as old:
        assert says(old, b"1\n") == b"1\n"
        world.partition("echo", "copy")
        assert says(old, b"2\n", 0.2) is None
        with socket.create_connection((IP, port)) as new:  # accepted, and silent
            assert says(new, b"3\n", 0.2) is None
            world.heal("echo", "copy")
            assert says(new, b"4\n", 0.2) is None  # its stream has a hole
        assert says(old, b"5\n", 0.2) is None
        with socket.create_connection((IP, port)) as new:
            assert says(new, b"6\n") == b"6\n"
    assert eventually(lambda: ends(echo) == 2)  # the one in the partition never came through
    rows = world.trace.rows
    drops = [(r.node, r.other, r.message, rows[r.cause].kind) for r in rows if r.kind == "drop"]
    assert drops == [("echo", "copy", None, "partition")] * 2


def test_bytes_of_an_engine_that_are_lost_are_of_the_lose_next_that_was_said(world, echo):
    port = world.port("echo", caller="copy")
    for sender, receiver in (("copy", "echo"), ("echo", "copy")):
        with socket.create_connection((IP, port)) as sock:
            assert says(sock, b"1\n") == b"1\n"
            world.lose_next(sender, receiver)
            assert says(sock, b"2\n", 0.2) is None
    rows = world.trace.rows
    drops = [(r.node, rows[r.cause].node) for r in rows if r.kind == "drop"]
    assert drops == [("echo", "copy"), ("copy", "echo")]


def test_links_are_independent_and_a_direct_connection_goes_by(world, echo):
    ports = [world.port("echo", caller=name) for name in ("one", "two")]
    with contextlib.ExitStack() as stack:
        one, two, direct = (
            stack.enter_context(socket.create_connection((IP, port))) for port in (*ports, echo)
        )
        world.hold("one", "echo")
        world.link("two", "echo", latency=0.05)
        assert says(one, b"1\n", 0.2) is None
        begun = time.monotonic()
        assert says(two, b"2\n") == b"2\n"
        assert time.monotonic() - begun >= 0.1
        assert says(direct, b"3\n") == b"3\n"


def test_ends_of_bytes_go_through_one_by_one(world, echo):
    with socket.create_connection((IP, world.port("echo", caller="copy"))) as sock:
        sock.sendall(b"last\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.makefile("rb").read() == b"last\n"
    assert eventually(lambda: ends(echo) == 1)


def test_an_engine_that_is_not_there_resets(world, echo):
    port = world.port("echo", caller="copy")
    world.kill("echo")
    with socket.create_connection((IP, port)) as sock, pytest.raises(ConnectionError):
        sock.recv(1)


def test_what_is_too_much_to_keep_waits_at_its_sender(world, echo):
    port = world.port("echo", caller="copy")
    world.hold("copy", "echo")
    proxy = relay_of(world)
    with socket.create_connection((IP, port)) as sock:
        sock.setblocking(False)
        before, sent = proxy.memory_info().rss, 0
        end = time.monotonic() + 1
        while time.monotonic() < end and sent < 1 << 28:
            with contextlib.suppress(BlockingIOError):
                sent += sock.send(b"x" * 65536)
        assert sent < 1 << 25
        assert proxy.memory_info().rss - before < 1 << 25


# ------------------------------------------------------------------------------- nodes and clients
def test_a_link_without_a_fault_has_no_proxy(world):
    world.start("web", Counter)
    world.client("alice").post("web")
    assert relay_of(world) is None
    world.hold("alice", "web")
    world.client("bob").post("web")
    (line,) = [c for c in relay_of(world).net_connections() if ours(c, world)]
    assert line.laddr.port == world.client("alice").ports["web"]


def ours(connection, world):
    return connection.raddr and connection.raddr.port == world.port("web")


def test_a_large_request_that_is_half_sent_is_diverted_whole(world):
    world.start("web", Slow)
    alice = world.client("alice")
    assert alice.post("web", body=[0, ""]).body == 0
    world.pause("web")  # so that it does not read
    text = "x" * 900_000
    pending = alice.post("web", body=[0, text], timeout=60, wait=False)
    eventually(lambda: len(world.trace.rows.where("send")) == 2)
    world.hold("alice", "web")
    world.resume("web")
    world.run(0.2)
    assert pending.outcome is None
    world.release("alice", "web")
    assert pending.result().body == len(text)


def test_a_large_reply_is_held_whole_and_comes_whole(world):
    class Large(Node):
        async def handle(self, request):
            return "x" * request.body

    world.start("web", Large)
    alice = world.client("alice")
    world.hold("alice", "web")
    world.release("alice", "web")
    for size in (10, 100_000, 900_000):
        assert len(alice.post("web", body=size).body) == size


def test_a_caller_that_was_paused_when_its_link_was_held_hears_nothing_when_it_goes_on(world):
    world.start("web", Slow)
    world.start("passer", Passer)
    world.client("alice")
    world.hold("alice", "web")  # so that the proxy runs
    pending = world.call("passer", body=[1.0, ""], timeout=60, wait=False)
    world.run(0.2)
    world.pause("passer")
    world.hold("passer", "web")
    replies = [row for row in world.trace.rows if row.kind == "reply"]
    assert not replies  # else this machine is too slow to tell
    world.run(1.2)  # meanwhile the reply has come
    world.resume("passer")
    world.run(0.2)
    assert world.call("passer", "/answers").body == 0
    assert pending.outcome is None
    world.release("passer", "web")
    assert pending.result().body == 0


def test_a_verb_does_not_wait_for_a_node_that_is_busy(world):
    world.start("web", Counter)
    world.start("passer", Passer)
    world.call("passer")
    pending = world.call("passer", "/busy", 2.5, timeout=60, wait=False)
    world.run(0.1)
    begun = time.monotonic()
    world.partition("passer", "web")
    assert time.monotonic() - begun < 2.2
    pending.result()
    with pytest.raises(NoReply):
        world.call("passer", timeout=0.3)


def test_a_request_of_a_caller_that_died_meanwhile_arrives_all_the_same(world):
    world.start("web", Counter)
    world.start("passer", Passer)
    world.call("passer")
    world.hold("passer", "web")
    pending = world.call("passer", timeout=60, wait=False)
    world.run(0.2)
    world.kill("passer")
    with pytest.raises(NoReply):
        pending.result()
    assert world.call("web").body[0] == 2
    world.release("passer", "web")
    assert eventually(lambda: world.call("web").body[0] > 4)


def test_a_node_that_comes_later_has_the_fault_that_was_there_before_it(world):
    world.start("web", Counter)
    world.start("passer", Passer)
    world.partition("passer", "web")
    for name in ("passer", "web"):
        world.kill(name)
        world.restart(name)
    with pytest.raises(NoReply):
        world.call("passer", timeout=0.3)


def test_a_port_is_free_again_although_the_proxy_had_its_socket(world):
    world.start("web", Counter)
    alice = world.client("alice")
    world.hold("alice", "web")
    world.release("alice", "web")
    for _ in range(20):
        port = alice.post("web").body[1]
        alice.reconnect()
        bob = world.client("bob", port=port)
        assert bob.post("web").body[1] == port
        bob.reconnect()


def test_who_calls_in_the_instant_of_a_kill_is_refused_although_the_news_takes_another_hop(world):
    world.start("web", Counter)
    alice = world.client("alice")
    world.hold("alice", "web")
    world.release("alice", "web")
    for _ in range(10):
        alice.post("web")
        world.kill("web")
        with pytest.raises(Refused):
            alice.post("web")
        world.restart("web")


def test_verbs_of_many_threads_at_once(world):
    world.start("web", Counter)
    names = [f"client{number}" for number in range(8)]
    for name in names:
        world.client(name).post("web")

    def work(name):
        for _ in range(5):
            world.hold(name, "web")
            pending = world.client(name).post("web", timeout=60, wait=False)
            world.release(name, "web")
            pending.result()

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.call("web").body[0] == 8 * 6 + 1


# ------------------------------------------------------------------------------- safeguards
def test_without_the_handover_of_the_socket_the_peer_would_be_another(world, monkeypatch):
    """What an ordinary proxy does: it opens a connection of its own."""
    give = fdpass.hand_over

    def own_socket(path, sock, handed):
        with socket.socket() as other:
            return give(path, other, handed._replace(connected=False))

    monkeypatch.setattr(http_client, "hand_over", own_socket)
    world.start("web", Counter)
    alice = world.client("alice")
    port = alice.post("web").body[1]
    world.link("alice", "web", latency=0)
    assert alice.post("web").body[1] != port == alice.ports["web"]


def test_where_no_socket_can_be_handed_over_the_verbs_say_so(world, monkeypatch):
    monkeypatch.setattr(fdpass, "POSSIBLE", False)
    world.start("web", Counter)
    alice = world.client("alice")
    for verb in (world.partition, world.hold, world.lose_next, world.link):
        with pytest.raises(NotImplementedError, match=r"Linux, macOS.+ the simulated World"):
            verb("alice", "web")
    assert alice.post("web").body[0] == 1


# ------------------------------------------------------------------------------- the end
def test_a_world_whose_link_proxy_is_killed_ends_and_says_so(world):
    world.start("web", Counter)
    world.client("alice")
    world.hold("alice", "web")
    folder = folder_of(world)
    relay_of(world).kill()
    eventually(lambda: not folder.exists())
    with pytest.raises(WrongState, match="closed, for its proxy is gone"):
        world.call("web")


def test_an_error_of_the_proxys_own_ends_the_world_and_is_told(world):
    world.start("web", Counter)
    world.client("alice")
    world.hold("alice", "web")
    folder = folder_of(world)
    with socket.socket(socket.AF_UNIX) as sock, socket.socket() as given:
        sock.connect(str(folder / "links"))
        socket.send_fds(sock, [(8).to_bytes(8) + b"nonsense"], [given.fileno()])
    eventually(lambda: not folder.exists())
    with pytest.raises(WrongState, match=r"(?s)its proxy is gone .*UnpicklingError"):
        world.call("web")


def test_close_ends_the_proxy_with_all_that_it_holds(echo, world):
    world.start("web", Counter)
    alice = world.client("alice")
    alice.post("web")
    world.hold("alice", "web")
    pending = alice.post("web", timeout=None, wait=False)
    pid, folder = relay_of(world).pid, folder_of(world)
    world.close()
    with pytest.raises(NoReply):
        pending.result()
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


def test_a_busy_cell_does_not_hold_up_what_two_nodes_say_to_each_other():
    code = """
import time
from statelab import LiveWorld, Node

class Web(Node):
    async def handle(self, request):
        return 1

class Asker(Node):
    def __init__(self):
        self.answers = 0
    async def run(self):
        while True:
            await self.call("web", timeout=60)
            self.answers += 1
    async def handle(self, request):
        return self.answers

with LiveWorld(memory=False) as world:
    world.start("web", Web)
    world.start("asker", Asker)
    world.link("asker", "web", latency=0)
    before = world.call("asker", timeout=60).body
    end = time.monotonic() + 1.0
    big = 3 ** 400_000
    while time.monotonic() < end:
        big * big  # one step of the interpreter, which no other thread interrupts
    print(world.call("asker", timeout=60).body - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) > 20


@pytest.mark.parametrize("length", [77, 78, 79, 120, 200, 1000])
def test_the_temporary_folder_may_have_a_path_of_any_length(tmp_path, monkeypatch, length):
    folder = tmp_path
    while len(str(folder)) < length:
        folder = folder / ("ä" * min(100, (length - len(str(folder))) or 1))
    folder.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with LiveWorld() as world:
        world.start("web", Counter)
        alice = world.client("alice")
        assert alice.post("web").body[0] == 1
        port = alice.ports["web"]
        world.partition("alice", "web")
        world.heal("alice", "web")
        assert alice.post("web").body[0] == 2
        assert alice.ports["web"] == port
    assert list(folder.iterdir()) == []
