"""The exit check: questions with feedback for each choice."""

from __future__ import annotations

import re
from html import escape
from typing import Any, NamedTuple

import traitlets

from statelab.lab.given import given
from statelab.lab.static import script
from statelab.lab.view import View
from statelab.language import spoken
from statelab.message import shown


class Question(NamedTuple):
    """A question, its choices with what to say to who takes them, and the right one."""

    question: str
    choices: dict[str, str]
    right: str


def questions_in(text: str) -> list[Question]:
    """The questions of an exit check, one in a paragraph, each choice on a line of its own.

    A choice begins with `-`, the right one with `+`; after `→` stands what to say to who takes it.
    A line that is indented goes on with the one before. Raises ValueError for anything else.
    """
    found = []
    for paragraph in re.split(r"\n\s*\n", given(str, text, "the questions").strip()):
        asked, *lines = re.sub(r"\n\s+", " ", paragraph).split("\n")
        choices, right = {}, []
        for line in lines:
            form = re.fullmatch("([-+]) (.+?) → (.+)", line)
            if form is None:
                raise ValueError(f"write “- choice → what to say to it”, not {shown(line)}")
            mark, choice, choices[form[2]] = form.groups()
            right += [choice] if mark == "+" else []
        if len(right) != 1 or len(choices) < 2 or len(choices) < len(lines):
            raise ValueError(
                f"{shown(asked)} has {len(choices)} choices, {len(right)} of them right: give it "
                "two or more that differ, and begin the one right choice with +"
            )
        found.append(Question(asked, choices, right[0]))
    return found


class Quiz(View):
    """Questions, each with feedback as soon as a choice is taken; one may choose again."""

    _esm = script("tools", "questions")
    taken = ("chosen",)

    kind = traitlets.Unicode("quiz").tag(sync=True)
    questions = traitlets.List().tag(sync=True)  # [{question, choices}]
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # a choice for each, or -1
    feedback = traitlets.List().tag(sync=True)  # [{mark, text}] for each, mark '' until chosen

    def __init__(self, questions: list[Question]):
        self._questions = questions
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
        raise traitlets.TraitError(f"give a choice to each question, not {shown(places)}")

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
            word = spoken("Right.") if right else spoken("Not so.")
            feedback.append({"mark": "right" if right else "wrong", "text": f"{word} {text}"})
        self.feedback = feedback

    def __repr__(self) -> str:
        questions = " · ".join(question.question for question in self._questions)
        return f"{spoken('Exit check')}: {questions}"

    def _html(self) -> str:
        parts = []
        for question in self._questions:
            choices = "".join(f"<li>{escape(choice)}</li>" for choice in question.choices)
            right = escape(f"{question.right}. {question.choices[question.right]}")
            answer = f"<details><summary>{spoken('Answer')}</summary>{right}</details>"
            parts.append(f"<p><b>{escape(question.question)}</b></p><ul>{choices}</ul>{answer}")
        return "".join(parts)


def quiz(text: str) -> Quiz:
    """Asks the questions of an exit check; `questions_in` says how to write them."""
    return Quiz(questions_in(text))
