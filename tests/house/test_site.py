"""`lab.py site`: what becomes of cells that a browser cannot run, and what the command says."""

import ast
import base64
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import lessons
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
COMPANION = "07_write_lease_zookeeper"
NAMES = [name for name in lessons.names() if name != COMPANION]

_spec = importlib.util.spec_from_file_location("browser_lessons", ROOT / "browser" / "lessons.py")
edition = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(edition)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "contents"
    edition.write(ROOT / "notebooks", folder)
    return folder


def pairs(folder, name):
    """Each cell as it is in the lesson and in the browser edition."""
    here = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    there = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    nbformat.validate(there)
    return zip(here.cells, there.cells, strict=True)


def test_every_lesson_is_there_but_a_companion_on_a_real_engine(folder):
    assert [path.stem for path in sorted(folder.glob("*.ipynb"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_that_cannot_run_is_a_text_with_its_code_and_outcome_and_all_else_stays(
    folder, name
):
    stood_for = 0
    for here, there in pairs(folder, name):
        need = here.metadata.get("statelab", {}).get("needs")
        if need is None:
            assert there == here
            continue
        stood_for += 1
        assert there.cell_type == "markdown"
        assert there.source.startswith(
            f"> **{edition.WORDS['en'][need]}** On Binder or your own machine"
        )
        assert here.source.rstrip() in there.source
        for output in here.outputs:
            assert output.get("text", "").rstrip() in there.source
    assert stood_for


def test_an_outcome_that_would_answer_a_question_is_folded(folder):
    told = {there.id: there.source for _, there in pairs(folder, "02_determinism")}
    _, _, folded = told["check-turns"].partition("<details><summary>what it was</summary>")
    assert "part at event" in folded
    assert "part at event" not in told["check-turns"].replace(folded, "")


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_that_stays_starts_processes_by_itself(folder, name):
    for here, there in pairs(folder, name):
        if there.cell_type == "code":
            for line in ast.parse(here.source).body:
                if not isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    assert "LiveWorld(" not in ast.unparse(line), here.id


def test_a_stored_picture_lies_in_a_file_that_the_page_can_hand_on(folder):
    told = {there.id: there.source for _, there in pairs(folder, "06_hard_and_soft_state")}
    assert "](pictures/06_hard_and_soft_state_stored_1.svg)" in told["slider"]
    for path in (folder / "pictures").glob("*.svg"):
        assert path.read_bytes().isascii(), path.name
    assert (folder / "pictures" / "08_sharing_state_stored_2.png").read_bytes()[1:4] == b"PNG"


def test_a_drawing_stays_what_it_is():
    drawn = base64.b64encode("<svg><text>alice – 1 µs</text></svg>".encode()).decode()
    page = f'<img alt="a &lt;b&gt;" style="" src="data:image/svg+xml;base64,{drawn}">'
    assert edition.plain("– µ") == b"&#8211; &#181;"
    assert edition._DRAWN.search(page)[2] == drawn


def site(*arguments, **variables):
    program = [sys.executable, str(ROOT / "lab.py"), "site", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, env={**os.environ, **variables})


@pytest.mark.parametrize("there", [[], ["npm"], ["node"]])
def test_where_npm_or_node_is_missing_it_says_so_and_makes_nothing(tmp_path, there):
    for name in there:
        (tmp_path / name).symlink_to(sys.executable)
    done = site(tmp_path / "new", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("npm or node is missing, by which Python for browsers")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    done = site(tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("is there and not empty: name a folder that is new or empty.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
