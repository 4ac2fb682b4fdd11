"""`python -m statelab [FOLDER]`: copies the lessons that came with it, and opens JupyterLab."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
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
    """Copies the lessons there; what is there already stays as it is. Raises OSError.

    Each comes whole or not at all: half a lesson would be kept as if a learner had written it.
    """
    for name, path in lessons().items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            new = target.with_name(f"{target.name}.{os.getpid()}")  # two may copy at once
            try:
                shutil.copyfile(path, new)
                os.replace(new, target)
            finally:
                new.unlink(missing_ok=True)


def open_lessons(arguments: list[str]) -> int:
    """Opens JupyterLab on the lessons in a folder of the learner's; returns when it has ended."""
    parser = argparse.ArgumentParser("python -m statelab", description=__doc__.partition(": ")[2])
    parser.add_argument("folder", nargs="?", default="statelab-lessons", type=Path)
    folder = parser.parse_args(arguments).folder.absolute()
    sys.stdout.reconfigure(errors="backslashreplace")  # a folder may have any name
    if not lessons():
        print("This installation has no lessons: install statelab again, with pip.")
        return 1
    try:
        copy_lessons(folder)
    except OSError as wrong:
        print(f"The lessons cannot be copied to {folder} ({wrong.strerror}): name another folder.")
        return 1
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
