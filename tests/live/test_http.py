"""A live node as any HTTP client sees it, curl for one: raw bytes over a socket."""

import contextlib
import json
import socket
from http.client import HTTPConnection

import pytest
from processes import desk_of

from statelab.live.world import LiveWorld
from statelab.node import Node

pytestmark = pytest.mark.live


class Echo(Node):
    async def handle(self, request):
        return {"path": request.path, "body": request.body, "headers": request.headers}


@pytest.fixture(scope="module")
def world():
    with LiveWorld() as world:
        world.start("web", Echo)
        yield world


def exchange(world, data, *more):
    """Sends bytes to the node; returns the status and the body of each answer."""
    with socket.create_connection(("127.0.0.1", world.port("web")), timeout=10) as sock:
        file = sock.makefile("rb")
        answers = []
        for part in (data, *more):
            sock.sendall(part)
            answers.append(read_answer(file))
        return answers if more else answers[0]


def read_answer(file):
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().strip()) != b"":
        name, value = line.split(b": ", 1)
        headers[name.decode().lower()] = value.decode()
    body = file.read(int(headers.get("content-length", 0)))
    if headers.get("content-type") == "application/json":
        body = json.loads(body)
    return status, body, headers


def request(body=b"", head="POST / HTTP/1.1", *headers):
    lines = [head, "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_plain_client_gets_an_answer_and_may_send_again(world):
    first, second = exchange(
        world, request(b'{"a": 1}', "PUT /p?q=1 HTTP/1.1", "X-Mine: yes"), request()
    )
    assert first[:2] == (
        200, {"path": "/p?q=1", "body": {"a": 1}, "headers": {"x-mine": "yes"}}
    )  # fmt: skip
    assert second[1]["body"] is None
    assert first[2]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"NaN", "NaN is no JSON"),
        (b"[" * 102 + b"]" * 102, "nested more than 100 deep"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"1e999", "which JSON has no form for"),
    ],
)
def test_a_body_that_is_no_json_gets_400_and_the_reason(world, body, text):
    status, answer, _ = exchange(world, request(body))
    assert status == 400
    assert text in answer["error"]
    assert exchange(world, request(b"1"))[0] == 200


@pytest.mark.parametrize("body", [b'"%s"' % (b"x" * 1_000_001), b"1" + b" " * 33_000_000])
def test_a_body_too_large_gets_413(world, body):
    status, answer, _ = exchange(world, request(body))
    assert status == 413
    assert "too large" in answer["error"]
    assert exchange(world, request(b"1"))[0] == 200


def test_a_method_that_no_node_knows_gets_405(world):
    status, answer, headers = exchange(world, request(head="PURGE / HTTP/1.1"))
    assert status == 405
    assert "PURGE is none of GET" in answer["error"]
    assert headers["allow"].startswith("GET, HEAD, POST")


def test_an_answer_to_head_says_no_length_that_one_to_get_would_not_have(world):
    said = {}
    with contextlib.closing(HTTPConnection("127.0.0.1", world.port("web"), timeout=10)) as client:
        for method in ("GET", "HEAD", "GET"):  # and the connection can still be used
            client.request(method, "/")
            answer = client.getresponse()
            said[method] = answer.headers
            assert bool(answer.read()) == (method == "GET")
    assert said["HEAD"]["content-type"] == said["GET"]["content-type"]
    assert said["HEAD"]["content-length"] in (None, said["GET"]["content-length"])


def test_what_is_no_http_is_turned_away_and_the_node_lives(world):
    assert exchange(world, b"hello?\r\n\r\n")[0] == 400
    assert exchange(world, request(b"1"))[0] == 200


def test_a_body_in_chunks_is_read(world):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(world, head + b"2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n")[1]["body"] == [1, 2]


def test_a_connection_may_idle_longer_than_servers_usually_allow(world):
    with socket.create_connection(("127.0.0.1", world.port("web")), timeout=10) as sock:
        file = sock.makefile("rb")
        sock.sendall(request(b"1"))
        read_answer(file)
        sock.settimeout(5.5)  # uvicorn closes after 5 s, unless told otherwise
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_who_comes_from_outside_is_in_the_trace(world):
    rows = len(world.trace.rows)
    exchange(world, request(b"1"))
    world.run(0.3)
    new = world.trace.rows[rows:]
    assert [(row.kind, row.other) for row in new] == [("receive", "outside"), ("reply", "outside")]
    assert new[0].message == new[1].message
    assert new[1].cause == new[0].seq


def test_a_forged_message_number_does_no_harm(world):
    headers = ("statelab-message: nobody/1", "statelab-path: {")
    assert exchange(world, request(b"1", "POST / HTTP/1.1", *headers))[0] == 200
    assert world.call("web").status == 200


def test_who_leaves_before_the_answer_does_not_stop_the_handler(world):
    class Slow(Node):
        async def handle(self, request):
            await self.sleep(0.1)
            self.log("finished")

    world.start("slow", Slow)
    with socket.create_connection(("127.0.0.1", world.port("slow"))) as sock:
        sock.sendall(request(b"1"))
        world.run(0.05)
    world.run(0.5)
    assert "finished" in [row.data for row in world.trace.rows if row.node == "slow"]


def test_who_does_not_know_the_token_cannot_report(world):
    from statelab.live.transport.control import pack

    rows = len(world.trace.rows)
    with socket.create_connection(("127.0.0.1", desk_of(world)), timeout=5) as sock:
        sock.sendall(b"x" * 32 + pack(("node", 1, 1)))
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    assert len(world.trace.rows) == rows
    assert world.call("web").status == 200
