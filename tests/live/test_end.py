"""Nothing outlives the kernel: however a live world ends, its processes and its folder go."""

import contextlib
import errno
import gc
import os
import shutil
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
    wait_until,
    wait_until_over,
    warden_of,
)
from programs import Program

from statelab.effects import WrongState
from statelab.engines.engine import Command
from statelab.live.world import LiveWorld
from statelab.message import NoReply, Refused

pytestmark = pytest.mark.live


@pytest.mark.parametrize("fork", [True, False])
def test_kill_9_of_the_kernel_leaves_no_process_and_no_folder(fork, kernel_kills):
    for _ in range(kernel_kills):
        process, pids, folder = kernel("time.sleep(1000)", fork)
        assert folder.exists()
        assert all(psutil.pid_exists(pid) for pid in pids)
        os.killpg(process.pid, signal.SIGKILL)  # as Jupyter does
        process.communicate()
        wait_until_over(pids, folder)


def test_a_normal_exit_without_close_leaves_nothing_and_says_nothing():
    process, pids, folder = kernel("")
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    wait_until_over(pids, folder)


def test_an_interrupt_of_the_kernel_does_not_reach_the_nodes():
    process, pids, folder = kernel("""
        try:
            print("ready", flush=True)
            time.sleep(1000)
        except KeyboardInterrupt:
            print(world.call("a").body, world.status("b"), flush=True)
        try:
            world.client("alice").post("b", timeout=1000)
        except KeyboardInterrupt:
            world.resume("b")
            world.release("alice", "b")
            print(world.client("alice").post("b", timeout=60).body, flush=True)
        world.close()
    """)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "1 paused\n"
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    # Alice's request was sent, and held, before the interrupt, so it counts too.
    assert process.stdout.readline() == "3\n"
    process.communicate(timeout=20)
    assert process.returncode == 0
    wait_until_over(pids, folder)


def test_a_kernel_that_forks_does_not_keep_its_world_alive_by_that():
    process, pids, folder = kernel("""
        helper = subprocess.Popen(["sleep", "1000"])
        print(helper.pid, flush=True)
        time.sleep(1000)
    """)
    helper = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        wait_until_over(pids, folder)
    finally:
        os.kill(helper, signal.SIGKILL)
        process.communicate()


def test_close_ends_paused_nodes_too():
    world = LiveWorld()
    world.start("web", Counter)
    world.pause("web")
    pids, folder = pids_of(world), folder_of(world)
    threads = threading.active_count()
    world.close()
    assert is_over(pids, folder)
    assert threading.active_count() < threads


@pytest.mark.parametrize("verb", ["kill", "call"])
@pytest.mark.parametrize("seconds", [0, 1], ids=["a short handler", "a long handler"])
@pytest.mark.skipif(os.name != "posix", reason="a signal handler runs within a verb")
def test_a_world_may_be_closed_by_a_signal_handler_in_the_middle_of_a_verb(verb, seconds):
    process, pids, folder = kernel(f"""
        import signal
        sys.stderr = sys.stdout  # where asyncio says what it thinks of tasks that were left

        def close(*_):
            world.close()
            time.sleep({seconds})

        def interrupted(*given):
            loop.call_soon_threadsafe = ask
            signal.raise_signal(signal.SIGALRM)
            return ask(*given)

        signal.signal(signal.SIGALRM, close)
        loop = world._driver.loop._loop
        ask, loop.call_soon_threadsafe = loop.call_soon_threadsafe, interrupted
        try:
            world.{verb}("a")
        except Exception as wrong:
            print(type(wrong).__name__)
    """)
    try:
        assert process.communicate(timeout=20)[0] in ("WrongState\n", "Refused\n", "NoReply\n")
    finally:
        process.kill()
    wait_until_over(pids, folder)


def test_a_world_that_nobody_holds_ends():
    world = LiveWorld()
    world.start("web", Counter)
    world.call("web")
    world.client("alice").post("web")
    world.watch(lambda: None)
    pids, folder = pids_of(world), folder_of(world)
    del world
    gc.collect()
    wait_until_over(pids, folder, 5)


def test_a_world_that_fails_in_its_with_ends():
    pids = folder = None

    def fail():
        nonlocal pids, folder
        with LiveWorld() as world:
            world.start("web", Counter)
            pids, folder = pids_of(world), folder_of(world)
            raise ValueError("a cell that fails")

    with pytest.raises(ValueError, match="a cell that fails"):
        fail()
    assert is_over(pids, folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_world_whose_warden_is_killed_ends_too(number):
    world = LiveWorld()
    world.start("web", Counter)
    world.pause("web")
    pids, folder = pids_of(world), folder_of(world)
    warden_of(world).send_signal(number)
    wait_until_over(pids, folder)
    wait_until(lambda: "web dead" in repr(world))  # it has seen why; who closes it before need not
    world.close()
    with pytest.raises(WrongState, match="this world is closed, for its warden is gone"):
        world.call("web")
    world.close()


def test_a_warden_that_is_told_to_end_while_it_ends_everything_does_so_all_the_same():
    process, pids, folder = kernel("time.sleep(1000)")
    *_, warden, _ = pids
    os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        for _ in range(100_000):
            os.kill(warden, signal.SIGTERM)
    process.communicate()
    wait_until_over(pids, folder)


def test_a_world_that_cannot_begin_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(RuntimeError, match="cannot begin: FileNotFoundError"):
        LiveWorld()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LiveWorld() as world, pytest.raises(WrongState, match="its warden is gone"):
        world.start("web", Counter)


@pytest.mark.parametrize("what", ["selectors.DefaultSelector", "asyncio.SelectorEventLoop"])
def test_a_world_that_may_open_no_more_files_says_so(what, monkeypatch):
    def full(*args):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(what, full)
    with pytest.raises(RuntimeError, match=r"cannot begin: OSError: .*Too many open files"):
        LiveWorld()


def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path):
    (tmp_path / "h11.py").write_text("raise ImportError('no h11 here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LiveWorld() as world:
        folder = folder_of(world)
        with pytest.raises(WrongState, match=r"its warden is gone .ImportError: no h11 here"):
            world.start("web", Counter)
    assert not folder.exists()


def test_a_kernel_that_dies_before_its_warden_is_there_leaves_no_folder(tmp_path):
    for line in ("", '{"desk": 1, "token": "00", "forks": true}\n'):
        folder = tmp_path / "folder"
        folder.mkdir()
        root = str(Path(__file__).parents[2])
        subprocess.run(
            [sys.executable, "-P", "-m", "statelab.live.warden.main", str(folder)],
            input=line, text=True, env={**os.environ, "PYTHONPATH": root}, timeout=20, check=True,
        )  # fmt: skip
        assert not folder.exists()


DIES = """
import os, signal, subprocess, sys
from pathlib import Path
from statelab import LiveWorld

def dying(do):
    def does(*args, **kwargs):
        for when in ("before", "after"):
            if when == sys.argv[2]:
                os.kill(os.getpid(), signal.SIGKILL)
            if when == "before":
                do(*args, **kwargs)
    return does

owner, name = {"warden": (subprocess.Popen, "__init__"), "folder": (Path, "mkdir")}[sys.argv[1]]
setattr(owner, name, dying(getattr(owner, name)))
LiveWorld()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["warden", "folder"])
def test_a_kernel_that_dies_while_its_world_begins_leaves_no_folder(what, when, tmp_path):
    root = str(Path(__file__).parents[2])
    died = subprocess.run(
        [sys.executable, "-c", DIES, what, when], timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": root},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    wait_until(lambda: not list(tmp_path.iterdir()), 5.0)


LOCKED = """
import os, sys
from pathlib import Path
from statelab import LiveWorld, Node

class Keeper(Node):
    def __init__(self, folder, name, away):
        inner = Path(folder, name, "modules", "one")
        inner.mkdir(parents=True)
        (inner / "file").write_text("data")
        for path, mode in ((inner / "file", 0o444), (inner, 0o555), (inner.parent, 0)):
            path.chmod(mode)
        (Path(folder, name) / "away").symlink_to(away)
        if name == "2":
            raise ValueError("bad")

world = LiveWorld()
world.start("a", Keeper, world.folder, "a", sys.argv[1])
try:
    world.start("b", Keeper, world.folder.parent, "2", sys.argv[1])
except RuntimeError:
    print(sorted(os.listdir(world.folder.parent)), flush=True)
world.close() if sys.argv[2] == "close" else os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_folder_that_a_node_made_read_only_goes_too(end, tmp_path):
    away = tmp_path / "somebody's"
    away.mkdir(mode=0o500)
    home = tmp_path / "home"
    home.mkdir()
    as_others = []
    if os.geteuid() == 0:  # who may empty any folder
        if not shutil.which("setpriv"):
            pytest.skip("only setpriv takes from root what others have not")
        caps = "-dac_override,-dac_read_search"
        as_others = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"]
    done = subprocess.run(
        [*as_others, sys.executable, "-c", LOCKED, away, end], capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(home), "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert "'files'" in done.stdout, done.stderr
    assert "'2'" not in done.stdout
    wait_until(lambda: not list(home.iterdir()), 5)
    assert away.stat().st_mode & 0o777 == 0o500


def test_who_calls_while_the_world_closes_is_not_left_waiting():
    for _ in range(3):
        world = LiveWorld()
        world.start("web", Counter)
        ended = []

        def work(world=world, ended=ended):
            try:
                while True:
                    world.client("alice").post("web")
                    world.call("web", timeout=None)
            except (WrongState, NoReply, Refused) as error:
                ended.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        world.run(0.05)
        world.close()
        for thread in threads:
            thread.join(5)
        assert len(ended) == 4


def test_the_warden_ignores_what_an_impatient_user_may_send():
    with LiveWorld() as world:
        world.start("web", Counter)
        for number in (signal.SIGINT, signal.SIGHUP):
            warden_of(world).send_signal(number)
        world.run(0.1)
        assert world.call("web").body == 1


class Parent(Program):
    """A program that has a child in a session of its own."""

    CODE = """if True:
        import subprocess, time
        print(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid, flush=True)
        time.sleep(1000)"""

    def command(self, place):
        return Command([sys.executable, "-c", self.CODE])


def test_the_warden_runs_other_programs_and_ends_their_trees():
    with LiveWorld() as world:
        world.start("program", Parent)
        program, folder = psutil.Process(world.pid("program")), folder_of(world)
        wait_until(program.children)
        (child,) = program.children()
        world.pause("program")
        assert child.status() == psutil.STATUS_STOPPED
    assert is_over([program.pid, child.pid], folder)
