"""One real connection by hand: buttons, and what TCP remembers of it after each."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from html import escape
from typing import Any

import ipywidgets
import traitlets

from statelab import machine
from statelab.effects import WrongState
from statelab.lab import previous
from statelab.lab.ask.prediction import Outcome, Predict, judged
from statelab.lab.given import function, given
from statelab.lab.kernel import Kernel
from statelab.language import marked, spoken
from statelab.live import LiveWorld, tcp
from statelab.message import IP, said, shown
from statelab.node import Node

BUTTONS = {  # verb: (what the button says, how the line begins that the ledger gets)
    "send": (marked("send the request"), marked("request sent")),
    "read": (marked("fetch the answer"), marked("answer fetched")),
    "pause": (marked("pause the server"), marked("server paused")),
    "resume": (marked("resume it"), marked("server resumed")),
    "kill": (marked("kill it"), marked("server killed")),
    "again": (marked("start over"), marked("connected")),
}


class Wire(ipywidgets.VBox):
    """A server in a process of its own, a socket, and a table that grows with each click.

    `request` is what `send` sends. It opens once `prediction` is answered or skipped; its process
    starts with the first click, and ends with `close`, with its cell's next run, or the kernel.
    """

    table = traitlets.Unicode()  # the ledger as text
    said = traitlets.Unicode()  # what came of the latest click
    verdict = traitlets.Dict()
    _closed = True  # as long as it is not made

    def __init__(self, server: type[Node], request: bytes, prediction: Predict | None = None):
        if not machine.HAS_PROCESSES:
            raise machine.NoProcesses("Wire connects to")
        if not (isinstance(server, type) and issubclass(server, Node)):
            raise TypeError(f"the server: a Node class is wanted, not {shown(server)}")
        self._server, self._request = server, given(bytes, request, "the request")
        host = re.search(rb"\r\nHost: ([\w-]+)\r\n", request)  # whom it is for
        self._name = host[1].decode() if host else "server"
        self._prediction = (
            None if prediction is None else given(Predict, prediction, "the prediction")
        )
        self._outcome: Outcome | None = None
        self._world: LiveWorld | None = None
        self._sock: socket.socket | None = None
        self._ledger: tcp.Ledger | None = None
        self._lines: list[tuple[str, tcp.Counts]] = []  # the ledger's, when it was last shown
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="wire")
        self._kernel = Kernel()
        # Each of these is whole when pages hear of it: see View.
        first, many, told = self._offered()
        texts = [first, *(spoken(text) for text, _ in list(BUTTONS.values())[1:])]
        self._buttons = [
            _button(text, partial(self._press, verb))
            for verb, text in zip(BUTTONS, texts, strict=True)
        ]
        self._bar = ipywidgets.HBox(self._buttons[:many], layout={"flex_flow": "row wrap"})
        self._words, self._shown = ipywidgets.HTML(_paragraph(told)), ipywidgets.HTML()
        super().__init__([self._bar, self._words, self._shown])
        self.said = told
        if prediction is not None:
            prediction.observe(lambda _: self._gate(), "done")
        if many > 1:
            self._judge()
        self._closed = False
        previous.replace(self)

    def _gate(self) -> None:
        # The button that skips becomes the first of the others: it has the focus, so it stays.
        self._buttons[0].description, many, told = self._offered()
        self._bar.children = self._buttons[:many]
        self._say(told)
        if many > 1:
            self._judge()

    def _offered(self) -> tuple[str, int, str]:
        """What the first button says, how many of them there are, and what is said."""
        if self._closed_by_prediction():
            return spoken("Skip the prediction"), 1, spoken("Predict first.")
        return spoken(BUTTONS["send"][0]), len(BUTTONS), spoken("Press a button: a process starts.")

    def _closed_by_prediction(self) -> bool:
        return self._prediction is not None and not self._prediction.done

    def _press(self, verb: str) -> None:
        if self._closed_by_prediction():
            self._prediction.skip()
        else:
            self.do(verb)

    # --------------------------------------------------------------------------- by code
    def do(self, verb: str) -> None:
        """Does what a button does, soon: 'send', 'read', 'pause', 'resume', 'kill' or 'again'.

        `said` and `table` follow. Raises ValueError for another verb.
        """
        if verb not in list(BUTTONS):
            known = ", ".join(BUTTONS)
            raise ValueError(f"there is no button {shown(verb)}: choose one of {known}")
        self._submit(self._perform, verb)

    def wait(self) -> None:
        """Waits until all that was asked for is done."""
        if not self._closed:
            self._submit(lambda: None).result()

    def judge(self, outcome: Outcome) -> None:
        """Shows, from now on, what `outcome(lines)` says about the prediction; see `observe`.

        `lines` are the table's: (how it begins, what TCP remembered then, as tcp.Counts).
        """
        self._outcome = function(outcome, "the outcome")
        self._judge()

    def close(self) -> None:
        """Ends the server's process and the connection; may be called twice."""
        if not self._closed:
            self._closed = True
            self._worker.submit(self._end)
            self._worker.shutdown(wait=False)
        super().close()

    def _submit(self, *work: Any) -> Future:
        if self._closed:
            raise WrongState("this wire is closed, and nothing was done: run its cell again")
        return self._worker.submit(*work)

    # --------------------------------------------------------------------------- its own thread
    def _perform(self, verb: str) -> None:
        told = ""
        try:
            if self._world is None or verb == "again":
                self._begin()
            if verb == "send":
                self._sock.setblocking(True)
                self._sock.sendall(self._request)
                told = spoken("{number} bytes sent.", number=len(self._request))
            elif verb == "read":
                self._sock.setblocking(False)
                data = self._sock.recv(1 << 16)
                text = repr(data.decode(errors="replace"))
                came = spoken("The answer: {text}", text=text)
                told = came if data else spoken("It has hung up.")
            elif verb != "again":
                getattr(self._world, verb)(self._name)
            if verb != "again":
                self._ledger.look(BUTTONS[verb][1])
        except BlockingIOError:
            told = spoken("There is no answer to fetch.")
        except BaseException as wrong:  # a thread that ends by SystemExit says nothing
            told = said(wrong)
        self._kernel.do(lambda: self._show(told))

    def _begin(self) -> None:
        self._end()
        self._world = LiveWorld()
        self._world.start(self._name, self._server)
        self._sock = socket.create_connection((IP, self._world.port(self._name)))
        self._ledger = tcp.Ledger(self._sock)
        self._ledger.look(BUTTONS["again"][1])

    def _end(self) -> None:
        if self._sock is not None:
            self._sock.close()
        if self._world is not None:
            self._world.close()
        self._world = self._sock = self._ledger = None

    # --------------------------------------------------------------------------- what is shown
    def _show(self, said: str) -> None:
        ledger = self._ledger
        if ledger is not None:
            self.table, self._shown.value = str(ledger), ledger._repr_html_()
            self._lines = list(ledger.rows)
        self._say(said)
        self._judge()

    def _judge(self) -> None:
        self.verdict = judged(self._outcome, self._lines, self._prediction)

    def _say(self, said: str) -> None:
        self.said = said
        self._words.value = _paragraph(said)

    def __repr__(self) -> str:
        return f"Wire({self._server.__name__})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        buttons = " · ".join(spoken(text) for text, _ in BUTTONS.values())
        about = spoken(
            "One connection to {server}, by hand: {buttons}.",
            server=self._server.__name__,
            buttons=buttons,
        )
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/plain": repr(self), "text/html": _paragraph(about)}


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _button(text: str, pressed: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, layout={"width": "auto"})
    button.on_click(lambda _: pressed())
    return button
