"""What tests of every engine share: its name, and a world in which one of it was started."""

import engine_clients
import pytest

from statelab import LiveWorld
from statelab.engines import ENGINES


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.engines(name)) for name in ENGINES],
)
def name(request):
    """Each engine. The tests of one are run one after another: most share a server."""
    return request.param


@pytest.fixture(scope="module")
def shared(name):
    with LiveWorld(seed=7) as world:
        engine_clients.start(world, name)
        yield world
