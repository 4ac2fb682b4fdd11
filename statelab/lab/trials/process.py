"""The other side of `trial`: a process that runs a learner's code, and is ended in time."""

from __future__ import annotations

import base64
import contextlib
import json
import linecache
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

from statelab.lab.trials.made import makings
from statelab.node import Node
from statelab.pickling import packed

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from statelab.lab.trials.trial import serve; serve(int(sys.argv[2]))"
)
_PATIENCE_S = 30.0  # for Python to start, on a machine with a lot to do


class Gone(Exception):
    """The process died, or a command did not end: `why` is 'died' or 'endless'.

    `where` is the learner's function that did not end, '' if it is not known.
    """

    def __init__(self, why: str, where: str = ""):
        super().__init__(why, where)
        self.why = why
        self.where = where


class Runner:
    """One process with the job in `parcel`; each command has `seconds` of real time.

    `number` is the trial's; two runners of one check have different ones, and different hash
    seeds. Leaving its `with` block ends the process, whatever it does.
    """

    def __init__(self, parcel: bytes, number: int, hash_seed: int, seconds: float):
        self._seconds = seconds
        path = json.dumps([entry or os.getcwd() for entry in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            # The interrupt button is for the kernel, which then leaves the `with` block.
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write(base64.b64encode(parcel))
        self._first = True

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # what was still to be written has no reader
            self._process.stdin.close()  # at its end the trial ends, also without who keeps it
        self._process.terminate()  # it ends what came of it, and then itself
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def tell(self, *command: Any) -> None:
        """Sends a command; `hear` takes its answer."""
        self._write(json.dumps(command).encode())

    def hear(self) -> Any:
        """Waits for the answer to the command told.

        Raises Gone, and ValueError with a sentence if the job cannot be unpacked there.
        """
        if self._first:
            ready = self._take(_PATIENCE_S)
            self._first = False
            if "failed" in ready:
                raise ValueError(ready["failed"])
        return self._take(self._seconds)

    def ask(self, *command: Any) -> Any:
        """Sends a command and waits for its answer."""
        self.tell(*command)
        return self.hear()

    def _take(self, seconds: float) -> Any:
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise Gone("endless", self._where()) from None
        if answer is None:
            raise Gone("died")
        return answer

    def _where(self) -> str:
        self.tell("where")
        try:
            answer = self._answers.get(timeout=1.0)
        except queue.Empty:
            return ""
        return answer.get("where", "") if isinstance(answer, dict) else ""

    def _write(self, line: bytes) -> None:
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has died: `hear` will say so
            pass

    def _read(self) -> None:
        try:
            for line in self._process.stdout:
                self._answers.put(json.loads(line))
        except ValueError:  # killed in the middle of a line
            pass
        self._answers.put(None)


# ------------------------------------------------------------------------------- the parcel
def parcel_of(job: dict[str, Any]) -> bytes:
    """The job as bytes that another process can make it from; a learner's code goes by value.

    Raises whatever keeps it from travelling.
    """
    functions = [job["scenario"], job["day"], job.get("measure")]
    functions += [invariant.first_breach for invariant in job["invariants"]]
    classes = [value for value in job["args"].values() if isinstance(value, type)]
    classes += _classes_of(job["scenario"])
    things = [*functions, *(base for cls in classes for base in cls.__mro__)]
    made = makings(things)
    sources = _sources(things, made.values())
    return packed({**job, "sources": sources, "made": list(made)}, things)


def _classes_of(function: Any) -> list[type]:
    """The node classes that a scenario names, rather than takes as an argument."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    found = (getattr(function, "__globals__", {}).get(name) for name in names)
    return [thing for thing in found if isinstance(thing, type) and issubclass(thing, Node)]


def _sources(things: list[Any], others: Iterable[str]) -> dict[str, str]:
    """The text of cells, which no other process can read, by file name.

    A run code's fingerprint is made from it, and an error quotes its line.
    """
    functions = [
        *things,
        *(value for thing in things for value in getattr(thing, "__dict__", {}).values()),
    ]
    files = {*others, *(f.__code__.co_filename for f in functions if hasattr(f, "__code__"))}
    return {
        file: "".join(linecache.getlines(file))
        for file in sorted(files)
        if not os.path.exists(file)
    }
