"""`lab.py class`: copies of the notebooks for a class, which gives the answers later."""

import shutil
import subprocess
import sys
from pathlib import Path

import lessons
import nbformat
import pytest

import lab

ROOT = Path(__file__).parents[2]
NAMES = lessons.names()
WITHOUT_EXERCISES = {"07_write_lease_zookeeper"}  # a companion: its lesson has them


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A class's folder, of a copy of this checkout that no git knows: as it is now."""
    place = tmp_path_factory.mktemp("for")
    shutil.copytree(ROOT / "notebooks", place / "checkout" / "notebooks")
    assert lab.copy_for_class(place / "checkout", place / "a class") == 0
    return place / "a class"


def cells(path):
    return nbformat.read(path, as_version=4).cells


def tags(cell):
    return set(cell.metadata.get("tags", []))


def test_every_notebook_and_picture_is_copied(folder):
    notebooks = ROOT / "notebooks"
    there = [*notebooks.glob("*.ipynb"), *(notebooks / "pictures").glob("*.svg")]
    copied = {path.relative_to(folder) for path in folder.rglob("*.*")}
    assert copied == {path.relative_to(notebooks) for path in there}


def test_no_link_leads_to_the_answers(folder):
    for path in folder.glob("*.ipynb"):
        (title,) = (cell.source for cell in cells(path) if "title" in tags(cell))
        assert "](ko/" not in title
        assert "binder" not in title


def test_what_a_teacher_has_tried_and_not_committed_is_not_handed_out(tmp_path):
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "lessons"]):
        subprocess.run([*git, *command], check=True)
    path = root / "notebooks" / f"{NAMES[0]}.ipynb"
    mended = path.read_text("utf-8").replace("lab.ready()", "lab.ready()  # my mend")
    path.write_text(mended, "utf-8")
    lab.copy_for_class(root, tmp_path / "class")
    assert "my mend" not in (tmp_path / "class" / path.name).read_text("utf-8")
    shutil.rmtree(root / ".git")
    lab.copy_for_class(root, tmp_path / "without git")
    assert "my mend" in (tmp_path / "without git" / path.name).read_text("utf-8")


NO_ROOM = "No space left on device"


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [(Path, "write_text", OSError(28, NO_ROOM)),
     (shutil, "copytree", shutil.Error([("here", "there", f"[Errno 28] {NO_ROOM}")]))],
)  # fmt: skip
def test_a_copy_that_is_not_whole_says_so(tmp_path, monkeypatch, owner, name, error):
    def full(*given, **options):
        raise error

    monkeypatch.setattr(owner, name, full)
    with pytest.raises(lab.Trouble, match=rf"{NO_ROOM}\), and what is in .*class is not whole"):
        lab.copy_for_class(ROOT, tmp_path / "class")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_lacks_the_answers_and_nothing_else(folder, name):
    whole, copy = cells(ROOT / "notebooks" / f"{name}.ipynb"), cells(folder / f"{name}.ipynb")
    answers = [cell for cell in whole if tags(cell) & {"answer", "answer-server"}]
    assert bool(answers) != (name in WITHOUT_EXERCISES)
    assert [cell.id for cell in copy] == [cell.id for cell in whole if cell not in answers]
    given = [cell.source for cell in whole if cell not in answers and cell.cell_type == "code"]
    code = [cell for cell in copy if cell.cell_type == "code"]
    assert [cell.source for cell in code] == given
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert "mybinder" not in copy[0].source
    nbformat.validate(nbformat.read(folder / f"{name}.ipynb", as_version=4))


def unknown_names(notebook):
    """What ruff says about names that no cell defines."""
    options = ["check", "--isolated", "--select", "F821", str(notebook)]
    done = subprocess.run([sys.executable, "-m", "ruff", *options], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_a_copy_needs_an_answer(folder, name):
    assert unknown_names(folder / f"{name}.ipynb") == ""


def test_a_cell_that_needs_what_is_not_copied_would_be_seen(folder, tmp_path):
    path = folder / f"{NAMES[0]}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "setup" not in tags(cell)]
    nbformat.write(notebook, tmp_path / path.name)
    assert "Undefined name `Node`" in unknown_names(tmp_path / path.name)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    program = [sys.executable, str(ROOT / "lab.py"), "class", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("is there and not empty: name a folder that is new or empty.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
