"""One seed of a scenario, for check and sweep: its day is run, and what went wrong is an answer.

It imports nothing that a worker does not need: pandas and Jupyter are the caller's.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from statelab.checked import ran
from statelab.lab.trials.nondeterminism import is_learners_code, place
from statelab.language import spoken
from statelab.message import NoReply, Refused, said
from statelab.rows import Row
from statelab.sim.run import Run
from statelab.sim.run_code import RunCodeError
from statelab.sim.world import World
from statelab.words import described

_EXPECTED = tuple(f"{kind.__name__}:" for kind in (Refused, NoReply))


class Wrong(NamedTuple):
    """What went wrong in a run, in `lines`; `kind` is 'set up', 'raised', 'error' or 'breach'.

    `seq` is the event that decided it, or None if no single one did.
    """

    kind: str
    lines: list[str]
    seq: int | None = None


def run_seed(job: dict[str, Any], world: World) -> Wrong | None:
    """Runs the day of a job in `world`, whose seed is the run's; tells what went wrong in it."""
    scenario, day = job["scenario"], job["day"]
    doing = name_of(scenario)
    try:
        world.set_up(scenario, job["args"])
    except BaseException as wrong:
        return raised(doing, wrong)._replace(kind="set up")
    try:
        if day is not None:
            doing = name_of(day)
            ran(day, day(world, random.Random(f"{world.seed}:day")))
        doing = spoken("the run")
        world.run(until=max(job["until"], world.now()))
    except BaseException as wrong:
        return raised(doing, wrong)
    failed = failure(world.trace.rows)
    return failed and Wrong("error", [described(failed)], failed.seq)


def run_code(world: World, signed: bool = True) -> str:
    """The run code of a world, '' if it has none; `signed` if it can be made again."""
    with contextlib.suppress(RunCodeError, TypeError):
        return Run.of(world, signed=signed).code()
    return ""


def failure(rows: Sequence[Row]) -> Row | None:
    """The row in which a server's own code failed, and not a call of it; None if there is none."""
    for row in rows:
        expected = row.kind == "error" and row.data.startswith(_EXPECTED)
        if row.kind == "crash" or (row.kind == "error" and not expected):
            return row
    return None


def name_of(function: Any) -> str:
    """What to call a function of the job."""
    return getattr(function, "__name__", spoken("the scenario"))


def raised(doing: str, wrong: BaseException) -> Wrong:
    """What stopped, of which error, and the learner's line that it came from."""
    lines = [spoken("{what} stopped: {why}", what=doing, why=said(wrong))]
    at, deepest = wrong.__traceback__, None
    while at is not None:
        if is_learners_code(at.tb_frame.f_code):
            deepest = at
        at = at.tb_next
    if deepest is not None:
        function, line = place(deepest.tb_frame, deepest.tb_lineno)
        lines += [spoken("in {function}:", function=function), f"    {line}"]
    return Wrong("raised", lines)
