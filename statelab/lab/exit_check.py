"""The exit check: questions with feedback for each choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import anywidget
import traitlets

from statelab.lab.prediction import with_text
from statelab.lab.static import script, style


@dataclass(frozen=True)
class Question:
    """A question, its choices with what to say to who takes them, and the right one."""

    question: str
    choices: Mapping[str, str]
    right: str

    def __post_init__(self):
        if self.right not in self.choices:
            raise ValueError(f"right={self.right!r} is none of the choices {list(self.choices)}")


class Quiz(anywidget.AnyWidget):
    """Questions, each with feedback as soon as a choice is taken; one may choose again."""

    _esm = script("tools", "questions")
    _css = style()

    kind = traitlets.Unicode("quiz").tag(sync=True)
    questions = traitlets.List().tag(sync=True)  # [{question, choices}]
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # a choice for each, or -1
    feedback = traitlets.List().tag(sync=True)  # [{mark, text}] for each, mark '' until chosen

    def __init__(self, questions: Sequence[Question]):
        self._questions = list(questions)
        super().__init__(
            questions=[{"question": q.question, "choices": list(q.choices)} for q in questions],
            chosen=[-1] * len(questions),
        )

    @traitlets.observe("chosen")
    def _answered(self, _: Any) -> None:
        feedback = []
        for question, place in zip(self._questions, self.chosen, strict=False):
            choices = list(question.choices)
            if not 0 <= place < len(choices):
                feedback.append({"mark": "", "text": ""})
                continue
            right = choices[place] == question.right
            text = question.choices[choices[place]]
            word = "Right." if right else "Not so."
            feedback.append({"mark": "right" if right else "wrong", "text": f"{word} {text}"})
        self.feedback = feedback

    def __repr__(self) -> str:
        return "Exit check: " + " · ".join(question.question for question in self._questions)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        parts = []
        for question in self._questions:
            choices = "".join(f"<li>{escape(choice)}</li>" for choice in question.choices)
            right = escape(f"{question.right}. {question.choices[question.right]}")
            answer = f"<details><summary>Answer</summary>{right}</details>"
            parts.append(f"<p><b>{escape(question.question)}</b></p><ul>{choices}</ul>{answer}")
        return with_text(super()._repr_mimebundle_(**kwargs), repr(self), "".join(parts))


def quiz(questions: Sequence[Question]) -> Quiz:
    """Asks the questions of an exit check."""
    return Quiz(questions)
