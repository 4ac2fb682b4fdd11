#!/usr/bin/env python3
"""Makes statelab's environment in .venv; runs the lessons, the tests and the recorder in it."""

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

# This file must parse on Python 3.6, or who has an old Python reads a syntax error instead of the
# sentence in `check_python`.
OLDEST = (3, 11)
RECIPE = 1  # raise it when `Environment` makes something else than before: all are then remade
FIRST_LESSON = "00_start_here.ipynb"
ANSWERS = {"answer", "answer-server"}  # the tags of the cells that a class does not get

# JupyterLab's question about news would be the first thing that a learner sees.
JUPYTERLAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
}

# What takes long, and finds little that cheaper tests do not find, is for the soak.
FEW = ["-m", "not soak"]

USAGE = """
python3 lab.py               install what is missing, open JupyterLab on the first lesson
                             (--port N, --no-browser; --language ko opens the Korean lessons;
                             other options go to JupyterLab)
python3 lab.py test [...]    run the checks; with arguments: run pytest with them, such as -m soak,
                             which is what the checks leave out: every lesson in a browser, and more
python3 lab.py soak [...]    run all, and repeat what flakes could hide in, for hours; with files or
                             folders, such as notebooks, repeat these only (--rounds N)
python3 lab.py record [...]  run all notebooks, or those named, and store their outputs
python3 lab.py class FOLDER  copy the committed notebooks for a class: no answers, no outputs
                             (--language ko: the Korean ones)
python3 lab.py site FOLDER   make the browser edition, a static site (some 60 MB; npm is needed)
python3 lab.py binder        build Binder's image without Docker, run all lessons in it (as root)
python3 lab.py translate     update the catalogs in translation/, make the editions from them
"""


class Trouble(Exception):
    """Something the user can mend; its text is one sentence that says how."""


class Environment:
    """The virtual environment of one checkout, made again only when its stamp does not fit."""

    def __init__(self, root):
        windows = os.name == "nt"
        self.root = root
        self.folder = root / ".venv"
        self.stamp_file = self.folder / "statelab-stamp.json"
        self.bin = self.folder / ("Scripts" if windows else "bin")
        self.python = self.bin / ("python.exe" if windows else "python")

    def ensure(self, tools=False):
        """Make the environment fit the requirement files; with `tools`, the test tools too."""
        if not self.fits(tools):
            with open(str(self.root / "requirements.lock"), "rb") as file:
                wait_for_others(file)
                if not self.fits(tools):  # none of them has made it meanwhile
                    self.make(tools)

    def fits(self, tools):
        """Return whether the environment is finished, and as the requirement files say."""
        stamp = self.read_stamp()
        wanted = self.wanted_stamp(tools or stamp.get("tools", False))
        return stamp == wanted and self.python.exists()

    def make(self, tools):
        """Make the environment, or what it lacks."""
        stamp = self.read_stamp()
        wanted = self.wanted_stamp(tools or stamp.get("tools", False))
        fixed = ("python", "root", "recipe")
        if not self.python.exists() or any(stamp.get(key) != wanted[key] for key in fixed):
            self.create()
        # The stamp goes first and comes last: an interrupted installation is done again.
        self.write_stamp({})
        self.install(wanted["tools"])
        self.write_stamp(wanted)

    def wanted_stamp(self, tools):
        """Return what a finished environment's stamp says."""
        digest = hashlib.sha256()
        for name in ("requirements.txt", "requirements-test.txt", "requirements.lock"):
            digest.update((self.root / name).read_bytes() + b"\0")
        return {
            "python": "{}-{}.{}".format(sys.implementation.name, *sys.version_info[:2]),
            "root": str(self.root),  # scripts and paths inside do not survive a move
            "recipe": RECIPE,
            "requirements": digest.hexdigest(),
            "tools": tools,
        }

    def read_stamp(self):
        """Return the stamp, or {} when there is none or it is unfinished."""
        try:
            return json.loads(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def write_stamp(self, stamp):
        """Replace the stamp in one step."""
        fresh = self.stamp_file.with_suffix(".new")
        fresh.write_text(json.dumps(stamp), encoding="utf-8")
        os.replace(fresh, self.stamp_file)

    def create(self):
        """Make an empty environment, in place of an outdated or broken one of ours."""
        if not find_spec("venv") or not find_spec("ensurepip"):
            package = f"python3.{sys.version_info[1]}-venv"
            raise Trouble(
                "This Python cannot make virtual environments (its venv or ensurepip module is "
                f"missing): install it (on Debian and Ubuntu: sudo apt install {package}), then "
                "run this again."
            )
        if self.folder.exists():
            self.remove()
        say(f"making .venv with Python {sys.version.split()[0]} (some 5 seconds)")
        self.folder.mkdir()
        self.write_stamp({})  # from here on the folder is known as ours
        # The base interpreter, in case this one lives in the very folder that is made again.
        base = getattr(sys, "_base_executable", None) or sys.executable
        run_quietly([base, "-m", "venv", self.folder], "Making .venv failed", cwd=self.root)

    def remove(self):
        """Remove an environment that lab.py has made; refuse to touch another."""
        if not self.stamp_file.exists():
            raise Trouble(
                f"{self.folder} was not made by lab.py: move it away or delete it, then run this "
                "again."
            )
        say("removing the outdated .venv")
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise Trouble(
                f"The outdated {self.folder} cannot be removed ({error.strerror}): close what "
                "uses it, delete it, then run this again."
            ) from error

    def install(self, tools):
        """Install the requirements under the lock; let `import statelab` find this checkout."""
        what = "JupyterLab and the lessons' libraries" + (", and the test tools" if tools else "")
        say(f"installing {what} (once; some 500 MB)")
        wanted = ["-c", "requirements.lock", "-r", "requirements.txt"]
        wanted += ["-r", "requirements-test.txt"] if tools else []
        hint = "Installing failed (is there a network connection, and room on the disk?)"
        self.bring(wanted, hint, self.python)

        scheme = {"base": str(self.folder), "platbase": str(self.folder)}
        site_packages = Path(sysconfig.get_path("purelib", "venv", scheme))
        # Code in ASCII, not a bare path, whose decoding depends on Python's version and locale.
        line = f"import sys; sys.path.append({str(self.root)!a})\n"
        (site_packages / "statelab.pth").write_text(line, encoding="ascii")

        settings = self.folder / "share" / "jupyter" / "lab" / "settings"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "overrides.json").write_text(json.dumps(JUPYTERLAB_SETTINGS), encoding="utf-8")

        say("preparing fonts (some 5 seconds)")
        # matplotlib's first import makes a font cache and says so: not in a learner's first cell.
        prepare = [self.python, "-c", "import matplotlib.font_manager"]
        run_quietly(prepare, "matplotlib does not start", cwd=self.root, env=self.variables())

    def bring(self, wanted, hint, python):
        """Install what is wanted where that Python is: this environment's, or another's."""
        if not (self.may_use_uv() and self.install_with_uv(wanted, hint, python)):
            run_quietly(self.pip(python, *wanted), hint, cwd=self.root, progress=True)

    def pip(self, python, *arguments):
        """Return the command by which pip installs something where that Python is."""
        return [python, "-m", "pip", "install", "--disable-pip-version-check", *arguments]

    def install_with_uv(self, wanted, hint, python):
        """Let uv install what is wanted, after itself; return whether it could."""
        own = self.pip(self.python, "-c", "requirements.lock", "uv")
        uv = [self.bin / "uv", "pip", "install", "--python", python, *wanted]
        try:
            run_quietly(own, hint, cwd=self.root)
            run_quietly(uv, hint, cwd=self.root, env=self.variables(), progress=True)
        except Trouble:
            say("uv could not install them; pip tries, which takes some minutes")
            return False
        return True

    def may_use_uv(self):
        """Return whether uv, ten times as fast, finds what pip does: it reads no pip's settings."""
        settings = subprocess.run(
            [str(self.python), "-m", "pip", "config", "list"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout.decode("utf-8", "replace")  # fmt: skip
        elsewhere = re.search(r"^\S+\.(index-url|no-index|proxy)=", settings, re.MULTILINE)
        return not elsewhere or any(name.startswith("UV_") for name in os.environ)

    def variables(self, alone=False):
        """Return the variables for what runs inside.

        `alone` also keeps the user's JupyterLab settings out: right for tests, not for lessons.
        """
        variables = dict(os.environ)
        # The last one, which images for containers like to set, would have each of the many
        # processes compile this package anew, which takes longer than all else at their start.
        for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE"):
            variables.pop(name, None)
        variables["VIRTUAL_ENV"] = str(self.folder)
        variables["PATH"] = os.pathsep.join([str(self.bin), variables.get("PATH", os.defpath)])
        # Not another kernel called python3, a start-up file or a style sheet that the user has.
        variables["JUPYTER_PREFER_ENV_PATH"] = "1"
        variables["IPYTHONDIR"] = str(self.folder / "ipython")
        variables["MPLCONFIGDIR"] = str(self.folder / "matplotlib")
        jupyter = self.folder / "jupyter"
        homeless = not os.access(os.path.expanduser("~"), os.W_OK)
        if alone or homeless:
            variables["JUPYTER_CONFIG_DIR"] = str(jupyter)
            variables["JUPYTERLAB_SETTINGS_DIR"] = str(jupyter / "settings")
            variables["JUPYTERLAB_WORKSPACES_DIR"] = str(jupyter / "workspaces")
        if homeless:
            variables["JUPYTER_DATA_DIR"] = variables["JUPYTER_RUNTIME_DIR"] = str(jupyter)
            variables["UV_NO_CACHE"] = "1"
        return variables

    def run(self, *arguments, alone=False, extra=None):
        """Run this environment's Python in the project's folder; return its exit code."""
        variables = {**self.variables(alone), **(extra or {})}
        return run([self.python, *arguments], cwd=self.root, env=variables)


def say(text):
    """Print one line of progress, at once."""
    print(f"statelab: {text}", flush=True)


def wait_for_others(file):
    """Wait until no other lab.py has this open file, which then is ours until it is closed."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another lab.py is making .venv: waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        pass  # on Windows, and on some network folders, there is no such lock


def run(command, **options):
    """Run a command to its end and return its exit code; never leave it behind."""
    process = subprocess.Popen([str(part) for part in command], **options)
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the terminal has sent it to the child too, which ends in its own way
    finally:
        end(process)


FETCHED = re.compile(r"\s*(?:Collecting|Downloading) (\S+).*?(?:\(([\d.]+) ?([kMG])i?B\))?$")


class Count:
    """How many packages and megabytes an installer has fetched, by what it prints."""

    def __init__(self):
        self.names, self.megabytes = set(), 0.0

    def read(self, line):
        """Take up a line; return what to show, or None if it says nothing of this."""
        found = FETCHED.match(line.rstrip())
        if not found:
            return None
        name, size, unit = found.groups()
        self.names.add(re.split(r"-\d|[=<>!~;\[]", name.lower().replace("_", "-"))[0])
        self.megabytes += float(size or 0) * {"k": 0.001, "M": 1, "G": 1000, None: 0}[unit]
        return f"{len(self.names)} packages, {self.megabytes:.0f} MB"


def run_quietly(command, failure, progress=False, **options):
    """Run a command, showing only its `progress` in one line; Trouble if it fails."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    text = {"encoding": "utf-8", "errors": "replace"}
    process = subprocess.Popen([str(part) for part in command], **pipes, **text, **options)
    lines, count = [], Count()
    try:
        for line in process.stdout:
            lines.append(line)
            shown = count.read(line) if progress and sys.stdout.isatty() else None
            if shown:
                print(f"\r  {shown:40}", end="", flush=True)
        process.wait()
    finally:
        end(process)
        process.stdout.close()
        if progress and count.names:
            print()
    if process.returncode:
        sys.stderr.write("".join(lines[-15:]))
        raise Trouble(f"{failure}: mend what the lines above say, then run this again.")


def end(process):
    """End a child that still runs."""
    if process.poll() is None:
        process.terminate()
        process.wait()


def check_python(version=sys.version_info, which=shutil.which):
    """Raise Trouble on a Python that is too old, naming a newer one if it is here."""
    if version >= OLDEST:
        return
    newer = [
        name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if which(name)
    ]
    advice = f"run it with {newer[0]}" if newer else "install a newer one, and run it with that"
    needed, found = "{}.{}".format(*OLDEST), "{}.{}".format(*version[:2])
    raise Trouble(f"statelab needs Python {needed} or newer and this is {found}: {advice}.")


def check_port(port):
    """Raise Trouble unless the port is free on this machine."""
    with socket.socket() as probe:
        if os.name == "posix":  # elsewhere this option lets a port have two owners
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Trouble(
                f"Port {port} cannot be used ({reason}): choose another, or leave --port out and "
                "JupyterLab finds a free one."
            ) from error


def lessons_in(root, language):
    """Return the folder of the lessons in a language, English without one; Trouble if none is."""
    folder = root / "notebooks" / (language or "")
    if language == "en":
        folder = root / "notebooks"
    if not (folder / FIRST_LESSON).exists():
        there = sorted(path.parent.name for path in root.glob(f"notebooks/*/{FIRST_LESSON}"))
        raise Trouble(
            f"There are no lessons in {language!r}: choose one of {', '.join(['en', *there])}."
        )
    return folder


def open_lessons(environment, port, browser, options, language=None):
    """Open JupyterLab on the first lesson; return when it has ended."""
    first = (lessons_in(environment.root, language) / FIRST_LESSON).relative_to(environment.root)
    command = ["-m", "jupyterlab", f"--ServerApp.root_dir={environment.root}"]
    command += [f"--LabApp.default_url=/lab/tree/{first.as_posix()}"]
    command += ["--ServerApp.answer_yes=True"]  # one Ctrl-C ends it, without a question
    if port is not None:
        check_port(port)
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command += ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]
    environment.ensure()
    say("opening JupyterLab (some seconds); Ctrl-C here ends it")
    code = environment.run(*command, *options)
    return 0 if code in (-signal.SIGINT, 128 + signal.SIGINT) else code  # Ctrl-C is how it ends


def test(environment, arguments):
    """Run the checks, or pytest with the arguments; return 0 only if all passed."""
    environment.ensure(tools=True)
    if arguments:
        return environment.run("-m", "pytest", *arguments, alone=True)
    checks = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["pytest", "-n", "3", *FEW],
    )
    codes = [environment.run("-m", *check, alone=True) for check in checks]
    return max(abs(code) for code in codes)


def soak(environment, rounds, paths):
    """Repeat what flakes could hide in, a line for each round; return 0 only if none failed.

    With `paths`, only what is in these.
    """
    environment.ensure(tools=True)
    deep = {"STATELAB_DRAWS": "soak", "STATELAB_SEEDS": "10000", "STATELAB_KERNEL_KILLS": "100"}
    seeds = ("10,000 seeds and 100 kernel kills", ["tests", "-m", "not browser and not fuzz"], deep)
    fuzz = ("10,000 hostile inputs of a kind", ["tests", "-m", "fuzz"], {"STATELAB_DRAWS": "fuzz"})
    rest = ("what the tests leave out, such as every lesson in a browser", ["-m", "soak"], {})
    jobs = [] if paths else [seeds, fuzz, rest]
    jobs += [(f"round {n} of {rounds}", paths or FEW, {}) for n in range(1, rounds + 1)]
    failed = 0
    if not paths:  # its figures are nobody's verdict; but it must run
        failed = int(environment.run("-m", "bench", alone=True) != 0)
        say(f"soak: the bench: {'FAILED' if failed else 'passed'}")
    if not paths and shutil.which("buildah") and shutil.which("debootstrap"):
        code = environment.run("binder/build.py")
        failed += code != 0
        say(f"soak: every lesson in Binder's image: {'FAILED' if code else 'passed'}")
    for name, arguments, extra in jobs:
        began = time.monotonic()
        pytest = ["-m", "pytest", "-n", "2", "-q", *arguments]
        code = environment.run(*pytest, alone=True, extra=extra)
        failed += code != 0
        seconds = time.monotonic() - began
        verdict = "FAILED" if code else "passed"
        say(f"soak: {name}: {verdict} after {seconds:.0f} s; failed so far: {failed}")
    return 1 if failed else 0


def record(environment, notebooks):
    """Run notebooks in clean kernels and store their outputs: of all, or of none if one fails."""
    paths = [Path(path).resolve() for path in notebooks]
    for path in paths:
        if not path.is_file():
            raise Trouble(f"There is no notebook {path}: name one that exists, or none for all.")
    paths = paths or sorted((environment.root / "notebooks").glob("*.ipynb"))
    if not paths:
        raise Trouble("notebooks/ holds no notebook yet: name one that lies elsewhere.")
    environment.ensure(tools=True)
    return environment.run(environment.root / "tests" / "helpers" / "record.py", *paths, alone=True)


def make_new(folder):
    """Make a folder, now and not after a minute's work; Trouble unless it is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Trouble(f"{folder} is there and not empty: name a folder that is new or empty.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(
            f"{folder} cannot be made ({error.strerror}): name a folder that can be."
        ) from error


def make_site(environment, folder):
    """Make the browser edition in a new or empty folder, with tools of its own."""
    if not (shutil.which("npm") and shutil.which("node")):
        raise Trouble(
            "npm or node is missing, by which Python for browsers (Pyodide) comes: install "
            "Node.js with npm (on Debian and Ubuntu: sudo apt install npm), then run this again."
        )
    make_new(folder)
    environment.ensure()
    # Apart from the lessons' environment, whose JupyterLab would load JupyterLite's extensions.
    tools = environment.folder / "site"
    python = tools / environment.python.relative_to(environment.folder)
    say("making the browser edition (a minute)")
    if not python.exists():
        run_quietly([environment.python, "-m", "venv", tools], "Making its tools' room failed")
    wanted = ["-c", "requirements.lock", "-r", "browser/requirements.txt"]
    environment.bring(wanted, "Installing JupyterLite failed", python)
    code = run([python, "browser/build.py", folder], cwd=environment.root)
    if code == 0:
        say(f"the site is in {folder}; try it: python3 -m http.server -d {folder}")
    return code


def committed(root, folder):
    """Copy the notebooks there as they were last committed; False where no git can tell."""
    command = ["git", "-C", str(root), "archive", "--format=tar", "HEAD", "notebooks"]
    try:
        packed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    if packed.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        # As the documentation of tarfile advises: before 3.11.4 there is no such filter.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        archive.extractall(str(folder))
    return True


def for_class(notebook):
    """Return a notebook as a class gets it: no worked answers, no outputs, no way to either."""
    kept = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if not ANSWERS.isdisjoint(tags):
            continue
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        if "title" in tags:  # the badge leads to the whole lessons, and so does the other language
            lines = [line for line in cell["source"] if "binder.svg" not in line]
            cell["source"] = [re.sub(r"( · )?\[\S+\]\((ko|\.\.)/\S+\)", "", line) for line in lines]
        kept.append(cell)
    return {**notebook, "cells": kept}


def copy_for_class(root, folder, language=None):
    """Copy the committed notebooks and their pictures into a new or empty folder, for a class."""
    within = lessons_in(root, language).relative_to(root)
    make_new(folder)
    with tempfile.TemporaryDirectory() as place:
        found = committed(root, place)
        notebooks = (Path(place) if found else root) / within
        paths = sorted(notebooks.glob("*.ipynb"))
        try:
            shutil.copytree(str(notebooks / "pictures"), str(folder / "pictures"))
            for path in paths:
                notebook = for_class(json.loads(path.read_text(encoding="utf-8")))
                text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
                (folder / path.name).write_text(text, encoding="utf-8")
        except OSError as error:
            several = isinstance(error, shutil.Error)  # copytree tells of all files at once
            why = error.args[0][0][-1] if several else error.strerror
            raise Trouble(
                f"The copy cannot be written ({why}), and what is in {folder} is not whole: delete "
                "it, and name a folder on a disk with room."
            ) from error
    source = "as last committed" if found else "as they are here: no git tells what was committed"
    say(f"{len(paths)} notebooks without answers and outputs are in {folder} ({source})")
    return 0


def main(arguments, root):
    """Do what the command line asks for; return the exit code."""
    check_python()
    sys.stdout.reconfigure(errors="backslashreplace")  # a folder may have any name
    environment = Environment(root)
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    parser = argparse.ArgumentParser(prog="lab.py", usage=USAGE, allow_abbrev=False)
    if verb == "test":  # nothing is parsed: every argument is pytest's
        return test(environment, rest)
    if verb == "record":
        parser.add_argument("notebooks", nargs="*")
        return record(environment, parser.parse_args(rest).notebooks)
    if verb == "soak":
        parser.add_argument("--rounds", type=int, default=20)
        parser.add_argument("paths", nargs="*")
        chosen = parser.parse_args(rest)
        return soak(environment, chosen.rounds, chosen.paths)
    if verb == "class":
        parser.add_argument("folder")
        parser.add_argument("--language")
        chosen = parser.parse_args(rest)
        return copy_for_class(root, Path(chosen.folder).resolve(), chosen.language)
    if verb == "site":
        parser.add_argument("folder")
        return make_site(environment, Path(parser.parse_args(rest).folder).resolve())
    if verb == "binder":
        parser.parse_args(rest)
        return run([sys.executable, root / "binder" / "build.py"], cwd=root)
    if verb == "translate":
        parser.parse_args(rest)
        environment.ensure(tools=True)
        return environment.run("-m", "translation", alone=True)
    if verb and not verb.startswith("-"):
        verbs = "test, soak, record, class, site, binder, translate, or nothing for lessons"
        raise Trouble(f"lab.py knows no {verb!r}: say {verbs}.")
    parser.add_argument("--language")
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-browser", dest="browser", action="store_false")
    chosen, others = parser.parse_known_args(arguments)
    return open_lessons(environment, chosen.port, chosen.browser, others, chosen.language)


def leave(signum, frame):
    """Turn SIGTERM into an exception, so that `run` takes its child along."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    try:
        sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))
    except Trouble as trouble:
        sys.exit(str(trouble))
    except OSError as error:
        place = error.filename or "a file"
        why = error.strerror or error
        sys.exit(f"{place} cannot be read or written ({why}): mend that, then run this again.")
    except KeyboardInterrupt:
        sys.exit(130)
