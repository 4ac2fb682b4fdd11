"""Real servers as things that a LiveWorld starts, kills, pauses and restarts, like its nodes."""

from statelab.engines.engine import Engine, EngineMissing
from statelab.engines.redis import Redis

ENGINES = {"redis": Redis}  # by the name that tests and notebooks call them by
__all__ = ["ENGINES", "Engine", "EngineMissing", "Redis"]
