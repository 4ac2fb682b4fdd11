"""Many seeds of one scenario, side by side, as a table: how often does what hold?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from typing import TYPE_CHECKING, Any

from statelab import machine
from statelab.lab.trials.job import job_of, seeds_of
from statelab.lab.trials.pool import Here, pool
from statelab.lab.trials.process import parcel_of
from statelab.lab.trials.progress import Progress
from statelab.lab.trials.seeds import Seed, columns_of, run_batch
from statelab.language import spoken
from statelab.message import said, shown
from statelab.rows import Row
from statelab.sim.world import World
from statelab.trace import Invariant

if TYPE_CHECKING:
    import pandas

BATCH_SEEDS = 25  # at most in one task, so that handing it over costs little ...
BATCH_S = 0.25  # ... and no task is longer than this and one seed, so that progress is seen
START_S = 30.0  # for processes to start, on a machine with a lot to do


class SweepError(RuntimeError):
    """A sweep that could not be finished; `table` holds the seeds that could.

    `seed` is the first that failed and `code` its run code, as far as they are known.
    """

    def __init__(self, text: str, seed: int | None = None, code: str = ""):
        super().__init__(text)
        self.seed = seed
        self.code = code
        self.table: pandas.DataFrame | None = None


def sweep(
    scenario: Callable,
    seeds: int | Iterable[int],
    args: Mapping[str, Any] | None = None,
    *,
    invariants: Iterable[Invariant] = (),
    day: Callable[[World, Any], None] | None = None,
    until: float = 5.0,
    measure: Callable[[Sequence[Row]], dict[str, Any]] | None = None,
    executor: Executor | None = None,
    seconds: float = 10.0,
) -> pandas.DataFrame:
    """Runs `scenario(world, **args)` under many seeds; returns a table with a row for each.

    `seeds` is how many (from 0), or which. `day(world, random)` does what happens from outside, as
    in `check`; a run goes on `until` a virtual time. The columns are `code`, the seed's run code;
    for each invariant its sentence, true where it held, and "broken at: " with its sentence, the
    row where it first broke; and what `measure(rows)` returns, a dict. Any executor will do, such
    as Dask's `client.get_executor()` where statelab is installed on the workers; without one there
    is a process for each core, in a browser this one. Interrupted, it returns the seeds that it
    has, and says so.

    Raises SweepError, with the first seed that failed and its run code: if the scenario, `day`, a
    server's own code, an invariant or `measure` raises; if a process dies; and, without an
    `executor`, if a run takes more than so many real `seconds`.
    """
    job = job_of(
        scenario, args, invariants=invariants, day=day, measure=measure, until=until,
        seconds=seconds,
    )  # fmt: skip
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor has a method submit, unlike {shown(executor)}")
    invariants, seeds = job["invariants"], seeds_of(seeds, range)
    names = ["code", *columns_of(invariants)]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ValueError(f"the table would have two columns {shown(twice[0])}: say it otherwise")
    try:
        parcel = parcel_of(job)
    except Exception as wrong:
        raise SweepError(f"the code cannot travel to another process: {said(wrong)}") from wrong
    work = _Sweep(parcel, seeds, seconds)
    try:
        with Progress(
            spoken("seeds: {number}", number=f"{len(seeds):,}"), len(seeds)
        ) as work.progress:
            work.run(executor)
        work.raise_first_failure()
    except SweepError as failed:
        failed.table = work.table(invariants)
        raise
    except KeyboardInterrupt:
        ran, wanted = f"{len(work.ran()):,}", f"{len(seeds):,}"
        print(spoken("Interrupted: the table has {ran} of {wanted} seeds.", ran=ran, wanted=wanted))
    return work.table(invariants)


class _Sweep:
    """One sweep under way: what each seed has come to so far."""

    progress: Progress

    def __init__(self, parcel: bytes, seeds: list[int], seconds: float):
        self._parcel, self._named, self._seconds = parcel, seeds, seconds
        self._seeds = list(dict.fromkeys(seeds))  # one that is named twice is run once
        self._done: dict[int, Seed] = {}
        self._lost: list[tuple[list[int], Exception]] = []  # what workers took along

    def run(self, executor: Executor | None) -> None:
        """Runs all seeds, on `executor` or on processes of our own."""
        if executor is None and not machine.HAS_PROCESSES:
            executor = Here()
        if executor is not None:
            self._run_on(executor, None)
            return
        try:
            self._run_on(pool(), self._seconds)
        except (BrokenExecutor, TimeoutError):
            # Some seed has ended its process, or does not end. It will do so again, alone.
            self._one_by_one()
        except OSError as wrong:
            raise SweepError(
                f"no processes could be started, and nothing was run: {said(wrong)}. They need "
                "shared semaphores (on Linux: a /dev/shm that can be written to). Without them, "
                "give executor=concurrent.futures.ThreadPoolExecutor(1)"
            ) from wrong
        except BaseException:
            pool().shutdown(kill_workers=True)
            raise

    def _run_on(self, executor: Executor, seconds: float | None) -> None:
        """Raises TimeoutError if nothing comes back for so many seconds."""
        size = max(1, min(BATCH_SEEDS, len(self._seeds) // 16))
        batches = [self._seeds[at : at + size] for at in range(0, len(self._seeds), size)]
        pending = {self._submit(executor, batch): batch for batch in batches}
        patience = None if seconds is None else seconds + START_S
        try:
            while pending:
                done, _ = wait(pending, patience, FIRST_COMPLETED)
                if not done:
                    raise TimeoutError
                patience = seconds
                for future in done:
                    batch = pending.pop(future)
                    try:
                        rest = batch[self._take(future) :]
                        if rest:
                            pending[self._submit(executor, rest)] = rest
                    except Exception as wrong:
                        if seconds is not None and isinstance(wrong, BrokenExecutor):
                            raise
                        self._lost.append((batch, wrong))
        finally:
            if seconds is None:  # our own processes are ended now, and would stumble over these
                for future in pending:
                    future.cancel()

    def _take(self, future: Any) -> int:
        """Keeps what a task brought; returns how many seeds. Raises if its worker failed."""
        answers = future.result()
        self._done.update((answer.seed, answer) for answer in answers)
        self.progress.step(len(answers))
        return len(answers)

    def _one_by_one(self) -> None:
        """Runs what is left, and finds out which seed it was that takes its process along."""
        pool().shutdown(kill_workers=True)
        executor = pool(1)
        # The time of a run is not that of a process to start, and to make sense of the code.
        self._submit(executor, []).result(START_S)
        try:
            for seed in [seed for seed in self._seeds if seed not in self._done]:
                future = self._submit(executor, [seed])
                wait([future], self._seconds)
                if not future.done():
                    raise SweepError(
                        f"seed {seed}: the run had not ended after {self._seconds:g} s. Does a "
                        "loop await nothing, or sleep for almost nothing?",
                        seed,
                    )
                try:
                    self._take(future)
                except BrokenExecutor:
                    raise SweepError(
                        f"seed {seed}: its process ended in the middle of the run. Does the code "
                        "call os._exit(), or need more memory than there is?",
                        seed,
                    ) from None
        finally:
            executor.shutdown(kill_workers=True)

    def _submit(self, executor: Executor, batch: list[int]) -> Any:
        return executor.submit(run_batch, self._parcel, batch, BATCH_S)

    def ran(self) -> list[Seed]:
        """The seeds that could be run, in order."""
        found = [self._done[seed] for seed in self._named if seed in self._done]
        return [answer for answer in found if not answer.wrong]

    def raise_first_failure(self) -> None:
        """Raises SweepError if a seed could not be run."""
        if self._lost:
            batch, wrong = min(self._lost, key=lambda lost: self._seeds.index(lost[0][0]))
            which = f"seeds {batch[0]} to {batch[-1]}" if len(batch) > 1 else f"seed {batch[0]}"
            raise SweepError(f"the worker with the {which} failed: {said(wrong)}", batch[0])
        failed = [self._done[seed] for seed in self._seeds if self._done[seed].wrong]
        if failed:
            first = failed[0]
            lines = [f"seed {first.seed}: {first.wrong[0]}", *first.wrong[1:]]
            lines += [f"run code: {first.code}"] if first.code else []
            if len(failed) > 1:
                lines.append(f"So it is with {len(failed):,} of {len(self._seeds):,} seeds.")
            raise SweepError("\n  ".join(lines), first.seed, first.code)

    def table(self, invariants: list[Invariant]) -> pandas.DataFrame:
        """What the seeds came to."""
        import pandas

        ran = self.ran()
        index = pandas.Index([answer.seed for answer in ran], name="seed", dtype="int64")
        columns: dict[str, Any] = {"code": [answer.code for answer in ran]}
        held, broken = columns_of(invariants)[::2], columns_of(invariants)[1::2]
        for place, (name, where) in enumerate(zip(held, broken, strict=True)):
            seqs = [answer.broken[place] for answer in ran]
            columns[name] = [seq is None for seq in seqs]
            columns[where] = pandas.array(seqs, dtype="Int64")
        measured = pandas.DataFrame([answer.measured for answer in ran], index=range(len(ran)))
        return pandas.concat([pandas.DataFrame(columns), measured], axis=1).set_index(index)
