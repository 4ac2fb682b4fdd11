"""Bad days: three servers, two shoppers, a lossy network, and kills, pauses and partitions.

A program as well as a module, so that a run can be made and made again in other processes, by
other Pythons: it needs nothing but the core. `bad_days.py make NODE COUNT` prints, for each seed, a
line of a run code and its digest; `bad_days.py replay` reads such lines and prints digests.
"""

import collections
import json
import random
import sys
import time

from statelab import Node, NoReply, Refused, Run, World, WrongState, scenario

SERVERS = ("web-1", "web-2", "store")
SHOPPERS = ("ann", "bob")
LINKS = [("ann", "web-1"), ("bob", "web-2"), ("web-1", "store"), ("web-2", "store")]


class Store(Node):
    """Counts on its disk; remembers in its memory, in a set, who has called."""

    def __init__(self):
        self.callers = set()

    async def handle(self, request):
        self.callers.add(f"{request.body['by']} from {request.peer[1]}")
        count = self.disk.get(request.path, 0) + 1
        await self.sleep(0.001 * self.random.random())
        self.disk[request.path] = count
        return {"count": count, "mark": self.mark()}

    def mark(self):
        return sorted(self.callers)[0]


class Clocked(Store):
    def mark(self):
        return time.time_ns()


class Ordered(Store):
    def mark(self):
        return next(iter(self.callers))


class Shared(Store):
    def mark(self):
        return random.random()


class Web(Node):
    """Asks the store, twice at a time, and remembers the answers."""

    def __init__(self):
        self.answers = {}
        self.failed = 0

    async def handle(self, request):
        asked = {"by": request.body["user"]}
        first, second = await self.gather(
            self.call("store", request.path, asked, timeout=0.05),
            self.call("store", "/all", asked, timeout=0.1),
        )
        self.answers[request.path] = first.body
        self.log(f"{request.path} is {second.body}")
        return [first.body, second.body]


class Shopper(Node):
    """Asks its server for this and that, again and again."""

    def __init__(self, web):
        self.web = web
        self.outcomes = []

    async def run(self):
        while True:
            path = self.random.choice(["/tea", "/rice", "/ink"])
            try:
                answer = await self.call(self.web, path, {"user": self.web}, timeout=0.08)
                self.outcomes.append(answer.status)
            except (Refused, NoReply) as failed:
                self.outcomes.append(type(failed).__name__)
            await self.sleep(self.random.uniform(0.01, 0.05))


@scenario
def shop(world, store=Store):
    world.start("store", store)
    for name, web in zip(SHOPPERS, SERVERS, strict=False):
        world.start(web, Web)
        world.start(name, Shopper, web)
    for a, b in LINKS:
        world.link(a, b, (0.001, 0.01), loss=0.05, duplicate=0.1)


def bad_day(world, random):
    """Eight inputs: faults of servers and links, and a client's requests, where they apply."""
    for _ in range(8):
        world.run(random.uniform(0, 0.1))
        server, link = random.choice(SERVERS), random.choice(LINKS)
        verb = random.choice(["kill", "pause", "partition", "hold", "lose_next", "post"])
        if verb == "post":
            world.client("cleo").post("web-1", "/tea", {"user": "cleo"}, wait=False)
        elif world.status(server) == "dead":
            world.restart(server)
        elif world.status(server) == "paused":
            world.resume(server)
        elif verb in ("kill", "pause"):
            getattr(world, verb)(server)
        else:
            on_link(world, verb, *link)
    world.run(random.uniform(0, 0.1))


def on_link(world, verb, *link):
    """A fault of a link, or the end of it if it has that fault."""
    try:
        getattr(world, verb)(*link)
    except WrongState:
        getattr(world, {"partition": "heal", "hold": "release"}[verb])(*link)


def run_of(seed, store=Store, *, memory=False):
    """The world of a seed, after its bad day."""
    world = World(seed, memory=memory)
    shop(world, store=store)
    bad_day(world, random.Random(f"{seed}:day"))
    return world


def make(store, count):
    """Prints a run code and a digest for each seed, then how often each kind of row was there."""
    kinds = collections.Counter()
    for seed in range(count):
        world = run_of(seed, store)
        run = Run.of(world)
        print(run.code(), run.digest)
        kinds.update(row.kind for row in world.trace.rows)
        received = [row.message for row in world.trace.rows if row.kind == "receive"]
        kinds["received twice"] += len(received) - len(set(received))
    print(json.dumps(kinds))


def replay(lines):
    """Prints the digest of each run, made again from its code alone, every other one watched."""
    for number, line in enumerate(lines):
        world = Run.parse(line).replay(shop, memory=number % 2 == 1, check=False)
        print(world.trace.digest())


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(globals()[sys.argv[2]], int(sys.argv[3]))
    else:
        replay(sys.stdin)
