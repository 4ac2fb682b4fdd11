"""The driver's loop: one thread owns all I/O of a live world in the notebook's kernel.

It knows nothing of the `LiveWorld` above it, so that a world which nobody holds any more can go,
and its processes with it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from statelab.effects import WrongState
from statelab.live.transport.control import let_go
from statelab.message import said

_LATE = (
    "a process of this world did not answer in time, so this may or may not have happened: close "
    "the world, and make a new one"
)


class Loop:
    """A thread with an asyncio loop, from `begin` to `stop`; it lives in the context `life()`."""

    def __init__(self, life: Callable[[], AbstractAsyncContextManager[None]]):
        self.closed = False
        self.why_closed = ""
        self._life = life
        # So that nothing is asked of a loop about to end; garbage collection may call `stop` within
        # `stop`.
        self._lock = threading.RLock()
        self._asking: set[int] = set()  # the threads that are within a verb
        self._over = asyncio.Event()
        self._pid = os.getpid()
        self._selector: selectors.BaseSelector | None = None  # until it begins
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._main, name="statelab-live", daemon=True)

    def begin(self) -> None:
        """Begins; raises RuntimeError if that fails. An interrupt may come at any moment of it.

        So all that must go again is made by the thread, which no interrupt reaches, and which
        `stop` ends at whatever moment it comes.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            why = said(self._failure)
            raise RuntimeError(f"a live world cannot begin: {why}") from self._failure

    def _main(self) -> None:
        runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(self._selector))
        try:
            self._selector = selectors.DefaultSelector()
            with self._lock:
                self._loop = runner.get_loop()
                if self.closed:  # meanwhile
                    self._over.set()
            runner.run(self._live())
        except Exception as wrong:
            self._failure = wrong
        finally:
            with self._lock:
                self.closed = True
                runner.close()  # what is left is cancelled, so that whoever asked for it hears
            self._started.set()

    async def _live(self) -> None:
        async with self._life():
            self._started.set()
            await self._over.wait()

    @property
    def is_here(self) -> bool:
        """Whether this is called on its own thread."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Begins to end this world; may be called from any thread, and twice."""
        if os.getpid() != self._pid:
            return  # in a fork, which has none of this
        with self._lock:
            self.closed = True
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._over.set)

    def join(self, seconds: float | None = None) -> None:
        """Waits for the end of its thread, if it has one: in a fork it has none.

        A signal handler does not wait that has interrupted a verb, which may hold what the loop's
        thread needs to end.
        """
        interrupts = threading.get_ident() in self._asking
        if self._thread.is_alive() and not self.is_here and not interrupts:
            self._thread.join(seconds)

    def forked(self) -> None:
        """In a fork of this process: lets go of its connections, which would not end otherwise."""
        if self._selector is not None:
            let_go(self._selector)

    def closed_error(self) -> WrongState:
        """What says that the world has ended, and why."""
        return WrongState(f"this world is closed{self.why_closed}: make a new one")

    def check_process(self) -> None:
        """Raises WrongState in a fork, where nobody does what is asked, and no answer comes."""
        if os.getpid() != self._pid:
            raise WrongState(
                f"this world is process {self._pid}'s, and this is a fork of that; nothing was "
                "done: make a LiveWorld in this process, or act from that one"
            )

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """This thread is within a verb, as `join` wants to know."""
        me = threading.get_ident()
        outer = me not in self._asking
        self._asking.add(me)
        try:
            yield
        finally:
            if outer:
                self._asking.discard(me)

    def wait(self, ended: Callable[[float], Any]) -> None:
        """Waits until `ended(seconds)`, which waits so long at the most.

        Raises WrongState if nobody is there any more who would do what was asked: a signal handler
        may have closed the world before it was.
        """
        gone = False  # the end may come with that of the thread
        while not ended(1.0):  # in slices: Windows interrupts no longer wait
            if gone:
                raise self.closed_error()
            gone = not self._thread.is_alive()

    def submit(self, function: Callable[..., Any], *args: Any) -> None:
        """Calls a function on the loop's thread, soon; raises WrongState if the world has ended."""
        self.check_process()
        with self.asking(), self._lock:
            if self.closed:
                raise self.closed_error()
            self._loop.call_soon_threadsafe(function, *args)

    def do(self, coroutine: Coroutine) -> Any:
        """Has the loop's thread do something; waits for it, and returns what it returns."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def begin() -> None:
            self._loop.create_task(coroutine).add_done_callback(ended)

        def ended(task: asyncio.Task) -> None:
            if task.cancelled():
                why = f"this world is closed meanwhile{self.why_closed}"
                future.set_exception(WrongState(why))
            elif (wrong := task.exception()) is not None:
                late = isinstance(wrong, TimeoutError) and not wrong.args
                future.set_exception(RuntimeError(_LATE) if late else wrong)
            else:
                future.set_result(task.result())

        with self.asking():
            try:
                if self.is_here:
                    raise RuntimeError("a watcher called a verb, on the thread that performs verbs")
                self.submit(begin)
            except BaseException:
                coroutine.close()
                raise
            try:
                self.wait(lambda seconds: concurrent.futures.wait([future], seconds).done)
            except WrongState:
                coroutine.close()
                raise
            return future.result()
