"""A holder's side of a lease that a real Redis or ZooKeeper keeps: `Lease`, by their own clients.

Rules of this file:

1. The client lives in the node's own process: what it holds ends with that process, or is renewed
   by nobody while that is stopped.
2. A request blocks its node, for a quarter of the time to live at most. Nothing is tried twice: a
   request that may have happened is a NoReply, and the holder decides.
3. Expiry is counted from before the request, as everywhere.
"""

from __future__ import annotations

from statelab.message import NoReply, Refused
from statelab.node import Node, Soft
from statelab.servers.lease import Lease

NAMESPACE = "statelab"  # all keys and nodes are below it

# Redis runs a script as one step: nobody comes in between. KEYS: the lease, its counter of tokens.
ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {0, redis.call('PTTL', KEYS[1])} end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token, 'PX', ARGV[2])
return {token, 0}
"""
RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return {redis.call('PEXPIRE', KEYS[1], ARGV[2]), 0} end
return {0, redis.call('PTTL', KEYS[1])}
"""
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return {redis.call('DEL', KEYS[1]), 0} end
return {0, 0}
"""


class RedisLease(Lease):
    """A lease kept by the Redis-compatible server at `url`, as a key that expires.

    The key's value is holder and token; the counter of tokens is a key of its own, which never
    expires. Both are as durable as that server: without its append-only file a kill takes them.
    """

    def __init__(self, node: Node, name: str, holder: str, ttl: float, url: str):
        super().__init__(node, name, holder, ttl)
        self.url = url
        self._pool = None

    async def acquire(self) -> Soft:
        """See `Lease`."""
        before = self.node.now()
        token, wait_ms = self._run(ACQUIRE, self.holder)
        return self._right(token, before, wait_ms)

    async def renew(self, right: Soft) -> Soft:
        """See `Lease`."""
        before = self.node.now()
        renewed, wait_ms = self._run(RENEW, f"{self.holder} {right.value}")
        return self._right(right.value if renewed else 0, before, wait_ms)

    async def release(self, right: Soft) -> bool:
        """See `Lease`."""
        return bool(self._run(RELEASE, f"{self.holder} {right.value}")[0])

    def _right(self, token: int, before: float, wait_ms: int) -> Soft:
        if token:
            return Soft(token, before + self.ttl)
        return Soft(None, self.node.now() + max(0, wait_ms) / 1000)

    def _run(self, script: str, owner: str) -> list[int]:
        """Runs a script; raises Refused if there is no connection, NoReply if there is no answer."""
        import redis

        key = f"{NAMESPACE}:lease:{self.name}"
        ttl_ms = str(round(self.ttl * 1000))
        if self._pool is None:
            patience = {"socket_timeout": self.ttl / 4, "socket_connect_timeout": self.ttl / 4}
            self._pool = redis.ConnectionPool.from_url(self.url, retry=None, **patience)
        try:
            connection = self._pool.get_connection()
        except (redis.ConnectionError, redis.TimeoutError) as why:
            raise Refused(f"{self.url}: {why}") from None
        try:
            connection.send_command("EVAL", script, "2", key, f"{key}:tokens", owner, ttl_ms)
            return connection.read_response()
        except (redis.ConnectionError, redis.TimeoutError) as why:
            connection.disconnect()
            raise NoReply(f"{self.url}: {why}") from None
        finally:
            self._pool.release(connection)
