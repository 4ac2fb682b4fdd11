"""The three workloads that statelab and simpy both run, and how statelab runs them.

Rules of this file and of simpy_peers.py:

1. Both sides do the same work: the same sleeps, the same messages, latencies from the same spread.
   Each run counts what it did, and the bench fails if the counts differ.
2. Each function builds a workload and returns it; only its moving on is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from statelab import Node, World

SLEEPERS, SLEEPS = 1_000, 80
PINGS = 25_000
CLIENTS, REQUESTS, SERVERS = 1_000, 20, 5
LATENCY_S = (0.001, 0.002)  # what a World has unless told otherwise
FOR_EVER_S = 1e6
SPAN_S = {
    "timers": 5.0,
    "ping_pong": PINGS * 0.003,
    "requests": REQUESTS * 0.065,
}  # most of it is done by then


class Built(NamedTuple):
    """A workload that is ready: `advance(s)` runs it to that virtual time; `done()` counts."""

    advance: Callable[[float], None]
    done: Callable[[], int]


def nap_s(who: int, turn: int) -> float:
    """A sleep between 10 and 107 ms, the same on both sides, and in no simple order."""
    return 0.010 + 0.001 * ((who * 31 + turn * 7919) % 97) + 0.000_001 * who


class Sleeper(Node):
    def __init__(self, who: int):
        self._who = who
        self.naps = 0

    async def run(self):
        for turn in range(SLEEPS):
            await self.sleep(nap_s(self._who, turn))
            self.naps += 1


class Ping(Node):
    def __init__(self):
        self.answers = 0

    async def run(self):
        for _ in range(PINGS):
            await self.call("pong", "/", {"user": "alice", "item": 17})
            self.answers += 1


class Pong(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return {"user": "alice", "item": 17}


class Visitor(Node):
    def __init__(self, who: int):
        self._who = who
        self.answers = 0

    async def run(self):
        for turn in range(REQUESTS):
            await self.sleep(nap_s(self._who, turn))
            await self.call("balancer", "/", {"user": "alice", "item": 17})
            self.answers += 1


class RoundRobin(Node):
    def __init__(self):
        self.next = 0

    async def handle(self, request):
        server = f"server{self.next}"
        self.next = (self.next + 1) % SERVERS
        return await self.call(
            server, request.path, request.body, method=request.method, via=request.peer
        )


def timers(world: World) -> Built:
    """Nodes that only sleep: counts the sleeps."""
    for who in range(SLEEPERS):
        world.start(f"sleeper{who}", Sleeper, who)
    return _counted(world, "sleeper", "naps", SLEEPERS)


def ping_pong(world: World) -> Built:
    """One node calls another: counts the answers."""
    world.start("pong", Pong)
    world.start("ping", Ping)
    return _counted(world, "ping", "answers", None)


def requests(world: World) -> Built:
    """Clients through a balancer to servers: counts the answers."""
    world.start("balancer", RoundRobin)
    for number in range(SERVERS):
        world.start(f"server{number}", Pong)
    for who in range(CLIENTS):
        world.start(f"client{who}", Visitor, who)
    return _counted(world, "client", "answers", CLIENTS)


def _counted(world: World, name: str, attribute: str, many: int | None) -> Built:
    names = [name] if many is None else [f"{name}{who}" for who in range(many)]

    def done() -> int:
        return sum(world._hosts[name].life.memory[attribute] for name in names)

    return Built(lambda until_s: world.run(until=until_s), done)


WORKLOADS = {"timers": timers, "ping_pong": ping_pong, "requests": requests}
