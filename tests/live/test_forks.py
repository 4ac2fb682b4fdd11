"""What is left of a live world where others hold what it holds, or it is interrupted: nothing."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from processes import (
    Counter,
    folder_of,
    is_over,
    kernel,
    pids_of,
    segments_of_nobody,
    wait_until,
    wait_until_over,
    warden_of,
)
from programs import Program

from statelab.effects import WrongState
from statelab.engines import Postgres
from statelab.engines.engine import Command
from statelab.live.driver import warden
from statelab.live.world import LiveWorld
from statelab.node import Node

pytestmark = pytest.mark.live
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


# ------------------------------------------------------------------------------- an interrupt
class Interrupt(KeyboardInterrupt):
    pass


def traces_of_worlds(tmp_path):
    # One whose start was interrupted before it began stays in Python's list, and never runs.
    alive = [thread for thread in threading.enumerate() if thread.is_alive()]
    threads = [thread for thread in alive if thread.name == "statelab-live"]
    return {*threads, *psutil.Process().children(recursive=True), *tmp_path.iterdir()}


# One that comes while Python itself forgets an object goes no further than a warning: also where a
# library has been asked to look at that.
@pytest.mark.filterwarnings("ignore:Exception ignored .*<function WeakSet")  # each Python's words
@pytest.mark.filterwarnings("ignore:Exception ignored (in. <function gc_|.*GC callback)")
@posix
def test_an_interrupt_while_a_world_is_made_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt(*_):
        raise Interrupt

    LiveWorld().close()
    there = traces_of_worlds(tmp_path)
    before, kept = signal.signal(signal.SIGALRM, interrupt), []
    try:
        seconds = 30.0  # to make one, on this machine, now: as the last whole one took
        for number in range(30):
            world, begun = None, time.perf_counter()
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + (number or 30) / 30 * seconds)
                world = LiveWorld()
                signal.setitimer(signal.ITIMER_REAL, 0)
                seconds = time.perf_counter() - begun
            except (Interrupt, RuntimeError) as error:
                # Interrupted where it takes its lock again, Python's own wait raises another one.
                if Interrupt not in (type(error), type(error.__context__)):
                    raise
                kept.append(error)  # as a notebook keeps the last one, and all that it refers to
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if world is not None:
                world.close()
            wait_until(lambda: not traces_of_worlds(tmp_path) - there, 60)
        assert len(kept) > 5
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("what", ["start", "_started.wait"])
def test_an_interrupt_at_the_worst_moment_leaves_nothing(tmp_path, monkeypatch, what):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    there = traces_of_worlds(tmp_path)
    start, wait = threading.Thread.start, threading.Event.wait

    def started(thread):
        start(thread)
        if thread.name == "statelab-live" and what == "start":
            raise KeyboardInterrupt

    def waited(event, timeout=None):
        wait(event, timeout)
        if threading.current_thread() is threading.main_thread() and what != "start":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", started)
        patched.setattr(threading.Event, "wait", waited)
        with pytest.raises(KeyboardInterrupt) as kept:
            LiveWorld()
    wait_until(lambda: not traces_of_worlds(tmp_path) - there)
    del kept


# ------------------------------------------------------------------------------- a warden asleep
@posix
def test_a_world_whose_warden_is_stopped_ends_all_the_same():
    with LiveWorld() as world:
        world.start("web", Counter)
        world.pause("web")
        pids, folder = pids_of(world), folder_of(world)
        warden_of(world).suspend()
        began = time.monotonic()
    assert is_over(pids, folder)
    assert time.monotonic() - began < 5


@posix
@pytest.mark.parametrize("how", ["exit", pytest.param("kill -9", marks=linux)])
def test_a_kernel_that_ends_wakes_a_warden_that_is_stopped(how):
    process, pids, folder = kernel("""
        time.sleep(0.3)  # the warden has time for what can wait
        warden_of(world).suspend()
        print("stopped", flush=True)
        sys.stdin.readline()
    """)
    assert process.stdout.readline() == "stopped\n"
    if how == "exit":
        process.communicate("\n", timeout=20)
    else:
        process.kill()
        process.communicate()
    wait_until_over(pids, folder)


# ------------------------------------------------------------------------------- forks
_kept = []


def python_fork():
    pid = os.fork()
    if not pid:
        time.sleep(1000)
        os._exit(0)
    return pid


def c_fork():
    """By C code, which does not tell Python."""
    libc = ctypes.PyDLL(None)
    pid = libc.fork()
    if not pid:
        libc.sleep(1000)
        libc._exit(0)
    return pid


def pool():
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))
    process.start()
    return process.pid


def inheriting():
    code = "import time; time.sleep(1000)"
    _kept.append(subprocess.Popen([sys.executable, "-c", code], close_fds=False))
    return _kept[-1].pid


FORKS = [python_fork, c_fork, pool, inheriting]


@contextlib.contextmanager
def forked(fork):
    pid = fork()
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        for process in _kept:
            process.wait()


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("fork", FORKS)
def test_a_fork_beside_a_world_holds_up_no_end(fork):
    world = LiveWorld()
    world.start("web", Counter)
    world.client("alice").post("web")
    world.hold("alice", "web")
    pids, folder = pids_of(world), folder_of(world)
    with forked(fork) as child:
        began = time.monotonic()
        world.close()
        assert time.monotonic() - began < 3
        assert is_over(pids, folder)
        assert psutil.pid_exists(child)


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("fork", [fork.__name__ for fork in FORKS])
def test_a_fork_of_the_kernel_that_outlives_it_keeps_nothing_alive(fork):
    process, pids, folder = kernel(f"""
        sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
        import test_forks
        print(test_forks.{fork}(), flush=True)
        time.sleep(1000)
    """)
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        wait_until_over(pids, folder)
        assert psutil.pid_exists(child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


class Slow(Node):
    async def handle(self, request):
        await self.sleep(1.5)
        return "at last"


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_verb_in_a_fork_says_at_once_whose_world_it_is():
    with LiveWorld() as world:
        world.start("web", Counter)
        world.start("slow", Slow)
        alice = world.client("alice")
        alice.post("web")
        pending = world.call("slow", wait=False, timeout=5)
        verbs = [
            lambda: world.call("web"), lambda: alice.post("web"), lambda: alice.reconnect(),
            lambda: world.kill("web"), lambda: world.start("b", Counter),
            lambda: world.client("bob"), lambda: world.partition("alice", "web"),
            lambda: world.port("web", caller="curl"), lambda: world.call("web", wait=False),
            pending.result,
        ]  # fmt: skip
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            signal.alarm(20)
            said = []
            for verb in verbs:
                try:
                    verb()
                except BaseException as error:
                    said.append(type(error) is WrongState and "a fork of that" in str(error))
            world.close()
            os.write(write, repr(said).encode())
            os._exit(0)
        os.close(write)
        with open(read) as file:
            assert file.read() == repr([True] * len(verbs))
        os.waitpid(pid, 0)
        assert pending.result().body == "at last"
        assert alice.post("web").body == 2
        assert world.status("web") == "up"


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_may_end_as_it_likes_and_have_a_world_of_its_own():
    with LiveWorld() as world:
        world.start("web", Counter)
        code = """
        pid = os.fork()
        if pid:
            _, status = os.waitpid(pid, 0)
            print(status, world.call("a").body, flush=True)
        else:
            with LiveWorld() as own:
                own.start("a", Counter)
                print(own.call("a").body, flush=True)
        """
        process, pids, folder = kernel(code)
        out, _ = process.communicate(timeout=30)
        assert out.split() == ["1", "0", "1"]
        wait_until_over(pids, folder)


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_connection_that_a_client_closes_is_closed_though_there_is_a_fork():
    with LiveWorld() as world:
        world.start("web", Counter)
        alice = world.client("alice")
        alice.post("web")
        port = alice.ports["web"]
        with forked(python_fork):
            world.run(0.2)
            alice.reconnect()
            assert world.client("bob", port=port).post("web").status == 200
            assert world.client("bob").ports["web"] == port


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_node_that_dies_is_dead_though_its_own_fork_lives_on():
    class Forks(Node):
        async def handle(self, request):
            if request.path == "/die":
                os._exit(3)
            pid = os.fork()
            if not pid:
                os.read(os.pipe()[0], 1)  # for ever
            return pid

    with LiveWorld() as world:
        world.start("web", Forks)
        child = world.call("web").body
        world.client("alice").post("web", "/die", wait=False)
        wait_until(lambda: world.status("web") == "dead")
        world.restart("web")
        assert world.call("web").status == 200
        assert psutil.pid_exists(child)
        folder = folder_of(world)
    assert is_over([child], folder)


# ------------------------------------------------------------------------------- daemons
def command():
    """A command that has left its parent, session and environment."""
    line = "env -i setsid -f sh -c 'echo $$; exec sleep 1000 >&-'"
    return int(subprocess.check_output(line, shell=True))


def fork_of_a_fork():
    """The same without a command, as a server does that goes into the background."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        getattr(os, "".join(("set", "sid")))()  # as a node may not
        if not (daemon := os.fork()):
            os.read(os.pipe()[0], 1)  # for ever
        os.write(writer, str(daemon).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reader, 100))


class Daemonizer(Node):
    def __init__(self, daemon):
        self.daemon = daemon

    async def handle(self, request):
        return self.daemon()


class Daemons(Program):
    """A program that has a daemon, and says which in its log."""

    def command(self, place):
        return Command(["sh", "-c", "setsid -f sh -c 'echo $$; exec sleep 1000'; exec sleep 1000"])


def stops_goes_on_and_ends(world, name, daemon):
    """Whether that process does so when its node does."""
    world.pause(name)
    assert daemon.status() == psutil.STATUS_STOPPED
    world.resume(name)
    wait_until(lambda: daemon.status() != psutil.STATUS_STOPPED)
    world.kill(name)
    return not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE


@linux
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("way", [command, fork_of_a_fork])
@pytest.mark.parametrize("fork", [True, False])
def test_what_a_node_has_let_go_of_stops_goes_on_and_ends_with_it(fork, way, monkeypatch):
    monkeypatch.setattr(warden, "FORKS", fork)
    with LiveWorld() as world:
        world.start("web", Daemonizer, way)
        daemon = psutil.Process(world.call("web", timeout=10).body)
        assert stops_goes_on_and_ends(world, "web", daemon)


@linux
def test_what_an_engine_has_let_go_of_stops_goes_on_and_ends_with_it():
    with LiveWorld() as world:
        world.start("daemons", Daemons)
        (log,) = folder_of(world).glob("?.log")
        wait_until(log.read_text)
        assert stops_goes_on_and_ends(world, "daemons", psutil.Process(int(log.read_text())))


@linux
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("seen", [True, False])
def test_a_warden_that_is_killed_leaves_no_daemon_though_its_world_closes_at_once(seen):
    with LiveWorld() as world:
        world.start("web", Daemonizer, fork_of_a_fork)
        world.start("daemons", Daemons)
        world.call("web", timeout=10)
        wait_until(lambda: len(warden_of(world).children(recursive=True)) == 4)
        pids, folder = [p.pid for p in warden_of(world).children(recursive=True)], folder_of(world)
        warden_of(world).kill()
        if seen:
            wait_until(lambda: "web dead" in repr(world))
    wait_until_over(pids, folder)


# ------------------------------------------------------------------------------- shared memory
@linux
def test_a_database_that_is_being_made_leaves_no_shared_memory():
    if Postgres.lacks():
        pytest.skip(Postgres.lacks())
    before = segments_of_nobody()

    def start(world):
        with contextlib.suppress(WrongState):  # it is closed meanwhile
            world.start("pg", Postgres)

    for number in range(8):
        world = LiveWorld()
        thread = threading.Thread(target=start, args=(world,))
        thread.start()
        time.sleep(0.2 + 0.08 * number)
        world.close()
        thread.join()
    wait_until(lambda: not segments_of_nobody() - before)


@posix
def test_kill_9_of_a_kernel_with_a_fork_while_engines_start_leaves_nothing(kernel_kills):
    for number in range(-(-kernel_kills // 5)):
        before = segments_of_nobody()
        process, pids, folder = kernel("""
            import threading
            from statelab.engines import Postgres, Redis, ZooKeeper
            for engine in (Postgres, Redis, ZooKeeper):
                if not engine.lacks():
                    start = world.start, (engine.__name__, engine)
                    threading.Thread(target=start[0], args=start[1], daemon=True).start()
            child = os.fork()
            if child:
                print(child, flush=True)
            time.sleep(1000)
        """)
        child = int(process.stdout.readline())
        try:
            time.sleep(0.1 * (number % 12))
            process.kill()
            process.wait()
            wait_until_over(pids, folder)
            wait_until(lambda folder=folder: not processes_of(folder), 2)
            wait_until(lambda before=before: not segments_of_nobody() - before, 2)
            assert psutil.pid_exists(child)
        finally:
            os.kill(child, signal.SIGKILL)
            process.communicate()


def processes_of(folder):
    """Those that name the folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(folder) in " ".join(process.cmdline()):
                found.append(process)
    return found
