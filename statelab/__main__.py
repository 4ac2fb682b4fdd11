"""`python -m statelab [FOLDER]`: copies the lessons that came with it, and opens JupyterLab."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

FIRST = "00_start_here.ipynb"
_MARK = "share/statelab/lessons/"


def lessons() -> dict[str, Path]:
    """The lessons and their pictures: {path within their folder: where it was installed}."""
    here = Path(__file__).parents[1] / "notebooks"
    if (here / FIRST).exists():  # a checkout
        return {path.relative_to(here).as_posix(): path for path in here.rglob("*.*")}
    files = importlib.metadata.files("statelab") or []
    parts = ((path.as_posix().partition(_MARK)[2], path.locate()) for path in files)
    return {name: Path(str(path)) for name, path in parts if name}


def copy_lessons(folder: Path) -> None:
    """Copies the lessons there; what is there already stays as it is."""
    for name, path in lessons().items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def open_lessons(arguments: list[str]) -> int:
    """Opens JupyterLab on the lessons in a folder of the learner's; returns when it has ended."""
    folder = Path(arguments[0] if arguments else "statelab-lessons").absolute()
    if not lessons():
        print("This installation has no lessons: install statelab again, with pip.")
        return 1
    copy_lessons(folder)
    print(f"The lessons are in {folder}; Ctrl-C here ends JupyterLab.", flush=True)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    # Its question about news would be the first thing that a learner sees.
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}", "--LabApp.news_url=None"]
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(open_lessons(sys.argv[1:]))
