"""Builds Binder's image without Docker, and runs all lessons in it: `python3 lab.py binder`.

Rules of this file:

1. What Binder reads is in binder/, and nothing of it is repeated here: apt.txt, requirements.txt,
   postBuild. Binder's own base is another (its own Python, from conda); its packages are these.
2. A learner there is user 1000 and has one core and 2 GB: so the lessons run here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE, IMAGE = "statelab-base", "statelab-binder"
HOME, VENV = "/home/jovyan", "/srv/venv"
HOSTS = Path("/etc/ssl/certs/ca-certificates.crt")
PYTHON = (f"{VENV}/bin/python", "-c")
DEBIAN = "bookworm"
MEMORY_BYTES = 2 << 30
# As repo2docker puts beside a repository's own.
THEIRS = ["jupyterhub==5.*", "nbgitpuller", "jupyter-resource-usage==1.*", "jupyter_server==2.*"]
# One after the other, each in a kernel of its own, as "Run all" does it.
RUN = """
import sys, time
import nbformat
from nbclient import NotebookClient
from pathlib import Path
for path in sorted(Path("notebooks").glob("[0-9]*.ipynb")):
    began = time.monotonic()
    NotebookClient(nbformat.read(path, as_version=4), timeout=300, kernel_name="python3",
                   resources={"metadata": {"path": "notebooks"}}).execute()
    print(f"{path.stem}: every cell without an error, {time.monotonic() - began:.0f} s", flush=True)
"""
FIRST_PAGE = """
import subprocess, sys, time, urllib.request
began = time.monotonic()
server = subprocess.Popen(["jupyter", "lab", "--no-browser", "--ip=127.0.0.1",
    "--ServerApp.port=8899", "--IdentityProvider.token=x"], stderr=subprocess.DEVNULL)
try:
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:8899/lab?token=x").close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() - began < 120
            time.sleep(0.1)
    print(f"JupyterLab's page after {time.monotonic() - began:.1f} s")
finally:
    server.terminate()
    server.wait()
"""


def build() -> None:
    """Builds the image; its base, a bare Debian, is kept for the next time."""
    if not buildah("images", "-q", "--filter", f"reference={BASE}"):
        with (
            tempfile.TemporaryDirectory(prefix="statelab-base-") as root,
            container("scratch") as made,
        ):
            packages = "--include=ca-certificates,git,python3,python3-venv"
            subprocess.run(
                ["debootstrap", "--variant=minbase", packages, DEBIAN, root],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            buildah("add", "-q", made, root, "/")
            buildah("commit", "-q", made, BASE)
    with container(BASE) as made, tempfile.TemporaryDirectory(prefix="statelab-") as place:
        copy = Path(place, "copy")
        ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        buildah("add", "-q", made, str(copy), HOME)
        packages = (ROOT / "binder" / "apt.txt").read_text("utf-8").split()
        debian = f"apt-get -qq install -y --no-install-recommends {' '.join(packages)} >/dev/null"
        for script in (
            f"apt-get -qq update && {debian}",
            f"useradd -u 1000 -d {HOME} jovyan && chown -R jovyan {HOME}",
            f"python3 -m venv {VENV} && pip install -q uv",
            f"uv pip install -q --no-cache -p {VENV} {' '.join(THEIRS)}",
            f"cd {HOME} && uv pip install -q --no-cache -p {VENV} -r binder/requirements.txt",
            f"cd {HOME} && PYTHONPATH=. bash binder/postBuild && chown -R jovyan {HOME}",
        ):
            inside(made, "sh", "-ec", script)
        buildah("commit", "-q", made, IMAGE)


def try_it() -> int:
    """Does what a learner does there, bounded as there; 0 if all cells of all lessons ran."""
    with container(IMAGE) as made:
        root = Path(buildah("mount", made))
        files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"image: {sum(path.stat().st_size for path in files) / 1e9:.2f} GB", flush=True)
        with bounded() as bound:
            for program in (FIRST_PAGE, RUN):
                done = inside(
                    made, *PYTHON, program, user="1000", bound=[*bound, "taskset", "-c", "0"]
                )
                if done:
                    return done
    return 0


def buildah(*arguments: str) -> str:
    """What a buildah command prints; CalledProcessError if it fails."""
    done = subprocess.run(["buildah", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def inside(made: str, *command: str, user: str = "0", bound: Sequence[str] = ()) -> int:
    """Runs a command in a container; returns its exit code. Raises if it is root's and fails."""
    path = f"{VENV}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    options = ["--isolation", "chroot", "--user", user, "--workingdir", HOME]
    options += ["--env", f"PATH={path}", "--env", f"HOME={HOME if user != '0' else '/root'}"]
    options += ["--env", "DEBIAN_FRONTEND=noninteractive"]
    if HOSTS.exists():  # the host may be behind a proxy that has a certificate of its own
        options += ["--volume", f"{HOSTS}:/run/hosts.crt:ro"]
        options += [f"--env={name}=/run/hosts.crt" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    done = subprocess.run([*bound, "buildah", "run", *options, made, "--", *command])
    if user == "0":
        done.check_returncode()
    return done.returncode


@contextlib.contextmanager
def container(image: str) -> Iterator[str]:
    """A container of an image, removed at the end."""
    made = buildah("from", image)
    try:
        yield made
    finally:
        buildah("rm", made)


@contextlib.contextmanager
def bounded() -> Iterator[list[str]]:
    """The beginning of a command that then has no more than the memory of a learner there."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    parent, limit = (old, "memory.limit_in_bytes") if old.exists() else (new, "memory.max")
    group = parent / f"statelab-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(MEMORY_BYTES))
    except OSError as wrong:
        print(f"memory is not bounded here: {wrong}", flush=True)
        yield []
        return
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        peak = group / ("memory.max_usage_in_bytes" if old.exists() else "memory.peak")
        if peak.exists():
            print(f"memory at most: {int(peak.read_text()) / 1e6:.0f} MB", flush=True)
    finally:
        group.rmdir()


if __name__ == "__main__":
    absent = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    if absent or os.geteuid() != 0:
        sys.exit(
            f"To build Binder's image one must be root, and {' and '.join(absent or ['all'])} must "
            "be there (on Debian and Ubuntu: sudo apt install buildah debootstrap). Nothing was "
            "built."
        )
    began = time.monotonic()
    build()
    print(f"built in {time.monotonic() - began:.0f} s", flush=True)
    sys.exit(try_it())
