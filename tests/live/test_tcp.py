"""What the operating system remembers of a real connection, before and after each request."""

import http.client
import socket
import sys

import pytest

from statelab import LiveWorld, Node
from statelab.live import tcp
from statelab.message import IP

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it remembers"),
]
REQUEST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\n[2, 3]"


class Adder(Node):
    async def handle(self, request):
        return sum(request.body)


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        world.start("web", Adder)
        yield world


@pytest.fixture
def sock(world):
    with socket.create_connection((IP, world.port("web"))) as sock:
        sock.settimeout(5)
        yield sock


def answer(sock):
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.read()


def test_the_numbers_go_on_from_request_to_request(sock):
    seen = [tcp.counts(sock)]
    book = tcp.Ledger(sock)
    for _ in range(2):
        sock.sendall(REQUEST)
        assert answer(sock) == b"5"
        seen.append(book.look("answered"))
    size = len(REQUEST)
    assert [now[:3] for now in seen] == [(n * size, n * size, 0) for n in range(3)]
    assert seen[2].received == 2 * seen[1].received > 0
    assert {now.state for now in seen} == {"established"}


def test_what_is_acknowledged_need_not_have_been_read(world, sock):
    book = tcp.Ledger(sock)
    world.pause("web")
    sock.sendall(REQUEST)
    size = len(REQUEST)
    assert book.look("sent to a paused server")[:4] == (size, size, size, 0)
    world.resume("web")
    assert answer(sock) == b"5"
    assert book.look("answered")[:3] == (size, size, 0)


def test_a_new_connection_begins_at_nothing(world, sock):
    sock.sendall(REQUEST)
    answer(sock)
    with socket.create_connection((IP, world.port("web"))) as other:
        assert tcp.counts(other)[:4] == (0, 0, 0, 0)
    assert tcp.counts(sock).sent == len(REQUEST)


def test_the_death_of_the_other_end_is_remembered_too(world, sock):
    sock.sendall(REQUEST)
    answer(sock)  # so the process has taken it in: who still waits for that is told "closed"
    before = tcp.counts(sock)
    world.kill("web")
    assert tcp.Ledger(sock).look("killed") == (*before[:4], "close-wait")


def test_a_broken_connection_is_closed(world, sock):
    world.pause("web")
    sock.sendall(REQUEST)
    tcp.Ledger(sock).look("sent")
    world.kill("web")  # with a request unread, so it is a reset
    assert tcp.counts(sock).state == "closed"


def test_the_table_is_the_same_at_each_run(world):
    texts = set()
    for _ in range(3):
        with socket.create_connection((IP, world.port("web"))) as sock:
            sock.settimeout(5)
            book = tcp.Ledger(sock)
            book.look("opened")
            sock.sendall(REQUEST)
            answer(sock)
            book.look("answered & read")
        texts.add((str(book), book._repr_html_(), book.frame().to_string()))
    ((text, html, frame),) = texts
    assert text.splitlines()[0].split() == [
        "sent", "acknowledged", "unread", "there", "received", "state",
    ]  # fmt: skip
    assert text.splitlines()[2].split()[-5:] == ["55", "55", "0", "71", "established"]
    assert 'text-align:left">answered &amp; read</td>' in html
    assert 'text-align:right">55</td>' in html
    assert "answered & read" in frame


def test_elsewhere_the_state_is_told_and_the_rest_is_not_made_up(world, sock, monkeypatch):
    monkeypatch.setattr(tcp, "LINUX", False)
    sock.sendall(REQUEST)
    answer(sock)
    book = tcp.Ledger(sock)
    assert book.look("answered") == (None, None, None, None, "established")
    assert "?  established" in str(book)
    assert str(book).endswith(tcp.ONLY_LINUX)
    assert tcp.ONLY_LINUX.replace("'", "&#x27;") in book._repr_html_()
    world.kill("web")
    assert book.look("killed").state == "close-wait"
