"""Every notebook in a real JupyterLab, in a real Chromium: pressed, read, and looked at.

Of the Korean ones two, and all in `lab.py soak`, which sets STATELAB_KOREAN=all.
"""

import contextlib
import os
import re

import lessons
import pytest

pytestmark = pytest.mark.browser

KOREAN = sorted(path.stem for path in (lessons.NOTEBOOKS / "ko").glob("*.ipynb"))
if os.environ.get("STATELAB_KOREAN") != "all":
    KOREAN = [name for name in KOREAN if name[:2] in ("00", "05")]
# The English that a view of ours says where it ought to speak Korean: a text without Hangul that is
# no name, or three words in a row. What is a program's own word, or in brackets or quotes, is not.
ENGLISH = """() => [...document.querySelectorAll('.statelab')].flatMap((view) => {
  const found = [], walker = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
  const names = [...document.querySelectorAll('.sl-card')].map((card) => card.dataset.node);
  while (walker.nextNode()) {
    if (walker.currentNode.parentElement.closest('[translate=no], code, pre, option')) continue;
    const text = walker.currentNode.nodeValue.trim();
    // A request, as a title says it, and then what is in brackets or quotes.
    let rest = text.replace(/[A-Z]{3,} \\S+( → [^\\s:]+)?(: .*)?/, '');
    rest = rest.replace(/\\([^)]*\\)|[“"'`‘][^”"'`’]*[”"'`’]|[\\w-]*\\d[\\w-]*/g, '');
    for (const name of names) rest = rest.replaceAll(name, '');
    const whole = !/[가-힣]/.test(text) && /^[A-Z][a-z]{3,}|[A-Za-z]{3,} [A-Za-z]{3,}/.test(rest);
    if (whole || /([A-Za-z]{2,} ){2,}[A-Za-z]{2,}/.test(rest)) found.push(text);
  }
  return found;
})"""

PICTURES_ARE_THERE = """() => [...document.querySelectorAll('.jp-Notebook img')]
  .every((picture) => picture.complete && picture.naturalWidth > 0)"""
PANELS_ARE_THERE = """(count) =>
  document.querySelectorAll('.sl-panel > :is(.sl-gate, .sl-body)').length === count"""

LOG_PRESSES = """() => {
  window.presses = [];
  for (const kind of ['pointerdown', 'pointerup', 'click'])
    document.addEventListener(kind, ({ target, clientY, timeStamp }) => presses.push(
      `${kind} ${target.className} at ${Math.round(clientY)}, ${Math.round(timeStamp)} ms`), true);
}"""
RESTS = """async (panel) => {
  const place = () => panel.getBoundingClientRect().top;
  const before = place();
  await new Promise((resolve) => setTimeout(resolve, 250));
  return place() === before;
}"""


@pytest.mark.parametrize("name", [*lessons.names(), *(f"ko/{name}" for name in KOREAN)])
def test_a_lesson_runs_and_its_panels_answer_and_look_well(name, opened, all_looks, shots):
    notebook = opened(f"notebooks/{name}.ipynb")
    cells = notebook.cells()
    wrong = [(c["id"], o) for c in cells for o in c["outputs"] if o["output_type"] == "error"]
    assert wrong == []
    assert all(cell["count"] for cell in cells)

    page = notebook.page
    notebook.unfold()
    page.wait_for_function(PICTURES_ARE_THERE)
    panels = page.locator(".sl-panel")
    count = sum("Panel(" in str(cell["outputs"]) for cell in cells)
    # Views are made in whatever order their models come, and begin with what has come: before all
    # are there, the first panel of the page may become the second while it is used.
    page.wait_for_function(PANELS_ARE_THERE, arg=count)
    page.evaluate(LOG_PRESSES)
    for number in range(count):
        with telling(panels.nth(number)):
            use(panels.nth(number))
    if name.startswith("ko/"):
        assert page.evaluate(ENGLISH) == []
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        for width in (1400, 800):
            page.set_viewport_size({"width": width, "height": 1000})
            assert page.evaluate(all_looks) == [], f"{name}, {theme}, {width} px"
            if panels.count():
                panels.first.screenshot(
                    path=shots / f"{name.replace('/', '-')}-{theme}-{width}.png"
                )


@contextlib.contextmanager
def telling(panel):
    """A failure tells what the panel shows: elsewhere nobody can look."""
    try:
        yield
    except Exception as wrong:
        presses = panel.page.evaluate("presses.slice(-12)")
        shown = panel.inner_text()
        wrong.add_note(f"{panel.get_attribute('aria-busy')=}, {presses=}, the panel:\n{shown}")
        raise


def use(panel):
    """Skips the prediction, presses each client's first button, and kills the first server."""
    panel.scroll_into_view_if_needed()
    panel.locator(".sl-gate, .sl-body").wait_for()
    # What comes into view is laid out only then, and moves what is below it: between a button's
    # down and its up, that takes the press away.
    panel.page.wait_for_function(RESTS, arg=panel.element_handle())
    for _ in range(60):
        if not panel.locator(".sl-gate").count():  # not "is visible": out of view it is not drawn
            break
        panel.locator(".sl-gate button").click()  # and again, as one does, if the page has moved
        panel.page.wait_for_timeout(500)
    panel.locator(".sl-body").wait_for()
    # A check may have opened the run that fails here: the buttons are for a run from its start.
    panel.locator(".sl-header .sl-icon-again").click()
    panel.page.wait_for_function(
        "(panel) => panel.ariaBusy === 'false'", arg=panel.element_handle()
    )
    for client in panel.locator(".sl-card[data-status=client]:has([data-action])").all():
        name = client.get_attribute("data-node")
        client.locator("[data-action]").first.click()
        client.locator(".sl-outcome").wait_for()
        panel.locator(".sl-request b", has_text=name).first.wait_for()
        leaving = re.compile(f"^{name}: (leave|외출)$")
        if (leave := panel.get_by_role("button", name=leaving)).is_visible():
            leave.click()  # the next client comes from this one's port
    server = panel.locator(".sl-card:has([data-verb])").first
    server.locator("[data-verb=kill]").click()
    server.locator(".sl-status.sl-is-dead").wait_for()
    assert server.locator(".sl-memory:is(.sl-lost, .sl-bare) .sl-caption").inner_text()
    assert panel.locator(".sl-error").is_hidden()
