"""A log of inputs to scrub over, and to leave inputs out of: what do they come to?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import traitlets

from statelab.lab.ask.prediction import Outcome, Predict, judged
from statelab.lab.given import function, given
from statelab.lab.static import script
from statelab.lab.view import View
from statelab.lab.words import brief, sentence
from statelab.language import spoken
from statelab.message import shown

Play = Callable[[Any, Any], Mapping[str, Any]]
_CELL = "padding:2px 12px;text-align:left"


class Scrub(View):
    """A log with a slider, and the state after each input; any input can be left out.

    `play(state, input)` is the rule: it returns the next state, a dict, and leaves the one given
    as it is. It opens once `prediction` is answered or skipped. `tried` lists what was looked at:
    (the places of the inputs left out, whether the end is the same as with all of them).
    """

    _esm = script("tools", "questions")
    taken = ("at", "without")

    kind = traitlets.Unicode("scrub").tag(sync=True)
    inputs = traitlets.List(traitlets.Unicode()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of the state's parts
    states = traitlets.List().tag(sync=True)  # the parts as texts: at the start, after each input
    without = traitlets.List(traitlets.Int()).tag(sync=True)  # places of inputs, from 1
    at = traitlets.Int(0).tag(sync=True)  # after which input one looks; 0 is the start
    end = traitlets.Unicode("").tag(sync=True)  # how it ends, compared with the whole log
    gate = traitlets.Unicode("").tag(sync=True)  # the question to answer first, or ''
    verdict = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        play: Play,
        start: Mapping[str, Any],
        log: Sequence[Any],
        prediction: Predict | None = None,
    ):
        self._play = function(play, "the rule")
        self._start = given(Mapping, start, "the state at the start")
        self._log = list(given(Sequence, log, "the log"))
        self._prediction = prediction
        self._outcome: Outcome | None = None
        self.tried: list[tuple[tuple[int, ...], bool]] = []
        with self._unseen():
            super().__init__(inputs=list(map(_text, log)), names=list(map(_text, start)))
            if prediction is not None:
                given(Predict, prediction, "the prediction").observe(self._predicted, "done")
            self.on_msg(self._clicked)
            self.observe(self._changed, "without")
            self._show()
            self._predicted()

    # --------------------------------------------------------------------------- by code
    def leave_out(self, *places: int) -> None:
        """Leaves these inputs out, counted from 1, and no others.

        Raises ValueError for a place that the log has not.
        """
        for place in places:
            if not 1 <= given(int, place, "a place in the log") <= len(self._log):
                raise ValueError(
                    f"the log has the inputs 1 to {len(self._log)}, and no {shown(place)}"
                )
        self.without = sorted(set(places))

    def judge(self, outcome: Outcome) -> None:
        """Shows, from now on, what `outcome(tried)` says about the prediction; see `observe`."""
        self._outcome = function(outcome, "the outcome")
        self._judge()

    # --------------------------------------------------------------------------- inside
    @traitlets.validate("without", "at")
    def _is_in_the_log(self, proposal: Any) -> Any:
        value = proposal.value
        first, places = (0, [value]) if proposal.trait.name == "at" else (1, value)
        if not all(first <= place <= len(self._log) for place in places):
            raise traitlets.TraitError(f"the log has no place {shown(value)}")
        return value

    def _clicked(self, _: Any, content: Any, buffers: Any) -> None:
        if content == "skip" and self._prediction is not None:
            self._prediction.skip()

    def _predicted(self, _: Any = None) -> None:
        closed = self._prediction is not None and not self._prediction.done
        self.gate = self._prediction.question if closed else ""
        self._judge()

    def _judge(self) -> None:
        self.verdict = judged(self._outcome, self.tried, self._prediction)

    def _played(self, without: Sequence[int]) -> list[Mapping[str, Any]]:
        """The states; an input that is left out changes nothing."""
        states = [self._start]
        for place, said in enumerate(self._log, 1):
            states.append(states[-1] if place in without else self._play(states[-1], said))
            given(Mapping, states[-1], f"the state that the rule returns for {shown(said)}")
        return states

    def _changed(self, _: Any = None) -> None:
        try:
            self._show()
        except BaseException as wrong:  # nobody would see it: callbacks have no output
            self.end = spoken("This could not be played: {why}", why=sentence(wrong))

    def _show(self) -> None:
        states = self._played(self.without)
        same = bool(states[-1] == self._played(())[-1])
        with self.hold_sync():
            self.states = self._texts(states)
            self.end = spoken("Nothing is left out.")
            if self.without:
                without = ", ".join(map(str, self.without))
                ends = spoken("the same as with the whole log") if same else spoken("different")
                self.end = spoken("Without {inputs}, the end is {ends}.", inputs=without, ends=ends)
                if (tuple(self.without), same) not in self.tried:
                    self.tried.append((tuple(self.without), same))
            self._judge()

    def _texts(self, states: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        return [[_text(state.get(name, "")) for name in self._start] for state in states]

    def __repr__(self) -> str:
        number, inputs = len(self.inputs), ", ".join(self.inputs)
        return spoken("Scrub over {number} inputs: {inputs}", number=number, inputs=inputs)

    def _html(self) -> str:
        moments = [
            spoken("the start"),
            *(f"{place} {said}" for place, said in enumerate(self.inputs, 1)),
        ]
        states = self._texts(self._played(()))
        rows = [
            f'<tr><th style="{_CELL}">{spoken("after")}</th>' + _cells("th", self.names) + "</tr>",
            *(
                "<tr>" + _cells("td", [moment, *state]) + "</tr>"
                for moment, state in zip(moments, states, strict=True)
            ),
        ]
        return f"<table>{''.join(rows)}</table>"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # of an integer of 5,000 digits, or a class of the learner's
        return brief(value)


def _cells(kind: str, texts: Sequence[str]) -> str:
    return "".join(f'<{kind} style="{_CELL}">{escape(text)}</{kind}>' for text in texts)
