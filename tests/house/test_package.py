"""The package as `pip install .` makes it: its lessons come with it."""

import tomllib
from pathlib import Path

from statelab.__main__ import copy_lessons, lessons

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
