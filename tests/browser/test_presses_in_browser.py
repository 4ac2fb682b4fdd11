"""A mouse in a real JupyterLab: what is pressed while the page moves, is pressed."""

import pytest

from browser.kernel import in_kernel
from browser.scratch import view

pytestmark = pytest.mark.browser

# What can be pressed: a cell's id, where in its output, and what is there when it was pressed.
PLACES = [
    ("predict", "label:has-text('that')", "label:has-text('that') input:checked"),
    ("predict", "button:has-text('Skip')", "text=Skipped."),
    ("panel", "[data-verb=kill]", ".sl-is-dead"),
    ("panel", "[data-action=enter]", ".sl-request"),
    ("panel", ".sl-log summary", ".sl-log[open]"),
    ("gated", ".sl-gate button", ".sl-card >> nth=0"),
    ("quiz", "label:has-text('3')", "label:has-text('3') input:checked"),
    ("scrub", "button >> nth=0", "button[aria-pressed=true]"),
]
# As when a cell above gets its height late.
MOVES = "(area) => { area.closest('.jp-Notebook-cell').style.translate = '0 160px'; }"
BACK = "(area) => { area.closest('.jp-Notebook-cell').style.translate = ''; }"


def hold(notebook, one, button="left"):
    """Puts the mouse on the middle of what is there, and its button down."""
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    mouse = notebook.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down(button=button)
    return mouse


def test_what_the_page_moves_away_under_the_hand_is_pressed(every):
    for name, where, pressed in PLACES:
        area = view(every, name)
        one = area.locator(where).first
        mouse = hold(every, one)
        before = one.bounding_box()["y"]
        area.evaluate(MOVES)
        assert one.bounding_box()["y"] > before + 100
        mouse.up()
        area.locator(pressed).wait_for()
        area.evaluate(BACK)
    assert in_kernel(every, "touched").count("handled") == 3  # each of them once


def test_what_the_hand_leaves_or_is_gone_or_another_button_holds_is_not_pressed(every):
    panel = view(every, "panel")
    kill = panel.locator("[data-verb=kill]")
    mouse = hold(every, kill)
    mouse.move(5, 5)
    mouse.up()
    hold(every, kill)
    kill.evaluate("(gone) => gone.remove()")
    mouse.up()
    hold(every, panel.locator("[data-verb=pause]"), "right")
    panel.evaluate(MOVES)
    mouse.up(button="right")
    every.page.keyboard.press("Escape")  # JupyterLab's menu
    panel.evaluate(BACK)
    panel.locator("[data-action=enter]").click()
    panel.locator(".sl-request").wait_for()
    assert in_kernel(every, "touched") == ["handled"]
    assert panel.locator(".sl-is-dead").count() == 0
