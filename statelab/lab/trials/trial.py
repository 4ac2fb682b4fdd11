"""Runs a scenario under one seed after another, in a process of its own.

Rules of this file:

1. The code that runs here is a learner's: it may print, exit, read its input, or never end. So
   commands and answers, a line of JSON each, go over copies of the standard streams that it
   cannot reach, and a thread of its own reads them.
2. What differs between two processes by chance is made to differ on purpose, and always in the
   same way: so the same mistake gets the same answer, each time it is looked for.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import linecache
import marshal
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

from statelab.canonical import canonical
from statelab.lab.trials.elsewhere import Elsewhere
from statelab.lab.trials.made import work_out
from statelab.lab.trials.nondeterminism import WATCH, entered, place
from statelab.lab.trials.seed import Wrong, raised, run_code, run_seed
from statelab.lab.trials.steps import Steps
from statelab.message import said
from statelab.rows import Row
from statelab.sim.world import World
from statelab.words import described

_PR_SET_CHILD_SUBREAPER = 36  # Linux
MAX_MEMORY = 2 << 30  # bytes, where the system can limit a process


class Trial:
    """The runs of one scenario in this process; `number` tells it from other processes' trials."""

    def __init__(self, job: dict[str, Any], number: int, place: Elsewhere):
        self._job = job
        self._number = number
        self._place = place
        self.world = World()
        self.seed: int | None = None
        classes = [value for value in job["args"].values() if isinstance(value, type)]
        methods = [method for cls in classes for method in vars(cls).values()]
        place.move([job["scenario"], job["day"], *methods])
        with WATCH:
            work_out(job["made"])
        self._made = WATCH.suspects

    def run(self, seed: int) -> dict[str, Any]:
        """Runs `seed`; answers its digest, what went wrong as [what, sentences, seq], suspects."""
        if self._number and self.seed is None:
            # One run ahead of the other process: what a run leaves behind for the next, shows.
            self._run(seed)
        return {**self._run(seed), "suspects": [*self._made, *WATCH.suspects]}

    def _run(self, seed: int) -> dict[str, Any]:
        self.seed = seed
        self._place.begin()
        self.world = world = World(seed, memory=True)
        digest = ""
        with WATCH:
            wrong = run_seed(self._job, world)
            if wrong is None or wrong.kind == "error":
                try:
                    digest = world.trace.digest()
                except BaseException as failed:
                    wrong = raised("the run", failed)
        return {"digest": digest, "wrong": wrong or (self._breach() if digest else None)}

    def _breach(self) -> Wrong | None:
        for invariant in self._job["invariants"]:
            try:
                row = self.world.trace.breach(invariant)
            except BaseException as wrong:
                return raised(f"the check of “{invariant.sentence}”", wrong)
            if row is not None:
                return Wrong("breach", [invariant.sentence, described(row)], row.seq)
        return None

    def rows(self) -> list[list]:
        """All that the last run did, in order, as [seq, what stands for it, it as a sentence].

        That is its events, each followed by the memory that changed at it, then the disks.
        """
        trace = self.world.trace
        lines = [[row.seq, _stamp((*row[:8], canonical(row.data))), described(row)]
                for row in trace.rows]  # fmt: skip
        for row in trace.memory:
            changed, went = row.data
            lines += [_memory(row, name, value) for name, value in sorted(changed.items())]
            lines += [_memory(row, name, None) for name in went]
        for row in trace.states():
            stamp = _stamp((row.node, canonical(row.data[1])))
            lines.append([row.seq, stamp, f"{row.node} ends with the disk {row.data[1]}"])
        return sorted(lines, key=lambda item: item[0])

    def steady(self) -> bool:
        """Whether the seed comes out the same once more, in this process."""
        return self._run(self.seed) == self._run(self.seed)

    def steps(self) -> list[list[str]]:
        """Runs the seed once more, line by line: see `Steps`."""
        with Steps() as steps:
            self._run(self.seed)
        return steps.taken

    def code(self, signed: bool) -> str:
        """The run code of the last run; see `run_code`."""
        return run_code(self.world, signed)


def _stamp(form: Any) -> str:
    return hashlib.blake2b(marshal.dumps(form, 2), digest_size=8).hexdigest()


def _memory(row: Row, name: str, value: Any) -> list:
    text = f"{row.time:.6f} s  #{row.seq}  {row.node} now keeps {name} = {value!r}"
    return [row.seq, _stamp((row.seq, row.node, name, canonical(value))), text]


# ------------------------------------------------------------------------------- the process
def serve(number: int) -> None:
    """Takes a job and commands from the standard input until that ends."""
    if hasattr(os, "fork"):
        _keep()
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w", encoding="ascii")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _limit_memory()

    forked: list[bool] = []
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: forked.append(True))

    def answer(value: Any) -> None:
        if forked:  # a learner's code may fork and return in both: only one is asked
            os._exit(0)
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    main = threading.get_ident()
    todo: queue.SimpleQueue[list] = queue.SimpleQueue()
    parcel = base64.b64decode(commands.readline())

    def listen() -> None:
        for line in commands:
            command = json.loads(line)
            if command[0] == "where":  # asked when the main thread is busy for too long
                answer({"where": _where(main)})
            else:
                todo.put(command)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    try:
        place = Elsewhere(number)  # before the code comes, which may keep functions by their names
        trial = Trial(unpacked(parcel), number, place)
    except BaseException as wrong:
        answer({"failed": said(wrong)})
        return
    answer({"ready": True})
    while True:
        verb, *args = todo.get()
        answer(getattr(trial, verb)(*args))


def _keep() -> None:
    """Goes on in another process, and stays behind to end it with all that comes of it.

    The code that runs there may fork, and what it leaves behind would outlive it.
    """
    adopts = sys.platform == "linux"
    if adopts:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Waited for, not handled: a handler may come at any line, also where the others are ended.
    ends = {signal.SIGTERM, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, lambda *_: None)  # some systems keep no signal that is ignored
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    trial = os.fork()
    if not trial:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
        return
    for stream in (0, 1):  # else the end of the trial would not be seen at the other side
        os.close(stream)
    ended: list[int] = []
    while trial not in ended and signal.sigwait(ends) != signal.SIGTERM:
        ended += _ended()
    if adopts and trial not in ended:
        os.kill(trial, signal.SIGKILL)  # what came of it is this process's from now on
        os.waitpid(trial, 0)
    if not adopts or _has_children():
        from statelab.live.warden import trees  # it takes longer to import than most runs

        trees.end_all(_ended)
    os._exit(0)


def _has_children() -> bool:
    """Whether there is a process that this one could wait for."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    return False


def _ended() -> list[int]:
    """Which processes have ended; they are waited for."""
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(found[0])
    return ended


def _where(thread: int) -> str:
    """The learner's function that a thread does not leave, '' if it does."""
    found = set()
    for _ in range(20):
        frame = entered(sys._current_frames().get(thread))
        found.add(place(frame)[0] if frame else "")
        time.sleep(0.001)
    return found.pop() if len(found) == 1 else ""


def unpacked(parcel: bytes) -> dict[str, Any]:
    """The job that `pack` made the parcel from, with the text of its cells."""
    import cloudpickle

    job = cloudpickle.loads(parcel)
    for file, text in job["sources"].items():
        lines = text.splitlines(keepends=True)
        linecache.cache[file] = (len(text), None, lines, file)
    return job


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    except (ImportError, OSError, ValueError):
        pass  # not this system
