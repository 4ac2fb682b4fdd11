"""A lesson takes as long as its card says, which the README and docs/teaching.md repeat."""

import re

import lessons
import nbformat
import pytest

from tests.helpers import minutes

ROOT = lessons.NOTEBOOKS.parent
TAUGHT = [name for name in lessons.names() if name not in ("10_capstone",)]
TEACHING = (ROOT / "docs" / "teaching.md").read_text("utf-8")


def card(name):
    """The text of a lesson's first cell."""
    return nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells[0].source


@pytest.mark.parametrize("name", TAUGHT)
def test_a_card_promises_the_minutes_that_the_lesson_takes(name):
    assert f"** · {minutes.promised(name)} minutes" in card(name)


@pytest.mark.parametrize("name", TAUGHT)
def test_a_lesson_takes_no_more_than_35_minutes(name):
    assert minutes.minutes(name) <= 35


@pytest.mark.parametrize("name", TAUGHT)
def test_no_more_than_forty_lines_are_to_be_read_before_the_first_press(name):
    assert minutes.before_the_first_press(name) <= minutes.AT_ONCE


def test_the_readme_promises_what_the_cards_do():
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"\(notebooks/(\w+)\.ipynb\) \|.*\| (\d+) \|$", readme, re.MULTILINE))
    told = {name: re.search(r"\*\* · (\d+) minutes", card(name)) for name in rows}
    assert rows == {name: found[1] if found else "120" for name, found in told.items()}


def sessions():
    """docs/teaching.md's timetable: for each session its rows, as (minutes, what in the room)."""
    table = TEACHING.partition("| | minutes | in the room |")[2].partition("\n\n")[0]
    found = []
    for session, said, room in re.findall(r"^\| (\d?) ?\| (\d+) \| (.*?) \|", table, re.MULTILINE):
        found += [[]] if session else []
        found[-1].append((int(said), room))
    return found


def test_the_timetable_plans_what_its_lessons_take_and_fits_its_hour():
    ordinals = {"first": 1, "second": 2, "third": 3}
    found = sessions()
    assert len(found) == 3
    for session in found:
        assert sum(said for said, _ in session) <= 50
        for said, room in session:
            lesson = re.search(r"notebooks/(\w+)\.ipynb\)(?:, to its (\w+) prediction)?", room)
            if lesson:
                took = minutes.minutes(lesson[1], ordinals.get(lesson[2]))
                assert said == round(took), f"{room} takes {took:.1f} minutes"


def test_what_is_folded_optional_or_a_picture_takes_no_time(monkeypatch):
    cell, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell(" ".join(["word"] * 200) + "![a picture](far/away.svg)", metadata={"tags": []}),
            code("a = 1\n\nb = 2", metadata={"tags": []}),
            code("c = 3", metadata={"tags": [], "jupyter": {"source_hidden": True}}),
            cell("1. Kill it.\n2. Look three times.", metadata={"tags": ["panel"]}),
            code("lab.predict('?', ['a'])", metadata={"tags": ["predict"]}),
            cell("## More", metadata={"tags": [], "jp-MarkdownHeadingCollapsed": True}),
            cell("unread", metadata={"tags": []}),
            cell("## Recap", metadata={"tags": []}),
            cell("for who goes further", metadata={"tags": ["appendix"]}),
        ]
    )
    monkeypatch.setattr(nbformat, "read", lambda *_, **__: notebook)
    words = (200 + 2 + 3 + 3 - 1) / 200  # the numbers of steps are read, too
    assert minutes.minutes("any") == pytest.approx(words + 3 / 10 + 4 / 3 + 1.5, abs=0.02)
