"""A lease: the right to a name, for a time; whoever holds it renews it, or loses it by itself.

Gray and Cheriton, "Leases" (1989). `Lease` is a holder's side of it, the same for every keeper;
`LeaseServer` is the keeper of the simulated world, and stands in lesson 07 with the same text,
which a test compares.
"""

from __future__ import annotations

from statelab.message import Response
from statelab.node import Node, Soft


class LeaseServer(Node):
    """Grants a name to one holder at a time, for a time; each grant has a larger token."""

    def __init__(self):
        self.grants = {}
        for name, (holder, token, until) in self.disk.items():
            self.grants[name] = Soft({"holder": holder, "token": token}, until)

    async def handle(self, request):
        asked = request.body
        name, holder, token = asked["name"], asked["holder"], asked.get("token")
        grant = self.grants.get(name, Soft({"holder": None, "token": 0}, 0))
        left = self.left(grant)
        if request.path == "/acquire" and left == 0:
            return self.keep(name, holder, grant.value["token"] + 1, asked["ttl"])
        if left != 0 and grant.value == {"holder": holder, "token": token}:
            if request.path == "/renew":
                return self.keep(name, holder, token, asked["ttl"])
            if request.path == "/release":
                return self.keep(name, holder, token, 0)
        return Response(409, {"error": f"{name} is not yours", "wait": left})

    def keep(self, name, holder, token, ttl):
        until = self.end(ttl)
        self.grants[name] = Soft({"holder": holder, "token": token}, until)
        self.disk[name] = [holder, token, until]  # so that a restart forgets no grant and no token
        return {"token": token}

    def end(self, ttl):
        return round(self.now() + ttl, 6)

    def left(self, grant):
        return max(0, grant.until - self.now())


class Lease:
    """A holder's side of a lease on `name`: what node code asks by, whoever keeps the lease.

    `node` is the node that asks, `holder` its name for this purpose, `ttl` in seconds how long a
    grant or a renewal lasts. Its methods raise Refused (it did not happen) and NoReply (nobody
    knows): the right that the holder has is then good until its end, as before.
    """

    def __init__(self, node: Node, name: str, holder: str, ttl: float):
        self.node = node
        self.name = name
        self.holder = holder
        self.ttl = ttl

    async def acquire(self) -> Soft:
        """Asks for the right: Soft(fencing token, until), or Soft(None, when to ask again).

        Each grant of a name has a larger token than those before. `until`, in seconds since the
        world began, is counted from before the request. The keeper counts from later, so a holder
        that believes in its right no longer than that stops before anybody else begins.
        """
        raise NotImplementedError

    async def renew(self, right: Soft) -> Soft:
        """Asks for more time: the same token and a later `until`; Soft(None, …) if it was lost."""
        raise NotImplementedError

    async def release(self, right: Soft) -> bool:
        """Gives the right up; returns whether it was still this holder's. If not, does nothing."""
        raise NotImplementedError


class ServerLease(Lease):
    """A lease kept by the `LeaseServer` node named `server`."""

    def __init__(self, node: Node, name: str, holder: str, ttl: float, server: str = "lease"):
        super().__init__(node, name, holder, ttl)
        self.server = server

    async def acquire(self) -> Soft:
        """See `Lease`."""
        return await self._ask("/acquire", None)

    async def renew(self, right: Soft) -> Soft:
        """See `Lease`."""
        return await self._ask("/renew", right.value)

    async def release(self, right: Soft) -> bool:
        """See `Lease`."""
        return (await self._send("/release", right.value)).status == 200

    async def _ask(self, path: str, token: int | None) -> Soft:
        before = self.node.now()
        answer = await self._send(path, token)
        if answer.status == 200:
            return Soft(answer.body["token"], before + self.ttl)
        return Soft(None, self.node.now() + answer.body["wait"])

    async def _send(self, path: str, token: int | None) -> Response:
        asked = {"name": self.name, "holder": self.holder, "token": token, "ttl": self.ttl}
        return await self.node.call(self.server, path, asked, timeout=self.ttl / 4)
