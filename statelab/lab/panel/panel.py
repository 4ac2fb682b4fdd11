"""The lab panel: a scenario to click on. Its traits are its whole interface to the drawing."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from statelab.lab import previous
from statelab.lab.ask.prediction import Outcome, Predict, judged
from statelab.lab.given import each, function, given
from statelab.lab.interrupt import interruptible
from statelab.lab.panel import picture
from statelab.lab.panel.actions import LINK_FAULTS, NODE_FAULTS, Action
from statelab.lab.panel.columns import TABLES, framed
from statelab.lab.panel.simulated import Simulated
from statelab.lab.panel.snapshot import still
from statelab.lab.panel.symbols import Book
from statelab.lab.static import script
from statelab.lab.view import View
from statelab.lab.words import clock, news, sentence
from statelab.message import shown as quoted
from statelab.node import MAX_SECONDS, micros
from statelab.trace import Invariant

# Of a long run the drawing goes first: its first rows, then the others, then what is told of it.
FEW, LONG = 2_000, 5_000  # rows
SOON_S, LATER_S = 0.1, 0.3
_EXACT = 1 << 53  # below it, JavaScript counts exactly


class Panel(View):
    """A widget on a scenario: what each node remembers, kills, every outcome, and time to go back.

    It opens once `prediction` is answered or skipped. A click becomes an input of the panel's own
    world, and a line of Python; `do` is the same by code. `invariants` are shown as lights.
    `level` is how much is shown: 0 clients, servers, kill and outcomes; 1 also the time line; 2
    also faults of links, and branches. `step` is how many seconds a click takes in the simulated
    world. `columns` puts nodes elsewhere than their class's name suggests.
    """

    _esm = script("tools", "recording", "stage", "timeline", "panel")

    _session: Simulated | Any = None  # or a Live one; none, if it could not be made

    title = traitlets.Unicode().tag(sync=True)
    level = traitlets.Int(2).tag(sync=True)
    actions = traitlets.List().tag(sync=True)  # [{client, label, line}]
    modes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mode = traitlets.Unicode("simulated").tag(sync=True)
    gate = traitlets.Unicode("").tag(sync=True)  # the question to answer first, or ''
    runs = traitlets.List().tag(sync=True)  # [Branch.about()]
    run = traitlets.Int(0).tag(sync=True)  # the number of the current one
    chunk = traitlets.Bytes(b"").tag(sync=True)  # what was recorded last, see `_send_chunk`
    look = traitlets.Dict().tag(sync=True)  # {row: where to look, -1 for the end, n: a counter}
    pids = traitlets.Dict().tag(sync=True)  # {node: process id}
    lights = traitlets.List().tag(sync=True)  # [{sentence, row: of the first breach or -1, text}]
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
        invariants: Sequence[Invariant] = (),
        columns: Mapping[str, str] | None = None,
        level: int = 2,
        step: float = 0.5,
        live: bool = False,
    ):
        self._scenario = function(scenario, "the scenario")
        self._args = dict(given(Mapping, {} if args is None else args, "the scenario's arguments"))
        self._seed = seed
        self._prediction = prediction
        self._outcome: Outcome | None = None
        self._buttons = each(Action, actions, "the actions")
        self._invariants = each(Invariant, invariants, "the invariants")
        self._name = getattr(scenario, "__name__", type(scenario).__name__)
        if not micros(step, "the step"):
            raise ValueError(f"the step is {step!r} s: time would not pass; give more than 1 µs")
        self._thread = threading.get_ident()
        self._loop = _running_loop()
        self._turn = threading.RLock()
        self._waiting = False  # whether a showing of news from other threads is on its way
        self._behind = False  # whether rows of the current run are still to be recorded
        self._telling = False  # whether what takes time is still to be told
        self._book = Book(columns)
        self._numbers = itertools.count(1)
        self._looks, self._chunks = itertools.count(1), itertools.count(1)
        self._sent: dict[Any, Any] = {}  # what the drawing has: by run, "texts" and "subjects"
        self._simulated = self._session = Simulated(
            scenario, self._args, seed, step, self._book, self._numbers
        )
        super().__init__(
            title=given(str, title, "the title") or self._name.replace("_", " "),
            level=given(int, level, "the level"),
            actions=[
                {"client": action.client, "label": action.label, "line": action.line()}
                for action in self._buttons
            ],
            modes=["simulated", "live"] if live else ["simulated"],
        )
        if prediction is not None:
            given(Predict, prediction, "the prediction")
            prediction.observe(lambda _: self._predicted(), "done")
        self._predicted()
        self.on_msg(self._clicked)
        self._show()
        self._first = still(self._session.branch.recording)  # the picture: the same at each run
        previous.replace(self)

    # --------------------------------------------------------------------------- by code
    @property
    def rows(self):
        """The trace rows of the current run, so far."""
        return self._session.branch.trace().rows

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
        self.do("world", "simulated")
        self.do("open", code)
        if at is not None:
            self._look(given(int, at, "the row to look at"))

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
        if self._session is not None:
            self._session.close()
        super().close()

    def __repr__(self) -> str:
        args = "".join(f", {name}={_named(value)}" for name, value in self._args.items())
        return f"Panel({self._name}{args}, seed={self._seed})"

    def _html(self) -> str:
        return "<!-- a panel -->"

    def _ipython_display_(self) -> None:
        # JupyterLab waits for ever for a widget whose kernel is gone, and shows nothing that
        # stands beside it in the same output. So the picture is an output of its own: the drawing
        # hides it when it comes, and without a kernel it stays.
        from IPython.display import display

        words = picture.alternative(self.title, self._first)
        html = picture.html(self.title, self._first, self.actions, self.level)
        display({"text/plain": words, "text/html": html}, raw=True)
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)

    # --------------------------------------------------------------------------- clicks
    def _do(self, verb: str, *args: Any, at_us: int | None = None, keep: bool = True) -> None:
        self.error = ""
        session = self._session
        names = 1 if verb in NODE_FAULTS else 2 if verb in LINK_FAULTS else None
        if len(args) == names and all(type(name) is str for name in args):
            session.fault(verb, *args, at_us=at_us, keep=keep)
        elif verb == "action" and len(args) in (1, 2):
            session.act(self._action(*args), at_us, keep)
        elif verb == "wait" and not args:
            session.wait()
        elif verb == "again" and not args:
            session.start()
        elif verb == "open" and len(args) == 1 and isinstance(args[0], str):
            session.open(args[0])
        elif verb == "run" and len(args) == 1 and args[0] in list(session.branches):
            session.show(args[0])
        elif verb == "skip" and not args:
            if self._prediction is not None:
                self._prediction.skip()
        elif verb == "world" and len(args) == 1 and args[0] in self.modes:
            self._enter(args[0])
        else:
            raise ValueError(
                f"a panel has no {quoted(verb)} with {quoted(args)} here; see Panel.do"
            )
        self._show(look=True)

    def _action(self, label: str | int, client: str | None = None) -> Action:
        if type(label) is int and 0 <= label < len(self._buttons):
            return self._buttons[label]
        for action in self._buttons:
            if action.label == label and client in (None, action.client):
                return action
        known = ", ".join(f"{a.client}: {a.label}" for a in self._buttons) or "none"
        raise ValueError(f"no action {quoted(label)}; the panel's actions: {known}")

    def _clicked(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the drawing: {do: [verb, arguments...], n: the click's number, at_us, keep}.

        {need: true} asks for all that is recorded, once more.
        """
        self._in_kernel(lambda: self._handle(content))

    def _handle(self, content: Any) -> None:
        content = content if isinstance(content, dict) else {}
        if content.get("need"):
            self._sent.clear()
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
            self._in_kernel(self._show)

    def _failed(self, wrong: BaseException) -> None:
        self._in_kernel(lambda: setattr(self, "error", sentence(wrong)))

    def _in_kernel(self, work: Callable[[], None]) -> None:
        """Does `work` on the thread that the panel was made on, where its traits are set."""
        if threading.get_ident() == self._thread or self._loop is None:
            with self._turn:  # without a loop, in a plain script, threads take turns
                work()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(interruptible, work)

    # --------------------------------------------------------------------------- what is shown
    def _predicted(self) -> None:
        closed = self._prediction is not None and not self._prediction.done
        self.gate = self._prediction.question if closed else ""
        self._judge()

    def _judge(self) -> None:
        if self._outcome is None:
            said = self._prediction.said() if self._prediction and self._prediction.done else ""
            self.verdict = {"mark": "open", "said": said, "text": ""}
            return
        self.verdict = judged(self._outcome, self.rows, self._prediction)

    def _show(self, look: bool = False) -> None:
        """Sends what there is now; `look` moves the eyes to the end of it.

        What cannot be shown is said: the next click shows what it can.
        """
        self._waiting = False
        self._try(lambda: self._send_all(look))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as wrong:  # it may be on the kernel's loop, which some would end
            self._sent.clear()
            self.error = f"This could not be shown: {sentence(wrong)}"

    def _send_all(self, look: bool) -> None:
        session, actions = self._session, self._buttons
        branch = session.branch
        began = len(branch.recording) == branch.parting and branch.parent is None
        fresh = branch.update(None if self._loop is None or self._behind else FEW)
        branch.recording.expect(
            [action.client for action in actions],
            [(action.client, action.to) for action in actions if action.to],
        )
        with self.hold_sync():
            self.mode, self.pids = session.mode, session.pids
            self._send_chunk()
            self.runs = [branch.about() for branch in session.branches.values()]
            self.run = branch.number
            if fresh and not self._behind:
                self.news = "" if began else news(fresh, self._book.clients())
            self.python = session.python()
            if look:
                self._look(-1)
            self._behind = branch.behind
            if self._behind:
                self._loop.call_later(SOON_S, interruptible, self._show)
            elif len(branch.recording) <= LONG or self._loop is None:
                self._tell()
            elif not self._telling:
                self._telling = True
                self._loop.call_later(LATER_S, interruptible, lambda: self._try(self._tell))

    def _tell(self) -> None:
        """Tells what takes time on long runs: the verdict, the invariants, the run code."""
        self._telling = False
        with self.hold_sync():
            self._judge()
            self.lights = [self._light(invariant) for invariant in self._invariants]
            self.code = self._session.code()

    def _light(self, invariant: Invariant) -> dict[str, Any]:
        try:
            row = self._session.branch.trace().breach(invariant)
        except BaseException as wrong:  # a learner's function
            return {"sentence": invariant.sentence, "row": -1, "text": sentence(wrong)}
        if row is None:
            return {"sentence": invariant.sentence, "row": -1, "text": ""}
        text = f"first broken at {clock(row.time)} · {row.node}"
        return {"sentence": invariant.sentence, "row": row.seq, "text": text}

    def _look(self, row: int) -> None:
        self.look = {"row": row, "n": next(self._looks)}

    def _send_chunk(self) -> None:
        """Sends what was recorded since the last time: all of it, if nothing was."""
        book, sent, runs, buffers = self._book, self._sent, [], []
        there = set(sent)
        for number, branch in self._session.branches.items():
            recording = branch.recording
            since, source = sent.get(number), None
            if since is None and branch.parent in there:
                source = {"run": branch.parent, "parting": branch.parting}
                since = recording.place_at(branch.parting)
            counts, columns = recording.part(since or {})
            if number in sent and all(start == end for start, end in counts.values()):
                continue
            sent[number] = recording.place()
            runs.append({"run": number, "source": source, "counts": counts})
            buffers += columns
        texts, subjects = sent.get("texts", 0), sent.get("subjects", 0)
        header = {
            "n": next(self._chunks),
            "tables": {name: list(columns.items()) for name, columns in TABLES.items()},
            "texts": [texts, book.texts[texts:]],
            "subjects": [subjects, book.subjects[subjects:]],
            "runs": runs,
            "now": [self._session.branch.number, micros(self._session.now)],
        }
        sent["texts"], sent["subjects"] = len(book.texts), len(book.subjects)
        self.chunk = framed(header, buffers)


def _click(content: dict) -> tuple[list, int | None, bool]:
    """What a click asks for, when, and whether later inputs stay; ValueError for what is none."""
    doing, at_us, keep = content.get("do"), content.get("at_us"), content.get("keep", True)
    if not isinstance(doing, list) or not doing or not isinstance(doing[0], str):
        raise ValueError(f"a click names what to do, not {quoted(doing)}; nothing was done")
    if at_us is not None and not (type(at_us) is int and 0 <= at_us <= MAX_SECONDS * 1e6):
        raise ValueError(f"a click is at a moment in µs, not {quoted(at_us)}; nothing was done")
    return doing, at_us, bool(keep)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
