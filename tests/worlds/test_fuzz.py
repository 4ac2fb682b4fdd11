"""What nobody would send on purpose, drawn at random: names, bodies, headers and bytes.

A few hundred cases of each here; `python3 lab.py soak` draws 10,000. What it finds becomes a test
of its own where it belongs.
"""

import contextlib
import json
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statelab import LiveWorld, Node, NoReply, Refused, World, WrongState

pytestmark = [pytest.mark.fuzz, pytest.mark.live]

# Errors of ours: each says what was wrong. Anything else is a fault that leaks out.
OURS = (TypeError, ValueError, LookupError, WrongState, Refused, NoReply)
texts = st.one_of(
    st.text(max_size=250),
    st.text("./\\:%~\0\x1b\ud800 가힣é", max_size=30),
    st.sampled_from(["..", ".", "files", "links", "ports.new", "you", "CON", "a" * 201, "한" * 29]),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.binary(max_size=5),
    st.sampled_from([1e308, object(), {1}, 1j, 2**63]),
    st.integers(3_900, 5_000).map(lambda digits: 10**digits),  # whose repr may raise
)
bodies = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(scalars.filter(lambda key: key.__hash__ is not None), inner, max_size=4),
    ),
    max_leaves=12,
)
names_of_headers = st.one_of(texts, st.sampled_from(["Host", "content-length", "X-A", "te", "a b"]))


class Echo(Node):
    def __init__(self):
        self.seen = 0

    async def handle(self, request):
        self.seen += 1
        return [request.method, request.path, sorted(request.headers.items()), request.body]


@pytest.fixture(scope="module")
def worlds():
    """A simulated world and a live one, each with an echo in it."""
    with LiveWorld() as live:
        both = World(), live
        for world in both:
            world.start("echo", Echo)
        yield both


def outcome(do):
    """What came of it, in a form that both worlds must agree on."""
    try:
        answer = do()
    except OURS as error:
        return type(error).__name__
    return None if answer is None else (answer.status, answer.body, answer.headers)


@given(body=bodies)
def test_a_body_comes_to_the_same_in_both_worlds(worlds, body):
    one, other = (outcome(lambda w=world: w.call("echo", "/", body, timeout=9)) for world in worlds)
    assert json.dumps(one) == json.dumps(other)


@given(
    path=st.one_of(texts, texts.map("/".__add__)),
    headers=st.dictionaries(names_of_headers, texts, max_size=5),
    method=st.one_of(texts, st.sampled_from(["GET", "HEAD", "PUT", "get"])),
)
@example(path="/" + "a" * 70_000, headers={}, method="GET")
@example(path="/", headers={"a": "b" * 70_000}, method="GET")
def test_a_request_comes_to_the_same_in_both_worlds(worlds, path, headers, method):
    def do(world):
        return world.call("echo", path, method=method, headers=headers, timeout=9)

    one, other = (outcome(lambda w=world: do(w)) for world in worlds)
    assert json.dumps(one) == json.dumps(other)


@given(name=texts)
def test_any_name_of_a_client_is_served_or_refused_alike(worlds, name):
    def do(world):
        client = world.client(name)
        try:
            return client.get("echo", "/name", timeout=9)
        finally:
            client.reconnect()

    one, other = (outcome(lambda w=world: do(w)) for world in worlds)
    assert one == other


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """A folder for temporary files that nobody else uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("own")))
        yield Path(tempfile.tempdir)


@pytest.fixture(scope="module")
def alone(own_folder):
    """A simulated world and a live one, which is alone with its files."""
    with LiveWorld() as live:
        yield World(), live
    assert not list(own_folder.iterdir())


@given(name=texts)
def test_any_name_of_a_node_lives_and_dies_or_is_refused_alike(own_folder, alone, name):
    def day(world):
        world.start(name, Echo)
        world.kill(name)
        world.restart(name)
        answer = world.call(name, "/", name, timeout=9)
        world.kill(name)
        return answer

    one, other = (outcome(lambda w=world: day(w)) for world in alone)
    assert one == other
    assert list(own_folder.iterdir()) == [alone[1].folder.parent]


REQUEST = b"POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nX-A: b\r\n\r\n10"
PIECES = (b"\r\n", b"\n", b"\0", b" ", b"Content-Length: 99999999999\r\n", b"Host: a\r\n", b"\xff",
          b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.1", b"/" * 9000,
          b"[" * 9000, b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"GET / HTTP/1.1\r\n\r\n",
          b"A: " + b"b" * 9000)  # fmt: skip
changes = st.lists(
    st.tuples(
        st.integers(0, len(REQUEST)),
        st.integers(0, 12),
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)),
    ),
    max_size=4,
)


def changed(request, cuts):
    for at, size, piece in cuts:
        request = request[:at] + piece + request[at + size :]
    return request


@given(request=st.one_of(changes.map(lambda cuts: changed(REQUEST, cuts)), st.binary(max_size=99)))
def test_whatever_bytes_a_stranger_sends_a_node_lives_and_answers_the_next(worlds, request):
    live = worlds[1]
    with socket.create_connection(("127.0.0.1", live.port("echo")), timeout=9) as stranger:
        with contextlib.suppress(ConnectionError):  # it may have had enough of them
            stranger.sendall(request)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(1 << 16):
                pass
    assert live.call("echo", "/", 1, timeout=9).status == 200
