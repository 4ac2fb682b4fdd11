"""The exit check: questions with feedback for each choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import traitlets

from statelab.lab.given import each, given
from statelab.lab.static import script
from statelab.lab.view import View


@dataclass(frozen=True)
class Question:
    """A question, its choices with what to say to who takes them, and the right one."""

    question: str
    choices: Mapping[str, str]
    right: str

    def __post_init__(self):
        given(str, self.question, "the question")
        given(Mapping, self.choices, "the choices, with what to say to each")
        for words in (self.choices.keys(), self.choices.values()):
            each(str, list(words), "the choices, with what to say to each")
        if self.right not in list(self.choices):
            raise ValueError(f"right={self.right!r:.100} is none of {list(self.choices)}")


class Quiz(View):
    """Questions, each with feedback as soon as a choice is taken; one may choose again."""

    _esm = script("tools", "questions")
    taken = ("chosen",)

    kind = traitlets.Unicode("quiz").tag(sync=True)
    questions = traitlets.List().tag(sync=True)  # [{question, choices}]
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # a choice for each, or -1
    feedback = traitlets.List().tag(sync=True)  # [{mark, text}] for each, mark '' until chosen

    def __init__(self, questions: Sequence[Question]):
        self._questions = each(Question, questions, "the questions")
        super().__init__(
            questions=[{"question": q.question, "choices": list(q.choices)} for q in questions],
            chosen=[-1] * len(questions),
        )

    @traitlets.validate("chosen")
    def _is_a_choice_each(self, proposal: Any) -> list[int]:
        most = [len(question.choices) for question in self._questions]
        places = proposal.value
        if len(places) == len(most) and all(-1 <= n < m for n, m in zip(places, most, strict=True)):
            return places
        raise traitlets.TraitError(f"give a choice to each question, not {places!r:.100}")

    @traitlets.observe("chosen")
    def _answered(self, _: Any) -> None:
        feedback = []
        for question, place in zip(self._questions, self.chosen, strict=True):
            choices = list(question.choices)
            if place < 0:
                feedback.append({"mark": "", "text": ""})
                continue
            right = choices[place] == question.right
            text = question.choices[choices[place]]
            word = "Right." if right else "Not so."
            feedback.append({"mark": "right" if right else "wrong", "text": f"{word} {text}"})
        self.feedback = feedback

    def __repr__(self) -> str:
        return "Exit check: " + " · ".join(question.question for question in self._questions)

    def _html(self) -> str:
        parts = []
        for question in self._questions:
            choices = "".join(f"<li>{escape(choice)}</li>" for choice in question.choices)
            right = escape(f"{question.right}. {question.choices[question.right]}")
            answer = f"<details><summary>Answer</summary>{right}</details>"
            parts.append(f"<p><b>{escape(question.question)}</b></p><ul>{choices}</ul>{answer}")
        return "".join(parts)


def quiz(questions: Sequence[Question]) -> Quiz:
    """Asks the questions of an exit check."""
    return Quiz(questions)
