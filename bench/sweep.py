"""A sweep over the bug hunt of lesson 04: how long on one core, and how much faster on two."""

from __future__ import annotations

import statistics
import sys
import time
from concurrent.futures import Executor
from pathlib import Path

import loky

from bench.table import Line, at_least, at_most
from statelab import lab

ROUNDS = 5
SEEDS, MORE_SEEDS = 1_000, 4_000


def lines() -> list[Line]:
    """Real seconds for a thousand seeds, and the ratio of four thousand on one core and on two.

    One process and two take turns, and all have been started before.
    """
    one, two = (loky.ProcessPoolExecutor(count) for count in (1, 2))
    try:
        job = _lesson()
        for executor in (one, two):
            _seconds(job, SEEDS, executor)
        thousand = [_seconds(job, SEEDS, one) for _ in range(ROUNDS)]
        pairs = [
            (_seconds(job, MORE_SEEDS, one), _seconds(job, MORE_SEEDS, two)) for _ in range(ROUNDS)
        ]
    finally:
        for executor in (one, two):
            executor.shutdown(kill_workers=True)
    ratio = statistics.median(alone / both for alone, both in pairs)
    return [
        at_most(f"{SEEDS:,} seeds on one core", statistics.median(thousand), 2, "s"),
        at_least(f"two cores against one, {MORE_SEEDS:,} seeds", ratio, 1.6),
    ]


def _lesson() -> tuple[tuple, dict]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
    import lessons

    lesson = lessons.load("04_authentication")
    options = {"day": lesson.a_day, "invariants": [lesson.LOGOUT_COUNTS], "until": 10.0}
    return (lesson.shop_with_a_key, {"server": lesson.LogoutThatLasts}), options


def _seconds(job: tuple[tuple, dict], seeds: int, executor: Executor) -> float:
    (scenario, args), options = job
    start = time.perf_counter()
    lab.sweep(scenario, seeds, args, executor=executor, **options)
    return time.perf_counter() - start
