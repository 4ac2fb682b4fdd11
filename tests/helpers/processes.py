"""Kernels that hold a live world, and whether its processes and its folder are gone in time."""

import contextlib
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil

from statelab.node import Node

KERNEL = """
    import os, signal, subprocess, sys, time
    # What a shell starts in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from processes import folder_of, relay_of, warden_of
    from statelab.live.world import LiveWorld
    from statelab.node import Node

    class Parent(Node):
        '''Has a child of its own, which ignores what it can.'''
        def __init__(self):
            self._child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        async def handle(self, request):
            return self._child.pid

    class Counter(Node):
        def __init__(self):
            self.count = 0
        async def handle(self, request):
            self.count += 1
            return self.count

    from statelab.live.driver import warden
    warden.FORKS = warden.FORKS and {fork}
    world = LiveWorld()
    world.start("a", Counter)
    world.start("b", Counter)
    world.start("parent", Parent)
    child = world.call("parent").body
    world.client("alice").post("b")
    world.pause("b")
    world.hold("alice", "b")
    pids = [world.pid(name) for name in ("a", "b", "parent")]
    print(*pids, child, warden_of(world).pid, relay_of(world).pid, folder_of(world), flush=True)
"""


def kernel(then, fork=True):
    """Another interpreter that holds a live world and does `then`; the world's pids and folder."""
    code = textwrap.dedent(KERNEL.format(fork=fork)) + textwrap.dedent(then)
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    line = b""  # no more of it than that: `communicate` returns nothing that was read ahead
    while not line.endswith(b"\n") and (byte := os.read(process.stdout.fileno(), 1)):
        line += byte
    *pids, folder = line.decode().rstrip("\n").split(" ", 6)
    return process, [int(pid) for pid in pids], Path(folder)


def in_ascii(folder):
    """The environment of a kernel whose locale knows only ASCII, and whose files are elsewhere."""
    return {
        **os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C",
        "TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip


class Counter(Node):
    """Counts its requests."""

    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


def pids_of(world):
    """The processes of a live world: its nodes', and its warden."""
    pids = (world.pid(name) for name, status in world.names.items() if status != "client")
    return [*pids, warden_of(world).pid]


def folder_of(world):
    """The folder of a live world, with all that it and its nodes write."""
    return world.folder.parent


def spin(seconds):
    """What a node may not do: keeps it from all else for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def warden_of(world):
    """The process that is the parent of all others of a live world."""
    folder = str(folder_of(world))
    (warden,) = (p for p in psutil.Process().children() if folder in p.cmdline())
    return warden


def relay_of(world):
    """The process that a link with a fault leads through; None if no link ever had one."""
    for process in warden_of(world).children():
        if process.name() == "links" or "statelab.live.relay.main" in process.cmdline():
            return process
    return None


def desk_of(world):
    """The port to which the processes of a live world report."""
    return next(c.raddr.port for c in warden_of(world).net_connections("tcp") if c.raddr)


def wait_until(true, seconds=30.0):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_over(pids, folder):
    gone = [pid for pid in pids if not psutil.pid_exists(pid) or is_zombie(pid)]
    return len(gone) == len(pids) and not folder.exists()


def is_zombie(pid):
    """Whether nobody has waited for it yet; one that is reparented may be for a moment."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_over(pids, folder, seconds=2.0):
    end = time.monotonic() + seconds
    while not is_over(pids, folder):
        assert time.monotonic() < end, (
            f"{[psutil.Process(p) for p in pids if psutil.pid_exists(p)]} {folder.exists()}"
        )
        time.sleep(0.01)


def segments_of_nobody():
    """PostgreSQL's segments in /dev/shm that no process uses."""
    found = {path.name for path in Path("/dev/shm").glob("PostgreSQL.*")}
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            found -= set(re.findall(r"PostgreSQL\.[0-9]+", maps.read_text()))
    return found
