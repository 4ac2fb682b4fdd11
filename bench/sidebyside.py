"""statelab against simpy: one process for each side, advanced in turns, a slice at a time.

So what else the machine does hits all sides alike, and no side's memory weighs on another's
garbage collector. Only ratios are told: seconds differ from machine to machine.

As a program (`python -m bench.sidebyside WORKLOAD SIDE`) it is one side: it builds its workload,
and for each line it reads moves on to that virtual time and answers with the seconds it took.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable

import simpy

from bench import simpy_peers, workloads
from bench.table import Line, at_least
from statelab import World

SLICES = 40

OURS, MEMORY = "statelab", "statelab, memory recorded"
BY_HAND, STORE = "simpy, mailboxes by hand", "simpy, Store"
SIDES_OF = {
    "timers": (OURS, MEMORY, BY_HAND),
    "ping_pong": (OURS, MEMORY, BY_HAND, STORE),
    "requests": (OURS, MEMORY, BY_HAND, STORE),
}
SIDES: dict[str, Callable[[str], workloads.Built]] = {
    OURS: lambda name: workloads.WORKLOADS[name](World(7)),
    MEMORY: lambda name: workloads.WORKLOADS[name](World(7, memory=True)),
    BY_HAND: lambda name: simpy_peers.WORKLOADS[name](simpy_peers.Mailbox),
    STORE: lambda name: simpy_peers.WORKLOADS[name](simpy.Store),
}


class Side:
    """One side, in a process of its own."""

    def __init__(self, workload: str, name: str):
        self.seconds = 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sidebyside", workload, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process.stdout.readline()  # it is built

    def advance(self, until_s: float) -> None:
        """Moves on to a virtual time, and waits for that."""
        self.seconds += float(self._ask(until_s))

    def end(self) -> int:
        """Ends the process; returns how much work it has done."""
        done = int(self._ask("done"))
        self._process.communicate()
        return done

    def _ask(self, what: object) -> str:
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def seconds_of(workload: str) -> dict[str, float]:
    """Seconds of processor time of each side.

    Raises AssertionError if the sides did not do the same amount of work.
    """
    sides = {name: Side(workload, name) for name in SIDES_OF[workload]}
    span_s = workloads.SPAN_S[workload]
    for number in range(1, SLICES + 1):
        for side in sides.values():
            side.advance(span_s * number / SLICES)
    for side in sides.values():
        side.advance(workloads.FOR_EVER_S)
    done = {name: side.end() for name, side in sides.items()}
    assert len(set(done.values())) == 1, f"the sides of {workload} did different work: {done}"
    return {name: side.seconds for name, side in sides.items()}


def _serve(workload: str, name: str) -> None:
    built = SIDES[name](workload)
    gc.collect()
    print("built", flush=True)
    for line in sys.stdin:
        if line == "done\n":
            print(built.done(), flush=True)
            return
        start = time.process_time()
        built.advance(float(line))
        print(time.process_time() - start, flush=True)


def lines() -> list[Line]:
    """How many times as fast statelab is as simpy, and what its trace and its memory's cost."""
    table = []
    for workload, targets in {
        "timers": {BY_HAND: 1.0},
        "ping_pong": {STORE: 1.0, BY_HAND: None},
        "requests": {STORE: 2.5, BY_HAND: 1.0},
    }.items():
        seconds = seconds_of(workload)
        ours = seconds[OURS]
        for other, target in targets.items():
            what = f"{workload}: times as fast as {'simpy' if workload == 'timers' else other}"
            ratio = seconds[other] / ours
            if target is None:
                table.append(Line(what, f"{ratio:.2f} ×"))
            else:
                table.append(at_least(what, ratio, target))
        times = seconds[MEMORY] / ours
        table.append(Line(f"{workload}: with memory recorded it takes", f"{times:.2f} × as long"))
    return table


if __name__ == "__main__":
    _serve(*sys.argv[1:])
