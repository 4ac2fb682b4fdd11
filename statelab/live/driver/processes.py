"""The nodes of a live world as the driver knows them: their processes' beginnings and ends.

Everything here runs on the hub's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import shutil
import signal
from asyncio import FIRST_COMPLETED
from typing import Any

import psutil

from statelab.engines.engine import Engine
from statelab.live.driver.desk import Desk
from statelab.live.driver.engine import LiveEngine
from statelab.live.driver.incarnation import LiveNode
from statelab.live.driver.links import LISTENS_S
from statelab.live.driver.loop import STEP_S, Hub
from statelab.live.driver.merge import Entry, Source
from statelab.live.transport import ports
from statelab.live.warden import trees
from statelab.node import WrongState, checked_name
from statelab.rows import Row

GRACE_S = 0.1  # for the channel of a process that died at once to be accepted


class Lives:
    """Starts, ends, pauses and resumes the lives of nodes."""

    def __init__(self, hub: Hub, seed: Any):
        self._hub = hub
        self.seed = seed
        self._keys, self._numbers = itertools.count(1), itertools.count(1)
        self._by_key: dict[int, LiveNode] = {}
        self._asked: dict[int, asyncio.Future] = {}
        self._ports: dict[tuple[str, str], int] = {}  # by name and purpose
        self.password = secrets.token_hex(16)  # of its engines
        self._namespaces: dict[tuple[type[Engine], str], str] = {}
        self.nodes: dict[str, LiveNode] = {}
        hub.journal.seen = self._seen
        hub.journal.doubted = self._doubted

    # --------------------------------------------------------------------------- verbs
    async def start(self, name: str, what: bytes | Engine) -> None:
        """Starts a node, which comes as a parcel, or an engine; returns when it does its work."""
        hub = self._hub
        if name in self.nodes or name in hub.clients.callers:
            raise WrongState(f"the name {name} is taken: choose another, or restart {name}")
        if isinstance(what, Engine) and what.outside() and what.follows:
            raise WrongState(
                f"{name} follows another server, and both must be of this world: unset "
                f"{what.variable}"
            )
        port, folder = self.reserve(name), hub.folder / str(next(self._numbers))
        if isinstance(what, Engine):
            node = LiveEngine(name, what, port, folder, self)
        else:
            node = LiveNode(name, what, port, folder)
        self.nodes[name] = node
        if node.speaks_http:
            hub.ports[name] = port
            hub.write_book()
        try:
            await self._begin(node)
        except Exception:  # and not the world's end: then its process still runs in the folder
            del self.nodes[name], self._ports[name, ""]
            self._by_key.pop(node.key, None)
            if hub.ports.pop(name, None):
                hub.write_book()
            shutil.rmtree(node.folder, ignore_errors=True)
            raise

    async def restart(self, name: str) -> None:
        """Begins a dead node's next life."""
        node = self._own(name)
        if node.status != "dead" or node.starting:
            raise WrongState(f"{name} is {node.status}: only a dead node can be restarted")
        await self._begin(node)

    async def kill(self, name: str) -> None:
        """Kills a node's processes; returns when they are gone."""
        hub, node = self._hub, self._living(name)
        node.killed_us = hub.now_us()
        # Others may learn of the death before we do; their rows wait, for they come of it.
        hub.journal.held.add(node.source)
        hub.tell_warden("tree", node.key, "kill", 0)
        await node.gone
        await hub.links.settled()

    async def pause(self, name: str) -> None:
        """Stops a node's processes."""
        hub, node = self._hub, self._living(name)
        if node.status == "paused":
            raise WrongState(f"{name} is paused already")
        await self._ask("pause", node)
        await asyncio.sleep(0)  # what it said before it stopped is read first
        await asyncio.sleep(0)
        if node.status == "up":
            node.status = "paused"
            hub.record(node.source, "pause")
            hub.flush()

    async def resume(self, name: str) -> None:
        """Lets a node's processes go on."""
        hub, node = self._hub, self._living(name)
        if node.status != "paused":
            raise WrongState(f"{name} is not paused, so it cannot resume")
        hub.record(node.source, "resume")
        hub.flush()
        node.status = "up"
        await self._ask("resume", node)

    def node(self, name: str) -> LiveNode:
        """The node or engine of that name; raises UnknownNode."""
        return self.nodes.get(checked_name(name, "somebody")) or self._hub.unknown(name)

    def reserve(self, name: str, purpose: str = "") -> int:
        """A port for that name, chosen when first asked for."""
        if (name, purpose) not in self._ports:
            self._ports[name, purpose] = ports.choose(set(self._ports.values()))
        return self._ports[name, purpose]

    def namespace(self, kind: type[Engine], shared_by: str) -> str:
        """A name for what this world keeps in a server that somebody else runs."""
        return self._namespaces.setdefault((kind, shared_by), f"statelab_{secrets.token_hex(8)}")

    def _own(self, name: str) -> LiveNode:
        node = self.node(name)
        if node.outside:
            raise WrongState(
                f"{name} is a server that somebody else runs, so it stays as it is: to kill, pause "
                f"or restart one of this world's own, unset {node.engine.variable}"
            )
        return node

    def _living(self, name: str) -> LiveNode:
        node = self._own(name)
        if node.starting:
            raise WrongState(f"{name} is starting; wait until it is up")
        if node.status == "dead" or node.killed_us is not None:
            raise WrongState(f"{name} is dead already; restart it first")
        return node

    async def _ask(self, verb: str, node: LiveNode) -> None:
        number, answer = next(self._numbers), self._hub.loop.create_future()
        self._asked[number] = answer
        self._hub.tell_warden("tree", node.key, verb, number)
        try:
            await asyncio.wait_for(answer, STEP_S)
        finally:
            del self._asked[number]

    # --------------------------------------------------------------------------- a life
    async def _begin(self, node: LiveNode) -> None:
        hub = self._hub
        node.reborn(hub, next(self._keys))
        self._by_key[node.key] = node
        try:
            await asyncio.wait_for(node.begin(hub, self), node.patience_s)
        except Exception as wrong:
            await self._ask("kill", node)  # what runs of it, if anything does
            if isinstance(wrong, TimeoutError):
                raise RuntimeError(
                    f"{node.name} did not start within {node.patience_s:g} s{node.why_slow}"
                ) from None
            raise
        finally:
            node.starting = False

    def joined(self, desk: Desk, key: int, pid: int) -> None:
        """A node's process has opened its channel."""
        node = self._by_key.get(key)
        if node is not None:
            node.pid, node.desk = pid, desk
            self._hub.links.joined(node.name, desk)

    def desk(self, name: str) -> Desk | None:
        """What a node that lives is told things by."""
        node = self.nodes.get(name)
        return None if node is None else node.desk

    def told(self, key: int, what: str, data: Any) -> None:
        """A node's process reports."""
        node = self._by_key.get(key)
        if node is None:
            return
        if what == "rows":
            self._hub.journal.add(node.source, [Entry(*row) for row in data])
        elif what == "diverted":
            self._hub.links.diverted(data)
        elif what == "up":
            self._hub.flush()
            node.status, node.starting, node.disk = "up", False, data
            if not node.up.done():
                node.up.set_result(None)
        else:
            node.failure = data
            self._hub.tell_warden("tree", key, "kill", 0)

    def left(self, key: int) -> None:
        """A node's process has closed its channel: it is dead, or will be in a moment."""
        node = self._by_key.get(key)
        if node is not None:
            node.desk = None
            self._hub.tell_warden("tree", key, "kill", 0)
            self._end_if_over(node)

    def told_by_warden(self, what: str, key: int, data: Any) -> None:
        """The warden answers, or tells of an exit."""
        if what == "tree" and data in self._asked and not self._asked[data].done():
            self._asked[data].set_result(None)
        node = self._by_key.get(key)
        if node is None or node.key != key:
            return
        if what == "failed" and not node.up.done():
            node.up.set_exception(RuntimeError(f"{node.name} has no process: {data}"))
        elif what == "program":
            node.pid = data
        elif what == "exit" and node.exited(data):
            if node.pid:
                self._end_if_over(node)
            else:  # it died so soon that its channel, if it had one, waits to be accepted
                self._hub.loop.call_later(GRACE_S, self._end_if_over, node)

    def _doubted(self, name: str) -> None:
        """A caller takes a node for dead: others' rows wait until it is, or says that it lives.

        So whoever learns of a death finds that the world knows of it.
        """
        node, held = self.nodes.get(name), self._hub.journal.held
        if node is not None and node.status != "dead" and node.source not in held:
            held.add(node.source)
            if node.desk is not None:
                self._hub.loop.create_task(self._ask_whether_it_lives(node, node.source))

    async def _ask_whether_it_lives(self, node: LiveNode, source: Source) -> None:
        heard = self._hub.links.tell(node.desk, [])
        await asyncio.wait([heard, node.gone], timeout=LISTENS_S, return_when=FIRST_COMPLETED)
        if node.desk is not None:  # else it is over, or will be in a moment
            self._hub.journal.held.discard(source)
            self._hub.flush_soon()

    def _end_if_over(self, node: LiveNode) -> None:
        """A life is over when its process has ended and all that it reported is read."""
        if node.exit_code is None or node.desk is not None or node.key not in self._by_key:
            return
        hub, code = self._hub, node.exit_code
        del self._by_key[node.key]
        was, node.status, node.memory = node.status, "dead", {}
        if was != "dead" and not node.crashed:
            if node.killed_us is not None:
                hub.record(node.source, "kill", time_us=node.killed_us)
            elif code == -getattr(signal, "SIGKILL", 9):
                hub.record(node.source, "kill")
            else:
                hub.record(node.source, "crash", data=f"its process ended with status {code}")
        node.source.ended = True
        hub.flush()  # the death first: what waits for it may come of it
        hub.journal.held.discard(node.source)
        hub.flush()
        if not node.up.done():
            text = node.failure or node.last_lines() or f"its process ended: status {code}"
            node.up.set_exception(RuntimeError(f"{node.name} did not start: {text}"))
        node.gone.set_result(None)

    # --------------------------------------------------------------------------- the end
    def orphaned(self) -> None:
        """The warden is gone, which nobody asked it: ends its children in its place."""
        for node in list(self._by_key.values()):
            if node.pid:
                with contextlib.suppress(psutil.Error):
                    trees.kill(node.pid)
            node.up.cancel()
            node.exit_code = -9
            node.desk = None
            self._end_if_over(node)

    def end(self) -> None:
        """The world is closed: nobody is up any more."""
        for node in self.nodes.values():
            node.status = "dead"

    # --------------------------------------------------------------------------- looking
    def _seen(self, row: Row) -> None:
        node = self.nodes.get(row.node)
        if node is None or row.life != node.life:
            return
        if row.kind == "memory":
            changed, gone = row.data
            node.memory = {k: v for k, v in node.memory.items() if k not in gone} | changed
        elif row.kind == "disk":
            node.disk = {k: v for k, v in node.disk.items() if k != row.data[0]}
            if len(row.data) == 2:
                node.disk[row.data[0]] = row.data[1]
        elif row.kind == "crash":
            node.crashed = True
