"""Before: a prediction, and how sure. After: one sentence that compares it with what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Protocol, TypeVar

import traitlets

from statelab.lab.given import each, given
from statelab.lab.static import script
from statelab.lab.view import View
from statelab.lab.words import sentence
from statelab.language import marked, particles, spoken
from statelab.message import shown, text_of
from statelab.rows import Rows

SURE = {"guess": marked("a guess"), "fairly": marked("fairly sure"), "certain": marked("certain")}
SKIPPED = marked("You skipped the prediction.")
NONE_YET = marked("No prediction so far.")
UNANSWERED = marked("Answer the question first: then it stands here.")

Outcome = Callable[[Rows], tuple[str | None, str]]


class Judged(Protocol):
    """A widget with a prediction, which says in its `verdict` what an outcome makes of it."""

    verdict: dict[str, str]

    def judge(self, outcome: Outcome) -> None:
        """Takes the outcome that decides."""


class Predict(View):
    """A question with choices, and how sure one is; `done` is '', 'answered' or 'skipped'."""

    _esm = script("tools", "questions")
    taken = ("chosen", "sure", "done")

    kind = traitlets.Unicode("predict").tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    levels = traitlets.Dict(SURE).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    sure = traitlets.Enum(["", *SURE], "").tag(sync=True)
    done = traitlets.Enum(["", "answered", "skipped"], "").tag(sync=True)

    def __init__(self, question: str, choices: Sequence[str]):
        given(str, question, "the question")
        if len(set(each(str, choices, "the choices"))) < max(2, len(choices)):
            raise ValueError(
                f"a prediction has two choices or more that differ, not {shown(choices)}"
            )
        levels = {key: spoken(word) for key, word in SURE.items()}
        super().__init__(question=question, choices=list(choices), levels=levels)

    @traitlets.validate("chosen")
    def _is_a_choice(self, proposal: Any) -> int:
        least = 0 if self.done == "answered" else -1
        if not least <= proposal.value < len(self.choices):
            raise traitlets.TraitError(f"there is no choice {shown(proposal.value)}")
        return proposal.value

    @traitlets.validate("done")
    def _is_whole(self, proposal: Any) -> str:
        if proposal.value == "answered" and not (self.chosen >= 0 and self.sure):
            raise traitlets.TraitError("an answer is a choice, and how sure one is")
        return proposal.value

    @property
    def choice(self) -> str | None:
        """The choice predicted; None until it is answered, and if it is skipped."""
        return self.choices[self.chosen] if self.done == "answered" else None

    def answer(self, choice: str, sure: str = "fairly") -> None:
        """Predicts, as the buttons do; `sure` is 'guess', 'fairly' or 'certain'."""
        if choice not in self.choices or sure not in list(SURE):
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
            return spoken(SKIPPED)
        sure = spoken(SURE.get(self.sure, SURE["fairly"]))
        return spoken("You said “{choice}”, {sure}.", choice=self.choice, sure=sure)

    def __repr__(self) -> str:
        return f"{spoken('Predict')}: {self.question} ({' / '.join(self.choices)})"

    def _html(self) -> str:
        choices = "".join(f"<li>{escape(choice)}</li>" for choice in self.choices)
        return f"<p><b>{spoken('Predict')}:</b> {escape(self.question)}</p><ul>{choices}</ul>"


def predict(question: str, choices: Sequence[str]) -> Predict:
    """Asks for a prediction: a choice and how sure, or skip. The run decides which comes true."""
    return Predict(question, choices)


class Observe(View):
    """One sentence that compares the prediction with what happened; it follows the panel."""

    _esm = script("tools", "questions")

    kind = traitlets.Unicode("observe").tag(sync=True)
    verdict = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        return " ".join(part for part in (self.verdict["said"], self.verdict["text"]) if part)

    def _html(self) -> str:
        return f"<p>{escape(repr(self))}</p>"


def observe(panel: Judged, outcome: Outcome) -> Observe:
    """Compares, in one sentence that follows the panel, its prediction with the outcome.

    `outcome(rows)` returns the choice that came true, or None while that is undecided, and a
    sentence: what decided it, or what is still to do. `need` says the latter, too.
    """
    if not hasattr(panel, "judge"):
        raise TypeError(f"observe follows a panel, a scrub or a wire, and not {shown(panel)}")
    panel.judge(outcome)
    observation = Observe(verdict=panel.verdict)
    traitlets.dlink((panel, "verdict"), (observation, "verdict"))
    return observation


class NotYet(Exception):
    """An outcome is undecided; its text says what is still to do."""


Found = TypeVar("Found")


def need(found: Found, todo: str) -> Found:
    """What an outcome needs: what was found, or `todo` is said, a sentence, until it is there."""
    if not found:
        raise NotYet(todo)
    return found


def compare(prediction: Predict, choice: str, sentence: str) -> Observe:
    """Compares, in one sentence, a prediction with what an experiment without a panel has shown.

    `choice` is the one that came true, `sentence` what decided it; nothing is said before the
    question is answered or skipped. ValueError if it is no choice.
    """
    if choice not in given(Predict, prediction, "the prediction").choices:
        raise ValueError(f"{shown(choice)} is none of the choices {prediction.choices}")
    given(str, sentence, "what decided it")

    def told(_: Any) -> dict[str, str]:
        if not prediction.done:
            return {"mark": "open", "said": "", "text": spoken(UNANSWERED)}
        return verdict(prediction, choice, sentence)

    observation = Observe(verdict=told(None))
    for trait in ("chosen", "done"):
        traitlets.dlink((prediction, trait), (observation, "verdict"), told)
    return observation


def verdict(prediction: Predict | None, choice: str | None, why: str) -> dict[str, str]:
    """What the panel and `observe` say; `mark` is 'right', 'wrong', 'known' or 'open'."""
    if prediction is not None and choice not in (None, *prediction.choices):
        raise ValueError(f"{shown(choice)} is none of the choices {prediction.choices}")
    said = "" if prediction is None else prediction.said() if prediction.done else spoken(NONE_YET)
    if choice is None:
        return {"mark": "open", "said": said, "text": particles(str(why))}
    predicted = prediction and prediction.choice
    if predicted == choice:
        return {"mark": "right", "said": said, "text": spoken("And so it was: {why}", why=why)}
    text = spoken("It was “{choice}”: {why}", choice=choice, why=why)
    return {"mark": "known" if predicted is None else "wrong", "said": said, "text": text}


class Verdicts:
    """The verdict on a panel's runs: a choice that came true stays until another run earns one."""

    def __init__(self, prediction: Predict | None):
        self._prediction = prediction
        self._earned: tuple[str, str] | None = None  # the choice that came true, and why
        self._by: Any = None  # the run that earned it

    def on(self, outcome: Outcome | None, seen: Any, run: Any) -> dict[str, str]:
        """The verdict on what was seen of a run; `earlier` says what another one has earned."""
        found: list[tuple[str | None, str]] = []

        def once(rows: Any) -> tuple[str | None, str]:
            found.append(outcome(rows))
            return found[-1]

        now = judged(outcome and once, seen, self._prediction)
        if now["mark"] != "open" and (run != self._by or found[-1][0] == self._earned[0]):
            self._earned, self._by = found[-1], run  # the same choice may have more to tell
        if self._earned is None:
            return now
        earned = verdict(self._prediction, *self._earned)
        return earned if run == self._by else {**now, "earlier": earned["text"]}


def judged(outcome: Outcome | None, seen: Any, prediction: Predict | None) -> dict[str, str]:
    """What a learner's `outcome` says of what was `seen`, as a verdict; what it raises is said."""
    try:
        return verdict(prediction, *((None, "") if outcome is None else outcome(seen)))
    except NotYet as undecided:
        return verdict(prediction, None, text_of(undecided) or "")
    except BaseException as wrong:  # nobody would see it, and SystemExit would end the kernel
        why = spoken("The outcome could not be told: {why}", why=sentence(wrong))
        return verdict(prediction, None, why)
