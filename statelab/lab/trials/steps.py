"""A run line by line: where two runs of a learner's code first come out otherwise."""

from __future__ import annotations

import hashlib
import itertools
import marshal
import sys
from types import FrameType
from typing import Any

from statelab.canonical import canonical
from statelab.effects import Call, memory
from statelab.lab.trials.nondeterminism import is_learners_code, place
from statelab.message import Request, Response
from statelab.node import Node

MOST_LINES = 50_000  # lines: the first that differs comes early, or a run is too long for this


class Steps:
    """Records each line that a learner's code runs inside `with steps:`.

    `taken` are [what stands for it and what is known there, the function and line to blame if
    that differs]: an unlike value is the doing of the line before.
    """

    def __init__(self):
        self.taken: list[list[str]] = []

    def __enter__(self) -> Steps:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, given: Any) -> Any:
        """Follows a frame that begins, or goes on after an await."""
        if not is_learners_code(frame.f_code):
            return None
        before = frame.f_lineno

        def step(frame: FrameType, event: str, given: Any) -> Any:
            nonlocal before
            if event in ("line", "return") and len(self.taken) < MOST_LINES:
                line = frame.f_lineno
                what = (place(frame, line), event, _form(given), _form(dict(frame.f_locals)))
                stamp = hashlib.blake2b(marshal.dumps(what, 2), digest_size=8).hexdigest()
                self.taken.append([stamp, *place(frame, line if event == "return" else before)])
                before = line
            return step

        return step


def parting(one: list[list[str]], other: list[list[str]]) -> tuple[str, str] | None:
    """The function and the line to blame where two lists of steps part, None if they do not."""
    for mine, theirs in itertools.zip_longest(one, other):
        if mine is None or theirs is None or mine[0] != theirs[0]:
            _, function, line = mine or theirs
            return function, line
    return None


def _form(value: Any) -> Any:
    """What stands for a value; of what has no canonical form, its parts or its class."""
    if isinstance(value, Node):
        value = memory(value)
    if isinstance(value, (Request, Response, Call)):
        value = [getattr(value, name, None) for name in ("method", "path", "status", "body", "to")]
    if isinstance(value, dict):
        parts = [(str(name), _form(item)) for name, item in value.items()]
        return sorted(parts, key=lambda part: part[0])
    try:
        return canonical(value)
    except TypeError:
        return type(value).__name__
