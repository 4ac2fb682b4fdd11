"""The death of a live node: who learns of it finds that the world knows; its place is kept."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading

import h11
import psutil
import pytest

from statelab.effects import Call
from statelab.live.driver import warden
from statelab.live.transport import http
from statelab.live.transport.http_client import Caller, HttpConnection
from statelab.live.world import LiveWorld
from statelab.message import NoReply, Refused
from statelab.node import Node

pytestmark = pytest.mark.live
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares a port so")
IP = "127.0.0.1"


# ------------------------------------------------------------------------------- the world knows
class Mortal(Node):
    """Dies in a way of its caller's choice."""

    async def handle(self, request):
        if request.path == "/exit":
            os._exit(3)
        if request.path == "/kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.path == "/abort":
            os.abort()
        if request.path == "/system-exit":
            sys.exit(2)
        if request.path == "/slowly":
            await self.sleep(0.05)
            os._exit(3)
        if request.path == "/channel":  # all that it holds open, so nobody could hear of it again
            os.closerange(3, 1000)
            os._exit(3)
        return "lives"


class Front(Node):
    """Says what became of a request to another."""

    async def handle(self, request):
        try:
            await self.call("web", request.path)
        except (NoReply, Refused) as error:
            return type(error).__name__


WAYS = ["/exit", "/kill", "/abort", "/system-exit", "/slowly", "/channel"]


@pytest.mark.parametrize("way", WAYS)
def test_whose_caller_has_learnt_of_its_death_can_be_restarted_at_once(world, way):
    world.start("web", Mortal)
    alice = world.client("alice")
    for ask in [lambda: world.call("web", way), lambda: alice.get("web", way)] * 4:
        with pytest.raises(NoReply, match="web died"):
            ask()
        assert (world.status("web"), world.pid("web")) == ("dead", None)
        world.restart("web")
        assert world.call("web").body == "lives"
    rows = world.trace.rows
    deaths = {row.seq for row in rows if row.kind in ("crash", "kill")}
    assert {row.cause for row in rows if row.kind == "noreply"} == deaths


@pytest.mark.parametrize("way", WAYS)
def test_a_death_that_a_node_was_told_of_is_known_when_it_has_said_so(world, way):
    world.start("web", Mortal)
    world.start("front", Front)
    for _ in range(5):
        assert world.call("front", way).body == "NoReply"
        assert world.status("web") == "dead"
        world.restart("web")


def test_who_is_refused_finds_the_node_dead(world):
    class Brief(Mortal):
        async def run(self):
            await self.sleep(0.02)
            os._exit(3)

    world.start("web", Brief)
    for _ in range(5):
        refused = False
        while not refused:
            try:
                world.call("web")
            except NoReply:
                pass
            except Refused:
                refused = True
        assert world.status("web") == "dead"
        world.restart("web")


def test_a_death_behind_a_link_with_a_fault_is_known_too(world):
    world.start("web", Mortal)
    world.call("web")
    world.hold("you", "web")
    world.release("you", "web")
    for _ in range(5):
        with pytest.raises(NoReply):
            world.call("web", "/exit")
        assert world.status("web") == "dead"
        with pytest.raises(Refused):
            world.call("web")
        world.restart("web")


# ------------------------------------------------------------------------------- its place is kept
def listens(port, address=IP, *options):
    """Whether somebody else can listen on that port."""
    with socket.socket() as sock:
        try:
            for option in options:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            sock.bind((address, port))
            sock.listen()
        except OSError:
            return False
        return True


@linux
@pytest.mark.parametrize("fork", [True, False])
def test_nobody_takes_the_port_of_a_node_dead_or_alive(fork, monkeypatch):
    monkeypatch.setattr(warden, "FORKS", fork)
    each = [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,)]
    each.append((*each[1], *each[2]))
    with LiveWorld() as world:
        world.start("web", Mortal)
        port = world.port("web")
        for way in ("/exit", "/kill", None):
            world.client("alice").get("web")  # an open connection, which the death breaks
            if way is None:
                world.kill("web")
            else:
                with pytest.raises(NoReply):
                    world.call("web", way)
            for options, address in itertools.product(each, (IP, "0.0.0.0")):
                assert not listens(port, address, *options)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((IP, port))
            with pytest.raises(Refused):
                world.call("web")
            world.restart("web")
            assert world.call("web").body == "lives"
            assert not listens(port, IP, *each[-1])
    assert listens(port, IP, *each[-1])


def test_who_takes_the_place_of_a_node_all_the_same_learns_no_secret_by_that():
    """What it hears lets it say nothing else, and nothing to another."""
    heard = []

    def serve(sock):
        heard.append(sock.recv(1 << 16))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")

    assert Asked().ask(serve).body == 1
    method, target, _ = heard[0].partition(b"\r\n")[0].split()
    mark = re.search(rb"statelab: (.*)\r", heard[0])[1]
    assert Asked.SECRET.encode() not in heard[0]

    def taken(value, method=method, target=target, to="web"):
        headers = [("host", "localhost"), ("statelab", value)]
        request = h11.Request(method=method, target=target, headers=headers)
        return http.ours(request, Asked.SECRET, to)

    assert taken(mark) == ("a.1", None, mark)
    assert not taken(mark, to="bank")
    assert not taken(mark, method=b"PUT")
    assert not taken(mark, target=b"/pay")
    assert not taken(mark.replace(b"a.1", b"a.2"))
    assert not taken(mark + b' "/pay"')
    assert not taken(mark[1:])


@linux
@pytest.mark.engines("redis")
def test_nobody_takes_the_port_of_a_dead_engine(world):
    from statelab.engines import Redis

    world.start("redis", Redis)
    for _ in range(2):
        psutil.Process(world.pid("redis")).kill()
        while world.status("redis") != "dead":
            world.run(0.01)
        assert not listens(world.port("redis"), IP, socket.SO_REUSEADDR)
        world.restart("redis")


# ------------------------------------------------------------------------------- another's answers
class Asked:
    """What a caller of its own asks a server that we are."""

    SECRET = "01234567"

    def __init__(self):
        self.rows, self.cause = [], None

    def ask(self, serve, count=1, times=1):
        """The outcome of the last call to `serve(sock)`, which gets `count` connections."""

        async def run():
            loop = asyncio.get_running_loop()
            with socket.create_server((IP, 0)) as server:
                server.settimeout(10)
                threading.Thread(target=self._serve, args=(server, serve, count)).start()
                caller = Caller(
                    "alice", "a.", loop, lambda name: server.getsockname()[1],
                    lambda *row: self.rows.append(row[0]) or len(self.rows),
                    lambda task, value, error: ended.set_result(value or error),
                    self.SECRET, "", set(),
                )  # fmt: skip
                for _ in range(times):
                    ended = loop.create_future()
                    caller.call(self, Call("web", "/", None, "POST", None, None))
                    outcome = await asyncio.wait_for(ended, 10)
                caller.close_all("the end")
                return outcome

        return asyncio.run(run())

    def _serve(self, server, serve, count):
        for _ in range(count):
            sock, _ = server.accept()
            with sock, contextlib.suppress(ConnectionResetError):
                serve(sock)


def says(body, head=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):
    def serve(sock):
        sock.recv(1 << 16)
        sock.sendall(head % len(body) + body if b"%d" in head else head + body)
        sock.recv(1)

    return serve


SENSELESS = [
    b'"%s"' % (b"x" * 1_000_001), b"[" + b"0," * 1_000_000 + b"0]", b"[" * 102 + b"]" * 102,
    b"[" * 100_000, b"9" * 4_200, b"9" * 5_000, b"NaN", b"1e999", b"rubbish", b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("body", SENSELESS, ids=range(len(SENSELESS)))
def test_an_answer_that_no_node_can_have_said_is_no_reply(body):
    error = Asked().ask(says(body))
    assert type(error) is NoReply
    assert "makes no sense" in str(error)
    assert "it may or may not have happened" in str(error)
    assert len(str(error)) < 500


def test_what_is_no_http_is_no_reply():
    assert type(Asked().ask(says(b"rubbish\r\n\r\n", b""))) is NoReply
    assert Asked().ask(says(json.dumps(["fine"]).encode())).body == ["fine"]


def test_what_follows_an_answer_is_no_answer_to_the_next_request():
    answers = iter([b"1" + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3", b"2"])

    def serve(sock):
        sock.recv(1 << 16)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + next(answers))
        sock.recv(1)

    asked = Asked()
    assert asked.ask(serve, 2, times=2).body == 2
    assert asked.rows == ["connect", "send", "answer", "close"] * 2


def test_a_connection_that_is_closed_before_anything_was_said_costs_no_call(monkeypatch):
    """It was not sent, so it goes by another one."""
    closed = threading.Event()
    opened = HttpConnection.open

    async def late(connection):
        await opened(connection)
        assert closed.wait(5)

    def serve(sock):
        if not closed.is_set():
            sock.shutdown(socket.SHUT_RDWR)
            closed.set()
        else:
            says(b"1")(sock)

    monkeypatch.setattr(HttpConnection, "open", late)
    asked = Asked()
    assert asked.ask(serve, 2).body == 1
    assert asked.rows == ["connect", "close", "connect", "send", "answer", "close"]
