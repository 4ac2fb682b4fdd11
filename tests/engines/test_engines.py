"""Real engines: each is started, killed, paused, resumed and restarted as a node is."""

import contextlib
import os
import re
import subprocess
import sys
import time
import types

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


@pytest.fixture
def up(shared, name):
    """A world where that engine is up, whatever the test before did with it."""
    if shared.status(name) == "paused":
        shared.resume(name)
    if shared.status(name) == "dead":
        shared.restart(name)
    return shared


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


@pytest.fixture(scope="module")
def empty():
    """A world where nothing starts."""
    with LiveWorld() as world:
        yield world


def client_of(world, name):
    """A client, for a `with`."""
    return contextlib.closing(engine_clients.client(world, name))


def kinds(world, name):
    return [(row.kind, row.life, row.data) for row in world.trace.rows if row.node == name]


def test_an_engine_takes_the_verbs_of_a_node_and_they_make_the_same_rows(up, name):
    before, pid = kinds(up, name), up.pid(name)
    assert psutil.pid_exists(pid)
    assert up.names[name] == "up"
    up.pause(name)
    assert (up.status(name), up.pid(name)) == ("paused", pid)
    up.resume(name)
    up.kill(name)
    assert (up.status(name), up.pid(name)) == ("dead", None)
    assert not psutil.pid_exists(pid)
    up.restart(name)
    what = ENGINES[name].__name__
    assert before[0] == ("start", 1, what)
    assert before[-1][0] == "start"
    life = before[-1][1]
    assert kinds(up, name)[len(before) :] == [
        ("pause", life, None), ("resume", life, None), ("kill", life, None),
        ("start", life + 1, what),
    ]  # fmt: skip


def test_a_killed_engine_refuses_and_once_restarted_has_what_it_had_written(up, name):
    with client_of(up, name) as client:
        address, port = up.address(name), up.port(name)
        client.put("kept")
        up.kill(name)
        with pytest.raises(WrongState, match="is dead already"):
            up.pause(name)
        with pytest.raises(client.failed):
            client.get()
        up.restart(name)
        assert (up.address(name), up.port(name)) == (address, port)
    with client_of(up, name) as client:
        assert client.get() == "kept"


def test_a_paused_engine_lets_its_clients_wait_and_goes_on_where_it_was(up, name):
    with client_of(up, name) as client:
        client.put("before")
        up.pause(name)
        with pytest.raises(client.failed):
            client.get()
        up.resume(name)
    with client_of(up, name) as client:
        assert client.get() == "before"


def test_a_verb_that_does_not_apply_says_so(up, name):
    with pytest.raises(WrongState, match="only a dead node can be restarted"):
        up.restart(name)
    with pytest.raises(WrongState, match="is not paused"):
        up.resume(name)
    with pytest.raises(WrongState, match=f"the name {name} is taken"):
        engine_clients.start(up, name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # kazoo's
def test_who_does_not_know_the_password_of_the_address_gets_nothing(up, name):
    with client_of(up, name) as client:
        client.put("secret")
    address = up.address(name)
    password = re.search(":([0-9a-f]{32})@", address)[1]
    for other in (re.sub("[^/@]*@", "", address), address.replace(password, "wrong")):
        if name == "postgres":
            other = other.replace("//127", "//postgres@127")
        with pytest.raises(engine_clients.REFUSED[name]), _closing(name, other) as stranger:
            stranger.get()


def _closing(name, address):
    return contextlib.closing(engine_clients.CLIENTS[name](address))


def test_the_password_is_another_in_each_world_and_stands_nowhere_in_the_open(up, name, elsewhere):
    password = re.search(":([0-9a-f]{32})@", up.address(name))[1]
    shown = [repr(up), repr(up.trace.rows), repr(up.names)]
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, and shows nothing
            shown += process.cmdline()
    assert not [text for text in shown if password in text]
    for path in folder_of(up).rglob("*"):
        if path.is_file() and password.encode() in path.read_bytes():
            assert not path.stat().st_mode & 0o077, path
    assert password not in elsewhere.address


def test_an_engine_takes_no_http_and_a_call_says_what_to_do(up, name):
    class Web(Node):
        async def handle(self, request):
            return (await self.call(name)).body

    with pytest.raises(UnknownNode, match=f"world.address\\('{name}'\\), to its client"):
        up.call(name)
    up.start("caller", Web)
    assert "no node is named" in str(up.call("caller").body)


class Asker(Node):
    """Uses an engine from a process of its own, by the engine's client."""

    def __init__(self, name, address):
        self._client = engine_clients.CLIENTS[name](address)

    async def handle(self, request):
        if request.body is not None:
            self._client.put(request.body)
        return self._client.get()


def test_a_node_reaches_an_engine_by_an_address_that_it_is_given(up, name):
    up.start("web", Asker, name, up.address(name))
    assert up.call("web", body="hello", timeout=10).body == "hello"
    up.kill("web")
    up.restart("web")
    assert up.call("web", timeout=10).body == "hello"
    up.kill("web")


def test_an_engine_that_ends_by_itself_has_crashed(up, name):
    psutil.Process(up.pid(name)).terminate()
    until(lambda: up.status(name) == "dead")
    assert kinds(up, name)[-1][0] == "crash"
    up.restart(name)
    assert up.status(name) == "up"


def test_a_paused_engine_can_be_killed(up, name):
    pids = [p.pid for p in tree(up.pid(name))]
    up.pause(name)
    up.kill(name)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def tree(pid):
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_engine_that_does_not_start_says_why_and_leaves_its_name_and_its_place_free(
    world, name, monkeypatch
):
    def start(why, message, **changed):
        with monkeypatch.context() as patch:
            for what, other in changed.items():
                patch.setattr(ENGINES[name], what, other)
            with pytest.raises(why, match=message):
                engine_clients.start(world, name)
        assert world.names == {}

    def program(*argv):  # it writes nothing, so nothing need be prepared
        return {"command": lambda *_: Command(list(argv)), "prepare": lambda *_: []}

    # It cannot be run at all.
    start(RuntimeError, f"{name} has no process: .*/nowhere/server", **program("/nowhere/server"))
    # It ends at once: its last lines are shown.
    fails = program("sh", "-c", "echo no room on the disk; exit 3")
    start(RuntimeError, f"(?s){name} did not start: .*no room on the disk", **fails)

    # It cannot be asked whether it is up: it is killed.
    pids = []

    async def fail(engine, place, life):
        pids.extend(process.pid for process in warden_of(world).children())
        raise ValueError("no such file")

    start(ValueError, "no such file", is_up=fail)
    assert pids
    until(lambda: not any(map(psutil.pid_exists, pids)))

    # It does not come up in time: it is killed, and its last lines are shown.
    async def never(*_):
        return False

    with monkeypatch.context() as patch:
        patch.setattr(LiveEngine, "patience_s", 3.0)
        start(RuntimeError, f"(?s){name} did not start within 3 s: .+", is_up=never)

    engine_clients.start(world, name)
    with client_of(world, name) as client:
        client.put("now it does")


@pytest.mark.parametrize("name", ENGINES)
def test_a_missing_engine_is_a_named_error_that_says_how_to_get_it(empty, name, monkeypatch):
    monkeypatch.delenv(ENGINES[name].variable, raising=False)
    monkeypatch.setattr(ENGINES[name], "missing", lambda: "there is none: install it")
    with pytest.raises(EngineMissing, match="there is none: install it"):
        empty.start(name, ENGINES[name])
    assert empty.names == {}


@pytest.mark.parametrize("name", ENGINES)
def test_the_simulated_world_says_that_a_real_server_needs_a_live_one(name):
    for options in ({}, engine_clients.OPTIONS.get(name, {})):
        with pytest.raises(TypeError, match=r"is a real server, .* start it in a LiveWorld"):
            World().start(name, ENGINES[name], **options)


@pytest.mark.parametrize("name", ENGINES)
def test_start_takes_the_engines_class(empty, name):
    with pytest.raises(TypeError, match="takes the class"):
        empty.start(name, ENGINES[name]())
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        empty.start(name, ENGINES[name], no_such_option=1)


def test_the_options_of_a_node_have_no_names(empty):
    for place in (empty, World()):
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
    empty, name, options, said
):
    with pytest.raises((TypeError, ValueError, UnknownNode), match=said):
        empty.start(name, ENGINES[name], **options)
    assert empty.names == {}


# It may stand in TMPDIR.
FOLDER = "x" * 90 + "/ it\n's a\"b a\\b a$b%s{x} a:b;c#d 앨리스\t "


@pytest.fixture(scope="module")
def elsewhere(name, tmp_path_factory):
    """What came of an engine from its start to its end, in a folder of a strange name."""
    came = types.SimpleNamespace()
    top = tmp_path_factory.mktemp("elsewhere")
    top.chmod(0o755)
    (top / FOLDER).mkdir(parents=True)
    umask = os.umask(0o022)  # a usual one
    with contextlib.ExitStack() as stack:
        stack.callback(os.umask, umask)
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(
            "tempfile.tempdir", str(top / FOLDER)
        )
        world = stack.enter_context(LiveWorld())
        engine_clients.start(world, name)
        with client_of(world, name) as client:
            client.put("kept")
        world.kill(name)
        world.restart(name)
        with client_of(world, name) as client:
            came.kept = client.get()
        if name == "redis":
            with redis.Redis.from_url(world.address(name)) as asked:
                asked.config_rewrite()
                asked.save()
        pids = [p.pid for p in tree(world.pid(name))]
        world.pause(name)
        came.folder, came.address = folder_of(world), world.address(name)
        files = (came.folder / "1").rglob("*")
        came.files = {path: path.stat().st_mode for path in files}
    came.left = [pid for pid in pids if psutil.pid_exists(pid)]
    return came


def test_an_engine_lives_in_a_folder_of_any_name(elsewhere):
    assert elsewhere.folder.parent.name in FOLDER
    assert elsewhere.kept == "kept"


def test_what_an_engine_writes_is_nobody_elses(elsewhere):
    assert elsewhere.files
    assert not [path for path, mode in elsewhere.files.items() if mode & 0o077]


def test_close_ends_an_engine_and_all_that_it_wrote(elsewhere):
    assert elsewhere.left == []
    assert not elsewhere.folder.exists()


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


def test_an_engine_and_its_folder_have_any_name_where_the_locale_knows_only_ascii(name, tmp_path):
    code, home = tmp_path / "kernel.py", tmp_path / "집"
    code.write_text(KERNEL, "utf-8")
    home.mkdir()
    done = subprocess.run(
        [sys.executable, code, name], env=in_ascii(home), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
    assert list(home.iterdir()) == []
