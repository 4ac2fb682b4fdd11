"""lab.py: what it says when something is missing, and when it installs again."""

import ast
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lab

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ("requirements.txt", "requirements-test.txt", "requirements.lock")


class FakeInstalls:
    """Stands in for `run_quietly`: notes what would be run, and makes what `venv` would make."""

    def __init__(self, environment):
        self.environment = environment
        self.done = []
        self.interrupted = False

    def __call__(self, command, failure, **options):
        command = [str(part) for part in command]
        if "venv" in command:
            self.done.append("venv")
            self.environment.bin.mkdir()
            self.environment.python.touch()
        elif "pip" in command:
            tools = "requirements-test.txt" in command
            self.done.append("tools" if tools else "lessons")
            if self.interrupted:
                raise KeyboardInterrupt

    def take(self):
        """Return what was done since the last look."""
        done, self.done = self.done, []
        return done


@pytest.fixture
def environment(tmp_path):
    """An environment of a checkout whose path has a space and a letter outside ASCII."""
    root = tmp_path / "some where é"
    root.mkdir()
    for name in REQUIREMENTS:
        shutil.copy(ROOT / name, root)
    return lab.Environment(root)


@pytest.fixture
def installs(environment, monkeypatch):
    """What would be run to make the environment, without running it."""
    fake = FakeInstalls(environment)
    monkeypatch.setattr(lab, "run_quietly", fake)
    monkeypatch.setattr(lab.Environment, "may_use_uv", lambda _: False)
    monkeypatch.setattr(lab.sysconfig, "get_path", lambda *_: environment.bin)
    return fake


def test_lab_parses_on_the_oldest_python_that_is_to_read_its_sentence():
    ast.parse((ROOT / "lab.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_lab_needs_no_library():
    tree = ast.parse((ROOT / "lab.py").read_text(encoding="utf-8"))
    names = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_is_told_in_a_sentence_which_one_to_use():
    with pytest.raises(lab.Trouble) as told:
        lab.check_python((3, 8, 18), which=lambda name: name == "python3.12")
    assert str(told.value) == (
        "statelab needs Python 3.11 or newer and this is 3.8: run it with python3.12."
    )
    with pytest.raises(lab.Trouble, match="install a newer one"):
        lab.check_python((3, 8, 18), which=lambda name: None)


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(environment, monkeypatch, missing):
    monkeypatch.setattr(lab, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(lab.Trouble, match=r"sudo apt install python3\.\d+-venv"):
        environment.ensure()
    assert not environment.folder.exists()


def test_a_taken_port_is_told_in_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(lab.Trouble, match=f"Port {port} cannot be used .*leave --port out"):
            lab.check_port(port)
    lab.check_port(port)
    with pytest.raises(lab.Trouble, match="Port 70000 cannot be used"):
        lab.check_port(70000)


def test_a_failed_command_shows_its_last_lines_and_one_sentence(capfd):
    script = "import sys; print('no matching distribution'); sys.exit(3)"
    with pytest.raises(lab.Trouble, match=r"^Installing failed: mend what the lines above say"):
        lab.run_quietly([sys.executable, "-c", script], "Installing failed")
    assert "no matching distribution" in capfd.readouterr().err


def test_a_second_run_installs_nothing(environment, installs):
    environment.ensure()
    assert installs.take() == ["venv", "lessons"]
    environment.ensure()
    assert installs.take() == []


def test_the_test_tools_are_added_once_and_stay(environment, installs):
    environment.ensure()
    environment.ensure(tools=True)
    assert installs.take() == ["venv", "lessons", "tools"]
    environment.ensure()
    environment.ensure(tools=True)
    assert installs.take() == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_changed_requirement_is_installed_into_the_same_environment(environment, installs, name):
    environment.ensure(tools=True)
    installs.take()
    with open(environment.root / name, "a") as file:
        file.write("# changed\n")
    environment.ensure()
    assert installs.take() == ["tools"]


def test_an_interrupted_installation_is_done_again_from_the_start(environment, installs):
    installs.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        environment.ensure()
    installs.interrupted = False
    installs.take()
    environment.ensure()
    assert installs.take() == ["venv", "lessons"]


@pytest.mark.parametrize(
    ("key", "value"), [("python", "cpython-3.9"), ("root", "/elsewhere"), ("recipe", 0)]
)
def test_an_environment_of_another_python_or_place_is_made_again(environment, installs, key, value):
    environment.ensure()
    installs.take()
    (environment.folder / "left over").touch()
    environment.write_stamp({**environment.read_stamp(), key: value})
    environment.ensure()
    assert installs.take() == ["venv", "lessons"]
    assert not (environment.folder / "left over").exists()


def test_an_environment_whose_python_is_gone_is_made_again(environment, installs):
    environment.ensure()
    installs.take()
    environment.python.unlink()
    environment.ensure()
    assert installs.take() == ["venv", "lessons"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_two_at_once_make_one_environment(environment, installs, monkeypatch):
    begun, go_on, said = threading.Event(), threading.Event(), []

    def slow(command, *given, **options):
        begun.set()
        assert go_on.wait(20)
        installs(command, *given, **options)

    def heard(text):
        said.append(text)
        if "another lab.py" in text:
            go_on.set()

    monkeypatch.setattr(lab, "run_quietly", slow)
    monkeypatch.setattr(lab, "say", heard)
    first = threading.Thread(target=environment.ensure)
    first.start()
    assert begun.wait(20)
    releases = threading.Timer(5, go_on.set)  # for one that does not wait
    releases.start()
    lab.Environment(environment.root).ensure()
    first.join()
    releases.cancel()
    assert installs.take() == ["venv", "lessons"]
    assert "another lab.py is making .venv: waiting for it" in said


def test_a_folder_that_lab_has_not_made_is_left_alone(environment, installs):
    environment.folder.mkdir()
    (environment.folder / "mine").touch()
    with pytest.raises(lab.Trouble, match=r"\.venv was not made by lab\.py: move it away"):
        environment.ensure()
    assert (environment.folder / "mine").exists()


def test_a_kernel_finds_this_checkout_whatever_its_path(environment, installs):
    environment.ensure()
    line = (environment.bin / "statelab.pth").read_bytes()
    code = f"import sys\n{line.decode('ascii')}\nprint(sys.path[-1] == {str(environment.root)!a})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_what_runs_inside_sees_none_of_the_users_python_settings(environment, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # as images for containers have it
    variables = environment.variables()
    assert not variables.keys() & {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    assert variables["PATH"].startswith(str(environment.bin))
    assert environment.variables(alone=True)["JUPYTER_CONFIG_DIR"].startswith(
        str(environment.folder)
    )


@pytest.fixture
def configured(environment, monkeypatch):
    """An environment whose Python says what `config` holds when pip's settings are asked for."""
    made = environment
    made.bin.mkdir(parents=True)
    made.python.write_text('#!/bin/sh\ncat "$(dirname "$0")/config"\n')
    made.python.chmod(made.python.stat().st_mode | stat.S_IXUSR)
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    return made


@pytest.mark.parametrize(
    ("settings", "may"),
    [
        ("", True),
        ("global.cert='/etc/ca.crt'\nglobal.extra-index-url='https://more.example'\n", True),
        ("global.index-url='https://mirror.example/simple'\n", False),
        (":env:.index-url='https://mirror.example/simple'\n", False),
        ("install.no-index='1'\n", False),
        ("global.proxy='http://proxy.example'\n", False),
    ],
)
def test_uv_is_not_used_where_pip_is_told_of_another_place(configured, settings, may):
    (configured.bin / "config").write_text(settings)
    assert configured.may_use_uv() is may


def test_uv_is_used_where_it_is_told_of_that_place_itself(configured, monkeypatch):
    (configured.bin / "config").write_text("global.index-url='https://mirror.example/simple'\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    assert configured.may_use_uv()


@pytest.mark.parametrize("ends", [0, 1])
def test_pip_installs_what_uv_could_not(configured, monkeypatch, ends):
    ran = []

    def run(command, failure, **options):
        ran.append(Path(command[0]).name if "pip" not in command[1:3] else command[1:5])
        if Path(command[0]).name == "uv" and ends:
            raise lab.Trouble("uv is no program of this system")

    (configured.bin / "config").write_text("")
    monkeypatch.setattr(lab, "run_quietly", run)
    site = configured.folder / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    site.mkdir(parents=True)
    configured.install(tools=False)
    by_pip = [words for words in ran if words[:3] == ["-m", "pip", "install"]]
    assert len(by_pip) == 1 + ends


def test_packages_and_megabytes_are_counted_as_pip_and_as_uv_tell_them():
    count = lab.Count()
    assert count.read("Resolved 155 packages in 12ms\n") is None
    count.read(
        "Collecting jupyter-server<3,>=2.4.0 (from jupyterlab->-r requirements.txt (line 2))\n"
    )
    count.read("  Downloading jupyter_server-2.20.0-py3-none-any.whl (399.5 kB)\n")
    count.read("Downloading numpy (16.1MiB)\n")
    assert count.read("Downloading debugpy (4.0MiB)\n") == "3 packages, 20 MB"


def test_a_home_that_cannot_be_written_is_not_written(environment, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != os.path.expanduser("~"))
    variables = environment.variables()
    folders = [value for name, value in variables.items() if name.startswith("JUPYTER")]
    inside = [value for value in folders if value.startswith(str(environment.folder))]
    assert len(inside) == 5
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    assert "JUPYTER_DATA_DIR" not in environment.variables()


class FakeRuns:
    """Stands in for an environment: notes what would be run in it, and answers with codes."""

    def __init__(self, root, *codes):
        self.root = root
        self.codes = list(codes)
        self.ran = []

    def ensure(self, tools=False):
        self.tools = tools

    def run(self, *arguments, **options):
        self.ran.append(" ".join(map(str, arguments)))
        return self.codes.pop(0) if self.codes else 0


def test_arguments_after_test_go_to_pytest():
    fake = FakeRuns(ROOT)
    assert lab.test(fake, ["-k", "kill", "--rounds"]) == 0
    assert fake.ran == ["-m pytest -k kill --rounds"]
    assert fake.tools


def test_every_check_runs_even_when_one_fails():
    fake = FakeRuns(ROOT, 1, 0, 0)
    assert lab.test(fake, []) == 1
    assert [line.split()[1] for line in fake.ran] == ["ruff", "ruff", "pytest"]


def test_what_the_tests_leave_out_is_in_the_soak():
    checks, soak = FakeRuns(ROOT), FakeRuns(ROOT)
    lab.test(checks, [])
    lab.soak(soak, 1, [])
    assert checks.ran[-1].endswith("-m not soak")
    assert "-m pytest -n 2 -q -m soak" in soak.ran


def test_a_soak_goes_on_after_a_failed_round_and_tells(capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)  # nothing that could build an image
    fake = FakeRuns(ROOT, 0, 0, 0, 0, 1, 0)
    assert lab.soak(fake, 2, []) == 1
    lines = capsys.readouterr().out.splitlines()
    assert ["passed" in line for line in lines] == [True, True, True, True, False, True]
    assert lines[5].startswith("statelab: soak: round 2 of 2: passed after 0 s; failed so far: 1")


def test_a_soak_tries_binders_image_where_it_can_be_built(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    fake = FakeRuns(ROOT)
    assert lab.soak(fake, 0, []) == 0
    assert fake.ran[:2] == ["-m bench", "binder/build.py"]


def test_a_soak_in_which_the_bench_crashes_has_failed(capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert lab.soak(FakeRuns(ROOT, 1), 0, []) == 1
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "statelab: soak: the bench: FAILED"
    assert all("passed" in line for line in others)


def test_a_soak_of_some_folders_runs_only_these():
    fake = FakeRuns(ROOT)
    assert lab.soak(fake, 2, ["notebooks"]) == 0
    assert fake.ran == ["-m pytest -n 2 -q notebooks"] * 2


def test_opening_lets_jupyterlab_choose_a_port_and_takes_its_options():
    fake = FakeRuns(ROOT)
    assert lab.open_lessons(fake, None, False, ["--ip=::1"]) == 0
    (line,) = fake.ran
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in line
    assert line.endswith("--ip=::1")
    assert "--no-browser" in line
    assert ".port" not in line
    assert not fake.tools


def test_ending_jupyterlab_with_ctrl_c_is_no_failure():
    assert lab.open_lessons(FakeRuns(ROOT, -2), None, True, []) == 0
    assert lab.open_lessons(FakeRuns(ROOT, 1), None, True, []) == 1


def test_a_notebook_that_is_not_there_is_not_recorded():
    with pytest.raises(lab.Trouble, match=r"There is no notebook .*nowhere\.ipynb"):
        lab.record(FakeRuns(ROOT), ["nowhere.ipynb"])


def test_a_word_that_is_no_verb_gets_a_sentence():
    done = subprocess.run(
        [sys.executable, ROOT / "lab.py", "tset"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert (
        done.stderr == "lab.py knows no 'tset': say test, soak, record, class, site, binder, "
        "translate, or nothing for lessons.\n"
    )


def told(*arguments, **variables):
    """What lab.py says, and how it ends."""
    return subprocess.run(
        [sys.executable, ROOT / "lab.py", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, **variables},
    )  # fmt: skip


@pytest.mark.parametrize("folder", ["file/inside", "x" * 300])
def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path, folder):
    (tmp_path / "file").touch()
    done = told("class", str(tmp_path / folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(str(tmp_path / folder) + " cannot be ")
    assert done.stderr.count("\n") == 1


def test_a_site_is_not_made_where_no_folder_can_be(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    (tmp_path / "file").touch()
    with pytest.raises(lab.Trouble, match="cannot be made"):
        lab.make_site(FakeRuns(ROOT), tmp_path / "file" / "inside")


def test_a_checkout_that_lacks_a_file_is_told_in_a_sentence(tmp_path):
    (tmp_path / "lab.py").write_text((ROOT / "lab.py").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "lab.py", "translate"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path / 'requirements.txt'} cannot be read or written (No such file or directory): "
        "mend that, then run this again.\n"
    )


def test_a_folder_may_have_a_name_that_the_terminal_cannot_show(tmp_path):
    done = told("class", str(tmp_path / "한글"), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\ud55c\\uae00" in done.stdout


@pytest.mark.live
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_child_does_not_outlive_a_runner_that_is_told_to_end():
    child = "import time; print('up', flush=True); time.sleep(60)"
    script = (
        "import lab, signal, sys; signal.signal(signal.SIGTERM, lab.leave); "
        f"lab.run([sys.executable, '-c', {child!r}])"
    )
    runner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert runner.stdout.readline() == b"up\n"
    runner.terminate()
    runner.communicate(timeout=20)  # the pipe closes when the child has gone, not before
    assert runner.returncode == 128 + signal.SIGTERM


def test_lessons_are_opened_in_the_language_asked_for_or_it_is_said_which_there_are(tmp_path):
    for folder in ("notebooks", "notebooks/ko"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "00_start_here.ipynb").touch()
    runs = FakeRuns(tmp_path, 0, 0)
    for language, path in (("ko", "notebooks/ko/"), (None, "notebooks/"), ("en", "notebooks/")):
        lab.open_lessons(runs, None, False, [], language)
        assert f"--LabApp.default_url=/lab/tree/{path}00_start_here.ipynb" in runs.ran[-1]
    with pytest.raises(lab.Trouble, match=r"no lessons in 'fr': choose one of en, ko\."):
        lab.lessons_in(tmp_path, "fr")
