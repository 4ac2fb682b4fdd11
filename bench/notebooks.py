"""How long nbval takes for each notebook, its kernel's start included, and for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.table import Line, at_most

FOLDER = Path(__file__).parents[1] / "notebooks"
MOST_S = {"07": 15, "08": 15, "09": 15}  # with real engines; the others 10


def lines() -> list[Line]:
    """Seconds for each notebook, and in all."""
    table, total_s = [], 0.0
    for path in sorted(FOLDER.glob("[0-9]*.ipynb")):
        start, cpu_start = time.perf_counter(), _cpu_of_children_s()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
            cwd=FOLDER.parent,
            env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
            capture_output=True,
        )
        seconds = time.perf_counter() - start
        total_s += seconds
        line = at_most(f"nbval of {path.stem}", seconds, MOST_S.get(path.stem[:2], 10), "s")
        line = line._replace(figure=f"{line.figure} (cpu {_cpu_of_children_s() - cpu_start:.1f})")
        if run.returncode:
            line = line._replace(figure=f"{line.figure}, FAILED", kept=False)
        table.append(line)
    return [*table, Line("nbval of all of them, one after another", f"{total_s:.3g} s")]


def _cpu_of_children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
