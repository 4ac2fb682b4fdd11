"""A panel's live world: clicks are handed to a thread of its own, and return at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from statelab.lab.actions import Action
from statelab.live import LiveWorld
from statelab.runcode import line_of, seconds
from statelab.trace import Row


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
        changed: Callable[[], None],
        failed: Callable[[Exception], None],
    ):
        self._scenario, self._args = scenario, dict(args)
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
        self._submit(self._begin)

    def act(self, action: Action) -> None:
        """Lets a client do what a button says."""
        self._submit(lambda: action.apply(self.world), line_of(*action.verb()))

    def fault(self, verb: str, name: str) -> None:
        """Kills, restarts, pauses or resumes a node's process; errors go to `failed`."""
        self._submit(lambda: getattr(self.world, verb)(name), line_of(verb, name))

    def wait(self) -> None:
        """Does nothing: time passes by itself here."""

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
    @property
    def rows(self) -> Sequence[Row]:
        """What has happened, as far as it is known here."""
        return [] if self.world is None else list(self.world.trace.rows)

    @property
    def memory(self) -> Sequence[Row]:
        """What the processes have told of their memory."""
        return [] if self.world is None else list(self.world.trace.memory)

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

    def texts(self) -> tuple[str, str]:
        """The clicks as lines of Python, with their pauses; a live run has no run code."""
        args = "".join(f", {name}={_named(value)}" for name, value in self._args.items())
        lines = ["world = LiveWorld()", f"{self._scenario.__name__}(world{args})"]
        before = None
        for time, line in list(self._lines):
            pause = 0 if before is None else round(time - before, 1)
            if pause:
                lines.append(f"world.run({seconds(round(pause * 1_000_000))})")
            lines.append(line)
            before = time
        return "\n".join([*lines, "world.run(1)", "world.close()"]), ""

    # --------------------------------------------------------------------------- its own thread
    def _begin(self) -> None:
        if self.world is not None:
            self.world.close()
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
            except Exception as wrong:
                self._failed(wrong)
            self._changed()

        self._worker.submit(perform)


def _named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
