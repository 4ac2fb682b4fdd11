"""Trials where there is one process only, a browser's: they run in this one, and move nothing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Any

from statelab.lab.trials.trial import Trial, unpacked


class Alone:
    """What a Runner is, without a process: a job of its own, and nobody who would end its run."""

    def __init__(self, parcel: bytes):
        with _quiet():
            self._trial = Trial(unpacked(parcel), 0, _Here())
        self._answer: Any = None

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, verb: str, *args: Any) -> None:
        """Does a command; `hear` tells its answer."""
        with _quiet():
            self._answer = getattr(self._trial, verb)(*args)

    def hear(self) -> Any:
        """The answer to the command told."""
        return self._answer

    def ask(self, *command: Any) -> Any:
        """Does a command, and returns its answer."""
        self.tell(*command)
        return self.hear()


class _Here:
    """Where this process is: a notebook that goes on after the check cannot be moved."""

    def move(self, functions: Iterable) -> None:
        pass

    def begin(self) -> None:
        pass


def _quiet() -> Any:
    """What a learner's code prints in a check is seen nowhere."""
    return contextlib.redirect_stdout(io.StringIO())
