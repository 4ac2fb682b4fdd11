"""The browser edition, as `lab.py site` makes it: a static site, in Chromium, with no other host.

Two lessons with each change; the others, and the Korean ones, in the soak.
"""

import dataclasses
import functools
import http.server
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
import zipfile

import lessons
import nbformat
import pytest

from browser.jupyter import ROOT, Lab
from browser.test_lessons_in_browser import use
from statelab import Run

NAMES = [name for name in lessons.names() if name != "07_write_lease_zookeeper"]
NAMES += [f"ko/{name}" for name in NAMES]
ALWAYS = {"00_start_here", "03_stateful_or_stateless"}
AGREE = (  # what a check says on a computer, and what it says here
    ("two processes agree in every event", "two runs in one process agree in every event"),
    ("두 프로세스의 모든 사건이", "한 프로세스의 두 실행이 모든 사건에서"),
)
# Where two processes differ, one may only say that two runs do.
OTHERWISE = {
    "02_determinism": {"hunt-check": "two runs, fed the same, differ."},
    "ko/02_determinism": {"hunt-check": "같은 입력을 받은 두 실행의 결과가 다릅니다."},
}


class Files(http.server.SimpleHTTPRequestHandler):
    """Python's file server, which keeps quiet."""

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the site, made by the command and served by nothing but a file server."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, by which Pyodide comes")
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "lab.py", "site", folder], cwd=ROOT, capture_output=True, text=True,
        timeout=1800, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    handler = functools.partial(Files, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def edition(browser, site):
    """The browser edition in a page."""
    return Lab(browser, site, "lab/index.html?reset")


@pytest.fixture
def opened(edition):
    """A function that opens a lesson and runs all its cells."""
    edition.errors.clear()
    edition.foreign.clear()

    def open_lesson(name):
        edition.open(f"{name}.ipynb")
        return edition

    yield open_lesson
    edition.close()
    assert edition.foreign == []
    assert edition.errors == []


def run_of(code):
    """What a run code says: its digest, too, but no fingerprint of source, which none looks at."""
    return repr(dataclasses.replace(Run.parse(code[0]), fingerprint=""))


def words(outputs):
    """What a cell prints and says, streams first."""
    texts = [output["text"] for output in outputs if output["output_type"] == "stream"]
    texts += [output["data"].get("text/plain", "") for output in outputs if "data" in output]
    text = "\n".join("".join(text).strip() for text in texts if text)
    return re.sub(r"SL1-[\w-]+", run_of, text)


@pytest.mark.parametrize("name", lessons.few(NAMES, ALWAYS))
def test_a_lesson_says_there_what_it_says_elsewhere_and_its_panels_answer(name, opened):
    page = opened(name)
    stored = {cell.id: cell for cell in nbformat.read(ROOT / f"notebooks/{name}.ipynb", 4).cells}
    cells = page.cells()
    assert all(cell["count"] for cell in cells)
    assert {cell["id"] for cell in cells} == {
        id for id, cell in stored.items()
        if cell.cell_type == "code" and "needs" not in cell.metadata.get("statelab", {})
    }  # fmt: skip
    for cell in cells:
        told, before = words(cell["outputs"]), words(stored[cell["id"]].outputs)
        for there, here in AGREE:
            if there in before:
                told, before = told.splitlines()[0], before.splitlines()[0].replace(there, here)
        if cell["id"] in OTHERWISE.get(name, ()):
            assert OTHERWISE[name][cell["id"]] in told
        else:
            assert told == before, cell["id"]
    twins = [cell for cell in cells if "twin" in stored[cell["id"]].metadata.tags]
    assert re.search(r"\b[0-9a-f]{16}\b", "".join(words(cell["outputs"]) for cell in twins))

    page.unfold()
    panels = page.page.locator(".sl-panel")
    panels.first.wait_for()
    for number in range(panels.count()):
        use(panels.nth(number))
    assert panels.get_by_text("Live", exact=True).count() == 0


def test_what_its_python_imports_is_compiled_already(site):
    with urllib.request.urlopen(f"{site}/static/pyodide/pyodide-lock.json") as answer:
        packages = json.load(answer)["packages"].values()
    for name in ("python_stdlib.zip", *(package["file_name"] for package in packages)):
        with urllib.request.urlopen(f"{site}/static/pyodide/{name}") as answer:
            files = zipfile.ZipFile(io.BytesIO(answer.read())).namelist()
        sources = [path for path in files if path.endswith(".py")]
        compiled = [path for path in files if path.endswith(".pyc")]
        assert len(compiled) == len(sources) > 0, name


def test_a_link_opens_its_run_at_its_event_in_another_browser(opened, browser, site):
    first = opened("00_start_here").page
    panel = first.locator(".sl-panel").first
    panel.locator(".sl-gate button").click()
    panel.locator("[data-verb=kill]").first.click()
    panel.locator(".sl-is-dead").wait_for()
    code, address = panel.locator(".sl-code").all_text_contents()
    assert address.startswith(f"{site}/lab/index.html?path=00_start_here.ipynb#run={code}&at=")
    other = Lab(browser, site, address.removeprefix(f"{site}/"))
    other.page.wait_for_selector(".jp-Notebook")
    other.open("00_start_here.ipynb")
    panel = other.page.locator(".sl-panel").first
    panel.locator(".sl-is-dead").wait_for()
    assert code in panel.locator(".sl-code").all_text_contents()
    other.page.context.close()
