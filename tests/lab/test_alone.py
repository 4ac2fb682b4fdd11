"""Where there are no processes, as in a browser: what needs them says so, all else goes on."""

import itertools
import os
import subprocess
import threading

import bad_days
import psutil
import pytest
import tqdm

from statelab import Invariant, Node, Run, machine, scenario
from statelab.lab import Panel, Wire, check, sweep
from statelab.machine import NoProcesses

OTHER_PLACES = "On Binder or your own machine"


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """A machine that can start no process and no thread, and cannot be looked at by psutil."""

    def cannot(*given, **named):
        raise OSError(138, "emscripten does not support processes")

    monkeypatch.setattr(machine, "HAS_PROCESSES", False)
    monkeypatch.setattr(machine, "IS_BROWSER", True)
    monkeypatch.setattr(subprocess, "Popen", cannot)
    monkeypatch.setattr(os, "fork", cannot)
    monkeypatch.setattr(threading.Thread, "start", cannot)
    monkeypatch.setattr(psutil, "Process", cannot)
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)  # else a thread looks after bars


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        print("nobody is to see this")
        self.count += 1
        return self.count


class Forgetful(Counter):
    async def handle(self, request):
        return 1


class Dice(Counter):
    async def handle(self, request):
        return os.urandom(8).hex()


@scenario
def counting(world, server=Counter):
    world.start("web", server)


def three(world, random):
    for _ in range(3):
        world.call("web")


def falls_back(rows):
    answers = [row for row in rows.requests() if row.ok]
    pairs = itertools.pairwise(answers)
    return next((b.seq for a, b in pairs if b.answer <= a.answer), None)


GROWS = Invariant("it grows", falls_back)


def checked(server, **options):
    return check(counting, {"server": server}, invariants=[GROWS], day=three, seeds=3, **options)


# ------------------------------------------------------------------------------- live worlds
def test_a_live_world_can_be_named_and_says_why_it_cannot_be_made():
    from statelab import LiveWorld

    with pytest.raises(
        NoProcesses, match=f"a browser has none, so nothing was done. {OTHER_PLACES}"
    ):
        LiveWorld(memory=True)


def test_a_panel_offers_the_simulated_world_only():
    panel = Panel(counting, live=True)
    assert panel.modes == ["simulated"]
    panel.do("kill", "web")
    assert panel.world.status("web") == "dead"
    with pytest.raises(ValueError, match="a panel has no 'world' with"):
        panel.do("world", "live")


def test_a_wire_says_so():
    with pytest.raises(NoProcesses, match=f"Wire connects to real processes.*{OTHER_PLACES}"):
        Wire(Counter, b"POST / HTTP/1.1\r\nHost: web\r\n\r\n")


# ------------------------------------------------------------------------------- trials
def test_a_check_runs_in_this_process_and_its_verdict_says_so(capsys):
    verdict = checked(Counter)
    assert verdict.passed
    assert "under 3 hidden seeds, two runs in one process agree in every event." in verdict.text
    assert "the order\n  of a set, was not looked at. On Binder or your own" in verdict.text
    assert "two processes" not in verdict.text
    assert capsys.readouterr().out == verdict.text + "\n"


def test_a_check_that_fails_says_what_it_says_elsewhere(monkeypatch):
    here = checked(Forgetful)
    monkeypatch.undo()
    elsewhere = checked(Forgetful)
    assert not here.passed
    assert here == elsewhere


def test_what_comes_out_differently_each_time_is_found_in_one_process_too():
    verdict = checked(Dice)
    assert not verdict.passed
    assert "two runs, fed the same, differ." in verdict.text
    assert "another process:" not in verdict.text


def test_a_sweep_runs_in_this_process_and_finds_the_same(monkeypatch):
    given = {"day": bad_days.bad_day, "measure": lambda rows: {"rows": len(rows)}, "until": 0.5}
    here = sweep(bad_days.shop, 30, **given)
    assert set(sweep(bad_days.shop, 3, measure=lambda rows: {"at": os.getpid()})["at"]) == {
        os.getpid()
    }
    monkeypatch.undo()
    assert here.equals(sweep(bad_days.shop, 30, **given))


def test_a_sweep_tells_of_a_run_that_fails_here_too():
    with pytest.raises(RuntimeError, match="seed 0: three stopped: UnknownNode"):
        sweep(bad_days.shop, 3, day=three)


def test_a_run_code_opens_with_no_thread_to_watch_it():
    panel = Panel(counting)
    panel.do("kill", "web")
    code = panel.code
    other = Panel(counting)
    other.do("open", code)
    assert other.world.trace.digest() == Run.parse(code).replay(counting).trace.digest()


def test_a_machine_without_the_packages_for_it_has_no_processes_and_says_what_to_install(
    monkeypatch,
):
    monkeypatch.setattr(machine, "IS_BROWSER", False)
    monkeypatch.delattr(machine, "HAS_PROCESSES")
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == "psutil" else name)
    assert machine.HAS_PROCESSES is False
    with pytest.raises(NoProcesses, match=r"them psutil must be .* pip install 'statelab\[live"):
        Wire(Counter, b"GET / HTTP/1.1\r\n\r\n")
