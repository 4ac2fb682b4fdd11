"""The lab panel: a scenario to click on; what a click does, and the same by code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from statelab import machine
from statelab.checked import MAX_SECONDS, micros
from statelab.effects import WrongState
from statelab.lab import previous
from statelab.lab.ask.prediction import Outcome, Predict
from statelab.lab.given import function, given
from statelab.lab.panel.actions import LINK_FAULTS, NODE_FAULTS, Action, named
from statelab.lab.panel.drawn import Drawn
from statelab.lab.panel.expected import Expectation, Expected
from statelab.lab.panel.simulated import Simulated
from statelab.lab.panel.snapshot import still
from statelab.lab.panel.symbols import Book
from statelab.lab.words import sentence
from statelab.message import shown as quoted
from statelab.sim.run import Run
from statelab.sim.run_code import RunCodeError
from statelab.trace import Invariant

_EXACT = 1 << 53  # below it, JavaScript counts exactly
_TAKEN: set[str] = set()  # the run codes of addresses that were opened, or are none


class Panel(Drawn):
    """A widget on a scenario: what each node remembers, kills, every outcome, and time to go back.

    It opens once `prediction` is answered or skipped. A click becomes an input of the panel's own
    world, and a line of Python; `do` is the same by code. `invariants` are shown as lights.
    `expected(rows, request)` is asked once for each request that is over: the status that was due;
    or True, if its outcome is as it should be (green), and else (red) False or what was due, as a
    text. Without it, an answer of 2xx is as it should be, and all else is not.
    `level` is how much is shown: 0 clients, servers, kill and outcomes; 1 also the time line; 2
    also faults of links, and branches. `step` is how many seconds a click takes in the simulated
    world. `columns` puts nodes elsewhere than their class's name suggests.
    """

    def __init__(
        self,
        scenario: Callable,
        args: Mapping[str, Any] | None = None,
        *,
        seed: int = 7,
        title: str = "",
        prediction: Predict | None = None,
        actions: Sequence[Action] = (),
        invariants: Sequence[Invariant] = (),
        expected: Expected | None = None,
        columns: Mapping[str, str] | None = None,
        level: int = 2,
        step: float = 0.5,
        live: bool = False,
    ):
        self._scenario = function(scenario, "the scenario")
        if isinstance(scenario, type):
            raise TypeError(f"the scenario: a function is wanted, not {quoted(scenario)}")
        self._args = dict(given(Mapping, {} if args is None else args, "the scenario's arguments"))
        for name in self._args:
            given(str, name, "the name of an argument of the scenario")
        self._seed = seed
        self._name = getattr(scenario, "__name__", type(scenario).__name__)
        if not micros(step, "the step"):
            raise ValueError(f"the step is {step!r} s: time would not pass; give more than 1 µs")
        self._numbers = itertools.count(1)
        if expected is not None:
            function(expected, "what is expected")
        modes = ["simulated"]
        if given(bool, live, "live") and machine.HAS_PROCESSES:
            modes.append("live")
        book = Book(columns, Expectation(expected))
        self._simulated = self._session = Simulated(
            scenario, self._args, seed, step, book, self._numbers
        )
        with self._unseen():
            super().__init__(
                book, prediction, actions, invariants,
                title=given(str, title, "the title") or self._name.replace("_", " "),
                level=given(int, level, "the level"),
                modes=modes,
            )  # fmt: skip
            self.on_msg(self._clicked)
            self._show()
        self._first = still(self._session.branch.recording)  # the picture: the same at each run
        previous.replace(self)

    # --------------------------------------------------------------------------- by code
    @property
    def world(self):
        """The panel's own world, in which the current run goes on."""
        return self._session.world

    def do(self, verb: str, *args: Any, at: float | None = None, keep: bool = True) -> None:
        """Does what a click does.

        A fault with a node's name (kill, restart, pause, resume) or with two names (partition,
        heal, hold, release, lose_next); 'action' with its place, or its label and, if need be, its
        client; 'wait'; 'again' (start over); 'open' with a run code; 'run' with the number of a
        run; 'skip' (the prediction); 'world' with 'simulated' or 'live', which begins new
        processes each time. With `at`, in seconds, a fault or an action happens then, in another
        run that is the same before; what was done later stays as it was if `keep`.
        Raises ValueError, and what the world's verbs raise, for what cannot be done; in a live
        world, which goes on by itself, `error` tells.
        """
        at_us = None if at is None else micros(at, "the time to go back to")
        self._do(verb, *args, at_us=at_us, keep=keep)

    def open_run(self, code: str, at: int | None = None) -> None:
        """Opens the run of a run code, at the row `at` if it is given. Raises RunCodeError."""
        if at is not None:
            given(int, at, "the row to look at")
        self.do("world", "simulated")
        self.do("open", code)
        if at is not None:
            self._look(at)

    def judge(self, outcome: Outcome) -> None:
        """Shows, from now on, what `outcome(rows)` says about the prediction; see `observe`."""
        self._outcome = function(outcome, "the outcome")
        self._judge()

    def still(self) -> dict[str, Any]:
        """What is shown at the end of the current run, as plain data."""
        self._session.branch.update()
        return still(self._session.branch.recording)

    def close(self) -> None:
        """Closes the widget, and ends the processes of its live world; may be called twice."""
        self._closed = True
        if self._session is not None:
            self._session.close()
        super().close()

    def __repr__(self) -> str:
        args = "".join(f", {name}={_named(value)}" for name, value in self._args.items())
        return f"Panel({self._name}{args}, seed={self._seed})"

    # --------------------------------------------------------------------------- clicks
    def _do(self, verb: str, *args: Any, at_us: int | None = None, keep: bool = True) -> None:
        if self._closed:
            raise WrongState("this panel is closed, and nothing was done: run its cell again")
        match (given(str, verb, "what a panel shall do"), *args):
            case ("shared", str(code), int(at)):
                return self._take(code, at)  # each view asks: none may wipe out another's error
        self.error = ""
        session, when = self._session, {"at_us": at_us, "keep": keep}
        match (verb, *args):
            case (_, str()) if verb in NODE_FAULTS:
                session.fault(verb, *args, **when)
            case (_, str(), str()) if verb in LINK_FAULTS:
                session.fault(verb, *args, **when)
            case ("action", _) | ("action", _, _):
                session.act(named(self._buttons, *args), **when)
            case ("wait",):
                session.wait()
            case ("again",):
                session.start()
            case ("open", str(code)):
                session.open(code)
            case ("run", int(number)) if number in session.branches:
                session.show(number)
            case ("skip",):
                if self._prediction is not None:
                    self._prediction.skip()
            case ("world", str(mode)) if mode in self.modes:
                self._enter(mode)
            case _:
                raise ValueError(
                    f"a panel has no {quoted(verb)} with {quoted(args)} here; see Panel.do"
                )
        self._show(look=True)

    def _clicked(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the drawing: {do: [verb, arguments...], n: the click's number, at_us, keep}.

        {need: true} asks for all that is recorded, once more.
        """
        self._kernel.do(lambda: self._handle(content))

    def _handle(self, content: Any) -> None:
        content = content if isinstance(content, dict) else {}
        if content.get("need"):
            self._chunks.forget()
            self._send_chunk()
            return
        number = content.get("n")
        with self.hold_sync():
            try:
                doing, at_us, keep = _click(content)
                self._do(*doing, at_us=at_us, keep=keep)
            except BaseException as wrong:  # nobody would see it, and some would end the kernel
                self.error = sentence(wrong)
                self._show()
            if type(number) is int and 0 <= number < _EXACT:
                self.handled = number

    def _take(self, code: str, at: int) -> None:
        """Opens the run that its page's address names, if it is of this panel's scenario.

        The first such panel opens it, once; whoever opens somebody's run predicts no more. What is
        no run code is said by the first panel that hears of it.
        """
        if code in _TAKEN:
            return
        try:
            run = Run.parse(code)
        except RunCodeError:
            _TAKEN.add(code)
            raise
        mine = Run.parse(self.code) if self.code else None
        if run.scenario == self._name and (mine is None or run.args == mine.args):
            _TAKEN.add(code)
            self.do("skip")
            self.open_run(code, at)

    def _enter(self, mode: str) -> None:
        """Goes to the world of that mode; a live one begins anew."""
        if self._session is not self._simulated:
            self._session.close_soon()
        if mode == "simulated":
            self._session = self._simulated
            return
        from statelab.lab.panel.live import Live

        self._session = Live(
            self._scenario, self._args, self._book, self._numbers, self._changed, self._failed
        )

    def _changed(self) -> None:
        """There are new rows of the live world; called on other threads."""
        if not self._waiting:
            self._waiting = True
            self._kernel.do(self._show)

    def _failed(self, wrong: BaseException) -> None:
        self._kernel.do(lambda: setattr(self, "error", sentence(wrong)))


def _click(content: dict) -> tuple[list, int | None, bool]:
    """What a click asks for, when, and whether later inputs stay; ValueError for what is none."""
    doing, at_us, keep = content.get("do"), content.get("at_us"), content.get("keep", True)
    if not isinstance(doing, list) or not doing or not isinstance(doing[0], str):
        raise ValueError(f"a click names what to do, not {quoted(doing)}; nothing was done")
    if at_us is not None and not (type(at_us) is int and 0 <= at_us <= MAX_SECONDS * 1e6):
        raise ValueError(f"a click is at a moment in µs, not {quoted(at_us)}; nothing was done")
    return doing, at_us, bool(keep)


def _named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
