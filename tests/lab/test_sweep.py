"""A sweep runs many seeds on whatever there is, and what goes wrong is a sentence, not a hang."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import bad_days
import lessons
import loky
import pandas
import psutil
import pytest

from statelab import Invariant, Node, Run, lab, scenario
from statelab.lab.trials.progress import Progress

KINDS = ("kill", "pause", "partition")


def first_kill(rows):
    return next((row.seq for row in rows if row.kind == "kill"), None)


NO_KILL = Invariant("nobody is killed", first_kill)
ALWAYS = Invariant("it is true", lambda rows: None)


def counts(rows):
    return {kind: sum(row.kind == kind for row in rows) for kind in KINDS}


def swept(seeds=60, **options):
    given = {"day": bad_days.bad_day, "invariants": [NO_KILL, ALWAYS], "measure": counts}
    return lab.sweep(bad_days.shop, seeds, **{"until": 1.0, **given, **options})


# ------------------------------------------------------------------------------- the table
def test_a_row_names_its_run_and_where_each_invariant_first_broke():
    table = swept()
    assert list(table.index) == list(range(60))
    for seed, row in table.iterrows():
        world = Run.parse(row["code"]).replay(bad_days.shop)
        assert world.seed == seed
        breach = world.trace.breach(NO_KILL)
        assert row["nobody is killed"] == (breach is None)
        where = row["broken at: nobody is killed"]
        assert where is pandas.NA if breach is None else where == breach.seq
        assert row["kill"] == counts(world.trace.rows)["kill"]
    assert 0 < table["nobody is killed"].sum() < 60
    assert table["it is true"].all()
    assert table["broken at: it is true"].isna().all()


def test_a_sweep_without_invariants_and_measure_still_names_the_runs():
    table = lab.sweep(bad_days.shop, [7, 3], until=0.2)
    assert list(table.columns) == ["code"]
    assert list(table.index) == [7, 3]
    assert Run.parse(table["code"][3]).replay(bad_days.shop).seed == 3


def test_any_executor_makes_the_same_table():
    table = swept(48)
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1, get_context("spawn")) as process:
        for executor in (threads, process):
            pandas.testing.assert_frame_equal(swept(48, executor=executor), table)


@pytest.mark.filterwarnings("default")  # what Dask's own parts warn of is not ours to mend
def test_a_local_dask_cluster_makes_the_same_table():
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        pandas.testing.assert_frame_equal(swept(100, executor=client.get_executor()), swept(100))


def test_the_code_of_a_lesson_goes_to_the_other_processes_by_value():
    lesson = lessons.load("04_authentication")
    options = {"day": lesson.a_day, "invariants": [lesson.LOGOUT_COUNTS], "until": 10.0}
    sentence = lesson.LOGOUT_COUNTS.sentence
    held = {
        server: lab.sweep(lesson.shop_with_a_key, 60, {"server": server}, **options)[sentence]
        for server in (lesson.LogoutThatCounts, lesson.LogoutThatLasts)
    }
    assert not held[lesson.LogoutThatCounts].all()
    assert held[lesson.LogoutThatLasts].all()


# ------------------------------------------------------------------------------- what goes wrong
class Trap(Node):
    """Answers, but for one seed, with which something goes wrong."""

    def __init__(self, what, seed, trapped):
        self.what = what if seed == trapped else "nothing"

    async def run(self):
        await self.sleep(0.5)
        await self.call("self", "/", self.what)

    async def handle(self, request):
        if request.body == "raise":
            return {}["key"]
        if request.body == "exit":
            os._exit(3)
        while request.body == "loop":
            pass
        if request.body == "leave":
            sys.exit()


@scenario
def trap(world, what="nothing", trapped=13):
    if what == "set up" and world.seed == trapped:
        raise LookupError("no such shop")
    world.start("self", Trap, what, world.seed, trapped)


class Late(Exception):
    def __init__(self, due, came):
        super().__init__(f"{due} < {came}")  # so that it is made anew of one argument


class Exits:
    def __reduce__(self):
        return sys.exit, (3,)


def day_with_a_hasty_client(world, random):
    world.run(0.1)
    world.kill("self")
    world.client("ann").post("self", "/")


@pytest.mark.parametrize(
    ("args", "options", "seed", "said"),
    [
        ({"what": "raise"}, {}, 13, "a server failed: 0.5"),
        ({"what": "raise"}, {}, 13, "self's handler raised KeyError: 'key'"),
        ({"what": "set up"}, {}, 13, "trap stopped: LookupError: no such shop"),
        ({"what": "leave"}, {}, 13, "self dies of SystemExit"),
        ({}, {"day": day_with_a_hasty_client}, 0, "day_with_a_hasty_client stopped: Refused"),
        ({}, {"invariants": [Invariant("x", lambda rows: rows[0].no)]}, 0, "the check of “x” st"),
        ({}, {"measure": lambda rows: 3}, 0, "it returned 3: return a dict"),
        ({}, {"measure": lambda rows: {"code": 3}}, 0, "has a column 'code' already"),
        ({}, {"measure": lambda rows: {"lock": threading.Lock()}}, 0, "cannot travel back"),
        ({}, {"measure": lambda rows: {"error": Late(1, 2)}}, 0, "cannot travel back"),
        ({}, {"measure": lambda rows: {"it": Exits()}}, 0, "cannot travel back, as plain values"),
    ],
)
def test_what_raises_is_named_with_its_seed_and_its_run_code(args, options, seed, said):
    with pytest.raises(lab.SweepError) as failed:
        lab.sweep(trap, 20, args, **options)
    text = str(failed.value)
    assert text.startswith(f"seed {seed}: ")
    assert said in " ".join(text.split())
    assert failed.value.seed == seed
    assert f"run code: {failed.value.code}" in text
    assert Run.parse(failed.value.code).seed == seed
    if seed == 13:
        assert sorted({*range(20)} - {*failed.value.table.index}) == [13]
    else:
        assert "So it is with 20 of 20 seeds." in text


@pytest.mark.parametrize(
    ("what", "said"), [("exit", "its process ended"), ("loop", "had not ended after 3 s")]
)
def test_a_seed_that_takes_its_process_along_is_found_and_the_others_are_kept(what, said):
    with pytest.raises(lab.SweepError, match=said) as failed:
        lab.sweep(trap, 40, {"what": what}, seconds=3)
    assert str(failed.value).startswith("seed 13: ")
    assert {*range(13)} <= {*failed.value.table.index} <= {*range(40)} - {13}
    assert len(lab.sweep(trap, 40)) == 40  # and the next sweep has processes again


def test_a_worker_of_a_given_executor_that_dies_is_named_by_its_seeds():
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        with pytest.raises(lab.SweepError, match="the worker with the seeds 1") as failed:
            lab.sweep(trap, 80, {"what": "exit", "trapped": 12}, executor=executor)
    assert "BrokenProcessPool" in str(failed.value)
    assert {*failed.value.table.index} <= {*range(12)}


def test_a_wrong_argument_is_told_before_anything_runs():
    with pytest.raises(lab.SweepError, match="cannot travel"):
        lab.sweep(trap, 1, {"what": sys.stdout})
    with pytest.raises(TypeError, match="a function marked @scenario"):
        lab.sweep("trap", 1)
    with pytest.raises(TypeError, match="is not an Invariant"):
        lab.sweep(trap, 1, invariants=[first_kill])


# ------------------------------------------------------------------------------- interrupted
def test_an_interrupted_sweep_keeps_what_it_has(monkeypatch, capsys):
    step, steps = Progress.step, []

    def step_and_interrupt(self, count=1):
        step(self, count)
        steps.append(count)
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "step", step_and_interrupt)
    # A test run in the background of a shell begins with this signal ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        table = swept(1000)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert f"Interrupted: the table has {len(table)} of 1,000 seeds." in capsys.readouterr().out
    assert sum(steps[:2]) <= len(table) < 1000
    monkeypatch.undo()
    whole = swept(list(table.index))
    pandas.testing.assert_frame_equal(table, whole)


def test_an_interrupt_of_the_whole_group_ends_no_process_of_the_sweep():
    swept(4)
    (executor,) = [loky.get_reusable_executor(loky.cpu_count(), timeout=60, reuse=True)]
    for pid in list(executor._processes):
        os.kill(pid, signal.SIGINT)
    assert executor.submit(int).result(30) == 0


PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import bad_days
from statelab import lab
print(len(lab.sweep(bad_days.shop, 40, day=bad_days.bad_day, until=1.0)), flush=True)
sys.stdin.read(1)
"""


def program():
    return [sys.executable, "-c", PROGRAM.format(paths=sys.path)]


INTERRUPTED = """
import signal, sys
sys.path[:0] = {paths!r}
import bad_days
from statelab import lab
from statelab.lab.trials.progress import Progress
signal.signal(signal.SIGINT, signal.default_int_handler)
Progress.step = lambda self, count: signal.raise_signal(signal.SIGINT)
lab.sweep(bad_days.shop, 1000, day=bad_days.bad_day, until=5.0)
"""


def test_an_interrupted_sweep_says_so_and_nothing_else():
    argv = [sys.executable, "-c", INTERRUPTED.format(paths=sys.path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("Interrupted: the table has ")
    assert "Error" not in done.stderr


def test_the_processes_of_a_sweep_end_with_a_killed_parent():
    with subprocess.Popen(program(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"40\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= loky.cpu_count()
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_a_process_of_a_sweep_whose_parent_has_ended_before_it_begins_ends_too():
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        pass  # it has ended, and its number is nobody's
    code = f"import time; from statelab.lab.trials.pool import prepare; prepare({parent.pid})"
    found = subprocess.run([sys.executable, "-c", f"{code}; time.sleep(60)"], timeout=60)
    assert found.returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_terminal_shows_how_far_it_is_and_a_file_gets_nothing_of_it():
    import pty
    import termios

    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 80))
    subprocess.run(program(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=its)
    assert b"seeds: 40" in os.read(ours, 10_000)
    os.close(its)
    os.close(ours)
    quiet = subprocess.run(program(), stdin=subprocess.DEVNULL, capture_output=True)
    assert (quiet.stdout, quiet.stderr) == (b"40\n", b"")


@pytest.mark.parametrize("wrong", [PermissionError(13, "Permission denied"), OSError(30, "ro")])
def test_where_no_process_can_be_started_a_sweep_says_what_to_do_and_that_works(monkeypatch, wrong):
    def cannot(**options):
        raise wrong

    monkeypatch.setattr(loky, "get_reusable_executor", cannot)
    with pytest.raises(lab.SweepError, match=r"nothing was run.*a /dev/shm that can be written to"):
        lab.sweep(bad_days.shop, 2)
    with ThreadPoolExecutor(1) as executor:
        assert len(lab.sweep(bad_days.shop, 2, executor=executor)) == 2
