"""The lessons as pages to read: whole, folded as the lesson is, and without another host."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NAMES = [f"{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    pytest.importorskip("nbconvert")
    folder = tmp_path_factory.mktemp("site") / "read"
    sys.path.insert(0, str(ROOT / "browser"))
    try:
        import pages
    finally:
        sys.path.pop(0)
    pages.write(ROOT / "notebooks", folder)
    pages.write(ROOT / "notebooks" / "ko", folder / "ko", "ko")
    return folder


class Page(HTMLParser):
    """What a page asks for, where it leads, and its code: (text, whether it is in `details`)."""

    def __init__(self, path):
        super().__init__()
        self.asks, self.leads, self.code, self.open = [], [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.open += tag == "details"
        self.code += [("", self.open > 0)] if tag == "pre" else []
        assert tag not in ("script", "link", "iframe")
        self.asks += [attrs["src"]] if "src" in attrs else []
        self.leads += [attrs["href"]] if tag == "a" else []

    def handle_endtag(self, tag):
        self.open -= tag == "details"
        assert self.open >= 0

    def handle_data(self, data):
        if self.code:
            text, folded = self.code[-1]
            self.code[-1] = (text + re.sub(r"\s", "", data), folded)


@pytest.mark.parametrize("name", [*NAMES, *(f"ko/{name}" for name in NAMES)])
def test_a_page_asks_nobody_and_all_that_it_leads_to_is_there(read, name):
    page = Page(read / name)
    assert page.open == 0
    for asked in page.asks:
        assert asked.startswith("data:") or (read / name).parent.joinpath(asked).is_file()
    for led in page.leads:
        if not re.match(r"\w+:|#", led):
            assert (read / name).parent.joinpath(led.split("#")[0]).is_file(), led


@pytest.mark.parametrize("name", NAMES)
def test_what_a_lesson_folds_is_folded_and_nothing_else(read, name):
    code, inside = Page(read / name).code, 0
    for cell in nbformat.read(ROOT / "notebooks" / f"{name[:-5]}.ipynb", as_version=4).cells:
        heading = re.match("#+", cell.source) if cell.cell_type == "markdown" else None
        if heading and inside and len(heading[0]) <= inside:
            inside = 0
        if heading and not inside and cell.metadata.get("jp-MarkdownHeadingCollapsed"):
            inside = len(heading[0])
        if cell.cell_type == "code":
            hidden = inside or cell.metadata.get("jupyter", {}).get("source_hidden")
            wanted = re.sub(r"\s", "", cell.source)
            assert any(
                text.startswith(wanted) and folded == bool(hidden) for text, folded in code
            ), cell.id


def test_the_list_names_every_lesson(read):
    assert [led for led in Page(read / "index.html").leads if led in NAMES] == NAMES
