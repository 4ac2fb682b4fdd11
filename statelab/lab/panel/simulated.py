"""A panel's own simulated runs: every click is an input, at the end of a run or in its past."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from statelab.checked import micros
from statelab.effects import WrongState
from statelab.lab.panel.actions import Action
from statelab.lab.panel.branch import Branch
from statelab.lab.panel.recording import Recording
from statelab.lab.panel.symbols import Book
from statelab.lab.words import clock
from statelab.language import spoken
from statelab.sim.run import Run
from statelab.sim.run_code import RunCodeError
from statelab.sim.world import World


class Simulated:
    """Simulated runs that grow and branch by clicks; no task drives them.

    After each click at a run's end its world runs to the next whole `step` (seconds of virtual
    time), so that a request's outcome is there, and times are easy to say. A click in a run's past
    makes another run: the same up to there, then the click.
    """

    mode = "simulated"

    def __init__(
        self, scenario: Callable, args: Mapping[str, Any], seed: int, step: float, book: Book,
        numbers: itertools.count,
    ):  # fmt: skip
        self._scenario = scenario
        self._args = dict(args)
        self._seed = seed
        self._step_us = micros(step, "the step")
        self._book = book
        self._numbers = numbers
        self.start()
        Run.of(self.world, signed=False)  # raises, here, for what no click could make again

    def start(self) -> None:
        """Begins with one new run, and forgets all others."""
        world = World(self._seed, memory=True)
        self._scenario(world, **self._args)
        self._worlds: dict[int, World] = {}
        self.branches: dict[int, Branch] = {}
        self._add("as it was", world, Recording(self._book), None)

    def _add(self, label: str, world: World, recording: Recording, parent: int | None) -> None:
        number = next(self._numbers)
        self._worlds[number] = world
        self.branches[number] = Branch(number, label, lambda: world.trace, recording, parent)
        self.show(number)

    def _do(self, verb: Callable[[], Any]) -> None:
        """Does a verb and lets a step of time pass; what is interrupted has not happened."""
        world = self.world
        inputs, now_us = list(world.inputs), micros(world.now())
        try:
            verb()
            world.run(until=self._next_step_us(micros(world.now())) / 1_000_000)
        except BaseException as wrong:
            if isinstance(wrong, Exception):
                raise
            # A world that is left in the middle of a step is of no use: it is made again.
            label, number = self.branch.label, self.branch.number
            again = World(world.seed, memory=True)
            again.replay(*world.setup, inputs, now_us)
            self._add(label, again, Recording(self._book), None)
            del self.branches[number], self._worlds[number]
            raise WrongState(
                f"{type(wrong).__name__} ended it; the run is as it was before, and the next click "
                "goes on from there"
            ) from wrong

    def show(self, number: int) -> None:
        """Makes the run of that number the current one."""
        self.branch = self.branches[number]
        self.world = self._worlds[number]

    # --------------------------------------------------------------------------- clicks
    def act(self, action: Action, at_us: int | None = None, keep: bool = True) -> None:
        """Lets a client do what a button says, at the end of the run or at `at_us`."""
        if self._is_past(at_us):
            self._branch(at_us, keep, *action.verb())
        else:
            self._do(lambda: action.apply(self.world))

    def fault(self, verb: str, *names: str, at_us: int | None = None, keep: bool = True) -> None:
        """Does a fault to a node or a link. Raises WrongState, UnknownNode."""
        if self._is_past(at_us):
            self._branch(at_us, keep, verb, *names)
        else:
            self._do(lambda: getattr(self.world, verb)(*names))

    def wait(self) -> None:
        """Lets virtual time pass, to the next whole step."""
        self._do(lambda: None)

    def open(self, code: str) -> None:
        """Opens the run of a run code beside the others. Raises RunCodeError."""
        run = Run.parse(code)
        world = run.replay(self._scenario, memory=True)
        self._add("from a run code", world, Recording(self._book), None)

    def _is_past(self, at_us: int | None) -> bool:
        return at_us is not None and at_us < micros(self.world.now())

    def _next_step_us(self, time_us: int) -> int:
        return (time_us // self._step_us + 1) * self._step_us

    def _branch(self, at_us: int, keep: bool, verb: str, *args: Any) -> None:
        """Another run: this one up to `at_us`, then the verb; later inputs stay if `keep`."""
        old, world = self.branch, self.world
        if isinstance(world.setup, str):
            raise RunCodeError(f"this run cannot be made again, for {world.setup}")
        scenario, arguments = world.setup
        place = sum(1 for item in world.inputs if item[0] <= at_us)
        later = world.inputs[place:] if keep else []
        script = [*world.inputs[:place], (at_us, verb, *args), *later]
        end_us = self._next_step_us(at_us)
        if keep:
            end_us = max(end_us, micros(world.now()))
        other = World(world.seed)
        other.replay(scenario, arguments, script, end_us, memory_from=place)
        parting = first_difference(world._rows, other._rows, other.watched_from)
        said = spoken("from {time}: {what}", time=clock(at_us / 1e6), what=verb_text(verb, *args))
        self._add(said, other, old.recording.branch(parting), old.number)

    # --------------------------------------------------------------------------- looking
    @property
    def pids(self) -> dict[str, int | None]:
        """None here is a process."""
        return {}

    @property
    def now(self) -> float:
        """Seconds of virtual time."""
        return self.world.now()

    def python(self) -> str:
        """The run as lines of Python."""
        try:
            return Run.of(self.world, signed=False).python()
        except RunCodeError as wrong:  # somebody has started a node by code
            return f"# {wrong}"

    def code(self) -> str:
        """The run as a run code; '' if it is too large for one."""
        try:
            return Run.of(self.world).code()
        except RunCodeError:
            return ""

    def close(self) -> None:
        """Nothing runs that would have to end."""


def first_difference(one: list[tuple], other: list[tuple], known: int) -> int:
    """The first place where two lists of rows differ, or one ends; they agree up to `known`."""
    pairs = zip(one[known:], other[known:], strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return known + same


def verb_text(verb: str, *args: Any) -> str:
    """A verb in a few words, for the label of a run."""
    if verb == "request":
        client, method, _, path = args[:4]
        return f"{client} {method} {path}"
    if verb == "reconnect":
        return spoken("{name} reconnects", name=args[0])
    return f"{verb.replace('_', ' ')} {' – '.join(args)}"
