"""What a check says: its verdict, in lines that help, in the language that is spoken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from statelab import machine
from statelab.lab.trials.nondeterminism import WHAT
from statelab.lab.trials.process import Gone
from statelab.language import spoken
from statelab.message import said
from statelab.trace import Invariant


@dataclass(frozen=True)
class Verdict:
    """What a check found: `text` is what it printed.

    Where it failed: the first failing `seed`, the run's `code` ('' if it has none), and `seq`, the
    event that decided it (None if no single one did).
    """

    passed: bool
    text: str
    seed: int | None = None
    code: str = ""
    seq: int | None = None

    def __repr__(self) -> str:
        return f"<check {'passed' if self.passed else 'failed'}>"

    def _ipython_display_(self) -> None:
        """Shows nothing as a cell's value: the verdict has been printed."""


def passed(number: int, invariants: Iterable[Invariant]) -> Iterator[str]:
    """The lines of who has passed."""
    if machine.HAS_PROCESSES:
        yield spoken(
            "✓ passed: under {number} hidden seeds, two processes agree in every event.",
            number=number,
        )
    else:
        yield spoken(
            "✓ passed: under {number} hidden seeds, two runs in one process agree in every event.",
            number=number,
        )
    for invariant in invariants:
        yield spoken("  True in every run: “{sentence}”", sentence=invariant.sentence)
    if not machine.HAS_PROCESSES:
        yield spoken(
            "  Here is one process only: what two would not share, such as a clock, a host or the "
            "order\n  of a set, was not looked at. On Binder or your own machine it is, by "
            "`python3 lab.py`."
        )


def asked(kind: str, function: str, line: str) -> list[str]:
    """What a line asked for, and what to do instead, in lines."""
    does, instead = WHAT[kind]
    return [f"{does(function)}:", f"    {line}", instead()]


def failed(seed: int, code: str, seq: int | None, *lines: str) -> Verdict:
    """The verdict on a seed that failed: `seq` is the event that decided it."""
    first, *more = lines
    more += [spoken("run code: {code}", code=code)] if code else []
    told = spoken("✕ not yet: with seed {seed} {what}", seed=seed, what=first)
    text = "\n  ".join([told, *more])
    return Verdict(False, text, seed, code, seq)


def gone_lines(gone: Gone, seconds: float) -> list[str]:
    """What became of a trial that has not told, and what to do, in lines."""
    if gone.why == "died":
        return [
            spoken("the process ended in the middle of the run."),
            spoken("Does the code call exit(), or need more memory than there is?"),
        ]
    after = f"{seconds:g} s"
    if gone.where:
        return [
            spoken(
                "the run had not ended after {time}: it was still in {where}.",
                time=after,
                where=gone.where,
            ),
            spoken(
                "A loop that awaits nothing lets no time pass: let it await self.sleep(…), or give "
                "it an end."
            ),
        ]
    return [
        spoken("the run had not ended after {time}: too much happens in it.", time=after),
        spoken(
            "Does a loop sleep for almost nothing, or do two servers call each other without end?"
        ),
    ]


# what went wrong in a run → the lines that say so, from what the trial told
WRONG = {
    "set up": lambda told: told,
    "raised": lambda told: told,
    "error": lambda told: [spoken("a server failed:"), *told],
    "breach": lambda told: [
        spoken("this does not stay true: “{sentence}”", sentence=told[0]),
        spoken("broken at: {row}", row=told[1]),
    ],
}


def no_journey(wrong: Exception) -> Verdict:
    """The verdict on what cannot be handed to another process."""
    text = spoken(
        "✕ not yet: your code cannot travel. {why}\n"
        "  It is checked in a process of its own, which can have classes, functions and plain "
        "values,\n  and no panel, world, open file or connection of this one.",
        why=said(wrong),
    )
    return Verdict(False, text)
