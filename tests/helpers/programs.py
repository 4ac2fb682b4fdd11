"""A program that a live world runs as it does an engine: with nothing to install or to prepare."""

from statelab.engines.engine import Engine


class Program(Engine):
    """Is up at once; a test says its command."""

    @classmethod
    def missing(cls):
        return ""

    def prepare(self, place):
        return []

    async def is_up(self, place, life):
        return True
