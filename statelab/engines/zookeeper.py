"""ZooKeeper: one server, or one of an ensemble that elects a leader among themselves.

Its time is fast (a tick of 200 ms), so that a session may be as short as two ticks, and as long as
a minute. What it has acknowledged is in its log, on the disk. Clients and members of an ensemble
show that they know the password by SASL; an access list would guard only what each client lists.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from statelab.checked import checked_name
from statelab.engines.engine import Command, Engine, Place, ask, without_password
from statelab.message import IP, shown

JAR = Path("/usr/share/java/zookeeper.jar")  # where Debian's libzookeeper-java puts it
TICK_MS = 200
# Since 3.9, FIPS mode is the default, and refuses DIGEST-MD5, by which all log in here.
_CONF = f"""\
tickTime={TICK_MS}
maxSessionTimeout=60000
initLimit=50
syncLimit=10
clientPortAddress={IP}
admin.enableServer=false
4lw.commands.whitelist=srvr
authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
enforce.auth.enabled=true
enforce.auth.schemes=sasl
fips-mode=false
"""
_CONF_OF_MEMBERS = """\
quorum.auth.enableSasl=true
quorum.auth.learnerRequireSasl=true
quorum.auth.serverRequireSasl=true
"""
_USER = "statelab"
_LOGIN = "org.apache.zookeeper.server.auth.DigestLoginModule required"
_JAAS = f"""\
Server {{{{ {_LOGIN} user_{_USER}="{{password}}"; }}}};
QuorumServer {{{{ {_LOGIN} user_{_USER}="{{password}}"; }}}};
QuorumLearner {{{{ {_LOGIN} username="{_USER}" password="{{password}}"; }}}};
"""
# A small heap and no second compiler: up in 0.3 s. No file in a folder that all programs share.
_JAVA = ("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class ZooKeeper(Engine):
    """One ZooKeeper server.

    `ensemble` is the names of all servers of an ensemble, this one's among them. They may start in
    any order: one of them is up when it serves requests or, while fewer than half of the others
    are up, when it looks for them.
    """

    variable = "STATELAB_ZOOKEEPER_HOSTS"
    usual_port = 2181

    def __init__(self, *, ensemble: Sequence[str] = ()):
        if isinstance(ensemble, str) or not isinstance(ensemble, Iterable):
            raise TypeError(f"ensemble is the names of all members, not {shown(ensemble)}")
        self.ensemble = tuple(checked_name(name, "a member") for name in ensemble)
        if len(set(self.ensemble)) < len(self.ensemble):
            raise ValueError(f"the ensemble {shown(self.ensemble)} names a member twice")

    @classmethod
    def missing(cls) -> str:
        """Why this machine cannot run it; '' if it can."""
        if shutil.which("java") and JAR.exists():
            return ""
        return (
            "there is no ZooKeeper here: install it (on Debian and Ubuntu: sudo apt install "
            "libzookeeper-java default-jre-headless), or set STATELAB_ZOOKEEPER_HOSTS to the "
            "host:port, with commas between several, of servers that run"
        )

    @classmethod
    def within(cls, address: str, namespace: str) -> str:
        """The hosts with the namespace as their root (a chroot)."""
        return f"{address.rstrip('/')}/{namespace}"

    @classmethod
    def make(cls, address: str, namespace: str) -> None:
        """Makes the node that is to be the root."""
        with _connected(address) as client:
            client.ensure_path(namespace)

    @classmethod
    def remove(cls, address: str, namespace: str) -> None:
        """Removes that node and all below."""
        with _connected(address) as client:
            if client.exists(namespace):
                client.delete(namespace, recursive=True)

    def shares(self, name: str) -> str:
        """The members of one ensemble share what they keep."""
        return "+".join(self.ensemble) or name

    def prepare(self, place: Place) -> list[Command]:
        """Writes its zoo.cfg and, in an ensemble, its number."""
        if self.ensemble and place.name not in self.ensemble:
            raise ValueError(f"{place.name} is not among its ensemble, {shown(self.ensemble)}")
        data = place.folder / "data"
        data.mkdir(mode=0o700)
        lines = [_CONF, f"clientPort={place.port}\n", "dataDir=data\n"]
        for number, name in enumerate(self.ensemble, 1):
            quorum, election = place.reserve(name, "quorum"), place.reserve(name, "election")
            lines.append(f"server.{number}={IP}:{quorum}:{election}\n")
        if self.ensemble:
            lines.append(_CONF_OF_MEMBERS)
            (data / "myid").write_text(str(self.ensemble.index(place.name) + 1))
        place.write("zoo.cfg", "".join(lines))
        place.write("jaas.conf", _JAAS.format(password=place.password))
        return []

    def command(self, place: Place) -> Command:
        """The server, in the foreground."""
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        login = "-Djava.security.auth.login.config=jaas.conf"
        # In a locale of ASCII, Java would not find its own folder, if that is named otherwise.
        options = {"env": {"LC_ALL": "C.UTF-8"}}
        return Command(["java", *_JAVA, login, "-cp", str(JAR), main, "zoo.cfg"], options)

    async def is_up(self, place: Place, life: int) -> bool:
        """Whether it serves requests, or cannot for want of others."""
        answer = await ask(IP, place.port, b"srvr")
        if b"Mode:" in answer:
            return True
        if not self.ensemble or b"not currently serving" not in answer:
            return False
        others = [place.reserve(name, "") for name in self.ensemble if name != place.name]
        answers = await asyncio.gather(*[ask(IP, port, b"srvr") for port in others])
        there = 1 + sum(answer != b"" for answer in answers)
        return there <= len(self.ensemble) // 2

    def address(self, host: str, port: int, password: str) -> str:
        """For `client`; several of an ensemble are joined by commas."""
        return f"{_USER}:{password}@{host}:{port}"


def client(address: str, **options: Any) -> Any:
    """A KazooClient of the servers at `address`, not yet started; `options` are its own."""
    from kazoo.client import KazooClient

    login, at, _ = address.partition("@")
    if at:
        name, _, password = login.partition(":")
        login = {"mechanism": "DIGEST-MD5", "username": name, "password": password}
        options = {"sasl_options": login, **options}
    return KazooClient(hosts=without_password(address), **options)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    found = client(address)
    try:
        found.start(timeout=5)
        yield found
    finally:
        found.stop()
        found.close()
