"""One way to use each engine in tests: put a value, get it back, and the errors of its client."""

from statelab.engines import ENGINES
from statelab.engines.engine import Command  # noqa: F401

OPTIONS = {"redis": {"append_only": True}}  # so that each remembers what it has acknowledged


class RedisClient:
    def __init__(self, address):
        import redis

        self.failed = (redis.ConnectionError, redis.TimeoutError)
        self._redis = redis.Redis.from_url(address, socket_timeout=0.5, decode_responses=True)

    def put(self, value):
        self._redis.set("value", value)

    def get(self):
        return self._redis.get("value")

    def close(self):
        self._redis.close()


CLIENTS = {"redis": RedisClient}


def start(world, name):
    """Starts the engine under its own name."""
    world.start(name, ENGINES[name], **OPTIONS.get(name, {}))


def client(world, name):
    return CLIENTS[name](world.address(name))
