"""A panel as others see it: translated, in a system's own colours, on a narrow page."""

import pytest

from browser.kernel import in_kernel

pytestmark = pytest.mark.browser

# As Chrome's translation does: each text becomes two elements, one in the other, but for what is
# not to be translated.
TRANSLATE = """(view) => {
  const walker = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const parent = text.parentElement;
    if (parent.closest('[translate=no], font') || !text.data.trim()) continue;
    const [outer, inner] = ['font', 'font'].map((name) => document.createElement(name));
    outer.append(inner);
    inner.append(`«${text.data}»`);
    text.replaceWith(outer);
  }
}"""
WORDS = "(view) => view.textContent.replaceAll(/[«»]/g, '')"
SAME = f"""([one, other]) => {{
  const words = {WORDS};
  return one.ariaBusy !== 'true' && words(one) === words(other);
}}"""
KEPT = """(view, words) => [...view.querySelectorAll(words)].map((one) => one.textContent)"""


def press(panel, name):
    panel.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("motion", ["reduce"], indirect=True)
def test_a_translated_panel_shows_the_new_and_nothing_of_the_old(house):
    one, same = (house.page.locator(".sl-panel").nth(n) for n in range(2))
    steps = ["alice: enter", "Kill door", "alice: ask", "Restart door", "Pause door", "alice: ask"]
    for name in [*steps, "Resume door", "to the start", "one event on", "to the end", "Start over"]:
        one.evaluate(TRANSLATE)
        if name not in ("to the start", "one event on", "to the end"):
            name = f"«{name}»" if name == "Start over" else name
            press(one, name)
        else:
            for view in (one, same):
                press(view, name)
        handles = [one.element_handle(), same.element_handle()]
        house.page.wait_for_function(SAME, arg=handles)
    assert "«" in one.text_content()


def test_what_a_program_says_is_not_translated(house):
    panel = house.page.locator(".sl-panel").first
    press(panel, "alice: enter")
    panel.locator(".sl-request .sl-outcome", has_text="200 OK").wait_for()
    panel.evaluate(TRANSLATE)
    for words in (".sl-name", ".sl-key", ".sl-value", ".sl-what", ".sl-request b", ".sl-python"):
        kept = panel.evaluate(KEPT, words)
        assert kept
        assert "«" not in "".join(kept), words
    for words in (".sl-code", ".sl-lane", ".sl-place", ".sl-answer", ".sl-happens", ".sl-tag"):
        assert "«" not in "".join(panel.evaluate(KEPT, words)), words
    assert "«up»" in panel.locator(".sl-status").last.text_content()


STRANGERS = [
    "(node) => node.replaceChildren('strange')",
    "(node) => node.prepend('strange')",
    "(node) => node.append(document.createElement('font'), 'strange')",
    "(node) => { node.innerHTML = `<font>${node.innerHTML}</font>`; }",
    "(node) => node.replaceChildren()",
    "(node) => node.firstChild?.replaceWith('strange')",
]
PLACES = [".sl-status", ".sl-head", ".sl-foot", ".sl-requests", ".sl-python", ".sl-steps"]


def test_whatever_is_put_into_a_view_the_next_change_takes_its_place(house):
    one, same = (house.page.locator(".sl-panel").nth(n) for n in range(2))
    for number, stranger in enumerate(STRANGERS):
        for place in [one.locator(place).last.element_handle() for place in PLACES]:
            place.evaluate(stranger)
        press(same, "alice: enter")
        press(same, "Restart door" if number % 2 else "Kill door")
        handles = [one.element_handle(), same.element_handle()]
        house.page.wait_for_function(SAME, arg=handles)
        assert "strange" not in one.text_content()


# What tells one from the other where a system chooses the colours.
SHAPE = """(node) => {
  const style = getComputedStyle(node);
  return [style.borderTopColor, style.borderTopStyle, style.borderTopWidth, style.fontWeight,
    style.textDecorationLine].join();
}"""


def test_without_backgrounds_one_sees_what_is_chosen(every):
    page = every.page
    page.emulate_media(forced_colors="active")
    try:
        panel = page.locator(".sl-panel").first
        chosen, other = (
            panel.locator(f".sl-segments input{words} + span").first.evaluate(SHAPE)
            for words in (":checked", ":not(:checked)")
        )
        assert chosen != other
        chips = page.locator(".sl-scrub button[aria-pressed]")
        before = chips.first.evaluate(SHAPE)
        chips.first.click()
        page.locator(".sl-scrub [aria-pressed=true]").wait_for()
        assert chips.first.evaluate(SHAPE) != before
        ready = page.locator(".sl-predict .sl-primary").evaluate(SHAPE)
        assert ready != page.locator(".sl-predict .sl-quiet").evaluate(SHAPE)
    finally:
        page.emulate_media(forced_colors="none")


def test_on_a_narrow_page_nothing_covers_anything_and_no_name_breaks(opened, all_looks):
    notebook = opened("notebooks/05_many_servers.ipynb")
    page, panel = notebook.page, notebook.page.locator(".sl-panel").first
    panel.scroll_into_view_if_needed()
    press(panel, "Skip the prediction")
    press(panel, "Kill balancer")
    panel.locator(".sl-is-dead").wait_for()
    looks = all_looks.replace("[...document.querySelectorAll('.statelab')]", "[panel]")
    looks = looks.replace("() =>", "(panel) =>", 1)
    narrows = [(what, wide) for wide in (400, 320) for what in ("the panel", "the page")]
    for narrow, wide in narrows:
        if narrow == "the panel":
            page.set_viewport_size({"width": 1400, "height": 1000})
            panel.evaluate("(panel, wide) => { panel.style.width = `${wide}px`; }", wide)
        else:
            panel.evaluate("(panel) => { panel.style.width = ''; }")
            page.set_viewport_size({"width": wide, "height": 1000})
        page.wait_for_function(
            "([panel, wide]) => panel.clientWidth <= wide", arg=[panel.element_handle(), wide]
        )
        panel.scroll_into_view_if_needed()
        page.evaluate(TWO_FRAMES)
        assert panel.evaluate(looks) == [], f"{narrow} is {wide} px wide"


TWO_FRAMES = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"""


# The last open view of a kind, and its state, which is said once more after it has changed.
LATE = """
from ipywidgets.widgets import widget

def before(kind):
    global one, old
    there = [one for one in widget._instances.values() if type(one).__name__ == kind]
    one = [one for one in there if not one.gate][-1]
    old = one.get_state()

def late():
    told = one._told
    state, paths, buffers = widget._remove_buffers(old)
    one._send({"method": "update", "state": state, "buffer_paths": paths}, buffers)
    return told
"""


@pytest.mark.parametrize(
    ("kind", "change", "seen"),
    [
        ("Scrub", "one.leave_out(2)", ".sl-scrub >> text=Without 2, the end is different."),
        ("Panel", "one.do('kill', 'door')", ".sl-is-dead"),
    ],
)
def test_a_state_that_comes_late_gives_way_to_the_one_that_is(every, kind, change, seen):
    """JupyterLab asks for the states of all; what it gets may come after what is newer."""
    one = every.page.locator(seen).first
    in_kernel(every, f"[exec({LATE!r}, globals()), before({kind!r}), {change}]")
    one.wait_for()
    told = in_kernel(every, "late()")
    asked = (in_kernel(every, "one._told") > told for _ in range(2000))
    assert any(asked), "the page does not ask for the state that is"
    one.wait_for()
