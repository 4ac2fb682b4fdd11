"""What an event costs when there are many, and the memory that nodes and events take.

Each figure is measured in a process of its own: `python -m bench.growth cost TURNS` or
`python -m bench.growth memory`.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc

from bench import workloads
from bench.table import Line, at_most
from statelab import World

CLIENTS = 100
WARM_S = 0.2  # by then every client has its connections
SIZES = {10_000: 12, 100_000: 117, 1_000_000: 1_170}  # events: requests of each client
REPEATS = {10_000: 9, 100_000: 3, 1_000_000: 1}
IDLE_NODES = 2_000


def lines() -> list[Line]:
    """Cost of an event at 10^4, 10^5 and 10^6 events, memory of a node and of an event."""
    cost_us: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(max(REPEATS.values())):
        for size, repeats in REPEATS.items():
            if turn % (max(REPEATS.values()) // repeats) == 0:
                cost_us[size].append(_child("cost", str(SIZES[size])))
    typical = {size: statistics.median(costs) for size, costs in cost_us.items()}
    node_bytes, event_bytes = _child("memory")
    texts = ", ".join(f"{cost:.2f}" for cost in typical.values())
    return [
        Line("an event (a row of the trace) at 10^4, 10^5, 10^6", f"{texts} µs"),
        at_most("an event at 10^6, times what it costs at 10^4", _growth(typical), 1.3, "×"),
        Line("memory of an idle node", f"{node_bytes:,.0f} bytes"),
        Line("memory of an event", f"{event_bytes:,.0f} bytes"),
    ]


def _growth(cost: dict[int, float]) -> float:
    return cost[max(cost)] / cost[min(cost)]


def _child(*args: str):
    command = [sys.executable, "-m", "bench.growth", *args]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def _cost_us(turns: int) -> float:
    workloads.CLIENTS, workloads.REQUESTS = CLIENTS, turns
    world = World(7)
    built = workloads.requests(world)
    built.advance(WARM_S)
    gc.collect()
    before, start = len(world.trace), time.process_time()
    built.advance(workloads.FOR_EVER_S)
    return (time.process_time() - start) / (len(world.trace) - before) * 1e6


def _memory() -> tuple[float, float]:
    tracemalloc.start()
    world = World(7)
    start = _held()
    for number in range(IDLE_NODES):
        world.start(f"node{number}", workloads.Pong)
    node_bytes = (_held() - start) / IDLE_NODES
    workloads.CLIENTS, workloads.REQUESTS = CLIENTS, 20
    world = World(7)
    built = workloads.requests(world)
    built.advance(WARM_S)
    before, start = len(world.trace), _held()
    built.advance(workloads.FOR_EVER_S)
    return node_bytes, (_held() - start) / (len(world.trace) - before)


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


if __name__ == "__main__":
    print(json.dumps(_memory() if sys.argv[1] == "memory" else _cost_us(int(sys.argv[2]))))
