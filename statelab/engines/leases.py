"""A holder's side of a lease that a real Redis or ZooKeeper keeps: `Lease`, by their own clients.

Rules of this file:

1. The client lives in the node's own process: what it holds ends with that process, or is renewed
   by nobody while that is stopped.
2. A request blocks its node, for three quarters of the time to live at most. Nothing is tried
   twice: a request that may have happened is a NoReply, and the holder decides.
3. Expiry is counted from before the request, as everywhere.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any

from statelab.engines.engine import without_password
from statelab.engines.redis import prefix
from statelab.engines.zookeeper import client
from statelab.message import NoReply, Refused
from statelab.node import Node, Soft
from statelab.servers.lease import Lease

_AGAIN_SOON = MappingProxyType({"max_tries": -1, "delay": 0.05, "backoff": 1, "max_jitter": 0.0})

# Redis runs a script as one step: nobody comes in between. KEYS: the lease, its counter of tokens.
ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {0, redis.call('PTTL', KEYS[1])} end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token, 'PX', ARGV[2])
return {token, 0}
"""
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, redis.call('PTTL', KEYS[1])} end
return {redis.call('PEXPIRE', KEYS[1], ARGV[2]), 0}
"""
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, 0} end
return {redis.call('DEL', KEYS[1]), 0}
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
        """What a script returns; raises Refused without a connection, NoReply without an answer."""
        import redis

        key = f"{prefix(self.url)}lease:{self.name}"
        ttl_ms = str(round(self.ttl * 1000))
        if self._pool is None:
            patience = {"socket_timeout": self.ttl / 4, "socket_connect_timeout": self.ttl / 4}
            self._pool = redis.ConnectionPool.from_url(self.url, retry=None, **patience)
        try:
            connection = self._pool.get_connection()
        except (redis.ConnectionError, redis.TimeoutError) as why:
            raise Refused(f"{without_password(self.url)}: {why}") from None
        try:
            connection.send_command("EVAL", script, "2", key, f"{key}:tokens", owner, ttl_ms)
            return connection.read_response()
        except (redis.ConnectionError, redis.TimeoutError) as why:
            connection.disconnect()
            raise NoReply(f"{without_password(self.url)}: {why}") from None
        except redis.ResponseError as why:  # such as that of a replica, which takes no writes
            raise Refused(f"{without_password(self.url)}: {why}") from None
        finally:
            self._pool.release(connection)


class ZooKeeperLease(Lease):
    """A lease kept by ZooKeeper at `hosts`, as an ephemeral node: it lasts as long as its session.

    The node carries no date. The session does the renewing, by its heartbeats, also while the node
    of this world is busy; so `renew` asks whether it is still there. A session lasts `ttl`,
    within the servers' limits. The fencing token is the number of the change
    that made the node (czxid). Who is refused may ask again after a tenth of `ttl`; whoever has the
    right and asks once more gets it again.
    """

    def __init__(self, node: Node, name: str, holder: str, ttl: float, hosts: str):
        super().__init__(node, name, holder, ttl)
        self.hosts = hosts
        self._path = f"/lease/{name}"
        self._client = None

    async def acquire(self) -> Soft:
        """See `Lease`."""
        from kazoo.exceptions import NodeExistsError

        before = self.node.now()
        zookeeper = self._connected()
        made = {"ephemeral": True, "makepath": True, "include_data": True}
        try:
            _, stat = self._done(zookeeper.create_async(self._path, self.holder.encode(), **made))
        except NodeExistsError:
            # It may be this session's own, made by a request whose answer was lost.
            stat = self._mine()
        return self._right(stat, before)

    async def renew(self, right: Soft) -> Soft:
        """See `Lease`."""
        before = self.node.now()
        self._connected()
        stat = self._mine()
        return self._right(stat if stat and stat.czxid == right.value else None, before)

    async def release(self, right: Soft) -> bool:
        """See `Lease`."""
        self._connected()
        stat = self._mine()
        if stat is None or stat.czxid != right.value:
            return False
        # Nobody can have taken its place meanwhile: it goes by this request, or with this session.
        self._done(self._client.delete_async(self._path))
        return True

    def _right(self, stat: Any, before: float) -> Soft:
        if stat is None:
            return Soft(None, self.node.now() + self.ttl / 10)
        return Soft(stat.czxid, before + self.ttl)

    def _mine(self) -> Any:
        """The node's stat if this session made it, else None."""
        # A server that is cut off from the others would answer from old records: its answer waits
        # for the one to `sync`, which it asks the leader.
        self._client.sync_async(self._path)
        stat = self._done(self._client.exists_async(self._path))
        session = self._client.client_id  # None if it has just been lost
        mine = stat is not None and session is not None and stat.ephemeralOwner == session[0]
        return stat if mine else None

    def _connected(self) -> Any:
        """The client, with a session; raises Refused if there is none soon."""
        if self._client is None:
            self._client = client(self.hosts, timeout=self.ttl, connection_retry=_AGAIN_SOON)
            self._client.start_async()
        patience = time.monotonic() + self.ttl / 4
        while not self._client.connected:
            if time.monotonic() > patience:
                raise Refused(f"{without_password(self.hosts)}: no session")
            time.sleep(0.005)
        return self._client

    def _done(self, asked: Any) -> Any:
        """What was asked for; raises NoReply if no answer comes, or the session is lost."""
        from kazoo.exceptions import ConnectionClosedError, ConnectionLoss, SessionExpiredError
        from kazoo.handlers.threading import KazooTimeoutError

        try:
            return asked.get(timeout=self.ttl / 4)
        except (
            KazooTimeoutError,
            ConnectionLoss,
            ConnectionClosedError,
            SessionExpiredError,
        ) as why:
            raise NoReply(f"{without_password(self.hosts)}: {type(why).__name__} {why}") from None
