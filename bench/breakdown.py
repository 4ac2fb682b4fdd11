"""Where the time of the requests workload goes, function by function."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

from bench import workloads
from bench.table import Line
from statelab import World

SHOWN = 16


def lines() -> list[Line]:
    """The functions that take most of the time themselves, with their share and their calls.

    A profiler weighs small Python functions too heavily, so the shares are a guide, no measure.
    """
    workloads.REQUESTS = 4
    built = workloads.requests(World(7))
    profile = cProfile.Profile()
    profile.enable()
    built.advance(workloads.FOR_EVER_S)
    profile.disable()
    requests = built.done()
    stats = pstats.Stats(profile)
    entries = sorted(stats.stats.items(), key=lambda entry: -entry[1][2])
    return [
        Line(_named(where), f"{own / stats.total_tt:.1%}", f"{calls / requests:.1f} calls")
        for where, (_, calls, own, _, _) in entries[:SHOWN]
    ]


def _named(where: tuple[str, int, str]) -> str:
    file, _, function = where
    return function if file == "~" else f"{Path(file).name}: {function}"
