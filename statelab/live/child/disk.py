"""A node's disk in the live world: a file of JSON lines that only grows.

A write is durable when it returns. SIGKILL, or a disk that is full, may tear the last line: what
was not finished was not written, and the next write takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any


class DiskFile:
    """An open disk: `data` as the file had it, and the file to add to."""

    def __init__(self, path: Path):
        self.data: dict[str, Any] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
        whole = lines[:-1]  # what follows the last newline is torn, or empty
        for number, line in enumerate(whole, 1):
            try:
                self._apply(json.loads(line))
            except (ValueError, TypeError, IndexError, KeyError):
                raise ValueError(f"the disk {path} is damaged at line {number}") from None
        self._end = sum(len(line) + 1 for line in whole)  # of the last line that was written

    def _apply(self, entry: list) -> None:
        if len(entry) == 2:
            self.data[entry[0]] = entry[1]
        else:
            del self.data[entry[0]]

    def append(self, *entry: Any) -> None:
        """Writes (key, value), or (key,) for an erased one; durable on return.

        Raises OSError, if the disk is full say: then nothing is written.
        """
        line = json.dumps(entry).encode() + b"\n"
        try:
            self._cut()
            left = memoryview(line)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as wrong:
            with contextlib.suppress(OSError):  # the next write will try again, before all else
                self._cut()
            raise OSError(wrong.errno, f"{wrong.strerror}; nothing was written") from None
        self._end += len(line)

    def _cut(self) -> None:
        """Cuts off what was not finished: behind it, a write would be lost with it."""
        os.ftruncate(self._file, self._end)
        os.lseek(self._file, self._end, os.SEEK_SET)
