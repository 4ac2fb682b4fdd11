"""The clients of a live world: who calls for them, and what the trace tells of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from statelab.client import Client, Pending, keep_token
from statelab.live.driver.merge import Source
from statelab.live.transport.caller import Caller
from statelab.message import Response

if TYPE_CHECKING:
    from statelab.live.driver.loop import Hub


class Clients:
    """All clients of one world by name. A client's memory is its ports and its token."""

    def __init__(self, hub: Hub):
        self.callers: dict[str, Caller] = {}
        self._hub = hub
        self._numbers = itertools.count(1)
        self._sources: dict[str, Source] = {}
        self._tokens: dict[str, str | None] = {}
        self._told: dict[str, dict[str, Any]] = {}  # the memory as the trace knows it

    def caller(self, name: str) -> Caller:
        """The client of that name, made if need be."""
        caller = self.callers.get(name)
        if caller is None:
            hub = self._hub
            source = self._sources[name] = hub.journal.source(name, 1)

            def record(kind: str, *args: Any) -> int:
                index = hub.record(source, kind, *args)
                self._look(name)
                return index

            prefix = f"client{next(self._numbers)}."
            caller = Caller(name, prefix, hub.loop, hub.port_of, record, _go_on)
            caller.secret = hub.secret
            caller.handover, caller.diverted = hub.links.handover, set(hub.links.of(name))
            self.callers[name] = caller
        return caller

    def memory(self, name: str) -> dict[str, Any]:
        """What a client keeps."""
        return {"ports": self.callers[name].ports(), "token": self._tokens.get(name)}

    def keep_token(self, name: str, token: str | None) -> None:
        """A client has a token now."""
        self._tokens[name] = token
        self._look(name)

    def _look(self, name: str) -> None:
        if name in self.callers:
            memory, told = self.memory(name), self._told.get(name, {})
            changed = {key: value for key, value in memory.items() if told.get(key, 0) != value}
            if changed:
                self._told[name] = memory
                self._hub.record(self._sources[name], "memory", data=(changed, ()))

    def after(self, name: str, index: int, then: Callable[[], None]) -> None:
        """Calls `then` when the client's row `index` is in the trace."""
        self._hub.journal.after(self._sources[name], index, then)
        self._hub.flush_soon()


def _go_on(waiter: Any, value: Any, error: Exception | None) -> None:
    waiter.step(value, error)


class Asker:
    """What goes on when a client's request has ended; has the face of a Task."""

    __slots__ = ("cause", "client", "hub", "pending")

    def __init__(self, hub: Hub, client: Client, pending: Pending):
        self.hub = hub
        self.client = client
        self.pending = pending
        self.cause: int | None = None

    def step(self, value: Response | None, error: Exception | None) -> None:
        """Keeps the outcome, once the row that tells of it is in the trace."""
        if value is not None:
            keep_token(self.client, value)
            self.hub.clients.keep_token(self.client.name, self.client.token)

        def end() -> None:
            world = self.pending._world
            with world._ended:
                self.pending.outcome = value if error is None else error
                world._ended.notify_all()

        self.hub.clients.after(self.client.name, self.cause, end)
