"""One JupyterLab and one Chromium for all browser tests."""

import shutil
from pathlib import Path

import pytest

from browser import scratch
from browser.jupyter import FLAGS, ROOT, Lab, jupyterlab


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """A copy of the notebooks, since JupyterLab saves what it opens."""
    root = tmp_path_factory.mktemp("jupyterlab")
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    return root


@pytest.fixture(scope="package")
def shots(tmp_path_factory):
    """Where pictures of panels go."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="package")
def browser(chromium_path):
    """The one Chromium. Its loop ends with this folder: other tests run loops of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(folder, chromium_path):
    """The one JupyterLab: its address and its first page."""
    with jupyterlab(folder) as started:
        yield started


@pytest.fixture(scope="package")
def lab(browser, server):
    """JupyterLab in the one page."""
    return Lab(browser, *server)


@pytest.fixture
def motion(request):
    """What the page is told of motion: by default it is welcome, as most learners have it."""
    return getattr(request, "param", "no-preference")


@pytest.fixture
def opened(lab, motion):
    """A function that opens a notebook and runs it.

    Its page must stay quiet, ask no other host, and say nothing that only a program would.
    """
    lab.page.emulate_media(reduced_motion=motion)
    lab.errors.clear()
    lab.foreign.clear()
    opened = []

    def open_notebook(path):
        opened.append(path)
        lab.close()
        lab.open(path)
        return lab

    yield open_notebook
    strays = lab.strays()
    if opened:
        lab.close()
    assert strays == []
    assert lab.foreign == []
    assert lab.errors == []


@pytest.fixture
def scratched(lab, folder, opened):
    """A function that runs a scratch notebook: anew, if it is open; else it opens it.

    It stays open, for opening takes much longer than running.
    """

    def run(name, sources=scratch.CELLS):
        if lab.has_open(name, list(sources)):
            lab.run_anew()
            return lab
        lab.close()
        scratch.write(folder / name, sources)
        lab.open(name)
        return lab

    return run


@pytest.fixture
def house(scratched):
    """The scratch notebook, run."""
    return scratched("house.ipynb")


@pytest.fixture
def every(scratched):
    """A notebook with a widget of each kind, run."""
    return scratched("every.ipynb", scratch.EVERY)


@pytest.fixture
def crossing(scratched):
    """A notebook with one panel, on a scenario whose links cross; run."""
    return scratched("crossing.ipynb", {"crossing": scratch.CROSSING})


@pytest.fixture(scope="package")
def all_looks():
    """A script that measures all of statelab's views on a page: sentences, none if all is well."""
    looks = (Path(__file__).parent / "looks.js").read_text(encoding="utf-8")
    views = "[...document.querySelectorAll('.statelab')].filter((view) => view.checkVisibility())"
    return f"""() => {{
      const looks = {looks};
      return {views}.flatMap((view, n) => looks(view).map((what) => `view ${{n}}: ${{what}}`));
    }}"""
