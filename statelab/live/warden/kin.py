"""Processes as a look at trees of them needs them.

On Linux they are read where psutil reads them, too: without its import, which takes longer than a
node to start, and in a quarter of the time for a look at all processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

__all__ = ["DEAD", "ERROR", "GONE", "STOPPED", "ZOMBIE", "Process", "everybody"]

if sys.platform == "linux" and not TYPE_CHECKING:
    ERROR = OSError
    GONE = (FileNotFoundError, ProcessLookupError)
    STOPPED, ZOMBIE, DEAD = "T", "Z", "X"

    class Process:
        """One process, and never the next one that has its number; raises GONE."""

        def __init__(self, pid: int):
            self.pid = pid
            self._born = _stat(pid)[19]

        def name(self) -> str:
            with open(f"/proc/{self.pid}/comm", "rb") as comm:
                return comm.read().decode(errors="replace").rstrip("\n")

        def status(self) -> str:
            state, *_ = self._now()
            return state.decode()

        def suspend(self) -> None:
            self._send(signal.SIGSTOP)

        def resume(self) -> None:
            self._send(signal.SIGCONT)

        def kill(self) -> None:
            self._send(signal.SIGKILL)

        def _send(self, number: int) -> None:
            self._now()
            os.kill(self.pid, number)

        def _now(self) -> list[bytes]:
            fields = _stat(self.pid)
            if fields[19] != self._born:
                raise ProcessLookupError(f"process {self.pid} is another one now")
            return fields

    def everybody() -> Iterator[tuple[int, int]]:
        """Each process that there is, and its parent."""
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError):  # it has ended, or is not ours to look at
                    yield int(name), int(_stat(int(name))[1])

    def _stat(pid: int) -> list[bytes]:
        """What stands after the name, which may hold anything: state, parent, …, 19: its birth."""
        with open(f"/proc/{pid}/stat", "rb", 0) as stat:
            return stat.read().rpartition(b") ")[2].split()

else:
    from psutil import STATUS_DEAD as DEAD
    from psutil import STATUS_STOPPED as STOPPED
    from psutil import STATUS_ZOMBIE as ZOMBIE
    from psutil import Error as ERROR
    from psutil import NoSuchProcess, Process, process_iter

    GONE = (NoSuchProcess,)

    def everybody() -> Iterator[tuple[int, int]]:
        """Each process that there is, and its parent."""
        for process in process_iter():
            with contextlib.suppress(ERROR):
                yield process.pid, process.ppid()
