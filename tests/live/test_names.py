"""A name is data: no name of a learner's is ever a path, or goes raw into a header."""

import subprocess
import sys
import tempfile
import unicodedata

import pytest
from processes import folder_of, in_ascii

from statelab.engines import Redis
from statelab.live.world import LiveWorld
from statelab.node import Node

pytestmark = pytest.mark.live

NAMES = [
    "..", ".", "/", "files", "links", "ports.new", "ports.json", "warden.log", "1", "1.log", "a/b",
    "../../x", "NUL\0", "CON", "Müller", unicodedata.normalize("NFD", "Müller"), "WEB", "web",
    "앨리스" * 20, "x" * 200, " ", "\n", "%2e%2e", "~", "-rf", "\U0001f600", "Uid:\t0", ") R 1",
    'a"b', "a\r\nb: c", "None", "outside",
]  # fmt: skip
NO_NAMES = [
    ("", TypeError), (5, TypeError), (None, TypeError), ([], TypeError), ({}, TypeError),
    (b"web", TypeError), ("x" * 201, ValueError), ("\ud800", ValueError), ("a\udfffb", ValueError),
]  # fmt: skip


class Keeper(Node):
    """Has memory, and a disk; tells who asks, and asks another."""

    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        self.disk["count"] = self.count
        if request.path == "/ask":
            return (await self.call(request.body)).body
        return [self.count, self.disk["count"]]


class Bad(Node):
    def __init__(self):
        raise ValueError("bad")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The temporary folder, with a file of somebody else's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "precious").write_text("data")
    return tmp_path


def test_a_start_that_fails_removes_nothing_but_its_own_whatever_its_name(elsewhere):
    with LiveWorld() as world:
        (world.folder / "mine").write_text("data")
        world.start("good", Keeper)
        for name in NAMES:
            with pytest.raises(RuntimeError, match="bad"):
                world.start(name, Bad)
        assert (world.folder / "mine").read_text() == "data"
        assert folder_of(world).exists()
        assert sorted(path.name for path in elsewhere.iterdir()) == [
            "precious", folder_of(world).name
        ]  # fmt: skip
        world.start("later", Keeper)
        assert world.call("later", "/ask", "good").body == [1, 1]
        world.client("alice").get("good")
        world.hold("alice", "good")
        world.release("alice", "good")
        assert world.client("alice").get("good").status == 200
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]


def test_nodes_of_any_names_live_beside_each_other_and_keep_their_own_disks(elsewhere):
    with LiveWorld() as world:
        for name in NAMES:
            world.start(name, Keeper)
        for number, name in enumerate(NAMES):
            for _ in range(number % 3):
                world.call(name)
            world.kill(name)
            world.restart(name)
            assert world.call(name).body == [1, 1]
            assert world.call(name, "/ask", NAMES[number - 1]).status == 200
        assert list(world.names) == [*NAMES, "you"]
        told = [row.node for row in world.trace.rows if row.kind == "start"]
        assert sorted(told) == sorted(NAMES * 2)
        assert sorted(path.name for path in elsewhere.iterdir()) == [
            "precious", folder_of(world).name
        ]  # fmt: skip


KERNEL = """
import os
from statelab import LiveWorld, Node

class Keeper(Node):
    async def handle(self, request):
        if request.path == "/다른":
            return (await self.call(request.body)).body
        print("한 줄", flush=True)
        self.log("기록")
        self.disk["열쇠"] = "값"
        return dict(self.disk)

class Stillborn(Node):
    def __init__(self):
        os.write(2, "마지막 말".encode())
        os._exit(3)

with LiveWorld() as world:
    world.start("웹", Keeper)
    world.start("앨리스", Keeper)
    world.kill("웹")
    world.restart("웹")
    said = [world.call("앨리스", "/다른", "웹").body, world.client("밥").post("웹").body]
    world.hold("밥", "웹")
    world.release("밥", "웹")
    try:
        world.start("죽음", Stillborn)
    except RuntimeError as error:
        said.append(str(error))
    print(ascii(said))
"""


def test_all_that_has_a_name_may_be_in_any_script_where_the_locale_knows_only_ascii(tmp_path):
    code, home = tmp_path / "kernel.py", tmp_path / "집"
    code.write_text(KERNEL, "utf-8")
    home.mkdir()
    done = subprocess.run([sys.executable, code], env=in_ascii(home), capture_output=True)
    kept = {"열쇠": "값"}
    said = [kept, kept, "죽음 did not start: 마지막 말"]
    assert (done.stdout.decode().strip(), done.stderr.decode()) == (ascii(said), "")
    assert list(home.iterdir()) == []


def test_clients_of_any_names_call_and_are_told_apart():
    with LiveWorld() as world:
        world.start("웹", Keeper)
        for number, name in enumerate(NAMES, 1):
            assert world.client(name).get("웹").body == [number, number]
        received = [row.other for row in world.trace.rows if row.kind == "receive"]
        assert received == NAMES
        for name in NAMES[::5]:
            world.partition(name, "웹")
            world.heal(name, "웹")
            world.lose_next(name, "웹")


def test_an_engine_and_who_calls_it_may_have_any_name():
    if Redis.lacks():
        pytest.skip(Redis.lacks())
    with LiveWorld() as world:
        for name in ("..", "files", "복제본", "a/b"):
            world.start(name, Redis)
            for caller in (".", "앨리스", "a/b c"):
                assert world.port(name, caller=caller) != world.port(name)
            world.kill(name)
            world.restart(name)


@pytest.mark.parametrize(("name", "error"), NO_NAMES)
def test_what_is_no_name_is_refused_with_a_sentence_by_every_verb(name, error):
    with LiveWorld() as world:
        world.start("web", Keeper)
        world.client("alice")
        verbs = [
            lambda: world.start(name, Keeper), lambda: world.client(name),
            lambda: world.kill(name), lambda: world.restart(name), lambda: world.pause(name),
            lambda: world.resume(name), lambda: world.status(name), lambda: world.pid(name),
            lambda: world.port(name), lambda: world.address(name),
            lambda: world.port("web", caller=name) if name is not None else world.client(name),
            lambda: world.partition(name, "web"), lambda: world.hold("alice", name),
            lambda: world.lose_next(name, "web"), lambda: world.link("alice", name),
            lambda: world.call(name),
        ]  # fmt: skip
        for verb in verbs:
            with pytest.raises(error, match="name"):
                verb()
        assert world.names == {"web": "up", "alice": "client", "you": "client"}


def test_you_is_no_name_of_a_node():
    with LiveWorld() as world:
        for factory in (Keeper, Redis):
            with pytest.raises(ValueError, match=r"world\.call"):
                world.start("you", factory)
        world.start("web", Keeper)
        assert world.call("web").body == [1, 1]


def test_a_watcher_that_cannot_be_called_is_refused_at_once():
    with LiveWorld() as world, pytest.raises(TypeError, match="a watcher is a function, not 5"):
        world.watch(5)
