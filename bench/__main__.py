"""`python3 -m bench [part ...]`: everything measured, in one table, in about a minute."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time

from bench.table import show

PARTS = {
    "sidebyside": "Against simpy: the same work, in turns",
    "startup": "Start",
    "sweep": "A sweep: many seeds of a lesson",
    "live": "The live world",
    "click": "A click on kill, to the page",
    "panel": "The panel on a long run",
}


def main() -> None:
    """Measures the parts named, or all, and prints each as it is done."""
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        sys.exit(f"no part is named {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {_load()}")
    start = time.perf_counter()
    for name in sys.argv[1:] or PARTS:
        show(PARTS[name], importlib.import_module(f"bench.{name}").lines())
    print(f"\n{time.perf_counter() - start:.0f} s")


def _load() -> str:
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    load = os.getloadavg()[0]
    warning = ": too busy for the figures in ms and s; the ratios hold" if load > 1 else ""
    return f"load {load:.1f}{warning}"


main()
