"""Shift+Enter in a real JupyterLab: it goes on to the next cell from wherever one is."""

import pytest

from browser import scratch
from browser.kernel import in_kernel
from browser.scratch import view

pytestmark = pytest.mark.browser

# Where one can be: a cell's id, and what has the focus in its output.
PLACES = [
    ("predict", "input[type=radio]"),
    ("predict", "button:has-text('Skip')"),
    ("predict", "button:has-text('That is my prediction')"),
    ("panel", "[data-verb=kill]"),
    ("panel", "[data-action=enter]"),
    ("panel", ".sl-chip"),
    ("panel", ".sl-log summary"),
    ("panel", ".sl-menu button >> nth=0"),
    ("panel", ".sl-field"),
    ("panel", ".sl-paste"),
    ("panel", "button:has-text('Open')"),
    ("panel", "button:has-text('Copy as Python')"),
    ("panel", "button:has-text('Start over')"),
    ("panel", "button:has-text('Play')"),
    ("panel", "select"),
    ("panel", "input[type=radio] >> nth=1"),
    ("panel", ".sl-requests"),
    ("panel", ".sl-python"),
    ("gated", "button"),
    ("quiz", "input[type=radio] >> nth=1"),
    ("scrub", "button >> nth=0"),
    ("scrub", "input[type=range]"),
    ("slider", ".noUi-handle"),
    ("wire", "button"),
]
STAND = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  const cells = [...content.model.cells];
  return { at: cells[content.activeCellIndex].id,
    runs: Object.fromEntries(cells.map((cell) => [cell.id, cell.executionCount])) };
}"""
MARK = """(area) => {
  for (const child of area.querySelectorAll(".jp-OutputArea-child")) child.dataset.old = "";
}"""
RENEWED = """(area) => area.querySelector(".jp-OutputArea-child")
  && !area.querySelector("[data-old]")"""
# JupyterLab focuses the next cell, and draws the output anew, in its own time: on a busy machine it
# takes the focus away again, and folds what was open.
RESTS = """(one) => new Promise((done) => {
  const folded = one.closest("details");
  if (folded) folded.open = true;
  one.focus();
  const said = () => done(one.contains(document.activeElement));
  requestAnimationFrame(() => requestAnimationFrame(said));
})"""
RAN = "([stand, id, before]) => Function(`return ${stand}`)()().runs[id] !== before"


def press(notebook, name, keys, one=None):
    """Presses keys in a cell, on `one` or where the focus is; returns the cell active then."""
    page = notebook.page
    before = page.evaluate(STAND)["runs"][name]
    area = view(notebook, name).element_handle()
    area.evaluate(MARK)
    assert one is None or any(one.evaluate(RESTS) for _ in range(100)), f"{one} takes no focus"
    page.keyboard.press(keys)
    page.wait_for_function(RAN, arg=[STAND, name, before])
    at = page.evaluate(STAND)["at"]
    page.wait_for_function(RENEWED, arg=area)  # or the next focus falls on what is about to go
    return at


def after(name):
    names = list(scratch.EVERY)
    return names[names.index(name) + 1]


def test_shift_enter_goes_on_to_the_next_cell_from_every_widget_and_presses_nothing(every):
    for name, where in PLACES:
        one = view(every, name).locator(where).first
        assert press(every, name, "Shift+Enter", one) == after(name), where
    assert in_kernel(every, "touched") == []


def test_the_keys_that_run_a_cell_otherwise_do_so_from_a_widget_too(every):
    for name, where in (("panel", "[data-verb=kill]"), ("panel", ".sl-paste"), ("quiz", "input")):
        one = view(every, name).locator(where).first
        assert press(every, name, "Control+Enter", one) == name
    assert in_kernel(every, "touched") == []
    button = view(every, "wire").locator("button")
    assert press(every, "wire", "Alt+Enter", button) not in scratch.EVERY  # a new cell below


def test_the_focus_is_not_lost_with_what_was_pressed(every):
    predict, page = view(every, "predict"), every.page
    predict.get_by_label("that").click()
    predict.get_by_label("a guess").click()
    predict.get_by_role("button", name="That is my prediction").click()
    predict.get_by_text("Kept.").wait_for()
    assert press(every, "predict", "Shift+Enter") == "panel"
    view(every, "predict").get_by_role("button", name="Skip").click()
    view(every, "predict").get_by_text("Skipped.").wait_for()
    assert press(every, "predict", "Shift+Enter") == "panel"
    view(every, "gated").get_by_role("button", name="Skip the prediction").press("Enter")
    view(every, "gated").locator(".sl-card").first.wait_for()
    assert press(every, "gated", "Shift+Enter") == "quiz"
    view(every, "wire").get_by_role("button", name="Skip the prediction").press("Enter")
    view(every, "wire").get_by_role("button", name="send the request").wait_for()
    assert page.evaluate("() => document.activeElement.textContent") == "send the request"
    assert press(every, "wire", "Shift+Enter") == "end"


def test_without_a_key_that_runs_a_cell_enter_presses_as_ever(every):
    view(every, "panel").locator("[data-verb=kill]").press("Enter")
    view(every, "panel").locator(".sl-is-dead").wait_for()
    view(every, "panel").locator("[data-verb=restart]").press("Space")
    view(every, "panel").locator(".sl-is-up").wait_for()
