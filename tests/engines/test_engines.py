"""Real engines: each is started, killed, paused, resumed and restarted as a node is."""

import contextlib
import os
import re
import subprocess
import sys
import time

import engine_clients
import psutil
import pytest
import redis
from processes import folder_of, in_ascii, warden_of

from statelab import Node, UnknownNode, World, WrongState
from statelab.engines import ENGINES, EngineMissing
from statelab.engines.engine import Command
from statelab.live import LiveWorld
from statelab.live.driver.engine import LiveEngine
from statelab.live.driver.whereabouts import Whereabouts

pytestmark = pytest.mark.live
each_engine = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.engines(name)) for name in ENGINES]
)


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


@contextlib.contextmanager
def started(world, name):
    """A client of that engine, which is up."""
    engine_clients.start(world, name)
    with contextlib.closing(engine_clients.client(world, name)) as client:
        yield client


def kinds(world, name):
    return [(row.kind, row.life, row.data) for row in world.trace.rows if row.node == name]


@each_engine
def test_an_engine_takes_the_verbs_of_a_node_and_they_make_the_same_rows(world, name):
    with started(world, name):
        pid = world.pid(name)
        assert psutil.pid_exists(pid)
        assert world.names == {name: "up"}
        world.pause(name)
        assert (world.status(name), world.pid(name)) == ("paused", pid)
        world.resume(name)
        world.kill(name)
        assert (world.status(name), world.pid(name)) == ("dead", None)
        assert not psutil.pid_exists(pid)
        world.restart(name)
    what = ENGINES[name].__name__
    assert kinds(world, name) == [
        ("start", 1, what), ("pause", 1, None), ("resume", 1, None), ("kill", 1, None),
        ("start", 2, what),
    ]  # fmt: skip


@each_engine
def test_a_killed_engine_refuses_and_once_restarted_has_what_it_had_written(world, name):
    with started(world, name) as client:
        address, port = world.address(name), world.port(name)
        client.put("kept")
        world.kill(name)
        with pytest.raises(client.failed):
            client.get()
        world.restart(name)
        assert (world.address(name), world.port(name)) == (address, port)
    with contextlib.closing(engine_clients.client(world, name)) as client:
        assert client.get() == "kept"


@each_engine
def test_a_paused_engine_lets_its_clients_wait_and_goes_on_where_it_was(world, name):
    with started(world, name) as client:
        client.put("before")
        world.pause(name)
        with pytest.raises(client.failed):
            client.get()
        world.resume(name)
    with contextlib.closing(engine_clients.client(world, name)) as client:
        assert client.get() == "before"


@each_engine
def test_a_paused_engine_can_be_killed(world, name):
    with started(world, name):
        pids = [p.pid for p in tree(world.pid(name))]
        world.pause(name)
        world.kill(name)
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
        world.restart(name)


@each_engine
def test_close_ends_an_engine_and_all_that_it_wrote(name):
    with LiveWorld() as world, started(world, name):
        pids, folder = [p.pid for p in tree(world.pid(name))], folder_of(world)
        world.pause(name)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert not folder.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # kazoo's
@each_engine
def test_who_does_not_know_the_password_of_the_address_gets_nothing(world, name):
    with started(world, name) as client:
        client.put("secret")
    address = world.address(name)
    password = re.search(":([0-9a-f]{32})@", address)[1]
    for other in (re.sub("[^/@]*@", "", address), address.replace(password, "wrong")):
        if name == "postgres":
            other = other.replace("//127", "//postgres@127")
        with pytest.raises(engine_clients.REFUSED[name]), _closing(name, other) as stranger:
            stranger.get()


def _closing(name, address):
    return contextlib.closing(engine_clients.CLIENTS[name](address))


@each_engine
def test_the_password_is_another_in_each_world_and_stands_nowhere_in_the_open(world, name):
    engine_clients.start(world, name)
    password = re.search(":([0-9a-f]{32})@", world.address(name))[1]
    shown = [repr(world), repr(world.trace.rows), repr(world.names)]
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, and shows nothing
            shown += process.cmdline()
    assert not [text for text in shown if password in text]
    for path in folder_of(world).rglob("*"):
        if path.is_file() and password.encode() in path.read_bytes():
            assert not path.stat().st_mode & 0o077, path
    with LiveWorld() as another:
        engine_clients.start(another, name)
        assert password not in another.address(name)


def tree(pid):
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


@each_engine
def test_an_engine_that_ends_by_itself_has_crashed(world, name):
    with started(world, name):
        psutil.Process(world.pid(name)).terminate()
        until(lambda: world.status(name) == "dead")
        assert kinds(world, name)[-1][0] == "crash"
        world.restart(name)
        assert world.status(name) == "up"


@each_engine
def test_a_verb_that_does_not_apply_says_so(world, name):
    with started(world, name):
        with pytest.raises(WrongState, match="only a dead node can be restarted"):
            world.restart(name)
        with pytest.raises(WrongState, match="is not paused"):
            world.resume(name)
        with pytest.raises(WrongState, match=f"the name {name} is taken"):
            engine_clients.start(world, name)
        world.kill(name)
        with pytest.raises(WrongState, match="is dead already"):
            world.pause(name)


@each_engine
def test_an_engine_that_cannot_start_shows_its_last_lines_and_leaves_its_name_free(
    world, name, monkeypatch
):
    monkeypatch.setattr(
        ENGINES[name],
        "command",
        lambda *_: Command(["sh", "-c", "echo no room on the disk; exit 3"]),
    )
    with pytest.raises(RuntimeError, match=f"(?s){name} did not start: .*no room on the disk"):
        engine_clients.start(world, name)
    monkeypatch.undo()
    assert world.names == {}
    with started(world, name) as client:
        client.put("now it does")


@each_engine
def test_a_server_that_cannot_be_asked_whether_it_is_up_is_killed(world, name, monkeypatch):
    pids = []

    async def fail(engine, place, life):
        pids.extend(process.pid for process in warden_of(world).children())
        raise ValueError("no such file")

    monkeypatch.setattr(ENGINES[name], "is_up", fail)
    with pytest.raises(ValueError, match="no such file"):
        engine_clients.start(world, name)
    assert pids
    until(lambda: not any(map(psutil.pid_exists, pids)))
    monkeypatch.undo()
    with started(world, name) as client:
        client.put("now it does")


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@each_engine
def test_an_engine_that_does_not_come_up_in_time_is_killed_and_shows_its_last_lines(
    world, name, monkeypatch
):
    async def never(*_):
        return False

    monkeypatch.setattr(ENGINES[name], "is_up", never)
    monkeypatch.setattr(LiveEngine, "patience_s", 3.0)
    with pytest.raises(RuntimeError, match=f"(?s){name} did not start within 3 s: .+"):
        engine_clients.start(world, name)
    assert world.names == {}
    monkeypatch.undo()
    with started(world, name) as client:
        client.put("now it does")


@each_engine
def test_an_engine_whose_program_is_not_there_says_so(world, name, monkeypatch):
    monkeypatch.setattr(ENGINES[name], "command", lambda *_: Command(["/nowhere/server"]))
    with pytest.raises(RuntimeError, match=f"{name} has no process: .*/nowhere/server"):
        engine_clients.start(world, name)


@each_engine
def test_an_engine_takes_no_http_and_a_call_says_what_to_do(world, name):
    class Web(Node):
        async def handle(self, request):
            return (await self.call(name)).body

    with started(world, name):
        with pytest.raises(UnknownNode, match=f"world.address\\('{name}'\\), to its client"):
            world.call(name)
        world.start("web", Web)
        assert "no node is named" in str(world.call("web").body)


class Asker(Node):
    """Uses an engine from a process of its own, by the engine's client."""

    def __init__(self, name, address):
        self._client = engine_clients.CLIENTS[name](address)

    async def handle(self, request):
        if request.body is not None:
            self._client.put(request.body)
        return self._client.get()


@each_engine
def test_a_node_reaches_an_engine_by_an_address_that_it_is_given(world, name):
    engine_clients.start(world, name)
    world.start("web", Asker, name, world.address(name))
    assert world.call("web", body="hello", timeout=10).body == "hello"
    world.kill("web")
    world.restart("web")
    assert world.call("web", timeout=10).body == "hello"


@pytest.mark.parametrize("name", ENGINES)
def test_a_missing_engine_is_a_named_error_that_says_how_to_get_it(world, name, monkeypatch):
    monkeypatch.delenv(ENGINES[name].variable, raising=False)
    monkeypatch.setattr(ENGINES[name], "missing", lambda: "there is none: install it")
    with pytest.raises(EngineMissing, match="there is none: install it"):
        world.start(name, ENGINES[name])
    assert world.names == {}


@pytest.mark.parametrize("name", ENGINES)
def test_the_simulated_world_says_that_a_real_server_needs_a_live_one(name):
    for options in ({}, engine_clients.OPTIONS.get(name, {})):
        with pytest.raises(TypeError, match=r"is a real server, .* start it in a LiveWorld"):
            World().start(name, ENGINES[name], **options)


@pytest.mark.parametrize("name", ENGINES)
def test_start_takes_the_engines_class(world, name):
    with pytest.raises(TypeError, match="takes the class"):
        world.start(name, ENGINES[name]())
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        world.start(name, ENGINES[name], no_such_option=1)


def test_the_options_of_a_node_have_no_names(world):
    for place in (world, World()):
        with pytest.raises(TypeError, match="write 7 without count"):
            place.start("web", Asker, count=7)


def test_importing_statelab_brings_no_engine_and_none_of_their_clients():
    code = (
        "import sys, statelab; "
        "print([n for n in sys.modules if n.split('.')[0] in ('redis', 'kazoo', 'psycopg') "
        "or n.startswith('statelab.engines')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_name_keeps_its_ports_and_no_two_names_share_one(monkeypatch):
    drawn = (20_000 + number // 2 for number in range(10_000))  # each twice
    monkeypatch.setattr("random.SystemRandom.randrange", lambda *_: next(drawn))
    names = [("zk-1", ""), ("zk-1", "quorum"), ("zk-2", ""), ("zk-2", "quorum")]
    where = Whereabouts()
    ports = [where.reserve(*name) for name in names]
    assert len(set(ports)) == 4
    assert [where.reserve(*name) for name in names] == ports


WRONG_OPTIONS = [
    ("redis", {"append_only": 5}, "append_only is True or False"),
    ("redis", {"append_only": "no"}, "append_only is True or False"),
    ("redis", {"replica_of": 5}, "the name of another engine, or"),
    ("redis", {"replica_of": ("127.0.0.1",)}, "the name of another engine, or"),
    ("redis", {"replica_of": ("127.0.0.1", "6379")}, "the name of another engine, or"),
    ("redis", {"replica_of": ("127.0.0.1\nrequirepass x", 6379)}, "the name of another engine, or"),
    ("redis", {"replica_of": "nobody"}, "no node is named 'nobody'"),
    ("postgres", {"synchronous_commit": []}, "synchronous_commit is one of"),
    ("postgres", {"synchronous_standby": 5}, "synchronous_standby's name is a str"),
    ("postgres", {"standby_of": 5}, "the name of another engine, or"),
    ("postgres", {"standby_of": ("127.0.0.1", 0)}, "the name of another engine, or"),
    ("zookeeper", {"ensemble": 5}, "ensemble is the names of all members"),
    ("zookeeper", {"ensemble": "abc"}, "ensemble is the names of all members"),
    ("zookeeper", {"ensemble": (1, 2, 3)}, "a member's name is a str"),
    ("zookeeper", {"ensemble": ("zookeeper", "zookeeper")}, "names a member twice"),
    ("zookeeper", {"ensemble": ("a", "b", "c")}, "zookeeper is not among its ensemble"),
]


@pytest.mark.parametrize(("name", "options", "said"), WRONG_OPTIONS, ids=range(len(WRONG_OPTIONS)))
def test_an_option_that_cannot_be_meant_is_refused_and_leaves_the_name_free(
    world, name, options, said
):
    with pytest.raises((TypeError, ValueError, UnknownNode), match=said):
        world.start(name, ENGINES[name], **options)
    assert world.names == {}


# Any of them may stand in TMPDIR.
FOLDERS = [" it\n's a\"b a\\b a$b%s{x} a:b;c#d 앨리스\t ", "x" * 90]


@each_engine
def test_an_engine_lives_in_a_folder_of_any_name(name, tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    for folder in FOLDERS:
        place = tmp_path / folder
        place.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(place))
        with LiveWorld() as world, started(world, name) as client:
            client.put("kept")
            world.kill(name)
            world.restart(name)


KERNEL = """
import sys
from statelab import LiveWorld
from statelab.engines import ENGINES

with LiveWorld() as world:
    world.start("엔진", ENGINES[sys.argv[1]])
    world.kill("엔진")
    world.restart("엔진")
    print(world.status("엔진"))
"""


@each_engine
def test_an_engine_and_its_folder_have_any_name_where_the_locale_knows_only_ascii(name, tmp_path):
    code, home = tmp_path / "kernel.py", tmp_path / "집"
    code.write_text(KERNEL, "utf-8")
    home.mkdir()
    done = subprocess.run(
        [sys.executable, code, name], env=in_ascii(home), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
    assert list(home.iterdir()) == []


@each_engine
def test_what_an_engine_writes_is_nobody_elses(name):
    before = os.umask(0o022)  # a usual one
    try:
        with LiveWorld() as world, started(world, name) as client:
            client.put("kept")
            if name == "redis":
                with redis.Redis.from_url(world.address(name)) as asked:
                    asked.config_rewrite()
                    asked.save()
            for path in (folder_of(world) / "1").rglob("*"):
                assert not path.stat().st_mode & 0o077, path
    finally:
        os.umask(before)
