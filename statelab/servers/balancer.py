"""A balancer: passes each request to one of several servers, and its answer back."""

from __future__ import annotations

from statelab.message import Refused, Request, Response, shown
from statelab.node import Node

SETTINGS = ("sticky", "retry", "shared")
TIMEOUT_S = 0.8  # shorter than its callers' own, so that they learn of it by a 504


class Balancer(Node):
    """Passes requests on to `servers`, each in its turn.

    It opens one connection of its own for each connection that it takes and each server; the
    server sees that one's <ip, port>. A server that is dead is a 502, one that is silent a 504.
    Settings, by name:
    "sticky"  whoever has been to a server goes there again, known by the token, else by the
              connection;
    "retry"   when a server refuses, the next one is asked (safe: a refused request did not happen);
    "shared"  all callers share one connection to each server, one request at a time, as proxies
              that pool connections do.
    """

    def __init__(self, servers: list[str], *settings: str):
        if not isinstance(servers, (list, tuple)) or not all(type(one) is str for one in servers):
            raise TypeError(f"a balancer's servers are a list of names, not {shown(servers)}")
        unknown = [one for one in settings if not isinstance(one, str) or one not in SETTINGS]
        if unknown:
            raise ValueError(f"no setting of a balancer: {shown(unknown)}; there are {SETTINGS}")
        if not servers or len(set(servers)) < len(servers):
            raise ValueError(f"a balancer needs servers, each of them once, not {shown(servers)}")
        self.next = servers[0]
        if "sticky" in settings:
            self.sticks_to = {}
        self._servers = list(servers)
        self._settings = settings

    async def handle(self, request: Request) -> Response:
        tried: list[str] = []
        while True:
            tried.append(self._choose(request, tried))
            try:
                return await self._pass_on(request, tried[-1])
            except Refused:
                if "retry" not in self._settings or len(tried) == len(self._servers):
                    raise

    def _choose(self, request: Request, tried: list[str]) -> str:
        marks = self._marks(request)
        stuck = [self.sticks_to[mark] for mark in marks if mark in self.sticks_to]
        server = next((name for name in stuck if name not in tried), None) or self._turn(tried)
        for mark in marks:
            self.sticks_to[mark] = server
        return server

    def _turn(self, tried: list[str]) -> str:
        """The server whose turn it is, those passed over that were tried."""
        start = self._servers.index(self.next)
        order = [*self._servers[start:], *self._servers[:start]]
        server = next(name for name in order if name not in tried)
        self.next = self._servers[(self._servers.index(server) + 1) % len(self._servers)]
        return server

    async def _pass_on(self, request: Request, server: str) -> Response:
        return await self.call(
            server,
            request.path,
            request.body,
            method=request.method,
            headers=request.headers,
            timeout=TIMEOUT_S,
            via=None if "shared" in self._settings else request.peer,
        )

    def _marks(self, request: Request) -> list[str]:
        """What a sticky balancer knows a caller by; nothing if it is not sticky."""
        if "sticky" not in self._settings:
            return []
        token = request.headers.get("authorization")
        ip, port = request.peer
        return [f"{ip}:{port}"] if token is None else [token, f"{ip}:{port}"]
