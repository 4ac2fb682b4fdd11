"""The core needs nothing but Python: a lesson runs where no library is installed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LESSON = """
import sys

sys.path.append(sys.argv[1])
from statelab import Node, Run, World, diagrams, scenario
from statelab.servers import Balancer, Database, LeaseServer, Queue, Store


class StoredCounter(Node):
    async def handle(self, request):
        return (await self.call("store", "/incr", {"key": "count"})).body


@scenario
def lesson(world):
    world.start("store", Store)
    world.start("web", StoredCounter)


world = World(seed=7)
lesson(world)
before = [world.call("web").body, world.call("web").body]
world.kill("web")
world.restart("web")
print([*before, world.call("web").body])
pasted = Run.parse(Run.of(world).code())
print(pasted.replay(lesson).trace.digest() == world.trace.digest())
print(Run.of(world).code()[:4], diagrams.sequence(world.trace).svg[:4])
others = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(sorted(others - {"statelab", "__main__"}))
"""


def test_the_core_runs_a_lesson_with_nothing_but_the_standard_library():
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", LESSON, str(ROOT)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[1, 2, 3]", "True", "SL1- <svg", "[]"]
