"""The check of an exercise: hidden seeds, each run twice, in processes that may be killed.

It prints a verdict that helps, always the same for the same code, and never raises.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from statelab import machine
from statelab.lab.trials.job import job_of, seeds_of
from statelab.lab.trials.process import Gone, Runner, parcel_of
from statelab.lab.trials.progress import Progress
from statelab.lab.trials.steps import parting
from statelab.lab.trials.verdict import (
    WRONG,
    Verdict,
    asked,
    failed,
    gone_lines,
    no_journey,
    passed,
)
from statelab.language import print_out, spoken
from statelab.message import said, shown
from statelab.sim.world import World
from statelab.trace import Invariant
from statelab.words import described

# PYTHONHASHSEED of the one process, and of the others that take turns beside it: in two of them
# every second set of two elements has the same order, in all of them one of 32.
HASH_SEEDS = (1, 2, 3, 4, 5, 6)


class Opens(Protocol):
    """A widget that opens a run: a panel."""

    title: str

    def open_run(self, code: str, at: int | None) -> None:
        """Opens the run at a row."""


def check(
    scenario: Callable,
    args: Mapping[str, Any] | None = None,
    *,
    invariants: Iterable[Invariant] = (),
    day: Callable[[World, random.Random], None] | None = None,
    seeds: int | Iterable[int] = 20,
    until: float = 5.0,
    seconds: float = 5.0,
    panel: Opens | None = None,
) -> Verdict:
    """Runs `scenario(world, **args)` under hidden seeds, each twice, and prints a verdict.

    The two runs of a seed happen in processes that hash differently and see another clock,
    zone, host, user, folder and environment; they must agree in every event, and ask for none of
    these (what compiled code asks past Python is found only if they differ). No handler may raise;
    every invariant must hold. `day(world, random)` does what happens from outside: its clicks and
    faults become the inputs of the run code. A run goes on `until` a virtual time, and has failed
    if it takes more than so many real `seconds`. `seeds` is how many, or which. The run that fails
    opens in `panel`, at the event that decided it.
    """
    try:
        job = job_of(scenario, args, invariants=invariants, day=day, until=until, seconds=seconds)
        if panel is not None and not all(hasattr(panel, name) for name in ("open_run", "title")):
            raise TypeError(f"panel is a Panel, not {shown(panel)}")
        verdict = _checked(job, seeds_of(seeds, hidden_seeds), seconds)
    except Exception as wrong:
        verdict = Verdict(False, spoken("✕ this check could not be run: {why}", why=said(wrong)))
    print_out(verdict.text)
    if panel is not None and verdict.code:
        print_out(_opened(panel, verdict))
    return verdict


def _opened(panel: Opens, verdict: Verdict) -> str:
    """Opens the run that failed; says where, or why not."""
    try:
        panel.open_run(verdict.code, verdict.seq)
    except Exception as wrong:
        return spoken(
            "  It cannot be opened in the panel “{title}”: {why}",
            title=panel.title,
            why=said(wrong),
        )
    return spoken(
        "  It is open in the panel “{title}”, at the event that decided it.", title=panel.title
    )


def hidden_seeds(count: int) -> list[int]:
    """Seeds that nobody tunes a server to: always the same ones, and not the first that come."""
    digests = (hashlib.blake2b(b"hidden %d" % i, digest_size=4).digest() for i in range(count))
    return [10_000 + int.from_bytes(digest, "big") % 90_000 for digest in digests]


def _checked(job: dict[str, Any], seeds: list[int], seconds: float) -> Verdict:
    try:
        parcel = parcel_of(job)
    except Exception as wrong:
        return no_journey(wrong)
    with (
        Progress(
            spoken("hidden seeds: {number}, each run twice", number=len(seeds)), len(seeds)
        ) as progress,
        contextlib.ExitStack() as stack,
    ):
        runners = map(stack.enter_context, _runners(parcel, HASH_SEEDS[: 1 + len(seeds)], seconds))
        one = next(runners)
        for seed, other in zip(seeds, _in_turn(runners), strict=False):
            try:
                verdict = _judged(one, other, seed)
            except Gone as gone:
                return failed(seed, "", None, *gone_lines(gone, seconds))
            if verdict is not None:
                return verdict
            progress.step()
    return Verdict(True, "\n".join(passed(len(seeds), job["invariants"])))


def _in_turn(runners: Iterator[Any]) -> Iterator[Any]:
    """These, again and again; most mistakes show at once, so the first begins before the rest."""
    first = next(runners)
    yield first
    others = [*runners]
    yield from others
    yield from itertools.cycle([first, *others])


def _runners(parcel: bytes, hash_seeds: Sequence[int], seconds: float) -> Iterator[Any]:
    """What runs the job: one process, and others to compare it with; or twice this one."""
    if machine.HAS_PROCESSES:
        for place, hash_seed in enumerate(hash_seeds):
            yield Runner(parcel, min(place, 1), hash_seed, seconds)
        return
    from statelab.lab.trials.alone import Alone

    yield from (Alone(parcel), Alone(parcel))


def _judged(one: Runner, other: Runner, seed: int) -> Verdict | None:
    """The verdict on `seed` if it fails, else None."""
    one.tell("run", seed)
    other.tell("run", seed)
    first, second = one.hear(), other.hear()
    wrong = first["wrong"] or second["wrong"]
    if first["digest"] and not second["digest"]:
        wrong[1].append(spoken("Only one of two processes stopped: it has not what the other has."))
    suspects = first["suspects"] or second["suspects"]
    outside = [suspect for suspect in suspects if suspect[0] in ("files", "process")]
    parted = first["digest"] != second["digest"] and not (
        wrong and wrong[0] in ("set up", "raised")
    )
    if parted and not outside:  # what these say is another thing each time
        return _parted(one, other, seed, suspects)
    if suspects and (parted or wrong is None):
        which = spoken("a run asks for what is none of its inputs, and could come out otherwise.")
        return failed(seed, one.ask("code", False), None, which, *asked(*(outside or suspects)[0]))
    if wrong is None:
        return None
    what, told, seq = wrong
    code = "" if what == "set up" else one.ask("code", True)  # it would stop again, in the panel
    return failed(seed, code, seq, *WRONG[what](told))


def _parted(one: Runner, other: Runner, seed: int, suspects: list[list[str]]) -> Verdict:
    """The verdict on two runs that differ: where first, and of what."""
    code, left, right = one.ask("code", False), one.ask("rows"), other.ask("rows")
    pairs = itertools.zip_longest(left, right, fillvalue=[None, "", described(None)])
    mine, theirs = next(pair for pair in pairs if pair[0][1] != pair[1][1])
    seq = mine[0] if theirs[0] is None else theirs[0]
    if suspects:
        first, *more = asked(*suspects[0])
        cause = [spoken("A likely cause: {what}", what=first), *more]
    elif machine.HAS_PROCESSES and one.ask("steady"):
        hashing = spoken(
            "Each process repeats itself here, and the two do not agree. What they do not share\n"
            "  is how they hash and where objects lie: look for a set whose order decides, or an "
            "object\n  shown by its address; use a list, a dict or sorted(…), or a name."
        )
        cause = [*_unlike(one, other), hashing]
    else:
        ask = spoken(
            "It comes out differently each time, even in one process: what does the code ask for "
            "there\n  that nobody keeps, or does it show an object by its address?"
        )
        differ = spoken("two runs, fed the same, differ.")
        return failed(seed, code, None, differ, *_unlike(one, other), ask)
    return failed(
        seed,
        code,
        seq,
        spoken("two runs, fed the same, part at event {seq}. All before it is equal.", seq=seq),
        spoken("one process:      {row}", row=mine[2]),
        spoken("another process:  {row}", row=theirs[2]),
        *cause,
    )


def _unlike(one: Runner, other: Runner) -> list[str]:
    """The line by which two processes differ that ask their machines for nothing, in lines."""
    try:
        one.tell("steps")
        other.tell("steps")
        found = parting(one.hear(), other.hear())
    except Gone:  # it takes too long, line by line
        found = None
    if found is None:
        return []
    where = spoken("The first line that comes out otherwise, in {function}:", function=found[0])
    return [where, f"    {found[1]}"]
