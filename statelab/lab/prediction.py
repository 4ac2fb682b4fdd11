"""Before: a prediction, and how sure. After: one sentence that compares it with what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from statelab.lab.static import script, style
from statelab.trace import Row

if TYPE_CHECKING:
    from statelab.lab.panel import Panel

SURE = {"guess": "a guess", "fairly": "fairly sure", "certain": "certain"}
SKIPPED = "You skipped the prediction."

Outcome = Callable[[Sequence[Row]], tuple[str | None, str]]


def with_text(bundle: Any, text: str, html: str) -> Any:
    """A widget's mime bundle with what viewers without a kernel show."""
    if bundle is None:
        return None
    data, metadata = bundle
    return {**data, "text/plain": text, "text/html": html}, metadata


class Predict(anywidget.AnyWidget):
    """A question with choices, and how sure one is; `done` is '', 'answered' or 'skipped'."""

    _esm = script("tools", "questions")
    _css = style()

    kind = traitlets.Unicode("predict").tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    levels = traitlets.Dict(SURE).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    sure = traitlets.Unicode("").tag(sync=True)
    done = traitlets.Unicode("").tag(sync=True)

    def __init__(self, question: str, choices: Sequence[str], right: str):
        if right not in choices:
            raise ValueError(f"right={right!r} is none of the choices {list(choices)}")
        super().__init__(question=question, choices=list(choices))
        self.right = right

    @property
    def choice(self) -> str | None:
        """The choice predicted; None until it is answered, and if it is skipped."""
        return self.choices[self.chosen] if self.done == "answered" else None

    def answer(self, choice: str, sure: str = "fairly") -> None:
        """Predicts, as the buttons do; `sure` is 'guess', 'fairly' or 'certain'."""
        if choice not in self.choices or sure not in SURE:
            raise ValueError(f"choose one of {self.choices}, and one of {list(SURE)}")
        with self.hold_sync():
            self.chosen, self.sure = self.choices.index(choice), sure
            self.done = "answered"

    def skip(self) -> None:
        """Opens the panel without a prediction."""
        self.done = self.done or "skipped"

    def said(self) -> str:
        """What was predicted, as words."""
        if self.choice is None:
            return SKIPPED
        return f"You said “{self.choice}”, {SURE.get(self.sure, SURE['fairly'])}."

    def __repr__(self) -> str:
        return f"Predict: {self.question} ({' / '.join(self.choices)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        choices = "".join(f"<li>{escape(choice)}</li>" for choice in self.choices)
        html = f"<p><b>Predict:</b> {escape(self.question)}</p><ul>{choices}</ul>"
        return with_text(super()._repr_mimebundle_(**kwargs), repr(self), html)


def predict(question: str, choices: Sequence[str], right: str) -> Predict:
    """Asks for a prediction: a choice and how sure, or skip."""
    return Predict(question, choices, right)


class Observe(anywidget.AnyWidget):
    """One sentence that compares the prediction with what happened; it follows the panel."""

    _esm = script("tools", "questions")
    _css = style()

    kind = traitlets.Unicode("observe").tag(sync=True)
    verdict = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        return " ".join(part for part in (self.verdict["said"], self.verdict["text"]) if part)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        html = f"<p>{escape(repr(self))}</p>"
        return with_text(super()._repr_mimebundle_(**kwargs), repr(self), html)


def observe(panel: Panel, outcome: Outcome) -> Observe:
    """Compares, in one sentence that follows the panel, its prediction with the outcome.

    `outcome(rows)` returns the choice that came true, or None while that is undecided, and a
    sentence: what decided it, or what is still to do.
    """
    panel.judge(outcome)
    observation = Observe()
    traitlets.dlink((panel, "verdict"), (observation, "verdict"))
    return observation


def compare(prediction: Predict, choice: str, sentence: str) -> Observe:
    """Compares, in one sentence, a prediction with what an experiment without a panel has shown.

    `choice` is the one that came true, `sentence` what decided it. ValueError if it is no choice.
    """
    if choice not in prediction.choices:
        raise ValueError(f"{choice!r} is none of the choices {prediction.choices}")
    observation = Observe()
    for trait in ("chosen", "done"):
        traitlets.dlink(
            (prediction, trait),
            (observation, "verdict"),
            lambda _: verdict(prediction, choice, sentence),
        )
    return observation


def verdict(prediction: Predict | None, choice: str | None, sentence: str) -> dict[str, str]:
    """What the panel and `observe` say; `mark` is 'right', 'wrong', 'known' or 'open'."""
    said = "" if prediction is None else prediction.said() if prediction.done else SKIPPED
    if choice is None:
        return {"mark": "open", "said": said, "text": sentence}
    if prediction is None or prediction.choice is None:
        return {"mark": "known", "said": said, "text": f"It was “{choice}”: {sentence}"}
    if prediction.choice == choice:
        return {"mark": "right", "said": said, "text": f"And so it was: {sentence}"}
    return {"mark": "wrong", "said": said, "text": f"It was “{choice}”: {sentence}"}
