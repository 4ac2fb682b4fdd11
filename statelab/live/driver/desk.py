"""Where the warden and the nodes of a live world report to its driver."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Any

from statelab.live.transport.control import TOKEN_BYTES, Frames, pack

if TYPE_CHECKING:
    from statelab.live.driver.loop import Hub

MOST_UNKNOWN = 50  # connections that have not said the token yet: who came first must go


class Desk(asyncio.Protocol):
    """Where the warden and the nodes report; who does not know the token is turned away."""

    def __init__(self, hub: Hub):
        self._hub = hub
        self._token = bytearray()
        self._frames = Frames()
        self._who: tuple | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        strangers = [desk for desk in self._hub.desks if desk._who is None]
        if len(strangers) >= MOST_UNKNOWN:
            strangers[0].transport.abort()
            del self._hub.desks[strangers[0]]
        self._hub.desks[self] = None

    def data_received(self, data: bytes) -> None:
        if len(self._token) < TOKEN_BYTES:
            missing = TOKEN_BYTES - len(self._token)
            self._token += data[:missing]
            data = data[missing:]
            if len(self._token) < TOKEN_BYTES:
                return
        if not hmac.compare_digest(self._token, self._hub.token):
            self.transport.abort()
            return
        for message in self._frames.feed(data):
            if self._who is None:
                self._who = message
                self._hub.joined(self, message)
            else:
                self._hub.told(self._who, message)

    def tell(self, *message: Any) -> None:
        """Says something to who is there."""
        self.transport.write(pack(message))

    def connection_lost(self, error: Exception | None) -> None:
        self._hub.desks.pop(self, None)
        if self._who is not None:
            self._hub.left(self._who)
