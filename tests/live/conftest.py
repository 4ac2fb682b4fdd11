"""A live world for a test, which ends with it."""

import pytest

from statelab.live.world import LiveWorld


@pytest.fixture
def world():
    with LiveWorld(seed=7) as world:
        yield world
