"""The nodes of a live world as the driver knows them: their processes' beginnings and ends.

Everything here runs on the thread of the driver's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import signal
from asyncio import FIRST_COMPLETED
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from statelab.effects import WrongState
from statelab.engines.engine import Engine, Place
from statelab.live.driver.engine import LiveEngine
from statelab.live.driver.host import LiveHost, LiveLife, State
from statelab.live.driver.links import LISTENS_S, Links
from statelab.live.driver.merge import LiveRows
from statelab.live.driver.warden import STEP_S, WardenProcess, last_lines
from statelab.live.driver.whereabouts import Whereabouts
from statelab.live.transport.control import Channel
from statelab.live.warden import trees
from statelab.live.warden.folder import remove

GRACE_S = 0.1  # for the channel of a process that died at once to be accepted
_KILLED = "its process was killed, or lost its connection to this one; start it again"


class Processes:
    """Starts, ends, pauses and resumes the lives of nodes. `told` is what all of them are told."""

    def __init__(
        self, told: dict[str, Any], where: Whereabouts, warden: WardenProcess, rows: LiveRows,
        links: Links,
    ):  # fmt: skip
        self._told = told
        self._where = where
        self._warden = warden
        self._rows = rows
        self._links = links
        self._keys, self._folders = itertools.count(1), itertools.count(1)
        self._lives: dict[int, LiveLife] = {}  # by the warden's key, until they are over
        self._password = secrets.token_hex(16)  # of its engines
        self._namespaces: dict[tuple[type[Engine], str], str] = {}
        rows.doubted = self._doubted

    # --------------------------------------------------------------------------- verbs
    async def start(self, name: str, what: Engine | tuple[bytes, bool]) -> None:
        """Starts a node, which comes as a parcel, or an engine; returns when it does its work."""
        where = self._where
        if name in where.hosts or name in where.callers:
            raise WrongState(f"the name {name} is taken: choose another, or restart {name}")
        if isinstance(what, Engine) and what.outside() and what.follows:
            raise WrongState(
                f"{name} follows another server, and both must be of this world: unset "
                f"{what.variable}"
            )
        folder = Path(self._told["world"], str(next(self._folders)))
        place = name, where.reserve(name), folder, self._told
        if isinstance(what, Engine):
            host: LiveHost = self._engine(what, *place)
        else:
            host = LiveHost(*place)
            host.parcel = what
        life = self.new_life(host)
        try:
            where.add(host)
            await self._begin(host)
        except Exception as wrong:  # and not the world's end: then its process still runs there
            self._lives.pop(life.key, None)
            self._rows.held.discard(life.source)
            self._rows.flush_soon()
            remove(folder)  # first, for it may be what fills the disk
            where.remove(host)
            if isinstance(wrong, OSError) and wrong.errno:
                raise RuntimeError(
                    f"{name} did not start, and nothing of it is left: no file can be written in "
                    f"{folder.parent} ({wrong}); make room there, and start it again"
                ) from None
            raise

    async def restart(self, name: str) -> None:
        """Begins a dead node's next life."""
        host = self._own(name)
        if host.life.state is not State.DEAD:
            state = host.life.state.value
            raise WrongState(f"{name} is {state}: only a dead node can be restarted")
        self.new_life(host)
        await self._begin(host)

    async def kill(self, name: str) -> None:
        """Kills a node's processes; returns when they are gone."""
        life = self._living(name)
        life.state, life.killed_us = State.DYING, self._rows.now_us()
        # Others may learn of the death before we do; their rows wait, for they come of it.
        self._rows.held.add(life.source)
        self._warden.tell("tree", life.key, "kill")
        await life.gone
        await self._links.settled()

    async def pause(self, name: str) -> None:
        """Stops a node's processes."""
        life = self._living(name)
        if life.state is State.PAUSED:
            raise WrongState(f"{name} is paused already")
        await self._ask("pause", life)
        if life.channel is not None:
            await life.channel.caught_up()  # what it said before it stopped comes first
        if life.state is State.UP:
            life.state = State.PAUSED
            self._rows.record(life.source, "pause")
            self._rows.flush()

    async def resume(self, name: str) -> None:
        """Lets a node's processes go on."""
        life = self._living(name)
        if life.state is not State.PAUSED:
            raise WrongState(f"{name} is not paused, so it cannot resume")
        self._rows.record(life.source, "resume")
        self._rows.flush()
        life.state = State.UP
        await self._ask("resume", life)

    def _own(self, name: str) -> LiveHost:
        host = self._where.host(name)
        if host.outside:
            raise WrongState(
                f"{name} is a server that somebody else runs, so it stays as it is: to kill, pause "
                f"or restart one of this world's own, unset {host.engine.variable}"
            )
        return host

    def _living(self, name: str) -> LiveLife:
        life = self._own(name).life
        if life.state is State.STARTING:
            raise WrongState(f"{name} is starting; wait until it is up")
        if life.state not in (State.UP, State.PAUSED):
            raise WrongState(f"{name} is dead already; restart it first")
        return life

    async def _ask(self, verb: str, life: LiveLife) -> None:
        await asyncio.wait_for(self._warden.ask("tree", life.key, verb), STEP_S)

    # --------------------------------------------------------------------------- a life
    def _engine(self, engine: Engine, name: str, *place: Any) -> LiveEngine:
        followed: set[str] = set()

        def port_of(other: str) -> int:
            """Another engine's port as seen from here: the relay's, so that faults work on it.

            An engine writes down what it is told, so it cannot be diverted later.
            """
            self._where.host(other)
            followed.add(other)
            return self._where.reserve(other, f"for {name}")

        async def follow() -> None:
            for other in sorted(followed):
                await self._links.way(name, other)

        port, folder, _ = place
        lives_at = Place(name, folder, port, self._password, port_of, self._where.reserve)
        shared = type(engine), engine.shares(name)
        space = self._namespaces.setdefault(shared, f"statelab_{secrets.token_hex(8)}")
        return LiveEngine(name, *place, engine, self._rows, lives_at, space, follow)

    def new_life(self, host: LiveHost) -> LiveLife:
        """The next life of a node, of which nothing is known yet."""
        host.life = life = LiveLife(host, next(self._keys), self._rows)
        self._lives[life.key] = life
        return life

    async def _begin(self, host: LiveHost) -> None:
        life = host.life
        try:
            begun = host.begin(self._warden, self._links.of(host.name))
            await asyncio.wait_for(begun, host.patience_s)
        except Exception as wrong:
            await self._ask("kill", life)  # what runs of it, if anything does
            if isinstance(wrong, TimeoutError):
                raise RuntimeError(
                    f"{host.name} did not start within {host.patience_s:g} s{host.why_slow}"
                ) from None
            raise
        finally:
            if life.state is State.STARTING:
                life.state = State.DEAD

    def joined(self, channel: Channel, key: int, pid: int) -> None:
        """A node's process has opened its channel."""
        life = self._lives.get(key)
        if life is None:  # given up meanwhile
            channel.transport.abort()
            return
        life.pid, life.channel = pid, channel
        channel.ended = partial(self._left, life)
        channel.hears |= {
            "rows": partial(self._rows.take, life.source),
            "up": partial(self._up, life),
            "failed": partial(self._failed, life),
        }
        if names := self._links.of(life.host.name):
            channel.ask("divert", names)  # it may have missed something

    def _up(self, life: LiveLife, disk: dict[str, Any]) -> None:
        self._rows.flush()
        life.source.disk = disk
        life.begun()

    def _failed(self, life: LiveLife, why: str) -> None:
        life.failure = why
        self._warden.tell("tree", life.key, "kill")

    def _left(self, life: LiveLife) -> None:
        """A node's process has closed its channel: it is dead, or will be in a moment."""
        life.channel = None
        self._warden.tell("tree", life.key, "kill")
        self._end_if_over(life)

    def exited(self, key: int, code: int) -> None:
        """A process has ended."""
        life = self._lives.get(key)
        if life is not None and life.host.exited(code):
            if life.pid:
                self._end_if_over(life)
            else:  # it died so soon that its channel, if it had one, waits to be accepted
                asyncio.get_running_loop().call_later(GRACE_S, self._end_if_over, life)

    def _doubted(self, name: str) -> None:
        """A caller takes a node for dead: others' rows wait until it is, or says that it lives.

        So whoever learns of a death finds that the world knows of it.
        """
        host, held = self._where.hosts.get(name), self._rows.held
        if host is None or not host.speaks_http or not host.life.pid:
            return  # who has not come yet has said nothing, and nobody learns of its death
        if host.life.state is not State.DEAD and host.life.source not in held:
            held.add(host.life.source)
            if host.life.channel is not None:
                asking = self._ask_whether_it_lives(host.life)
                asyncio.get_running_loop().create_task(asking)

    async def _ask_whether_it_lives(self, life: LiveLife) -> None:
        heard = life.channel.ask("divert", [])
        await asyncio.wait([heard, life.gone], timeout=LISTENS_S, return_when=FIRST_COMPLETED)
        if life.channel is not None:  # else it is over, or will be in a moment
            self._rows.held.discard(life.source)
            self._rows.flush_soon()

    def _end_if_over(self, life: LiveLife) -> None:
        if not life.is_over or self._lives.pop(life.key, None) is None:
            return
        rows, code, was = self._rows, life.exit_code, life.state
        was_killed = code == -getattr(signal, "SIGKILL", 9)
        life.state, life.source.memory = State.DEAD, {}
        if was in (State.UP, State.PAUSED, State.DYING) and not life.source.crashed:
            if was is State.DYING or was_killed:
                rows.record(life.source, "kill", time_us=life.killed_us)
            else:
                rows.record(life.source, "crash", data=f"its process ended with status {code}")
        life.source.ended = True
        rows.flush()  # the death first: what waits for it may come of it
        rows.held.discard(life.source)
        rows.flush()
        if not life.up.done():
            text = life.failure or (_KILLED if was_killed else last_lines(life.host.log))
            text = text or f"its process ended: status {code}"
            life.up.set_exception(RuntimeError(f"{life.host.name} did not start: {text}"))
        life.gone.set_result(None)

    # --------------------------------------------------------------------------- the end
    def orphaned(self) -> None:
        """The warden is gone, which nobody asked it: all lives are over."""
        self.kill_all()
        for life in list(self._lives.values()):
            life.up.cancel()
            life.exit_code = -9
            life.channel = None
            self._end_if_over(life)

    def kill_all(self) -> None:
        """Kills the processes of all lives, where the warden has not done so."""
        for life in self._lives.values():
            if life.pid:
                with contextlib.suppress(psutil.Error):
                    trees.kill(life.pid)

    def end(self) -> None:
        """The world is closed: nobody is up any more."""
        for host in self._where.hosts.values():
            host.life.state = State.DEAD
