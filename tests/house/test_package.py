"""The package as `pip install .` makes it: its lessons come with it."""

import errno
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from statelab.__main__ import copy_lessons, lessons, open_lessons

ROOT = Path(__file__).parents[2]


def test_every_lesson_and_picture_of_both_languages_is_installed():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    files = tool["setuptools"]["data-files"].items()
    installed = {
        f"{folder}/{path.name}".removeprefix("share/statelab/lessons/")
        for folder, patterns in files
        for pattern in patterns
        for path in ROOT.glob(pattern)
    }
    kinds = (".ipynb", ".svg")
    assert installed == {name for name in lessons() if name.endswith(kinds)}


def test_what_a_learner_has_written_stays_when_the_lessons_are_copied_again(tmp_path):
    copy_lessons(tmp_path)
    mine = tmp_path / "00_start_here.ipynb"
    mine.write_text("mine", encoding="utf-8")
    (tmp_path / "01_state.ipynb").unlink()
    copy_lessons(tmp_path)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "01_state.ipynb").exists()


def test_a_lesson_for_which_there_is_no_room_is_not_there_by_half(tmp_path, monkeypatch, capsys):
    copy = shutil.copyfile

    def filling(source, target):
        if "05" in Path(source).name:
            Path(target).write_bytes(Path(source).read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", filling)
    assert open_lessons([str(tmp_path)]) == 1
    assert capsys.readouterr().out == (
        f"The lessons cannot be copied to {tmp_path} (No space left on device): name another "
        "folder.\n"
    )
    monkeypatch.undo()
    copy_lessons(tmp_path)
    copied = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert copied == set(lessons())
    for name, source in lessons().items():
        assert (tmp_path / name).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("inside", ["", "further"])
def test_a_file_is_no_folder_for_lessons(tmp_path, inside, capsys):
    (tmp_path / "file").write_text("mine")
    assert open_lessons([str(tmp_path / "file" / inside)]) == 1
    assert "cannot be copied" in capsys.readouterr().out
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["--help"], ["-x"], ["a", "b"]])
def test_what_is_no_folder_makes_none(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        open_lessons(arguments)
    assert not list(tmp_path.iterdir())


def test_a_folder_may_have_a_name_that_the_terminal_cannot_show(tmp_path):
    (tmp_path / "jupyterlab.py").write_text("import sys; print(ascii(sys.argv[1]))")
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-m", "statelab", "한글"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": paths},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\ud55c\\uae00; Ctrl-C" in done.stdout
