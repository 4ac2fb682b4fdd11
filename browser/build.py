"""Makes the static site: JupyterLite, a Python for browsers, the lessons, and what they import.

Rules of this file:

1. Nothing of the site is asked for elsewhere: what a page needs lies beside it.
2. Versions are pinned: Pyodide's here, of its packages by its own lock, of others by ours.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import lessons
import pages

ROOT = Path(__file__).resolve().parents[1]
PYODIDE = "314.0.7"
PYTHON = "3.14"  # which that Pyodide is
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
# Of Pyodide's own packages: what the kernel needs, and the lessons.
THEIRS = ("micropip", "ipython", "jedi", "cloudpickle", "typing-extensions")
# Pure Python, in the version that requirements.lock names, and what each needs of the others.
OURS = {
    "comm": [],
    "psygnal": [],
    "pyjwt": [],
    "ipywidgets": ["comm", "ipython"],
    "anywidget": ["ipywidgets", "psygnal", "typing-extensions"],
}
IMPORTS = {"pyjwt": "jwt"}  # where it is not the name
STATELAB = ["anywidget", "cloudpickle", "pyjwt"]


class Trouble(Exception):
    """Something that whoever makes the site can mend; its text says how."""


def build(folder: Path) -> None:
    """Makes the site in `folder`, which is new or empty. Raises Trouble."""
    with tempfile.TemporaryDirectory(prefix="statelab-site-") as place:
        work = Path(place)
        pyodide = fetch_pyodide(work)
        add_packages(pyodide, wheel_of_ours(work))
        lessons.write(ROOT / "notebooks", work / "contents")
        lessons.write(ROOT / "notebooks" / "ko", work / "contents" / "ko", "ko")
        site = make_lite(work)
        pages.write(ROOT / "notebooks", site / "read")
        pages.write(ROOT / "notebooks" / "ko", site / "read" / "ko", "ko")
        shutil.move(pyodide, site / "static" / "pyodide")
        shutil.copytree(site, folder, dirs_exist_ok=True)  # last: it is there as a whole, or not


# ------------------------------------------------------------------------------- Python
def fetch_pyodide(work: Path) -> Path:
    """The folder with Pyodide's core, from npm."""
    run("Pyodide could not be had from npm", "npm", "pack", f"pyodide@{PYODIDE}", cwd=work)
    with tarfile.open(work / f"pyodide-{PYODIDE}.tgz") as packed:
        # Debian 12's Python is older than the filters; where there are some, they are asked.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(work / "npm")
    package = work / "npm" / "package"
    for name in ("*.map", "*.d.ts", "*.html", "*.md"):
        for path in package.glob(name):
            path.unlink()
    return package


def wheel_of_ours(work: Path) -> Path:
    """This checkout as a wheel, made of a copy: building leaves files behind."""
    copy = work / "copy"
    copy.mkdir()
    shutil.copytree(
        ROOT / "statelab", copy / "statelab", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE_text.md"):
        shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    run("statelab's own wheel could not be made", *pip, "-w", work, copy)
    return next(work.glob("statelab-*.whl"))


def add_packages(pyodide: Path, ours: Path) -> None:
    """Puts wheels beside Pyodide, and into its lock, which then names no others."""
    path = pyodide / "pyodide-lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    theirs = closure(lock["packages"], THEIRS)
    pins = [f"{name}=={package['version']}" for name, package in theirs.items() if pure(package)]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    pip += ["--python-version", PYTHON, "--implementation", "py", "--abi", "none"]
    pip += ["--platform", "any", "-d", pyodide]
    run("Wheels could not be had", *pip, *pins, *pinned(OURS))
    shutil.copy(ours, pyodide)
    here = Path(__file__).parent
    command = ["node", here / "bytecode.mjs", pyodide, here / "bytecode.py"]
    run("What the browser imports could not be compiled", *command)
    packages = {name: package for name, package in theirs.items() if pure(package)}
    needs = {**OURS, "statelab": STATELAB}
    for name, depends in needs.items():
        packages[name] = {**packages["micropip"], "name": name, "depends": depends,
                          "imports": [IMPORTS.get(name, name)]}  # fmt: skip
    for name, package in packages.items():
        wheel = next(pyodide.glob(f"{name.replace('-', '_')}-*.whl"))
        package["file_name"], package["version"] = wheel.name, wheel.name.split("-")[1]
        package["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
        package["depends"] = [other for other in package["depends"] if key(other) in packages]
    path.write_text(json.dumps({**lock, "packages": packages}), encoding="utf-8")


def closure(packages: dict[str, Any], names: Any) -> dict[str, Any]:
    """These of Pyodide's packages, and all that they need."""
    found: dict[str, Any] = {}
    left = list(names)
    while left:
        name = key(left.pop())
        if name not in found:
            found[name] = dict(packages[name])
            left += packages[name]["depends"]
    return dict(sorted(found.items()))


def key(name: str) -> str:
    """A package's name as the lock has it."""
    return name.lower().replace("_", "-")


def pure(package: dict[str, Any]) -> bool:
    """Whether PyPI has it, as pure Python."""
    return package["file_name"].endswith("-none-any.whl") and package["name"] != "pydoc_data"


def pinned(names: Any) -> list[str]:
    """The lines of requirements.lock for these packages."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = {line.split("==")[0]: line for line in lines if "==" in line}
    return [found[name] for name in names]


# ------------------------------------------------------------------------------- JupyterLite
def settings() -> dict[str, Any]:
    """JupyterLite's settings: where its Python lies, and that nothing is asked for elsewhere."""
    kernel = {
        "pyodideUrl": "./static/pyodide/pyodide.mjs",
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"packages": ["statelab", *THEIRS]},
    }
    return {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {
            "appName": "statelab",
            "exposeAppInBrowser": "true",
            "litePluginSettings": {KERNEL: kernel},
        },
    }


def make_lite(work: Path) -> Path:
    """JupyterLite's own files, with the lessons and this environment's widgets, in a folder."""
    lite, site = work / "lite", work / "site"
    lite.mkdir()
    (lite / "jupyter-lite.json").write_text(json.dumps(settings()), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", lite]
    command += ["--contents", work / "contents", "--output-dir", site, "--apps", "lab"]
    command += ["--no-sourcemaps", "--no-unused-shared-packages"]
    run("JupyterLite could not be built", *command, cwd=lite)
    return site


def run(failure: str, *command: Any, **options: Any) -> None:
    """Runs a command; raises Trouble, with what it said last, if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode:
        raise Trouble(f"{failure}:\n{done.stdout[-2000:]}\nMend that, then run this again.")


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]))
    except Trouble as trouble:
        sys.exit(str(trouble))
