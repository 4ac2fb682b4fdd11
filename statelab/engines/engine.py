"""What a LiveWorld must know of a real server: what to run, when it is up, how it is reached.

Rules of this file:

1. An engine only describes. Its world starts it, as a child of the warden, and ends it.
2. It never runs in the notebook's kernel; and nothing of it is imported there, but its client.
3. Everything that it writes lies in its place's folder, which goes with its world.
4. It does nothing for who does not know its world's password: any user of the machine reaches its
   port. The password stands in files that only it may read, never on a command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from statelab.checked import checked_name
from statelab.message import IP, shown

ASK_S = 2.0  # the longest that a question of `ask` may take

Upstream = str | tuple[str, int]  # an engine of the same world by its name, or (host, port)


def checked_upstream(other: Any, what: str) -> Upstream | None:
    """Returns `other`; raises TypeError if it is no upstream and not None."""
    if type(other) is str:
        return checked_name(other, what)
    if other is not None:
        fits = isinstance(other, tuple) and list(map(type, other)) == [str, int]
        if not (fits and re.fullmatch(r"[\w.:-]+", other[0]) and 0 < other[1] < 1 << 16):
            raise TypeError(
                f"{what} is the name of another engine, or (its host, its port), not {shown(other)}"
            )
    return other


class EngineMissing(RuntimeError):
    """A server that is not on this machine; the text is one sentence that says how to get it."""


class Command(NamedTuple):
    """A program and its arguments; `options` are those of subprocess.Popen.

    It runs in its place's folder. So a file is named by how it is called there: the folder's own
    path may hold anything, as TMPDIR does.
    """

    argv: list[str]
    options: Mapping[str, Any] = MappingProxyType({})


class Place(NamedTuple):
    """Where an engine lives, through all its lives.

    `folder` is its own, and `password` its world's. `port_of(name)` is the port of another engine
    of the same world, as seen from here; `reserve(name, purpose)` is one more port for that name,
    always the same one.
    """

    name: str
    folder: Path
    port: int
    password: str
    port_of: Callable[[str], int]
    reserve: Callable[[str, str], int]

    def upstream(self, other: Upstream) -> tuple[str, int]:
        """The host and port of another server; raises UnknownNode."""
        return (IP, self.port_of(other)) if isinstance(other, str) else other

    def write(self, name: str, text: str) -> Path:
        """Writes a file that only its owner may read."""
        path = self.folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text.encode())
        return path


class Engine:
    """A real server that a LiveWorld starts: a subclass says which."""

    only_live = "a real server, which no simulation can run: start it in a LiveWorld"
    variable = ""  # of the environment: the address of a server that somebody runs already
    usual_port = 0  # of such an address that names none
    follows = False  # another server, so that it must be one of this world

    @classmethod
    def missing(cls) -> str:
        """Why this machine cannot run it, as a sentence that says how to get it; '' if it can."""
        raise NotImplementedError

    @classmethod
    def outside(cls) -> str:
        """The address of a server that somebody runs already, '' if there is none."""
        return os.environ.get(cls.variable, "")

    @classmethod
    def lacks(cls) -> str:
        """Why it can neither be started here nor is given, as a sentence; '' if it can or is."""
        return "" if cls.outside() else cls.missing()

    @classmethod
    def within(cls, address: str, namespace: str) -> str:
        """The address of a namespace in the server at `address`."""
        raise NotImplementedError

    @classmethod
    def make(cls, address: str, namespace: str) -> None:
        """Makes a namespace there, through the client library."""
        raise NotImplementedError

    @classmethod
    def remove(cls, address: str, namespace: str) -> None:
        """Removes a namespace and all that is in it, if it is there."""
        raise NotImplementedError

    def shares(self, name: str) -> str:
        """Engines of a world with the same answer share a namespace."""
        return name

    def prepare(self, place: Place) -> list[Command]:
        """Writes what the first life needs; returns what must run to its end before it."""
        raise NotImplementedError

    def command(self, place: Place) -> Command:
        """What a life is: a program that runs until it is killed."""
        raise NotImplementedError

    async def is_up(self, place: Place, life: int) -> bool:
        """Asks the server itself whether it does its work."""
        raise NotImplementedError

    def address(self, host: str, port: int, password: str) -> str:
        """What its client library connects to."""
        raise NotImplementedError


def without_password(address: str) -> str:
    """An address as others may see it: without its password."""
    return re.sub(r"[^,/@]*@", "", address)


async def ask(host: str, port: int, question: bytes) -> bytes:
    """What a server answers until it closes the connection; b'' if nothing."""
    writer = None
    try:
        async with asyncio.timeout(ASK_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(question)
            return await reader.read(-1)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
