"""One way to use each engine in tests: put a value, get it back, and the errors of its client."""

from types import MappingProxyType

import psycopg
import redis
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from statelab.engines import ENGINES, zookeeper
from statelab.engines.redis import prefix

OPTIONS = {"redis": {"append_only": True}}  # so that each remembers what it has acknowledged


class RedisClient:
    failed = (redis.ConnectionError, redis.TimeoutError)

    def __init__(self, address):
        self._key = prefix(address) + "value"
        self._redis = redis.Redis.from_url(address, socket_timeout=0.5, decode_responses=True)

    def put(self, value):
        self._redis.set(self._key, value)

    def get(self):
        return self._redis.get(self._key)

    def close(self):
        self._redis.close()


class PostgresClient:
    """A connection for each request: only its opening has a time limit at the client's side."""

    failed = (psycopg.OperationalError,)

    def __init__(self, address):
        self._address = address

    def put(self, value):
        with self._connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            connection.execute("DELETE FROM kept")
            connection.execute("INSERT INTO kept VALUES (%s)", [value])

    def get(self):
        with self._connect() as connection:
            return connection.execute("SELECT value FROM kept").fetchone()[0]

    def close(self):
        pass

    def _connect(self):
        return psycopg.connect(self._address, connect_timeout=2)


class ZooKeeperClient:
    failed = (KazooException, KazooTimeoutError)

    def __init__(self, address):
        self._zookeeper = zookeeper.client(address, timeout=2.0)
        self._zookeeper.start(timeout=20)

    def put(self, value):
        self._zookeeper.ensure_path("/value")
        self._zookeeper.set("/value", value.encode())

    def get(self):
        return self._zookeeper.get_async("/value").get(timeout=2.0)[0].decode()

    def close(self):
        self._zookeeper.stop()
        self._zookeeper.close()


# What each client says to who does not know the password.
REFUSED = {
    "redis": (redis.AuthenticationError, redis.ConnectionError),
    "zookeeper": (KazooException, KazooTimeoutError),
    "postgres": psycopg.OperationalError,
}
CLIENTS = MappingProxyType(
    {"redis": RedisClient, "zookeeper": ZooKeeperClient, "postgres": PostgresClient}
)


def start(world, name):
    """Starts the engine under its own name."""
    world.start(name, ENGINES[name], **OPTIONS.get(name, {}))


def client(world, name):
    return CLIENTS[name](world.address(name))
