"""A world on a busy machine: whatever is done comes a while after it was decided."""

import functools
import random

from statelab import World


class Late(World):
    """A simulated world whose verbs come up to 0.8 s late, as the seed says."""

    def __init__(self, seed):
        super().__init__(seed=7)
        self._dice = random.Random(seed)


def _late(verb):
    @functools.wraps(verb)
    def act(self, *args, **options):
        World.run(self, self._dice.uniform(0, 0.8))
        return verb(self, *args, **options)

    return act


for _name in ("run", "kill", "restart", "pause", "resume", "call"):
    setattr(Late, _name, _late(getattr(World, _name)))
