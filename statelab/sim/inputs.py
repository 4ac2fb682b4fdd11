"""The inputs of a simulated world: what was done to it from outside, and when.

A verb is applied at time t after every event due at or before t. So the same seed, scenario and
inputs make the same world again, and replaying, branching and sharing a run are one mechanism.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from statelab.checked import ran
from statelab.client import Pending
from statelab.effects import WrongState
from statelab.message import NoReply, Refused, shown
from statelab.sim.clock import Clock

VERBS: dict[str, Callable] = {}  # by name: what `verb` has marked
_FOREVER_US = 1 << 62


def verb(method: Callable) -> Callable:
    """Marks a method of the world as a verb: applied when all that is due has happened.

    It is kept as an input, unless the scenario itself says it. It raises before it changes
    anything: WrongState if it does not apply now.
    """
    many = method.__code__.co_argcount - 1

    @functools.wraps(method)
    def apply(self: Inputs, *args: Any, **named: Any) -> Any:
        if named or len(args) != many:
            args = _bound(method, self, args, named)
        given = (method.__name__, *args)
        self._advance(self._clock.now_us)
        try:
            result = method(self, *given[1:])
        except WrongState:
            if self._script is None:
                raise
            # In a replay with other inputs than the recorded ones, a verb may find its node dead,
            # say. It is passed over, visibly.
            given = ("attempt", *given)
            result = VERBS["attempt"](self, *given[1:])
        if not self._setting_up:
            self.inputs.append((self._clock.now_us, *given))
        return result

    VERBS[method.__name__] = method
    return apply


def _apart(value: Any) -> Any:
    """A copy of plain values that nobody else can change; anything else stays what it is."""
    if type(value) in (list, tuple, set):
        return type(value)(map(_apart, value))
    return {key: _apart(item) for key, item in value.items()} if type(value) is dict else value


def _bound(method: Callable, world: Inputs, args: tuple, named: dict[str, Any]) -> tuple:
    """All arguments of a verb, in order; raises TypeError."""
    import inspect

    signature = inspect.signature(method)
    try:
        bound = signature.bind(world, *args, **named)
    except TypeError as wrong:
        takes = ", ".join(list(signature.parameters)[1:])
        raise TypeError(f"{wrong}; nothing was done: write {method.__name__}({takes})") from None
    bound.apply_defaults()
    return bound.args[1:]


class Inputs:
    """The part of a world that applies its inputs and moves its time."""

    def __init__(self):
        self._clock = Clock()
        # What a replay needs besides the seed (run.py): the scenario with its arguments, or
        # why there is none; and the inputs since, as (time_us, verb, arguments...).
        self.setup: tuple[Callable, dict[str, Any]] | str = "no scenario has set it up"
        self.inputs: list[tuple] = []
        self._setting_up = False
        self._script: deque[tuple] | None = None  # in a replay: the inputs to come
        self._unseen: int | None = None  # memory is recorded once so many of them are left
        self._each: Callable[[], None] | None = None  # after each event
        self._reaches: dict[Any, None] = {}  # (vetting/reach.py) of code that may bind names anew

    @verb
    def attempt(self, verb: str, *args: Any) -> Any:
        """Does a verb, given by its name, if it applies now; else passes over it, visibly."""
        if not isinstance(verb, str) or verb not in VERBS:
            raise ValueError(f"{shown(verb)} is no verb of a world: use one of {', '.join(VERBS)}")
        try:
            return VERBS[verb](self, *args)
        except WrongState as wrong:
            data = (verb, *args, str(wrong))
            self._record("skipped", str(args[0]), 0, None, None, None, data)

    def set_up(self, scenario: Callable, args: dict[str, Any]) -> Any:
        """Runs a scenario's function in this world; what it does is no input.

        Raises TypeError if `scenario(world, **args)` cannot be called, or has not run by that.
        """
        if not callable(scenario):
            raise TypeError(f"a scenario is a function of a world, not {shown(scenario)}")
        if not isinstance(args, dict) or not all(type(name) is str for name in args):
            raise TypeError(f"a scenario's arguments are a dict of their names, not {shown(args)}")
        import inspect

        takes = inspect.signature(scenario)
        try:
            takes.bind(self, **args)
        except TypeError:
            name = getattr(scenario, "__name__", "the scenario")
            given = ", ".join(["world", *(f"{key}={shown(args[key])}" for key in args)])
            raise TypeError(f"{name}{takes} does not take ({given})") from None
        try:
            kept = _apart(args)
        except RecursionError:
            name = getattr(scenario, "__name__", "the scenario")
            raise TypeError(
                f"an argument of {name} is nested too deep: does it contain itself?"
            ) from None
        if self._setting_up:  # a scenario that uses another
            return ran(scenario, scenario(self, **args))
        if self._rows:
            self.setup = "its scenario came after other verbs"
        else:
            self.setup = (scenario, kept)
        self._setting_up = True
        try:
            return ran(scenario, scenario(self, **_apart(args)))
        finally:
            self._setting_up = False

    def replay(
        self, scenario: Callable, args: dict, inputs: list[tuple], horizon_us: int,
        memory_from: int | None = None,
    ) -> None:  # fmt: skip
        """Sets up this new world by `scenario`, and applies `inputs` at their times.

        It ends at `horizon_us`; inputs after that are left out. Memory is recorded from the input
        `inputs[memory_from]` on, if it is not recorded anyway.
        """
        self._script = deque(item for item in inputs if item[0] <= horizon_us)
        self._unseen = None if memory_from is None else len(self._script) - memory_from
        try:
            self.set_up(scenario, args)
        except (Refused, NoReply) as failed:
            # An input added to a recorded run can make a call of the scenario itself fail.
            why = f"the scenario ended early: {type(failed).__name__}: {failed}"
            self._record("skipped", "", 0, None, None, None, (scenario.__name__, why))
        while self._script:
            self._apply_next()
        self._advance(max(horizon_us, self._clock.now_us))
        self._script = None

    def _apply_next(self, ended: Callable[[], bool] | None = None) -> None:
        time_us, name, *args = self._script[0]
        self._clock.drain(time_us, ended, self._each)
        if ended is None or not ended():
            self._script.popleft()
            self._clock.now_us = max(time_us, self._clock.now_us)
            if self._unseen == len(self._script) + 1:
                self.watch()
            getattr(self, name)(*args)

    def _advance(self, target_us: int, ended: Callable[[], bool] | None = None) -> None:
        """Moves to `target_us`, or to the end of the microsecond in which `ended()` comes true."""
        for reach in self._reaches:
            reach.renew()
        self._drain(target_us, ended)
        self._check_reaches()

    def _check_reaches(self) -> None:
        for reach in self._reaches:
            reach.check()

    def _drain(self, target_us: int, ended: Callable[[], bool] | None) -> None:
        clock = self._clock
        clock.check()
        while self._setting_up and self._script and self._script[0][0] < target_us:
            # Inputs of a replay fall due while its scenario runs; those of one microsecond come
            # after the scenario's own.
            self._setting_up = False
            try:
                self._apply_next(ended)
            finally:
                self._setting_up = True
            if ended is not None and ended():
                return
        clock.drain(target_us, ended, self._each)
        if ended is None:
            clock.now_us = target_us

    def _wait(self, pending: Pending) -> None:
        self._advance(_FOREVER_US, lambda: pending.outcome is not None)
        if pending.outcome is None:
            raise RuntimeError(
                f"{pending.name} waits, and nothing is left to run: {self._network.ports.waiting()}"
            )


def scenario(function: Callable) -> Callable:
    """Marks `function(world, **args)` as a set-up that a run code can name.

    Its arguments have JSON values, or are Node classes of the module or notebook it stands in.
    """

    if not callable(function):
        raise TypeError(f"@scenario marks a function of a world, not {shown(function)}")

    @functools.wraps(function)
    def set_up(world: Any, *others: Any, **args: Any) -> Any:
        name = getattr(function, "__name__", "the scenario")
        if isinstance(world, type) or not hasattr(world, "start"):
            raise TypeError(f"{name} sets up a world, such as World(), not {shown(world)}")
        if others:
            raise TypeError(
                f"{name} takes only its world by place, and not {shown(others[0])}; nothing was "
                f"done: give the others by name, {name}(world, name=value)"
            )
        if isinstance(world, Inputs):
            return world.set_up(function, args)
        return ran(function, function(world, **args))

    return set_up
