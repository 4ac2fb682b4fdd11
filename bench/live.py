"""The live world: how fast its processes come up, how soon a kill is seen, what a relay costs."""

from __future__ import annotations

import statistics
import threading
import time

from bench.table import Line, at_most
from statelab import Node, NoReply
from statelab.live import LiveWorld

REPEATS = 5


class Slow(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        if request.path == "/slow":
            await self.sleep(60)
        return self.count


class Asker(Node):
    """Asks web as often as it is told; answers with how many seconds each took."""

    async def handle(self, request):
        took = []
        for _ in range(request.body):
            begun = self.now()
            await self.call("web", "/")
            took.append(self.now() - begun)
        return took


def lines() -> list[Line]:
    """Start, kill, restart, and a request through the relay of a link."""
    up_ms = [_five_up_ms() for _ in range(REPEATS)]
    with LiveWorld() as world:
        world.start("web", Slow)
        seen_ms, back_ms = zip(*(_kill_and_restart_ms(world) for _ in range(REPEATS)), strict=True)
    direct_ms, proxied_ms, first_ms = _through_the_proxy_ms()
    return [
        at_most("five live nodes, from nothing to answered", statistics.median(up_ms), 300, "ms"),
        at_most("SIGKILL to its client's error", statistics.median(seen_ms), 20, "ms"),
        Line("restart on the same port, to answered", f"{statistics.median(back_ms):.3g} ms"),
        Line("a request through the link proxy", f"{proxied_ms / direct_ms:.2f} × a direct one"),
        Line("the first fault of a world's links", f"{first_ms:.3g} ms"),
    ]


def _five_up_ms() -> float:
    start = time.perf_counter()
    with LiveWorld() as world:
        for number in range(5):
            world.start(f"node{number}", Slow)
        for number in range(5):
            world.call(f"node{number}")
        return (time.perf_counter() - start) * 1000


def _kill_and_restart_ms(world: LiveWorld) -> tuple[float, float]:
    alice = world.client("alice")
    alice.get("web", "/")
    pending = alice.get("web", "/slow", timeout=None, wait=False)
    while world.call("web", "/").body < 3:  # the slow one is in the handler's hands
        pass
    killed = []

    def kill() -> None:
        killed.append(time.perf_counter())
        world.kill("web")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        pending.result()
    except NoReply:
        seen = time.perf_counter()
    killer.join()
    start = time.perf_counter()
    world.restart("web")
    world.call("web", "/")
    return (seen - killed[0]) * 1000, (time.perf_counter() - start) * 1000


def _through_the_proxy_ms() -> tuple[float, float, float]:
    """A request by node to node, direct and through the link proxy, and the first fault."""
    with LiveWorld(memory=False) as world:
        world.start("web", Slow)
        world.start("asker", Asker)

        def median_ms() -> float:
            return statistics.median(world.call("asker", body=500, timeout=60).body) * 1000

        median_ms()
        direct_ms = median_ms()
        start = time.perf_counter()
        world.hold("asker", "web")
        first_ms = (time.perf_counter() - start) * 1000
        world.release("asker", "web")
        return direct_ms, median_ms(), first_ms
