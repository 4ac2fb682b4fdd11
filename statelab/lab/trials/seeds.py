"""The runs of a sweep, in whatever process, thread or machine an executor runs them.

Rules of this file:

1. It imports nothing that a worker does not need: pandas and Jupyter are the caller's.
2. What goes wrong in a run is an answer, not an exception: the caller says which seed it was.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import pickle
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cloudpickle

from statelab.lab.trials.seed import name_of, raised, run_code, run_seed
from statelab.lab.trials.trial import unpacked
from statelab.language import spoken
from statelab.message import said, shown
from statelab.sim.world import World
from statelab.trace import Invariant


class Seed(NamedTuple):
    """What one seed came to.

    `code` is its run code ('' if it has none), `broken` the seq of each invariant's first breach,
    or None, `measured` what the lesson measured; `wrong` the lines that say why it could not be
    run, and then the rest means nothing.
    """

    seed: int
    code: str
    broken: Sequence[int | None] = ()
    measured: dict[str, Any] | None = None
    wrong: Sequence[str] = ()


def run_batch(parcel: bytes, seeds: Sequence[int], seconds: float) -> list[Seed]:
    """Runs `seeds` in turn, and stops after the first that ends later than so many real seconds."""
    job = _job(parcel)
    end = time.perf_counter() + seconds
    done = []
    with _collecting_only_worlds():
        for seed in seeds:
            done.append(_run(job, seed))
            gc.collect()
            if time.perf_counter() > end:
                break
    return done


@contextlib.contextmanager
def _collecting_only_worlds() -> Iterator[None]:
    """Keeps the collector away from all that is there already: a world is soon there and gone.

    Walking the rest again for each of them took a third of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if collects:
            gc.enable()


@functools.lru_cache(maxsize=2)
def _job(parcel: bytes) -> dict[str, Any]:
    return unpacked(parcel)


def _run(job: dict[str, Any], seed: int) -> Seed:
    world = World(seed)
    wrong = run_seed(job, world)
    measure, broken, measured = job["measure"], [], {}
    if wrong is None:
        rows, doing = world.trace.rows, ""
        try:
            for invariant in job["invariants"]:
                doing = f"the check of “{invariant.sentence}”"
                breach = world.trace.breach(invariant)
                broken.append(breach and breach.seq)
            if measure is not None:
                doing = name_of(measure)
                measured = _columns(measure(rows), job["invariants"])
        except BaseException as failed:
            wrong = raised(doing, failed)
    lines = wrong.lines if wrong else []
    if wrong and wrong.kind == "error":
        lines = [spoken("a server failed:"), *lines]
    return Seed(seed, run_code(world), broken, measured, lines)


def _columns(measured: Any, invariants: Sequence[Invariant]) -> dict[str, Any]:
    if not isinstance(measured, dict) or not all(isinstance(name, str) for name in measured):
        raise TypeError(f"it returned {shown(measured)}: return a dict of a name to a value each")
    taken = {"code", *columns_of(invariants)} & measured.keys()
    if taken:
        raise ValueError(f"the table has a column {sorted(taken)[0]!r} already: name it otherwise")
    try:  # here, where it is known which seed it was
        pickle.loads(cloudpickle.dumps(measured))
    except BaseException as wrong:
        raise TypeError(
            f"what it returned cannot travel back, as plain values can: {said(wrong)}"
        ) from None
    return measured


def columns_of(invariants: Sequence[Invariant]) -> list[str]:
    """The two columns of each invariant: whether it held, and the row where it first broke."""
    sentences = [invariant.sentence for invariant in invariants]
    return [name for text in sentences for name in (text, f"broken at: {text}")]
