"""The warden as the driver knows it: its process, what it is asked, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from statelab.live.transport.control import Channel, Desk
from statelab.live.warden import trees

_ROOT = Path(__file__).parents[3]  # where the package is, so that the warden finds it, too
# A fork of a process that has done the imports is up in a tenth of the time. The warden has one
# thread, so it may; macOS' system libraries do not like it, Windows cannot.
FORKS = sys.platform == "linux"
STEP_S = 10.0  # the longest that the warden may take for anything


class WardenProcess:
    """Has processes started, signalled and reaped: see warden/main.py.

    `orphaned(who, words)` hears that it is gone, which nobody asked it. `exited(key, code)` hears
    of each end of a process.
    """

    def __init__(
        self, desk: Desk, exited: Callable[[int, int], None],
        orphaned: Callable[[str, str], None],
    ):  # fmt: skip
        self._exited = exited
        self._desk = desk
        self._orphaned = orphaned
        self._process: subprocess.Popen | None = None
        self._channel: Channel | None = None
        self._there = asyncio.Event()
        self._last_words = ""  # if it fails
        self._log: BinaryIO | None = None

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def begin(self, folder: Path) -> None:
        """Starts its process, then makes the folder, which is that one's to remove; raises OSError.

        It comes by itself, and what it is asked waits.
        """
        paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
        # It has no name: whoever is killed before the warden has begun leaves nothing at all.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, `end` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "statelab.live.warden.main", str(folder)],
            stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, start_new_session=True,
            env={
                **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "PYTHONIOENCODING": "utf-8:backslashreplace",  # of its logs, in any locale
            },
        )  # fmt: skip
        config = b""
        try:
            folder.mkdir(0o700)
            told = {"desk": self._desk.port, "token": self._desk.token.hex(), "forks": FORKS}
            config = json.dumps(told).encode() + b"\n"
        finally:  # told nothing, it ends
            with contextlib.suppress(OSError), self._process.stdin as stdin:
                stdin.write(config)
        self._await()

    def _await(self) -> None:
        """Notices a warden that ends before it has come."""
        if self._channel is None:
            if self._process.poll() is None:
                asyncio.get_running_loop().call_later(0.1, self._await)
            else:
                self._left()

    def joined(self, channel: Channel, pid: int) -> None:
        """It is there."""
        channel.hears |= {"exit": self._exited, "lost": self._lost}
        channel.ended = self._left
        self._channel = channel
        self._there.set()

    def _lost(self, words: str) -> None:
        self._last_words = words
        self._left()

    def _left(self) -> None:
        if not self._log.closed:  # else it was asked to end
            self._log.seek(0)
            self._orphaned("warden", self._last_words or last_lines(self._log.read()))

    async def ask(self, verb: str, key: int, *args: Any) -> Any:
        """What it says to a verb that concerns `key`; raises RuntimeError if that failed."""
        await self._there.wait()
        result, why = await self._channel.ask(verb, key, *args)
        if why:
            raise RuntimeError(why)
        return result

    def tell(self, verb: str, key: int, *args: Any) -> None:
        """Asks for something that has nothing to say."""
        self._channel.ask(verb, key, *args)

    def end(self) -> bool:
        """Waits for its end, which comes with that of its channel; returns whether it was its own.

        Who was killed has ended nothing.
        """
        if self._log is not None:
            self._log.close()
        if self._process is None:
            return True
        if hasattr(signal, "SIGCONT"):  # stopped, it would not hear of the end
            self._process.send_signal(signal.SIGCONT)
        try:
            return self._process.wait(STEP_S) == 0
        except subprocess.TimeoutExpired:
            trees.kill(self._process.pid)
            return self._process.wait() == 0


def last_lines(log: Path | bytes) -> str:
    """The end of what a process has printed, into a file or as such."""
    with contextlib.suppress(OSError):
        text = log if isinstance(log, bytes) else log.read_bytes()
        return "\n".join(text.decode("utf-8", "replace").splitlines()[-5:])
    return ""
