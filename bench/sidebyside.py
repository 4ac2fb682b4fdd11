"""Runs all sides of a workload in turns, so that what else the machine does hits them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import simpy

from bench import simpy_peers, workloads
from statelab import World

# name of a side: workload -> what to time
SIDES: dict[str, Callable[[str], workloads.Timed]] = {
    "statelab": lambda name: workloads.WORKLOADS[name](World(7)),
    "statelab, memory recorded": lambda name: workloads.WORKLOADS[name](World(7, memory=True)),
    "statelab without its trace (ablation)": lambda name: workloads.WORKLOADS[name](
        workloads.Silent(7)
    ),
    "simpy, mailboxes by hand": lambda name: simpy_peers.WORKLOADS[name](simpy_peers.Mailbox),
    "simpy, Store": lambda name: simpy_peers.WORKLOADS[name](simpy.Store),
}


def seconds_of(workload: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time of each side, round by round. Raises AssertionError if the sides
    did not do the same amount of work."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    done = set()
    for _ in range(rounds):
        for side, build in SIDES.items():
            work = build(workload)
            gc.collect()
            start = time.process_time()
            done.add(work())
            seconds[side].append(time.process_time() - start)
    assert len(done) == 1, f"the sides of {workload} did different work: {done}"
    return seconds


def speed(seconds: dict[str, list[float]], side: str, other: str) -> float:
    """How many times as fast `side` is as `other`: the median of the ratios within a round."""
    return statistics.median(b / a for a, b in zip(seconds[side], seconds[other], strict=True))
