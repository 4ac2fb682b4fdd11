"""The pages beside the lessons: their links lead to files; the teacher's knows each vote."""

import re
import tomllib
from pathlib import Path

import lessons
import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

import statelab

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
COMPANIONS = {"07_write_lease_zookeeper"}  # for home: no room votes on it


def dead_links(page, text):
    """The links and pictures in a page's text that lead to no file."""
    found = re.findall(r"\]\(([^)#\s]+)", text)
    return [to for to in found if "://" not in to and not (page.parent / to).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_to_files_that_are_there(page):
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


def test_a_link_that_leads_nowhere_is_seen():
    text = "[one](engines.md) ![two](gone.svg) [three](../notebooks/99_gone.ipynb)"
    assert dead_links(ROOT / "docs" / "why.md", text) == ["gone.svg", "../notebooks/99_gone.ipynb"]


def wrong_answers(text):
    """How many common wrong answers the teacher's page tells of each lesson, by its number."""
    table = text.partition("## What the room will say")[2].partition("\n## ")[0]
    told, number = {}, ""
    for line in [line for line in table.splitlines() if line.startswith("|")][2:]:
        lesson, *cells = (part.strip() for part in line.strip("|").split("|"))
        assert all(cells), line
        number = lesson or number
        told[number] = told.get(number, 0) + 1
    return told


def predictions(name):
    """How many predictions a lesson asks for."""
    cells = nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    return sum(cell.source.count("lab.predict(") for cell in cells if cell.cell_type == "code")


def test_the_teachers_page_has_a_wrong_answer_for_each_prediction():
    told = wrong_answers((ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"))
    rooms = [name for name in lessons.names() if name not in COMPANIONS]
    assert told == {name[:2]: predictions(name) for name in rooms}


def test_the_readme_names_each_lessons_question_and_minutes_as_the_lesson_does():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.findall(
        r"^\| \[\d\d .+\]\(notebooks/(\w+)\.ipynb\) \| (.+) \| (\d+) \|$", readme, re.M
    )
    said = []
    for name in [name for name in lessons.names() if name not in COMPANIONS]:
        cells = nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
        card = next(cell.source for cell in cells if "title" in cell.metadata.tags)
        minutes = re.search(r"\*\* · (\d+) minutes", card)
        said.append(
            (name, card.splitlines()[0].removeprefix("# "), minutes[1] if minutes else "120")
        )
    assert told == said


def test_the_packages_extras_are_together_what_a_learner_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    told = {Requirement(line) for line in [*project["dependencies"], *extras]}
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = (line.partition("#")[0].strip() for line in lines)
    assert told == {Requirement(line) for line in wanted if line}


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda p: p.stem)
def test_a_workflow_runs_what_there_is(path):
    for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
        for step in job["steps"]:
            for name in re.findall(r"\.ci/run|lab\.py|\S+\.lock", step.get("run", "")):
                assert (ROOT / name).exists()
            assert re.fullmatch(r"[\w./-]+@v\d+", step["uses"]) if "uses" in step else step["run"]


def test_the_citation_and_the_package_are_of_one_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == statelab.__version__
