"""lab.py installs with uv where it may, shows how far it is, and needs no HOME."""

import ast
import importlib.util
import os
import stat
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load():
    spec = importlib.util.spec_from_file_location("lab_py", ROOT / "lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lab_py = load()


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment whose Python says what `config` holds when pip's settings are asked for."""
    made = lab_py.Environment(tmp_path)
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
def test_uv_is_not_used_where_pip_is_told_of_another_place(environment, settings, may):
    (environment.bin / "config").write_text(settings)
    assert environment.may_use_uv() is may


def test_uv_is_used_where_it_is_told_of_that_place_itself(environment, monkeypatch):
    (environment.bin / "config").write_text("global.index-url='https://mirror.example/simple'\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    assert environment.may_use_uv()


@pytest.mark.parametrize("ends", [0, 1])
def test_pip_installs_what_uv_could_not(environment, monkeypatch, ends):
    ran = []

    def run(command, failure, **options):
        ran.append(Path(command[0]).name if "pip" not in command[1:3] else command[1:5])
        if Path(command[0]).name == "uv" and ends:
            raise lab_py.Trouble("uv is no program of this system")

    (environment.bin / "config").write_text("")
    monkeypatch.setattr(lab_py, "run_quietly", run)
    site = environment.folder / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    site.mkdir(parents=True)
    environment.install(tools=False)
    by_pip = [words for words in ran if words[:3] == ["-m", "pip", "install"]]
    assert len(by_pip) == 1 + ends


def test_packages_and_megabytes_are_counted_as_pip_and_as_uv_tell_them():
    count = lab_py.Count()
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


def test_lab_py_parses_on_an_old_python():
    ast.parse((ROOT / "lab.py").read_text("utf-8"), feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("(a := 1)", feature_version=(3, 6))
