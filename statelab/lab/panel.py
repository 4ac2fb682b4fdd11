"""The lab panel: a scenario to click on. Its traits are its whole interface to the drawing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from statelab.lab import picture, previous
from statelab.lab.actions import Action
from statelab.lab.prediction import STATIC, Outcome, Predict, verdict, with_text
from statelab.lab.simulated import Simulated
from statelab.lab.view import news, panel_state
from statelab.message import NoReply, Refused
from statelab.node import UnknownNode, WrongState
from statelab.runcode import RunCodeError

FAULTS = ("kill", "restart", "pause", "resume")
_PLAIN_ERRORS = (WrongState, RunCodeError, Refused, NoReply)  # what they say is the sentence


class Panel(anywidget.AnyWidget):
    """A widget on a scenario: nodes with what they remember, actions, kills, and every outcome.

    It opens once `prediction` is answered or skipped. A click becomes an input of the panel's own
    world, and a line of Python; `do` is the same by code. `level=0` shows kill and restart only,
    for a first look. `step` is how many seconds a click takes in the simulated world.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"

    title = traitlets.Unicode().tag(sync=True)
    level = traitlets.Int(1).tag(sync=True)
    actions = traitlets.List().tag(sync=True)  # [{client, label, line}]
    modes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mode = traitlets.Unicode("simulated").tag(sync=True)
    gate = traitlets.Unicode("").tag(sync=True)  # the question to answer first, or ''
    state = traitlets.Dict().tag(sync=True)  # view.panel_state
    news = traitlets.Unicode("").tag(sync=True)
    verdict = traitlets.Dict().tag(sync=True)
    python = traitlets.Unicode("").tag(sync=True)
    code = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    handled = traitlets.Int(0).tag(sync=True)  # the latest click that was dealt with

    def __init__(
        self,
        scenario: Callable,
        args: Mapping[str, Any] | None = None,
        *,
        seed: int = 7,
        title: str = "",
        prediction: Predict | None = None,
        actions: Sequence[Action] = (),
        columns: Mapping[str, str] | None = None,
        level: int = 1,
        step: float = 0.5,
        live: bool = False,
    ):
        self._scenario, self._args = scenario, dict(args or {})
        self._seed = seed
        self._prediction = prediction
        self._outcome: Outcome | None = None
        self._buttons = list(actions)
        self._columns = dict(columns or {})
        self._thread = threading.get_ident()
        self._loop = _running_loop()
        self._turn = threading.RLock()
        self._since = 0  # the first row since the latest click
        self._waiting = False  # whether a showing of news from other threads is on its way
        self._simulated = self._session = Simulated(scenario, self._args, seed, step)
        super().__init__(
            title=title or scenario.__name__.replace("_", " "),
            level=level,
            actions=[
                {"client": action.client, "label": action.label, "line": action.line()}
                for action in actions
            ],
            modes=["simulated", "live"] if live else ["simulated"],
        )
        if prediction is not None:
            prediction.observe(lambda _: self._predicted(), "done")
        self._predicted()
        self.on_msg(self._clicked)
        self._show()
        self._first = self.state  # for the static picture: the same at each run
        previous.replace(self)

    # --------------------------------------------------------------------------- by code
    @property
    def rows(self):
        """The trace rows of the panel's world, so far."""
        return self._session.rows

    @property
    def world(self):
        """The panel's own world."""
        return self._session.world

    def do(self, verb: str, *args: Any) -> None:
        """Does what a click does.

        'kill', 'restart', 'pause' or 'resume' with a node's name; 'action' with its place, or its
        label and, if need be, its client; 'wait'; 'again' (start over); 'skip' (the prediction);
        'world' with 'simulated' or 'live', which begins new processes each time.
        Raises ValueError, and what the world's verbs raise, for what cannot be done; in a live
        world, which goes on by itself, `error` tells.
        """
        self.error = ""
        self._since = len(self.rows)
        if verb in FAULTS and len(args) == 1:
            self._session.fault(verb, args[0])
        elif verb == "action" and len(args) in (1, 2):
            self._session.act(self._action(*args))
        elif verb == "wait" and not args:
            self._session.wait()
        elif verb == "again" and not args:
            self._session.start()
            self._since = 0
        elif verb == "skip" and not args:
            if self._prediction is not None:
                self._prediction.skip()
        elif verb == "world" and len(args) == 1 and args[0] in self.modes:
            self._enter(args[0])
        else:
            raise ValueError(f"a panel has no {verb!r} with {args!r}; see Panel.do")
        self._show()

    def judge(self, outcome: Outcome) -> None:
        """Shows, from now on, what `outcome(rows)` says about the prediction; see `observe`."""
        self._outcome = outcome
        self._judge()

    def close(self) -> None:
        """Closes the widget, and ends the processes of its live world; may be called twice."""
        self._session.close()
        self._session = self._simulated
        super().close()

    def __repr__(self) -> str:
        args = "".join(f", {name}={_named(value)}" for name, value in self._args.items())
        return f"Panel({self._scenario.__name__}{args}, seed={self._seed})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        html = picture.html(self.title, self._first, self.actions)
        return with_text(super()._repr_mimebundle_(**kwargs), repr(self), html)

    # --------------------------------------------------------------------------- inside
    def _action(self, label: str | int, client: str | None = None) -> Action:
        if isinstance(label, int) and 0 <= label < len(self._buttons):
            return self._buttons[label]
        for action in self._buttons:
            if action.label == label and client in (None, action.client):
                return action
        known = ", ".join(f"{a.client}: {a.label}" for a in self._buttons) or "none"
        raise ValueError(f"no action {label!r}; the panel's actions: {known}")

    def _clicked(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the drawing: {do: [verb, arguments...], n: the click's number}."""
        self._in_kernel(lambda: self._handle(content))

    def _handle(self, content: Any) -> None:
        with self.hold_sync():
            try:
                self.do(*content["do"])
            except Exception as wrong:  # nobody would see it: callbacks have no output
                self.error = sentence(wrong)
                self._show()
            if isinstance(number := content.get("n"), int):
                self.handled = number

    def _enter(self, mode: str) -> None:
        """Goes to the world of that mode; a live one begins anew."""
        if self._session is not self._simulated:
            self._session.close_soon()
        self._since = 0
        if mode == "simulated":
            self._session = self._simulated
            return
        from statelab.lab.live import Live

        self._session = Live(self._scenario, self._args, self._changed, self._failed)

    def _changed(self) -> None:
        """There are new rows of the live world; called on other threads."""
        if not self._waiting:
            self._waiting = True
            self._in_kernel(self._show)

    def _failed(self, wrong: Exception) -> None:
        self._in_kernel(lambda: setattr(self, "error", sentence(wrong)))

    def _in_kernel(self, work: Callable[[], None]) -> None:
        """Does `work` on the thread that the panel was made on, where its traits are set."""
        if threading.get_ident() == self._thread or self._loop is None:
            with self._turn:  # without a loop, in a plain script, threads take turns
                work()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def _predicted(self) -> None:
        closed = self._prediction is not None and not self._prediction.done
        self.gate = self._prediction.question if closed else ""
        self._judge()

    def _judge(self) -> None:
        if self._outcome is None:
            said = self._prediction.said() if self._prediction and self._prediction.done else ""
            self.verdict = {"mark": "open", "said": said, "text": ""}
            return
        try:
            choice, text = self._outcome(self.rows)
        except Exception as wrong:
            choice, text = None, f"The outcome could not be told: {sentence(wrong)}"
        self.verdict = verdict(self._prediction, choice, text)

    def _show(self) -> None:
        """Sends what there is now."""
        self._waiting = False
        session = self._session
        rows = session.rows
        actions = self._buttons
        with self.hold_sync():
            self.mode = session.mode
            self.state = panel_state(
                rows,
                session.memory,
                now=session.now,
                columns=self._columns,
                clients=[action.client for action in actions],
                links=[(action.client, action.to) for action in actions if action.to],
                pids=session.pids,
                level=self.level,
            )
            self.news = news(rows, self._since)
            self.python, self.code = session.texts()
            self._judge()


def sentence(wrong: BaseException) -> str:
    """An error in one sentence, for the panel."""
    text = str(wrong.args[0]) if isinstance(wrong, UnknownNode) and wrong.args else str(wrong)
    if isinstance(wrong, (*_PLAIN_ERRORS, UnknownNode, ValueError)) and text:
        return text + ("" if text[-1] in ".!?" else ".")
    return f"{type(wrong).__name__}: {text}"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
