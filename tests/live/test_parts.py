"""The parts of the live world that need no process: disk file, frames, the order of rows."""

import asyncio
import contextlib
import errno
import gc
import os
import pickle
import random
import socket
import sys
import threading
import types

import h11
import pytest

from statelab.effects import Call
from statelab.live.child.disk import DiskFile
from statelab.live.driver.host import LiveHost
from statelab.live.driver.merge import Entry, Journal, LiveRows
from statelab.live.driver.processes import Processes
from statelab.live.driver.whereabouts import Whereabouts
from statelab.live.transport import http, ports
from statelab.live.transport.control import (
    HEARD,
    MOST_UNKNOWN,
    Channel,
    Desk,
    Frames,
    as_plain,
    connect,
    pack,
)
from statelab.node import Node, Soft
from statelab.pickling import packed


# ------------------------------------------------------------------------------- the disk
def test_a_torn_last_line_was_never_written(tmp_path):
    path = tmp_path / "disk.jsonl"
    disk = DiskFile(path)
    disk.append("a", 1)
    disk.append("b", {"text": "ä\n\ud800"})
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        torn = DiskFile(path)
        assert torn.data == {"a": 1}
        torn.append("c", 3)
        assert DiskFile(path).data == {"a": 1, "c": 3}
    path.write_bytes(whole)
    assert DiskFile(path).data == {"a": 1, "b": {"text": "ä\n\ud800"}}


def test_what_was_erased_stays_erased(tmp_path):
    disk = DiskFile(tmp_path / "disk.jsonl")
    disk.append("a", 1)
    disk.append("a")
    disk.append("b", None)
    assert DiskFile(tmp_path / "disk.jsonl").data == {"b": None}


def test_damage_in_the_middle_is_said_with_its_line(tmp_path):
    path = tmp_path / "disk.jsonl"
    for text in (b'["a",1]\nrubbish\n["b",2]\n', b'["a",1]\n["b"]\n["b",2]\n'):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="damaged at line 2"):
            DiskFile(path)


def test_a_write_is_on_the_disk_when_it_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    disk = DiskFile(tmp_path / "disk.jsonl")
    disk.append("a", 1)
    assert synced == [len(b'["a", 1]\n')]


def test_a_write_that_fails_is_not_there_and_those_after_it_stay(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    def write_a_part(file, data, write=os.write):
        if len(data) < 9:
            fail()
        return write(file, data[:-7])

    path = tmp_path / "disk.jsonl"
    for broken in ({"write": write_a_part}, {"fsync": fail}):
        path.unlink(missing_ok=True)
        disk = DiskFile(path)
        disk.append("a", 1)
        with monkeypatch.context() as patch:
            for name, function in broken.items():
                patch.setattr(os, name, function)
            with pytest.raises(OSError, match="Input/output error; nothing was written"):
                disk.append("b", "long" * 9)
        assert DiskFile(path).data == {"a": 1}
        with monkeypatch.context() as patch:
            patch.setattr(os, "ftruncate", fail)
            with pytest.raises(OSError, match="nothing was written"):
                disk.append("c", 3)  # for nobody knows that it would stay
        assert DiskFile(path).data == {"a": 1}
        disk.append("d", 4)
        disk.append("a")
        assert DiskFile(path).data == {"d": 4}


# ------------------------------------------------------------------------------- frames
def test_frames_come_out_as_they_went_in_however_they_are_cut():
    messages = [("rows", [1, "ä", b"x", 1.5, None, {"a": {1, 2}}]), Soft(1, 2.0), "x" * 1000]
    data = b"".join(pack(message) for message in messages)
    for size in (1, 7, 1000, len(data)):
        frames, out = Frames(), []
        for start in range(0, len(data), size):
            out += frames.feed(data[start : start + size])
        assert out == messages


def test_a_frame_that_would_run_code_is_not_read():
    class Evil:
        def __reduce__(self):
            return (os.system, ("true",))

    with pytest.raises(pickle.UnpicklingError, match="no plain data"):
        list(Frames().feed(pack(Evil())))


def test_what_cannot_travel_travels_as_its_text():
    class Odd:
        def __repr__(self):
            return "<odd>"

    class Worse:
        def __repr__(self):
            raise ValueError

    loop = []
    loop.append(loop)
    value = {"a": [Odd()], Odd(): {(Odd(),)}, "soft": Soft(Odd(), 1.0), "worse": Worse()}
    form = as_plain(value)
    assert form == {
        "a": ["<odd>"], "<odd>": {("<odd>",)}, "soft": Soft("<odd>", 1.0),
        "worse": "<a Worse whose repr raises ValueError>",
    }  # fmt: skip
    assert list(Frames().feed(pack(form))) == [form]
    pack(as_plain(loop))


# ------------------------------------------------------------------------------- parcels
def test_a_class_of_a_module_beside_the_notebook_travels_by_value(tmp_path, monkeypatch):
    module = types.ModuleType("beside")
    module.__file__ = str(tmp_path / "beside.py")
    source = (
        "from statelab.node import Node\nstep = 3\nclass Web(Node):\n    def n(self): return step"
    )
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "beside", module)
    data = packed((module.Web, (1,)), [module.Web])
    monkeypatch.delitem(sys.modules, "beside")
    factory, args = pickle.loads(data)
    assert (factory.n(None), args) == (3, (1,))
    assert factory.__mro__[1] is Node


# ------------------------------------------------------------------------------- the journal
def entries(*rows):
    """(time, kind, other, message, data) → Entry, each the cause of the next."""
    return [
        Entry(i, time, kind, other, message, i - 1 if i else None, data)
        for i, (time, kind, other, message, data) in enumerate(rows)
    ]


def test_rows_wait_for_their_cause_in_whatever_order_they_arrive():
    parts = {
        "you": entries((1, "send", "web", "m", None), (9, "answer", "web", "m", None)),
        "web": entries(
            (2, "receive", "outside", "m", 1), (3, "send", "db", "n", None),
            (7, "answer", "db", "n", None), (8, "reply", "outside", "m", None),
        ),
        "db": entries((4, "receive", "outside", "n", 2), (5, "reply", "outside", "n", None)),
    }  # fmt: skip
    for seed in range(200):
        journal, draw = Journal(), random.Random(seed)
        sources = {name: journal.source(name, 1) for name in parts}
        left = {name: list(rows) for name, rows in parts.items()}
        while any(left.values()):
            name = draw.choice([name for name, rows in left.items() if rows])
            journal.add(sources[name], [left[name].pop(0)])
            if draw.random() < 0.5:
                journal.flush()
        assert journal.flush() is False
        assert [(row.node, row.kind, row.cause) for row in journal.rows] == [
            ("you", "send", None),
            ("web", "receive", 0),
            ("web", "send", 1),
            ("db", "receive", 2),
            ("db", "reply", 3),
            ("web", "answer", 4),
            ("web", "reply", 5),
            ("you", "answer", 6),
        ]
        assert [row.other for row in journal.rows if row.kind == "receive"] == ["you", "web"]
        assert {row.message for row in journal.rows} == {1, 2}


def test_a_row_whose_cause_died_unreported_comes_in_the_end():
    journal = Journal()
    web = journal.source("web", 1)
    journal.add(web, entries((2, "receive", "outside", "m", 1)))
    assert journal.flush() is True
    assert journal.rows == []
    assert journal.flush(last=True) is False
    assert [row.cause for row in journal.rows] == [None]


def test_while_a_kill_is_under_way_only_the_dying_are_heard():
    journal = Journal()
    web, you = journal.source("web", 1), journal.source("you", 1)
    journal.add(you, entries((1, "send", "web", "m", None), (3, "noreply", "web", "m", "x")))
    journal.held.add(web)
    assert journal.flush() is True
    journal.add(web, [Entry(-1, 2, "kill", None, None, None, None)])
    journal.flush()
    journal.held.clear()
    journal.flush()
    assert [(row.kind, row.cause) for row in journal.rows] == [
        ("kill", None), ("send", None), ("noreply", 0),
    ]  # fmt: skip
    times = [row.time_us for row in journal.rows]
    assert times == sorted(times)


# ------------------------------------------------------------------------------- the driver
def test_ports_are_chosen_outside_of_the_ephemeral_range():
    for _ in range(50):
        assert 1024 <= ports.choose(set()) < ports.first_ephemeral()


class Transport:
    """Keeps what is written."""

    def __init__(self):
        self.written = []

    def is_closing(self):
        return False

    def write(self, data):
        self.written += Frames().feed(data)


def test_who_asks_waits_for_the_answer_to_its_own_question():
    async def scene():
        desk = Desk()
        channel, transport = Channel(desk), Transport()
        desk.joined["warden"] = lambda channel, pid: setattr(channel, "ended", print)
        channel.connection_made(transport)
        channel.data_received(desk.token + pack(("warden", 1)))
        start, pause = channel.ask("node", 7, {}), channel.ask("tree", 7, "pause")
        assert transport.written == [("node", 1, 7, {}), ("tree", 2, 7, "pause")]
        channel.data_received(pack(("done", 1, 123, "")))  # late: of the node's start
        assert not pause.done()
        channel.data_received(pack(("done", 2, None, "no such process")))
        return await start, await pause

    assert asyncio.run(scene()) == ((123, ""), (None, "no such process"))


@pytest.mark.parametrize("turns", range(6))
def test_who_comes_in_while_the_desk_shuts_is_let_in_or_turned_away_and_never_lost(turns):
    lost = []

    async def scene():
        asyncio.get_running_loop().set_exception_handler(lambda _, what: lost.append(what))
        desk = Desk()
        await desk.open()
        with socket.create_connection(("127.0.0.1", desk.port)) as guest:
            for _ in range(turns):
                await asyncio.sleep(0)
            desk.shut()
            for _ in range(4):
                await asyncio.sleep(0)
            await desk.close()
            guest.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                assert guest.recv(1) == b""

    asyncio.run(scene(), debug=True)  # else asyncio tells nobody
    gc.collect()  # what was lost is forgotten now, with a warning, which is an error
    assert lost == []


def test_whose_word_has_come_is_not_sent_away_as_silent():
    async def scene():
        desk, here = Desk(), []
        desk.joined["node"] = lambda channel, *who: here.append(who)
        await desk.open()
        with contextlib.ExitStack() as socks:

            def come(count, word=b""):
                for _ in range(count):
                    sock = socks.enter_context(socket.create_connection(("127.0.0.1", desk.port)))
                    sock.sendall(word)

            come(MOST_UNKNOWN)
            come(1, desk.token + pack(("node", 1, 2)))
            come(MOST_UNKNOWN)
            come(MOST_UNKNOWN, b"x")
            await asyncio.sleep(0.3)
            assert len(desk.channels) <= MOST_UNKNOWN + 1
            await desk.close()
        return here

    assert asyncio.run(scene()) == [(1, 2)]


def test_who_was_sent_away_before_it_was_heard_comes_again():
    heard = []

    def answer(server):
        for number in range(3):
            sock, _ = server.accept()
            with sock:
                if number == 2:
                    heard.append(sock.recv(1000))
                    sock.sendall(HEARD)
                elif number == 1:  # by a reset
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        connect(server.getsockname()[1], b"token", ("node", 1, 2)).close()
        thread.join()
    assert heard == [b"token" + pack(("node", 1, 2))]


def test_a_life_is_over_only_when_what_it_said_is_read(tmp_path):
    async def scene(*events):
        warden = types.SimpleNamespace(tell=lambda *message: None)
        links = types.SimpleNamespace(of=lambda name: [])
        processes = Processes({}, Whereabouts(), warden, LiveRows(), links)
        life = processes.new_life(LiveHost("web", 1, tmp_path / "1", {}))
        channel = types.SimpleNamespace(hears={})
        say = {
            "joined": lambda: processes.joined(channel, life.key, 1),
            "failed": lambda: channel.hears["failed"]("why"),
            "left": lambda: channel.ended(),
            "exit": lambda: processes.exited(life.key, 1),
            "killed": lambda: processes.exited(life.key, -9),
        }
        life.host.log.write_text("Traceback (most recent call last):")
        for event in events:
            assert not life.gone.done()
            say[event]()
        await life.gone
        return str(life.up.exception())

    for events in (
        ("joined", "failed", "left", "exit"),
        ("joined", "exit", "failed", "left"),
        ("exit", "joined", "failed", "left"),
    ):
        assert asyncio.run(scene(*events)) == "web did not start: why"
    assert "Traceback" in asyncio.run(scene("exit"))
    lost = asyncio.run(scene("joined", "left", "killed"))
    assert lost.startswith("web did not start: its process was killed, or lost its connection")


# ------------------------------------------------------------------------------- HTTP
def test_any_path_comes_through_a_request_line():
    for path in ("/", "/a?b=c%20d", "/ä b", "/#", "/\ud800", "/%", "/" + "\U0001f600" * 1999):
        url = http.target(path)
        assert url.isascii()
        assert " " not in url
        assert "#" not in url
        call = Call("web", path, None, "GET", None, None)
        request, *_ = http.request_events(call, "localhost", "7.1", "secret")
        message, told, _ = http.ours(request, "secret", "web")
        assert (message, told or http.path_of(url.encode())) == ("7.1", path)


def test_only_who_knows_the_secret_says_which_message_and_path_it_is():
    call = Call("web", "/", None, "GET", {"statelab": "", "x-empty": ""}, None)
    request, *_ = http.request_events(call, "localhost", "7.1", "secret")
    _, _, mark = http.ours(request, "secret", "web")
    assert http.visible(request.headers, mark) == {"statelab": "", "x-empty": ""}
    assert http.ours(request, "secret2", "web") is None
    for value in (b"", b"7.1", b"secret 7.1", mark[:-1], mark[1:], mark.upper(), b"\xe4 1"):
        headers = [("host", "localhost"), ("statelab", value), ("other", mark)]
        forged = h11.Request(method="GET", target="/", headers=headers)
        assert http.ours(forged, "secret", "web") is None
        assert http.visible(forged.headers)["statelab"] == value.decode("latin-1")
