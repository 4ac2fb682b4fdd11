"""A holder that tests lead by the hand: a node that does with its lease what it is asked to."""

from statelab import Node, Soft


class Holder(Node):
    """Asks for a right when told to; answers with what came of it, and remembers what it has."""

    def __init__(self, me, name, ttl, lease, *where):
        self.right = Soft(None, 0)
        self._lease = lease(self, name, me, ttl, *where)

    async def handle(self, request):
        if request.path == "/release":
            return await self._lease.release(self.right)
        if request.path == "/acquire":
            self.right = await self._lease.acquire()
        elif self.right.value is not None:
            self.right = await self._lease.renew(self.right)
        return list(self.right)
