"""A panel's own simulated world: every click is an input, and virtual time runs on a little."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from statelab.lab.actions import Action
from statelab.node import micros
from statelab.runcode import Run, RunCodeError
from statelab.trace import Row
from statelab.world import World


class Simulated:
    """One simulated run that grows by clicks; no task drives it.

    After each click the world runs to the next whole `step` (seconds of virtual time), so that a
    request's outcome is there, and times are easy to say.
    """

    mode = "simulated"

    def __init__(self, scenario: Callable, args: Mapping[str, Any], seed: int, step: float):
        self._scenario = scenario
        self._args = dict(args)
        self._seed = seed
        self._step_us = micros(step, "the step")
        self.start()

    def start(self) -> None:
        """Begins the run, or begins it anew."""
        self.world = World(self._seed, memory=True)
        self._scenario(self.world, **self._args)

    def act(self, action: Action) -> None:
        """Lets a client do what a button says."""
        action.apply(self.world)
        self.wait()

    def fault(self, verb: str, name: str) -> None:
        """Kills, restarts, pauses or resumes a node. Raises WrongState, UnknownNode."""
        getattr(self.world, verb)(name)
        self.wait()

    def wait(self) -> None:
        """Lets virtual time pass, to the next whole step."""
        now_us = micros(self.world.now())
        until_us = (now_us // self._step_us + 1) * self._step_us
        self.world.run(until=until_us / 1_000_000)

    # --------------------------------------------------------------------------- looking
    @property
    def rows(self) -> Sequence[Row]:
        """What has happened."""
        return self.world.trace.rows

    @property
    def memory(self) -> Sequence[Row]:
        """What was seen of the nodes' memory."""
        return self.world.trace.memory

    @property
    def pids(self) -> dict[str, int | None]:
        """None here is a process."""
        return {}

    @property
    def now(self) -> float:
        """Seconds of virtual time."""
        return self.world.now()

    def texts(self) -> tuple[str, str]:
        """The run as lines of Python, and as a run code ('' if it is too large for one)."""
        run = Run.of(self.world)
        try:
            return run.python(), run.code()
        except RunCodeError:
            return run.python(), ""

    def close(self) -> None:
        """Nothing runs that would have to end."""
