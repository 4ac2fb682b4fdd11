"""Real servers as things that a LiveWorld starts, kills, pauses and restarts, like its nodes."""

from statelab.engines.engine import Engine, EngineMissing
from statelab.engines.postgres import Postgres
from statelab.engines.redis import Redis
from statelab.engines.zookeeper import ZooKeeper

# By the names that the marks of tests and the metadata of notebooks call them by.
ENGINES = {"redis": Redis, "zookeeper": ZooKeeper, "postgres": Postgres}
__all__ = ["ENGINES", "Engine", "EngineMissing", "Postgres", "Redis", "ZooKeeper"]
