"""How long `import statelab` takes in a fresh interpreter, and what it brings along.

The very first import also compiles; that one is not counted, and its bytecode is kept in a folder
of the bench's own, whatever the environment says about writing it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from bench.table import Line, at_most

REPEATS = 11
UNWANTED = ("pandas", "matplotlib", "jwt", "ipywidgets", "IPython", "anywidget", "traitlets")


def lines() -> list[Line]:
    """Milliseconds beyond those of a bare interpreter; the unwanted modules that came along."""
    bare_ms, full_ms = [], []
    code = f"import statelab, sys; print(*[name for name in {UNWANTED} if name in sys.modules])"
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        came = _run(code, env).stdout.decode().strip()
        for _ in range(REPEATS):
            bare_ms.append(_milliseconds("pass", env))
            full_ms.append(_milliseconds("import statelab", env))
    extra_ms = statistics.median(full_ms) - statistics.median(bare_ms)
    return [
        at_most("import statelab, beyond python itself", extra_ms, 60, "ms"),
        Line("modules it should not import, and does", came or "none", "none", not came),
    ]


def _milliseconds(code: str, env: dict[str, str]) -> float:
    start = time.perf_counter()
    _run(code, env)
    return (time.perf_counter() - start) * 1000


def _run(code: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, env=env)
