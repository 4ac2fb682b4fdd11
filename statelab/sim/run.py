"""Scenario + seed + inputs ↔ one short text: keep these, run again, and the run is back.

A run's inputs can be branched at any time; how the text is packed is run_code.py's.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import json
import keyword
import string
import unicodedata
from collections.abc import Callable
from typing import Any

from statelab.checked import MAX_NAME, checked_seed
from statelab.message import said, shown
from statelab.node import Node
from statelab.sim.as_python import arg_text, line_of, seconds
from statelab.sim.budget import OverBudget, within_budget
from statelab.sim.fingerprint import fingerprint
from statelab.sim.inputs import VERBS
from statelab.sim.run_code import RunCodeError, read, written
from statelab.sim.world import World

MAX_INPUTS = 20_000
MAX_HORIZON_US = 10**15  # some thirty years


class DifferentCode(RunCodeError):
    """The run differs, and the code of its classes is not the code that made the run code."""


class NotDeterministic(RunCodeError):
    """The run differs though its code is the same: something in it does not follow the seed."""


@dataclasses.dataclass(frozen=True)
class Run:
    """All that makes a run.

    `inputs` are (time_us, verb, arguments...), in order; `digest` and `fingerprint` tell what it
    made when it was kept, and by which code ('' if that is not known). `pasted` is whether it came
    as a text, so that it may cost only so much (budget.py).
    """

    scenario: str
    args: dict[str, Any]
    seed: int
    inputs: tuple[tuple, ...]
    horizon_us: int
    digest: str = ""
    fingerprint: str = ""
    pasted: bool = dataclasses.field(default=False, compare=False, repr=False)

    def __post_init__(self):
        fields = [getattr(self, field.name) for field in dataclasses.fields(self)][:-1]
        if not _fits(fields, [str, dict, int, tuple, int, str, str]):
            raise TypeError(f"no run is made of {shown(fields)}: take Run.of or Run.parse")
        for item in self.inputs:
            if not (type(item) is tuple and len(item) > 1 and _fits(list(item[:2]), [int, str])):
                raise TypeError(f"an input is (time in µs, verb, arguments...), not {shown(item)}")
            if item[1] not in VERBS:
                raise TypeError(f"{shown(item[1])} is no verb of a world")

    @classmethod
    def of(cls, world: World, *, signed: bool = True) -> Run:
        """The run of `world` up to now. Raises RunCodeError if no scenario tells of its set-up.

        With `signed=False` its digest and fingerprint are left out; they take time.
        """
        if not isinstance(world, World):
            raise TypeError(f"only the run of a simulated World has a code, not {shown(world)}")
        if isinstance(world.setup, str):
            raise RunCodeError(
                f"this world has no run code, for {world.setup}: set it up by a function marked "
                "@scenario, in a new world"
            )
        function, args = world.setup
        return cls(
            function.__name__,
            {name: _args_out(name, value) for name, value in args.items()},
            world.seed,
            tuple(world.inputs),
            world._clock.now_us,
            world.trace.digest() if signed else "",
            _fingerprint(function, world) if signed else "",
        )

    def replay(self, function: Callable, *, memory: bool = False, check: bool = True) -> World:
        """Makes the run again, in a new world set up by the scenario `function`.

        Raises RunCodeError if `function` is another scenario, or a run that was pasted cannot be
        made or costs too much; with `check`, DifferentCode or NotDeterministic if the digest is
        not the one that was kept.
        """
        function = getattr(function, "__wrapped__", function)
        if not inspect.isfunction(function):
            raise TypeError(f"replay takes a function marked @scenario, not {shown(function)}")
        if function.__name__ != self.scenario:
            raise RunCodeError(
                f"this run is of the scenario {self.scenario!r}, and here is "
                f"{function.__name__!r}: open it in its own lesson"
            )
        args = {name: _args_in(name, value, function) for name, value in self.args.items()}
        world = World(self.seed, memory=memory)
        again = (function, args, list(self.inputs), self.horizon_us)
        if self.pasted:
            _made_for_somebody(world, lambda: world.replay(*again))
        else:
            world.replay(*again)
        if check and self.digest and (digest := world.trace.digest()) != self.digest:
            if _fingerprint(function, world) != self.fingerprint:
                raise DifferentCode(
                    f"the run came out otherwise ({digest}, not {self.digest}), and the code of "
                    "its servers or its scenario is not the code that made it: take the same code"
                )
            raise NotDeterministic(
                f"the run came out otherwise ({digest}, not {self.digest}) by the same code: "
                "something in it is not deterministic, or Python differs; check() names the place"
            )
        return world

    # --------------------------------------------------------------------------- as text
    def code(self) -> str:
        """The run code. Raises RunCodeError if the run is too large for one."""
        _check_words(self.scenario, self.args)
        times = [item[0] for item in self.inputs]
        steps = [now - before for now, before in zip(times, [0, *times], strict=False)]
        inputs = [[step, *item[1:]] for step, item in zip(steps, self.inputs, strict=True)]
        kept = [self.scenario, self.args, self.seed, inputs, self.horizon_us]
        if len(inputs) > MAX_INPUTS:
            raise RunCodeError(f"{len(inputs):,} inputs are too many for a run code")
        if self.horizon_us > MAX_HORIZON_US:
            raise RunCodeError(f"{self.horizon_us / 1e6:,.0f} s are too long for a run code")
        return written([*kept, self.digest, self.fingerprint])

    @classmethod
    def parse(cls, text: str) -> Run:
        """Reads a run code. Raises RunCodeError, saying what is wrong with it."""
        kept = read(text)
        if not _fits(kept, [str, dict, int, list, int, str, str]):
            raise RunCodeError("the run code is damaged: it does not hold what a run is made of")
        name, args, seed, items, horizon_us, digest, code = kept
        _check_words(name, args)
        try:
            checked_seed(seed)
        except ValueError as wrong:
            raise RunCodeError(f"the run code cannot be used: {wrong}") from None
        if not set(digest + code) <= set(string.hexdigits):
            raise RunCodeError("the run code is damaged: its digest is none")
        if len(items) > MAX_INPUTS or not 0 <= horizon_us <= MAX_HORIZON_US:
            raise RunCodeError("the run code is too large: too many inputs, or too long a time")
        inputs, time_us = [], 0
        for item in items:
            if not (isinstance(item, list) and len(item) > 1 and _fits(item[:2], [int, str])):
                raise RunCodeError(f"the run code holds something that is no input: {shown(item)}")
            step, verb, *rest = item
            _check_verb(verb, rest)
            time_us += step
            if step < 0 or time_us > horizon_us:
                raise RunCodeError("the run code's inputs are not in the order of their times")
            inputs.append((time_us, verb, *rest))
        return cls(name, args, seed, tuple(inputs), horizon_us, digest, code, pasted=True)

    def python(self) -> str:
        """The run as lines of Python: pasted into a cell of its lesson, they make it again."""
        args = "".join(f", {name}={arg_text(value)}" for name, value in self.args.items())
        lines = [f"world = World(seed={self.seed})", f"{self.scenario}(world{args})"]
        now_us = 0
        for time_us, verb, *rest in self.inputs:
            if time_us != now_us:
                lines.append(f"world.run(until={seconds(time_us)})")
            now_us = time_us
            lines.append(line_of(verb, *rest))
        if self.horizon_us != now_us:
            lines.append(f"world.run(until={seconds(self.horizon_us)})")
        return "\n".join(lines)


def _fingerprint(function: Callable, world: World) -> str:
    return fingerprint(function, (host.factory for host in world._hosts.values()))


def _check_words(name: str, args: dict[str, Any]) -> None:
    """Raises RunCodeError unless all become names, in lines that a learner pastes into a cell.

    What Python itself means something by is none: `exec`, say, would be called.
    """
    own = [name, *(value["class"] for value in args.values() if _is_class(value))]
    for word in (*own, *args):
        is_name = isinstance(word, str) and word.isidentifier() and len(word) <= MAX_NAME
        # Python reads names in this form, so that others could stand for `exec`, too.
        is_name = is_name and unicodedata.normalize("NFKC", word) == word
        taken = {*keyword.kwlist, *(keyword.softkwlist + dir(builtins) if word in own else ())}
        if not is_name or word in taken or word.startswith("__"):
            raise RunCodeError(f"the run code names something that is no name: {shown(word)}")


def _check_verb(verb: Any, args: list) -> None:
    """Raises RunCodeError unless a world has that verb, and it takes these arguments."""
    if not isinstance(verb, str) or verb not in VERBS:
        raise RunCodeError(f"the run code holds a verb that no world has: {shown(verb)}")
    try:
        inspect.signature(VERBS[verb]).bind(None, *args)
    except TypeError as wrong:
        raise RunCodeError(f"the run code's {verb} does not fit: {wrong}") from None
    if verb == "attempt":
        if args[0] == "attempt" or len(args) < 2:
            raise RunCodeError("the run code attempts nothing")
        _check_verb(args[0], args[1:])


def _args_out(name: str, value: Any) -> Any:
    if isinstance(value, type) and issubclass(value, Node):
        return {"class": value.__name__}
    try:
        if json.loads(json.dumps(value, allow_nan=False)) == value:
            return value
    except (TypeError, ValueError):
        pass
    raise RunCodeError(
        f"the scenario's argument {name}={shown(value)} is neither JSON nor a Node class, so no "
        "run code can carry it"
    )


def _args_in(name: str, value: Any, function: Callable) -> Any:
    if not _is_class(value):
        return value
    cls = function.__globals__.get(value["class"])
    if not (isinstance(cls, type) and issubclass(cls, Node)):
        raise RunCodeError(
            f"this run needs a class named {value['class']} (for {name}), which is not here: open "
            "it in its own lesson, after the cell that defines it"
        )
    return cls


def _made_for_somebody(world: World, make: Callable[[], object]) -> None:
    """Makes a run that was pasted: it may cost only so much, and what fails is its code's fault."""
    try:
        within_budget(world._clock, world._rows, make)
    except OverBudget as over:
        raise RunCodeError(
            f"this run was stopped when it had taken more than {over}: a run code may ask for any "
            "amount, and this one asks for too much"
        ) from None
    except RunCodeError:
        raise
    except Exception as wrong:
        raise RunCodeError(f"this run cannot be made here: {said(wrong)}") from wrong


def _is_class(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"class"}


def _fits(values: Any, kinds: list[type]) -> bool:
    if not isinstance(values, list) or len(values) != len(kinds):
        return False
    return all(type(value) is kind for value, kind in zip(values, kinds, strict=True))
