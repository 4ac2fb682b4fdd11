"""A panel's live world: clicks are handed to a thread of its own, and return at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from statelab.effects import WrongState
from statelab.lab.panel.actions import Action
from statelab.lab.panel.branch import Branch
from statelab.lab.panel.recording import Recording
from statelab.lab.panel.symbols import Book
from statelab.live import LiveWorld
from statelab.sim.as_python import line_of, seconds
from statelab.trace import Trace


class Live:
    """The panel's processes.

    `changed()` is called when there is something new to show, and `failed(error)` when a verb has
    failed, both on other threads.
    """

    mode = "live"

    def __init__(
        self,
        scenario: Callable,
        args: Mapping[str, Any],
        book: Book,
        numbers: itertools.count,
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
    ):
        self._scenario, self._args = scenario, dict(args)
        self._book, self._numbers = book, numbers
        self._changed, self._failed = changed, failed
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="panel")
        self._lock = threading.Lock()
        self._closed = False
        self.world: LiveWorld | None = None
        self._lines: list[tuple[float, str]] = []
        self.start()

    def start(self) -> None:
        """Starts the scenario's processes, or ends them and starts new ones."""
        self._lines = []
        before, self.world = self.world, None
        self.branch = Branch(next(self._numbers), "live", self._trace, Recording(self._book))
        self.branches = {self.branch.number: self.branch}
        self._submit(lambda: self._begin(before))

    def act(self, action: Action, at_us: int | None = None, keep: bool = True) -> None:
        """Lets a client do what a button says."""
        _only_now(at_us)
        self._submit(lambda: action.apply(self.world), line_of(*action.verb()))

    def fault(self, verb: str, *names: str, at_us: int | None = None, keep: bool = True) -> None:
        """Does a fault to a node's process or to a link; errors go to `failed`."""
        _only_now(at_us)
        self._submit(lambda: getattr(self.world, verb)(*names), line_of(verb, *names))

    def wait(self) -> None:
        """Does nothing: time passes by itself here."""

    def open(self, code: str) -> None:
        """Raises WrongState: real processes repeat nothing."""
        raise WrongState("a run code opens in the simulated world: choose Simulated first")

    def show(self, number: int) -> None:
        """There is one run here, the one that goes on."""

    def close(self) -> None:
        """Ends all processes; may be called twice."""
        with self._lock:
            self._closed = True
            world = self.world
        self._worker.shutdown(wait=False, cancel_futures=True)
        if world is not None:
            world.close()

    def close_soon(self) -> None:
        """Ends all processes, and does not wait for that."""
        threading.Thread(target=self.close, name="panel-close").start()

    # --------------------------------------------------------------------------- looking
    def _trace(self) -> Trace:
        return Trace([], [], list) if self.world is None else self.world.trace

    @property
    def pids(self) -> dict[str, int | None]:
        """The number of each node's process."""
        if self.world is None:
            return {}
        names = [name for name, status in self.world.names.items() if status != "client"]
        return {name: self.world.pid(name) for name in names}

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return 0.0 if self.world is None else self.world.now()

    def code(self) -> str:
        """A live run has no run code."""
        return ""

    def python(self) -> str:
        """The clicks as lines of Python, with their pauses."""
        args = "".join(f", {name}={_named(value)}" for name, value in self._args.items())
        lines = ["world = LiveWorld()", f"{self._scenario.__name__}(world{args})"]
        before = None
        for time, line in list(self._lines):
            pause = 0 if before is None else round(time - before, 1)
            if pause:
                lines.append(f"world.run({seconds(round(pause * 1_000_000))})")
            lines.append(line)
            before = time
        return "\n".join([*lines, "world.run(1)", "world.close()"])

    # --------------------------------------------------------------------------- its own thread
    def _begin(self, before: LiveWorld | None) -> None:
        if before is not None:
            before.close()
        with self._lock:
            if self._closed:
                return
            self.world = world = LiveWorld()
        world.watch(self._changed)
        self._scenario(world, **self._args)

    def _submit(self, work: Callable[[], Any], line: str = "") -> None:
        """Has the worker do it; keeps its line of Python, with the time, if it worked."""

        def perform() -> None:
            try:
                begun = self.now
                work()
                if line:
                    self._lines.append((begun, line))
            except BaseException as wrong:  # a thread that ends by SystemExit says nothing
                self._failed(wrong)
            self._changed()

        self._worker.submit(perform)


def _only_now(at_us: int | None) -> None:
    if at_us is not None:
        raise WrongState(
            "a live world cannot be branched: real processes have no past to go back to"
        )


def _named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
