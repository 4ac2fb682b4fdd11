"""What strangers send to a live node: halves of requests, pages of the web, floods, forgeries."""

import contextlib
import json
import resource
import shutil
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from processes import desk_of, folder_of, relay_of, wait_until

from statelab.live.child import strangers
from statelab.live.world import LiveWorld
from statelab.node import Node

pytestmark = pytest.mark.live

POST = "POST /pay HTTP/1.1\r\nHost: localhost\r\n"


class Bank(Node):
    def __init__(self):
        self.paid = []

    async def handle(self, request):
        if request.path == "/pay":
            self.paid.append(request.body)
        if request.path == "/slow":
            await self.sleep(0.5)
        return {"paid": self.paid, "headers": request.headers, "path": request.path}


@pytest.fixture(scope="module")
def world():
    with LiveWorld() as world:
        world.start("bank", Bank)
        yield world


@pytest.fixture(autouse=True)
def pays(world):
    """What a test of this file pays, nothing if it does not say; and the bank still answers."""
    before, pays = paid(world), []
    yield pays
    assert paid(world)[len(before) :] == pays


def paid(world):
    return world.call("bank", "/ask", timeout=10).body["paid"]


def connect(world):
    return socket.create_connection(("127.0.0.1", world.port("bank")), timeout=10)


def said(world, data, *, half_close=False):
    """All that the node answers to these bytes, until it closes."""
    with connect(world) as sock:
        sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return all_of(sock)


def all_of(sock):
    data = b""
    while part := sock.recv(1 << 16):
        data += part
    return data.decode()


def status(world, data, **options):
    return int(said(world, data, **options).split(" ", 2)[1])


# ------------------------------------------------------------------------------- halves
HALVES = [
    POST + "Content-Length: 4\r\n\r\n",
    POST + "Content-Length: 4\r\n\r\n1",
    POST + "Content-Length: 4\r\n\r\n100",
    POST + "Content-Length: 100000\r\n\r\n" + "1" * 99_999,
    POST + "Content-Length: 0",
    POST + "Content-Length: 0\r\n",
    POST + "Transfer-Encoding: chunked\r\n\r\n",
    POST + "Transfer-Encoding: chunked\r\n\r\n2\r\n1",
    POST + "Transfer-Encoding: chunked\r\n\r\n2\r\n10\r\n",
    POST + "Transfer-Encoding: chunked\r\n\r\n2\r\n10\r\n0\r\n",
    POST + "Transfer-Encoding: chunked\r\n\r\n2\r\n10\r\n0\r\nTrailer: 1\r\n",
    POST + "Transfer-Encoding: gzip\r\n\r\n10",
    POST + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n1",
    "POST /pay HTTP/1.0\r\nContent-Length: 4\r\n\r\n10",
    "POST /pay",
    "",
]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_is_none_however_it_ends(world, half):
    for end in ("close", "half", "reset"):
        with connect(world) as sock:
            sock.sendall(half.encode())
            if end == "half":
                sock.shutdown(socket.SHUT_WR)
                answer = all_of(sock).removeprefix("HTTP/1.1 100 \r\n\r\n")
                assert answer == "" or answer.startswith(("HTTP/1.1 400", "HTTP/1.1 501"))
            elif end == "reset":
                linger = b"\1\0\0\0\0\0\0\0"
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def test_a_whole_request_is_handled_though_its_sender_is_gone(world, pays):
    for amount in (10, 11):
        with connect(world) as sock:
            sock.sendall(f"{POST}Content-Length: 2\r\n\r\n".encode())
            sock.sendall(str(amount).encode())
    answer = said(world, POST + "Content-Length: 2\r\n\r\n12", half_close=True)
    assert answer.startswith("HTTP/1.1 200")
    chunks = "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n1\r\n1\r\n3\r\n0\r\n\r\n"
    assert status(world, POST + chunks) == 200
    pays += [10, 11, 12, 13]


@pytest.mark.parametrize(
    "head",
    [
        "POST /pay HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked",
        "POST /pay HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 6",
        "POST /pay HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_body_with_two_ends_is_none_and_nothing_behind_it_is_read(world, head):
    hidden = POST + "Content-Length: 2\r\n\r\n10"
    answer = said(world, f"{head}\r\nHost: localhost\r\n\r\n0\r\n\r\n\r\n{hidden}")
    assert answer.startswith("HTTP/1.1 400")
    assert answer.count("HTTP/1.1") == 1


# ------------------------------------------------------------------------------- headers
def test_no_value_of_a_header_hides_another(world):
    lines = "X-User: alice\r\nX-Other: 1\r\nx-user: bob\r\nConnection: close\r\n"
    answer = said(world, f"GET /ask HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
    headers = json.loads(answer.partition("\r\n\r\n")[2])["headers"]
    assert headers == {"x-user": "alice, bob", "x-other": "1"}


# ------------------------------------------------------------------------------- pages of the web
FOREIGN_HOSTS = [
    "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
    "evil.example:127.0.0.1", "127.0.0.1@evil.example", "evil.example#localhost", "192.168.0.1",
    "0.0.0.0", "[::2]", "localhost:80:80", "localhost, evil.example", "xlocalhost", "127.0.0.1x",
    "http://localhost", "", "127.999.1.1", "127.0.0.256", "127.0.0.01", "127.1", "0x7f.0.0.1",
    "2130706433", "[127.0.0.1]", "[::1", "::1", "[::ffff:127.0.0.1]", "[::1%25lo]",
    "localhost:99999", "127.0.0.1.", ":80",
]  # fmt: skip
LOCAL_HOSTS = [
    "localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost:1", "127.0.0.1:65535", "[::1]:80",
    "localhost.", "127.0.0.2", "localhost:", "[0:0:0:0:0:0:0:1]", "127.255.255.254:80",
]  # fmt: skip
FOREIGN = [
    "Origin: https://evil.example", "Origin: null", "Origin: http://localhost.evil.example",
    "Origin: http://127.0.0.1.nip.io", "Origin: http://evil.example:80", "Origin: localhost",
    "Origin: file://", "Origin: http://localhost@evil.example", "Sec-Fetch-Site: cross-site",
    "Origin: http://127.999.1.1", "Origin: http://localhost:99999", "Origin: http://[::2]",
    "Sec-Fetch-Site: none, cross-site", "Sec-Fetch-Site: elsewhere",
    "Origin: http://localhost https://evil.example", "Origin: chrome-extension://localhost",
]  # fmt: skip
LOCAL = [
    "Origin: http://localhost:8888", "Origin: http://127.0.0.1", "Sec-Fetch-Site: none",
    "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: Same-Site",
]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_turned_away_before_the_node(world, host):
    for head in ("POST /pay HTTP/1.1", "GET /pay HTTP/1.1", "OPTIONS /pay HTTP/1.1"):
        assert status(world, f"{head}\r\nHost: {host}\r\n\r\n") == 403


@pytest.mark.parametrize("header", FOREIGN)
def test_a_foreign_page_is_turned_away_before_the_node(world, header):
    for host in ("localhost", f"127.0.0.1:{world.port('bank')}"):
        data = f"POST /pay HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Length: 2\r\n\r\n10"
        assert status(world, data) == 403


@pytest.mark.parametrize(
    "head",
    [
        "POST http://evil.example/pay HTTP/1.1\r\nHost: localhost",
        "POST http://localhost/pay HTTP/1.1\r\nHost: evil.example",
        "POST http://localhost@evil.example/pay HTTP/1.1\r\nHost: localhost",
        "POST /pay HTTP/1.0\r\nHost: evil.example",
        "POST /pay HTTP/1.0\r\nOrigin: null",
        "POST /pay HTTP/1.0\r\nOrigin: http://evil.example\r\nOrigin: http://localhost",
        "POST /pay HTTP/1.0\r\nSec-Fetch-Site: CROSS-SITE\r\nSec-Fetch-Site: none",
    ],
)
def test_a_host_is_foreign_wherever_it_stands(world, head):
    assert status(world, f"{head}\r\n\r\n") == 403


@pytest.mark.parametrize("lines", ["", "Host: localhost\r\nHost: localhost\r\n"])
def test_http_1_1_names_one_host(world, lines):
    assert status(world, f"POST /pay HTTP/1.1\r\n{lines}\r\n") == 400


@pytest.mark.parametrize("headers", [*[f"Host: {host}" for host in LOCAL_HOSTS], *LOCAL])
def test_this_machine_is_not_foreign(world, headers):
    host = "" if headers.startswith("Host") else "Host: localhost\r\n"
    data = f"GET /ask HTTP/1.1\r\n{host}{headers}\r\nConnection: close\r\n\r\n"
    assert status(world, data) == 200


def test_http_1_0_need_not_name_a_host(world):
    assert status(world, "GET /ask HTTP/1.0\r\n\r\n") == 200


def test_the_host_may_stand_in_the_request_line(world):
    line = "GET http://localhost:1{} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n"
    for written, path in (("/ask?a=//b", "/ask?a=//b"), ("", "/")):
        answer = said(world, line.format(written))
        assert json.loads(answer.partition("\r\n\r\n")[2])["path"] == path


def test_the_worlds_own_callers_may_say_any_origin(world):
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "statelab": "x"}
    answer = world.client("alice").get("bank", "/ask", headers=headers)
    assert (answer.status, answer.body["headers"]) == (200, headers)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
def test_curl_needs_no_options(world):
    port = world.port("bank")
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        url = f"http://{host}/ask?q=1"
        out = subprocess.run(
            ["curl", "-sS", "-d", "[1]", url], capture_output=True, text=True, timeout=20
        )
        assert json.loads(out.stdout)["path"] == "/ask?q=1"


# ------------------------------------------------------------------------------- forgeries
@pytest.mark.parametrize(
    "value", ["alice/1", "client1.1", "1.1", "x client1.1", "0" * 32 + ' client1.1 "/pay"', "ä"]
)
def test_nobody_outside_can_say_that_a_request_is_somebody_elses(world, value):
    world.client("alice").get("bank", "/ask")
    rows = len(world.trace.rows)
    names = "".join(f"{name}: {value}\r\n" for name in ("statelab", "statelab-message"))
    forged = f'GET /x HTTP/1.1\r\nHost: localhost\r\nstatelab-path: "/pay"\r\n{names}'
    answer = said(world, forged + "Connection: close\r\n\r\n")
    told = json.loads(answer.partition("\r\n\r\n")[2])
    assert (told["path"], told["headers"]["statelab"]) == ("/x", value)
    world.client("alice").get("bank", "/ask")
    received = [row for row in world.trace.rows[rows:] if row.kind == "receive"]
    assert [row.other for row in received] == ["outside", "alice"]
    assert received[0].cause is None


def test_a_node_never_sees_what_would_let_it_speak_for_others(monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "5e" * size)
    with LiveWorld() as world:
        world.start("bank", Bank)
        assert "5e5e" not in json.dumps(world.client("alice").get("bank", "/ask").body)
        assert "5e5e" not in repr(world.trace.rows)


# ------------------------------------------------------------------------------- floods
def test_a_head_without_end_is_cut_off(world):
    with connect(world) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        line = b"A: " + b"b" * 60_000 + b"\r\n"
        with Peak(world.pid("bank")) as peak, contextlib.suppress(OSError):
            for _ in range(5_000):  # it is told so, and after some seconds nobody reads it
                sock.sendall(line)
    assert peak.grown < 20_000_000


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("GET /" + "a" * 2_000 + " HTTP/1.1\r\n", 414),
        ("GET /" + "a" * 200_000, 414),
        ("GET / HTTP/1.1\r\n" + "a: b\r\n" * 101, 431),
        ("GET / HTTP/1.1\r\na: " + "b" * 16_001 + "\r\n", 431),
        ("GET / HTTP/1.1\r\na: " + "b" * 200_000, 431),
        ("GET / HTTP/1.1\r\n" + "a" * 200_000, 431),
        ("GET / HTTP/1.1\r\na b: c\r\n", 400),
        ("PURGE / HTTP/1.1\r\n", 405),
        ("CONNECT localhost:80 HTTP/1.1\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n", 413),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", 501),
        ("PRI * HTTP/2.0\r\n", 505),
        *[(f"POST /pay HTTP/{v}\r\n", 505) for v in ("0.9", "0.0", "2.0", "3.0", "9.9")],
        *[(f"POST /pay {v}\r\n", 400) for v in ("HTTP/2", "HTTP/1.10", "http/1.1", "HTTP/x.1")],
        ("HEAD / HTTP/1.1\r\nOrigin: null\r\n", 403),
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 1_000])
def test_what_is_past_a_limit_gets_a_status_that_says_so(world, head, code, piece):
    """However it comes, at once or bit by bit."""
    data = f"{head}Host: localhost\r\n\r\n".encode()
    with connect(world) as sock:
        for start in range(0, len(data), piece):
            sock.sendall(data[start : start + piece])
        answer = all_of(sock)
    assert len(answer) < 1_000
    assert answer.startswith(f"HTTP/1.1 {code}")
    assert "connection: close" in answer.lower()
    if not head.startswith("HEAD"):
        assert json.loads(answer.partition("\r\n\r\n")[2])["error"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[" + "[]," * 10_000_000 + "0]", 413),
        ("1" * 131_073, 413),
        ("1" * 131_072, 400),
        ("[" * 131_072, 400),
        ("9" * 4_200, 413),
        ("1" * 5_000, 400),
        ('"' + "x" * 131_070 + '"', 200),
        ("[" + '{"":[]},' * 16_000 + "0]", 200),
        ("", 200),
    ],
)
def test_a_body_is_measured_before_it_takes_memory(world, body, code):
    data = "POST /ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    chunk = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if body else "0\r\n\r\n"
    with Peak(world.pid("bank")) as peak:
        assert status(world, f"{data}Content-Length: {len(body)}\r\n\r\n{body}") == code
        with connect(world) as sock:
            with contextlib.suppress(OSError):  # it is told so, and nobody reads the rest
                sock.sendall(f"{data}Transfer-Encoding: chunked\r\n\r\n{chunk}".encode())
            assert sock.recv(12) == f"HTTP/1.1 {code}".encode()
    assert peak.grown < 50_000_000


class Peak:
    """How much the memory of a process grows meanwhile, at the most."""

    def __init__(self, pid):
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.grown = 0

    def _look(self, before):
        while not self._over.wait(0.005):
            self.grown = max(self.grown, self._process.memory_info().rss - before)

    def __enter__(self):
        before = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._look, args=(before,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


CHUNKED = POST.replace("/pay", "/ask") + "Transfer-Encoding: chunked\r\n\r\n"
TINY = [
    "1\r\n \r\n", "1;" + "x" * 50_000 + "\r\n \r\n", "1;a=b\r\n \r\n",
    "0" * 15 + "1\r\n \r\n", "1 \r\n \r\n" * 100,
]  # fmt: skip


@pytest.mark.parametrize("chunk", TINY, ids=range(len(TINY)))
@pytest.mark.parametrize("piece", [1 << 20, 999])
def test_a_body_that_is_nearly_all_framing_is_cut_off(world, chunk, piece):
    data = (chunk * (3_000_000 // len(chunk))).encode()
    with connect(world) as sock:
        sock.sendall(CHUNKED.encode())
        with contextlib.suppress(OSError):  # nobody reads it to its end
            for start in range(0, len(data), piece):
                sock.sendall(data[start : start + piece])
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_a_large_body_may_come_in_chunks_that_are_not_tiny(world):
    body = b"[" + b"0," * 60_000 + b"0]"
    chunks = [body[start : start + 100] for start in range(0, len(body), 100)]
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    head = CHUNKED.replace("Host", "Connection: close\r\nHost").encode()
    assert status(world, head + data + b"0\r\n\r\n") == 200


def test_others_have_their_turns_while_a_strangers_body_is_read(world):
    """The bank finds all of it at once, the strangers' first, and hears its own caller before."""
    rows = len(world.trace.rows)
    body = b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n"
    with contextlib.ExitStack() as socks:
        world.pause("bank")
        for _ in range(5):
            sock = socks.enter_context(connect(world))
            sock.sendall(CHUNKED.encode() + body)
        answer = world.call("bank", "/ask", timeout=20, wait=False)
        world.run(0.1)  # it is sent
        world.resume("bank")
        assert answer.result().status == 200
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert next(row.other for row in world.trace.rows[rows:] if row.kind == "receive") == "you"


def test_large_bodies_that_end_at_once_make_no_node_deaf(world):
    body = b"[" + b"1," * 65_000 + b"1]"
    head = POST.replace("/pay", "/ask") + f"Content-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as socks, Peak(world.pid("bank")) as peak:
        all_of_them = [socks.enter_context(connect(world)) for _ in range(90)]
        for sock in all_of_them:
            sock.sendall(head.encode() + body[:-1])
        world.run(0.5)
        for sock in all_of_them:
            sock.sendall(body[-1:])
        for _ in range(5):
            assert world.call("bank", "/ask", timeout=2).status == 200
        for sock in all_of_them:
            sock.settimeout(60)
            assert sock.recv(12) == b"HTTP/1.1 200"
    assert peak.grown < 100_000_000


def test_what_the_worlds_own_say_may_be_larger(world):
    assert world.client("alice").post("bank", "/ask", [0] * 900_000, timeout=60).status == 200


def test_silent_connections_lock_nobody_out():
    """Their number is bounded: whoever is silent for the longest goes first."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with LiveWorld() as world:
        world.start("bank", Bank)
        resource.prlimit(world.pid("bank"), resource.RLIMIT_NOFILE, (256, before[1]))
        alice = world.client("alice")
        assert alice.get("bank", "/ask").status == 200
        port = alice.ports["bank"]
        slow = connect(world)
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        world.run(0.1)
        socks = [connect(world) for _ in range(400)]
        assert world.call("bank", "/ask").status == 200
        assert said(world, "GET /ask HTTP/1.0\r\n\r\n").startswith("HTTP/1.1 200")
        assert all_of(slow).startswith("HTTP/1.1 200")  # it was not silent: it waited
        process = psutil.Process(world.pid("bank"))
        assert len(process.net_connections("tcp")) < strangers.MOST_STRANGERS + 10
        # This world's own connections may be silent for as long as they like.
        assert alice.get("bank", "/ask").status == 200
        assert alice.ports["bank"] == port
        for sock in [*socks, slow]:
            sock.close()


def test_a_node_that_can_open_nothing_more_is_heard_again_and_says_little():
    with LiveWorld() as world:
        world.start("bank", Bank)
        pid, (log,) = world.pid("bank"), folder_of(world).glob("?.log")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        socks = [connect(world) for _ in range(40)]
        world.run(4)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
        assert world.call("bank", "/ask", timeout=20).status == 200
        assert 0 < log.read_text().count("out of system resource") < 10
        for sock in socks:
            sock.close()


def test_who_asks_and_does_not_listen_is_not_listened_to(world):
    """A thousand answers of a stranger's that nobody reads would fill the memory."""
    data = f"GET /{'a' * 1900} HTTP/1.1\r\nHost: localhost\r\nx: {'y' * 14_000}\r\n\r\n"
    rest = memoryview(data.encode() * 10_000)
    with Peak(world.pid("bank")) as peak, connect(world) as sock:
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while rest:
                rest = rest[sock.send(rest) :]
    assert len(rest) > 10_000_000  # it has stopped
    assert peak.grown < 20_000_000


def test_requests_in_one_go_are_answered_one_by_one(world, pays):
    parts = [
        f"{POST}Content-Length: {len(str(n))}\r\n{'Connection: close' if n == 49 else 'a: b'}\r\n"
        f"\r\n{n}"
        for n in range(50)
    ]
    answer = said(world, "".join(parts))
    assert answer.count("HTTP/1.1 200") == 50
    pays += range(50)


def test_strangers_who_wait_for_slow_answers_lock_nobody_out(world):
    socks = [connect(world) for _ in range(strangers.MOST_STRANGERS + 20)]
    for sock in socks:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert world.call("bank", "/ask", timeout=10).status == 200
    for sock in socks:
        sock.close()


SAID = [b"", b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", b"x", b"\0"]


@pytest.fixture
def files():
    """As many descriptors as a test needs, also where a process has 256 or 1,024 at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("says", SAID)
@pytest.mark.parametrize("after", [1, 60, 300])
def test_no_stranger_pushes_out_a_call_of_this_worlds(world, says, after):
    """However many are there already, and come just after it."""
    with contextlib.ExitStack() as socks:

        def come(count):
            for _ in range(count):
                sock = socks.enter_context(connect(world))
                with contextlib.suppress(OSError):  # it was pushed out already
                    sock.sendall(says)

        come(strangers.MOST_STRANGERS + 10)
        world.run(0.05)
        world.pause("bank")
        calls = []
        for number in range(3):
            carol = world.client(f"carol-{number}")
            calls.append(carol.get("bank", "/ask", timeout=20, wait=False))
            calls.append(world.call("bank", "/ask", timeout=20, wait=False))
            world.run(0.05)  # they are sent
            come(after)
        world.resume("bank")
        assert [call.result().status for call in calls] == [200] * 6


COMING_AND_GOING = """
import os, socket, sys, time
os.nice(19)  # a machine that is busy with others' work is no part of what is tried
socks = []
while True:
    for _ in range(100):  # at once, but no more than can be taken in
        socks.append(socket.socket())
        socks[-1].setblocking(False)
        socks[-1].connect_ex(("127.0.0.1", int(sys.argv[1])))
    time.sleep(0.05)
    for sock in socks[:-100]:
        sock.close()
    del socks[:-100]
"""


def test_who_comes_to_the_driver_all_the_time_keeps_no_node_from_starting():
    with LiveWorld() as world:
        world.start("bank", Bank)
        flood = [sys.executable, "-c", COMING_AND_GOING, str(desk_of(world))]
        with subprocess.Popen(flood) as process:
            try:
                for number in range(20):
                    world.start(f"bank-{number}", Bank)
                    assert world.call(f"bank-{number}", "/ask", timeout=10).status == 200
            finally:
                process.kill()


@pytest.mark.parametrize("sends", [b"", b"x"])
def test_silent_connections_to_the_driver_and_the_proxy_end_no_world(sends):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with LiveWorld() as world, contextlib.ExitStack() as socks:
        world.start("bank", Bank)
        before, desk = world.port("bank", caller="curl"), desk_of(world)
        relay = relay_of(world)
        few = relay.num_fds()
        resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (64, files[1]))
        for port in [desk, before] * 200:
            sock = socks.enter_context(socket.create_connection(("127.0.0.1", port)))
            with contextlib.suppress(OSError):  # it is closed already
                sock.sendall(sends)
        world.run(0.3)

        def open_at_the_desk():
            ours = psutil.Process().net_connections("tcp")
            return [c for c in ours if c.laddr.port == desk and c.raddr]

        wait_until(lambda: len(open_at_the_desk()) < 60)
        world.start("store", Bank)
        assert world.call("store", "/ask").status == 200
        socks.close()
        wait_until(lambda: relay.num_fds() <= few)  # both ends have closed
        world.client("alice")
        world.hold("alice", "bank")
        world.release("alice", "bank")
        assert world.client("alice").get("bank", "/ask", timeout=60).status == 200
        with socket.create_connection(("127.0.0.1", before), timeout=5) as sock:
            sock.sendall(b"GET /ask HTTP/1.0\r\n\r\n")
            assert all_of(sock).startswith("HTTP/1.1 200")
