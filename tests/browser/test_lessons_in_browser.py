"""Every notebook in a real JupyterLab, in a real Chromium: pressed, read, and looked at.

Three of them, one in Korean, with each change; the others in the soak.
"""

import contextlib
import re

import lessons
import pytest

pytestmark = pytest.mark.browser

KOREAN = sorted(path.stem for path in (lessons.NOTEBOOKS / "ko").glob("*.ipynb"))
NAMES = [*lessons.names(), *(f"ko/{name}" for name in KOREAN)]
# What panels can do is in these, and in the tests of panels beside this one.
ALWAYS = {"00_start_here", "04_authentication", "ko/05_many_servers"}
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
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.mark.parametrize("name", lessons.few(NAMES, ALWAYS))
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
    for number in range(count):
        with telling(panels.nth(number)):
            use(panels.nth(number))
        page.emulate_media(reduced_motion="reduce")  # else each press is played for a second
    if name.startswith("ko/"):
        assert page.evaluate(ENGLISH) == []
    for theme, width in (("Light", 1400), ("Dark", 800)):
        notebook.theme(theme)
        page.set_viewport_size({"width": width, "height": 1000})
        for number in range(count):  # what is out of view is laid out when it comes into view
            panels.nth(number).scroll_into_view_if_needed()
            page.evaluate(TWO_FRAMES)
        assert page.evaluate(all_looks) == [], f"{name}, {theme}, {width} px"
        if panels.count():
            panels.first.screenshot(path=shots / f"{name.replace('/', '-')}-{theme}-{width}.png")


@contextlib.contextmanager
def telling(panel):
    """A failure tells what the panel shows: elsewhere nobody can look."""
    try:
        yield
    except Exception as wrong:
        wrong.add_note(f"the panel, {panel.get_attribute('aria-busy')=}:\n{panel.inner_text()}")
        raise


def use(panel):
    """Skips the prediction, presses each client's first button, and kills the first server.

    By keys: on a busy machine, what comes into view above is laid out so late that a button moves
    between the mouse's down and its up.
    """
    panel.scroll_into_view_if_needed()
    panel.locator(".sl-gate, .sl-body").wait_for()
    if panel.locator(".sl-gate").count():  # not "is visible": out of view it is not drawn yet
        panel.locator(".sl-gate button").press("Enter")
        panel.locator(".sl-body").wait_for()
    # A check may have opened the run that fails here: the buttons are for a run from its start.
    panel.locator(".sl-header .sl-icon-again").press("Enter")
    panel.page.wait_for_function(
        "(panel) => panel.ariaBusy === 'false'", arg=panel.element_handle()
    )
    for client in panel.locator(".sl-card[data-status=client]:has([data-action])").all():
        name = client.get_attribute("data-node")
        client.locator("[data-action]").first.press("Enter")
        client.locator(".sl-outcome").wait_for()
        panel.locator(".sl-request b", has_text=name).first.wait_for()
        leaving = re.compile(f"^{name}: (leave|외출)$")
        if (leave := panel.get_by_role("button", name=leaving)).is_visible():
            leave.press("Enter")  # the next client comes from this one's port
    server = panel.locator(".sl-card:has([data-verb])").first
    server.locator("[data-verb=kill]").press("Enter")
    server.locator(".sl-status.sl-is-dead").wait_for()
    assert server.locator(".sl-memory:is(.sl-lost, .sl-bare) .sl-caption").inner_text()
    assert panel.locator(".sl-error").is_hidden()
