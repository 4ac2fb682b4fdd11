"""What a panel shows: its traits are its whole interface to the drawing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from statelab.checked import micros
from statelab.lab.ask.prediction import Outcome, Predict, Verdicts
from statelab.lab.given import each, given
from statelab.lab.kernel import Kernel
from statelab.lab.panel import picture
from statelab.lab.panel.actions import Action
from statelab.lab.panel.chunks import Chunks
from statelab.lab.panel.simulated import Simulated
from statelab.lab.panel.symbols import Book
from statelab.lab.static import script
from statelab.lab.view import View
from statelab.lab.words import sentence
from statelab.language import spoken
from statelab.trace import Invariant

# Of a long run the drawing goes first: its first rows, then the others, then what is told of it.
FEW, LONG = 2_000, 5_000  # rows
SOON_S, LATER_S = 0.1, 0.3


class Drawn(View):
    """Shows the current run of its session, and what is said of it, as far as the page lacks it."""

    _esm = script("tools", "recording", "stage", "timeline", "panel")

    _session: Simulated | Any = None  # or a Live one; none, if it could not be made
    _closed = False

    title = traitlets.Unicode().tag(sync=True)
    level = traitlets.Int(2).tag(sync=True)
    actions = traitlets.List().tag(sync=True)  # [{client, label, line}]
    modes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mode = traitlets.Unicode("simulated").tag(sync=True)
    gate = traitlets.Unicode("").tag(sync=True)  # the question to answer first, or ''
    runs = traitlets.List().tag(sync=True)  # [Branch.about()]
    run = traitlets.Int(0).tag(sync=True)  # the number of the current one
    chunk = traitlets.Dict().tag(sync=True)  # what was recorded last, see `_send_chunk`
    look = traitlets.Dict().tag(sync=True)  # {row: where to look, -1 for the end, n: a counter}
    pids = traitlets.Dict().tag(sync=True)  # {node: process id}
    lights = traitlets.List().tag(sync=True)  # [{sentence, row: of the first breach or -1, text}]
    verdict = traitlets.Dict().tag(sync=True)
    python = traitlets.Unicode("").tag(sync=True)
    code = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    handled = traitlets.Int(0).tag(sync=True)  # the latest click that was dealt with

    def __init__(
        self, book: Book, prediction: Predict | None, actions: Sequence[Action],
        invariants: Sequence[Invariant], **shown: Any,
    ):  # fmt: skip
        self._prediction = prediction
        self._outcome: Outcome | None = None
        self._verdicts = Verdicts(prediction)
        self._buttons = each(Action, actions, "the actions")
        self._invariants = each(Invariant, invariants, "the invariants")
        self._kernel = Kernel()
        self._waiting = False  # whether a showing of news from other threads is on its way
        self._behind = False  # whether rows of the current run are still to be recorded
        self._telling = False  # whether what takes time is still to be told
        self._book, self._chunks = book, Chunks(book)
        self._looks = itertools.count(1)
        buttons = [
            {"client": action.client, "label": action.label, "line": action.line()}
            for action in self._buttons
        ]
        if prediction is not None:
            given(Predict, prediction, "the prediction")
            prediction.observe(lambda _: self._predicted(), "done")
        super().__init__(actions=buttons, gate=self._question(), **shown)
        self._judge()

    @property
    def rows(self):
        """The trace rows of the current run, so far."""
        return self._session.branch.trace().rows

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

    def _question(self) -> str:
        closed = self._prediction is not None and not self._prediction.done
        return self._prediction.question if closed else ""

    def _predicted(self) -> None:
        self.gate = self._question()
        self._judge()

    def _judge(self) -> None:
        if self._outcome is None:
            said = self._prediction.said() if self._prediction and self._prediction.done else ""
            self.verdict = {"mark": "open", "said": said, "text": ""}
            return
        self.verdict = self._verdicts.on(
            self._outcome, self.rows, (self._outcome, self._session.branch.number)
        )

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
            self._chunks.forget()
            self.error = spoken("This could not be shown: {why}", why=sentence(wrong))

    def _send_all(self, look: bool) -> None:
        session, actions = self._session, self._buttons
        branch, branches = session.branch, session.branches.values()
        branch.update(FEW if self._kernel.loops and not self._behind else None)
        if not branch.behind:
            branch.recording.expire(micros(session.now))
        branch.recording.expect(
            [action.client for action in actions],
            [(action.client, action.to) for action in actions if action.to],
        )
        with self.hold_sync():
            self.mode, self.pids = session.mode, session.pids
            self._send_chunk()
            self.runs = [one.about(branches) for one in branches]
            self.run = branch.number
            self.python = session.python()
            if self._book.expectation.wrong:
                self.error, self._book.expectation.wrong = self._book.expectation.wrong, ""
            if look:
                self._look(-1)
            self._behind = branch.behind
            if self._behind:
                self._kernel.later(SOON_S, self._show)
            elif len(branch.recording) <= LONG or not self._kernel.loops:
                self._tell()
            elif not self._telling:
                self._telling = True
                self._kernel.later(LATER_S, lambda: self._try(self._tell))

    def _tell(self) -> None:
        """Tells what takes time on long runs: the verdict, the invariants, the run code."""
        self._telling = False
        with self.hold_sync():
            self._judge()
            self.lights = [self._session.branch.light(one) for one in self._invariants]
            self.code = self._session.code()

    def _look(self, row: int) -> None:
        self.look = {"row": row, "n": next(self._looks)}

    def _send_chunk(self) -> None:
        session = self._session
        self.chunk = self._chunks.next(session.branches, session.branch.number, micros(session.now))
