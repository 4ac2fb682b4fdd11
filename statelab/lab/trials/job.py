"""What check and sweep are asked to do, looked at once for both: a scenario, and which seeds."""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from statelab.checked import micros
from statelab.message import shown
from statelab.trace import Invariant

MOST_SEEDS = 1_000_000


def job_of(
    scenario: Callable,
    args: Mapping[str, Any] | None,
    *,
    invariants: Iterable[Invariant],
    until: float,
    seconds: float,
    **functions: Callable | None,
) -> dict[str, Any]:
    """The job for other processes. Raises TypeError or ValueError, with a sentence."""
    if not inspect.isfunction(scenario):
        raise TypeError(f"it takes a function marked @scenario first, not {shown(scenario)}")
    args = {} if args is None else args
    if not isinstance(args, Mapping) or not all(type(name) is str for name in args):
        raise TypeError(f"the scenario's args are a dict from their names, not {shown(args)}")
    if isinstance(invariants, (str, Invariant)) or not isinstance(invariants, Iterable):
        raise TypeError(f"invariants is a list of Invariants, not {shown(invariants)}")
    invariants = list(invariants)
    for invariant in invariants:
        if not isinstance(invariant, Invariant):
            raise TypeError(f"{shown(invariant)} is not an Invariant")
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} is a function, not {shown(function)}")
    micros(until, "until")
    if not micros(seconds, "seconds"):
        raise ValueError("seconds is 0: a run takes some time")
    job = {"scenario": getattr(scenario, "__wrapped__", scenario), "args": dict(args)}
    return {**job, "invariants": invariants, "until": until, **functions}


def seeds_of(seeds: int | Iterable[int], first: Callable[[int], Iterable[int]]) -> list[int]:
    """The seeds that are meant: how many, of which `first` tells the first so many; or which.

    Those come in their order, and as often as they are named. Raises TypeError or ValueError.
    """
    count = _whole(seeds)
    if count is not None:
        if not 1 <= count <= MOST_SEEDS:
            raise ValueError(f"{shown(seeds)} seeds cannot be run: give 1 to {MOST_SEEDS:,}")
        return list(first(count))
    if isinstance(seeds, (str, bytes, Mapping)) or not isinstance(seeds, Iterable):
        raise TypeError(f"seeds is how many, or a list of which, not {shown(seeds)}")
    found = [(seed, _whole(seed)) for seed in itertools.islice(seeds, MOST_SEEDS + 1)]
    if not 0 < len(found) <= MOST_SEEDS:
        raise ValueError(f"seeds names {'too many' if found else 'none'}: name 1 to {MOST_SEEDS:,}")
    for seed, number in found:
        if number is None or not -(1 << 63) <= number < 1 << 63:
            raise TypeError(f"the seed {shown(seed)} is not a whole number of 64 bits")
    return [number for _, number in found]


def _whole(value: Any) -> int | None:
    """A value as an int if it is one, also one of numpy's; True is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
