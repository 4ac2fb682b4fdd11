"""Process trees: nothing of them is missed, whatever clock and machine do."""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import folder_of, wait_until
from programs import Program

from statelab.engines.engine import Command
from statelab.live.warden import trees
from statelab.live.world import LiveWorld

pytestmark = pytest.mark.live

PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"])
sys.stdin.read()
"""

BEREAVED = """
import os, time
parent = os.getpid()
if os.fork():
    time.sleep(60)
print("up", flush=True)
while os.getppid() == parent:
    time.sleep(0.001)
if not os.fork():
    time.sleep(2)  # until the others are dead
    print("an heir", flush=True)
"""


HYDRA = """
import os, time
if os.fork():
    time.sleep(60)
while True:
    if os.fork():
        os._exit(0)
    os.write(1, b".")
    time.sleep(0.002)
"""


class Hydra(Program):
    """Has a child of which each process has one heir, and ends."""

    def command(self, place):
        return Command([sys.executable, "-S", "-c", HYDRA])


@pytest.fixture
def family():
    """A process that has a child; the two, as psutil has them."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as parent:
        assert parent.stdout.readline() == b"up\n"
        tree = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children()]
        yield tree
        for process in tree:
            process.kill()


@pytest.fixture
def set_back(monkeypatch):
    """The clock of the wall is set back all the time: each birth seems to be the earlier one."""
    times = itertools.count(psutil.boot_time(), -10)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: float(next(times)))


def test_a_clock_that_is_set_back_hides_no_child(family, set_back):
    parent, child = family
    trees.pause(parent.pid)
    assert child.status() == psutil.STATUS_STOPPED
    trees.resume(parent.pid)
    wait_until(lambda: child.status() == psutil.STATUS_SLEEPING)
    trees.kill(parent.pid)
    assert not runs(child)


def test_an_heir_is_not_born_while_the_others_die(monkeypatch):
    each = trees._each

    def slowly(verb):
        each(verb)
        time.sleep(0.2)

    monkeypatch.setattr(trees, "_each", slowly)
    with subprocess.Popen([sys.executable, "-c", BEREAVED], stdin=-1, stdout=-1) as parent:
        assert parent.stdout.readline() == b"up\n"
        trees.kill(parent.pid)
        assert parent.stdout.read() == b""  # nobody is left who could say something


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of an orphan's heirs")
@pytest.mark.parametrize("end", ["kill", "close"])
def test_what_lives_no_longer_than_a_look_around_ends_in_two_seconds(end):
    with LiveWorld() as world:
        world.start("hydra", Hydra)
        wait_until(lambda: len(Path(folder_of(world), "1.log").read_bytes()) > 20)
        began = time.monotonic()
        world.kill("hydra") if end == "kill" else world.close()
        assert time.monotonic() - began < 2


def test_whoever_ends_all_goes_on_until_all_are_gone(family, monkeypatch):
    _, child = family
    looks, each = itertools.count(), trees._each

    def late(verb):  # as on a machine where what was killed is not gone yet
        if next(looks) > 150:
            each(verb)

    monkeypatch.setattr(trees, "_each", late)
    monkeypatch.setattr(trees, "_below", lambda pid: [child] if runs(child) else [])
    trees.end_all(lambda: None)
    assert not runs(child)


def runs(process):
    """Whether it has not ended."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
