"""Real engines: how soon each is up, the memory it takes, and how soon a copy takes over."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import psutil
import psycopg
import redis

from bench.table import Line, at_most
from statelab.engines import ENGINES, Postgres, Redis, ZooKeeper, zookeeper
from statelab.live import LiveWorld

REPEATS = 5
NAMES = ("zk-1", "zk-2", "zk-3")


def lines() -> list[Line]:
    """Start, memory and restart of each engine that is here; then what their copies do."""
    table = []
    for name, engine in ENGINES.items():
        if why := engine.missing():
            table.append(Line(name, why[:60]))
        else:
            table += _one(name)
    if not Redis.missing():
        copied_ms = [_redis_copied_ms() for _ in range(REPEATS)]
        table.append(Line("redis: a replica, from its start to its first write",
                          f"{statistics.median(copied_ms):.3g} ms"))  # fmt: skip
    if not Postgres.missing():
        pair_s, promoted_s = zip(*(_pair() for _ in range(REPEATS)), strict=True)
        table.append(at_most("postgres: a pair, from nothing to streaming",
                             statistics.median(pair_s), 3, "s"))  # fmt: skip
        table.append(Line("postgres: primary killed to standby promoted and written",
                          f"{statistics.median(promoted_s) * 1000:.3g} ms"))  # fmt: skip
    if not ZooKeeper.missing():
        up_s, written_s = zip(*(_ensemble() for _ in range(3)), strict=True)
        table.append(Line("zookeeper: three, one after another, to a leader",
                          f"{statistics.median(up_s):.3g} s"))  # fmt: skip
        table.append(at_most("zookeeper: leader killed to next write, the worst of 3",
                             max(written_s), 2, "s"))  # fmt: skip
    return table


def _one(name: str) -> Iterator[Line]:
    start_ms, restart_ms, memory_mb = [], [], []
    for _ in range(REPEATS):
        with LiveWorld() as world:
            world.run(0.3)  # until the warden is there
            start_ms.append(_ms(lambda: world.start(name, ENGINES[name])))
            server = psutil.Process(world.pid(name))
            tree = [server, *server.children(recursive=True)]
            memory_mb.append(sum(process.memory_full_info().pss for process in tree) / 2**20)
            world.kill(name)
            restart_ms.append(_ms(lambda: world.restart(name)))
    yield Line(f"{name}: start, from nothing", f"{statistics.median(start_ms):.3g} ms")
    yield Line(f"{name}: restart after a kill", f"{statistics.median(restart_ms):.3g} ms")
    yield Line(f"{name}: memory, shared parts divided", f"{statistics.median(memory_mb):.3g} MB")


def _ms(verb) -> float:
    begun = time.perf_counter()
    verb()
    return (time.perf_counter() - begun) * 1000


def _redis_copied_ms() -> float:
    with LiveWorld() as world:
        world.start("redis", Redis)
        with redis.Redis.from_url(world.address("redis")) as client:
            begun = time.perf_counter()
            world.start("copy", Redis, replica_of="redis")
            client.set("key", "value")
            client.wait(1, 20_000)
            return (time.perf_counter() - begun) * 1000


def _pair() -> tuple[float, float]:
    with LiveWorld() as world:
        world.run(0.3)
        begun = time.perf_counter()
        world.start("primary", Postgres)
        world.start("standby", Postgres, standby_of="primary")
        pair_s = time.perf_counter() - begun
        with psycopg.connect(world.address("standby"), autocommit=True) as standby:
            begun = time.perf_counter()
            world.kill("primary")
            standby.execute("SELECT pg_promote()")
            standby.execute("CREATE TABLE written (n int)")
            return pair_s, time.perf_counter() - begun


def _ensemble() -> tuple[float, float]:
    with LiveWorld() as world:
        begun = time.perf_counter()
        for name in NAMES:
            world.start(name, ZooKeeper, ensemble=NAMES)
        up_s = time.perf_counter() - begun
        client = zookeeper.client(",".join(map(world.address, NAMES)), timeout=4.0)
        client.start(timeout=30)
        try:
            client.create("/key", b"0")
            leader = next(name for name in NAMES if _leads(world.address(name)))
            begun = time.perf_counter()
            world.kill(leader)
            client.retry(client.set, "/key", b"1")
            return up_s, time.perf_counter() - begun
        finally:
            client.stop()
            client.close()


def _leads(address: str) -> bool:
    client = zookeeper.client(address)
    client.start(timeout=30)
    try:
        return "Mode: leader" in client.command(b"srvr")
    finally:
        client.stop()
        client.close()
