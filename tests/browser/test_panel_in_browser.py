"""The panel in a real Chromium: clicks, keys, copies, two views, real processes, a dead kernel."""

import lessons
import psutil
import pytest

from browser import scratch
from browser.motions import in_both_motions
from statelab import Run, World

pytestmark = pytest.mark.browser


def press(panel, name):
    panel.get_by_role("button", name=name, exact=True).click()


def outcomes(panel):
    """The words of the outcomes, in the order of the requests."""
    return panel.locator(".sl-request .sl-outcome").all_inner_texts()[::-1]


def until_outcomes(panel, *words):
    """Waits until the list of requests has come to `words`."""
    panel.locator(".sl-request").nth(len(words) - 1).wait_for()
    for place, word in enumerate(reversed(words)):
        panel.locator(".sl-request .sl-outcome").nth(place).get_by_text(word).wait_for()
    assert outcomes(panel) == list(words)


def unfold(panel):
    """Opens what is folded beneath a panel: the run as text."""
    panel.locator(".sl-log").evaluate("(details) => { details.open = true; }")


def copied(notebook, panel, name):
    """What a copy button puts on the clipboard."""
    page = notebook.page
    unfold(panel)
    page.evaluate("() => navigator.clipboard.writeText('')")
    press(panel, name)
    page.wait_for_function("() => navigator.clipboard.readText()")
    return page.evaluate("() => navigator.clipboard.readText()")


def test_the_first_lesson_tells_who_was_right_and_its_run_travels_as_text(opened):
    notebook = opened("notebooks/00_start_here.ipynb")
    page = notebook.page
    ask, panel = page.locator(".sl-predict").first, page.locator(".sl-panel").first
    panel.scroll_into_view_if_needed()  # out of view it may not be drawn yet
    panel.get_by_text("Predict first, or skip").wait_for()
    assert panel.locator(".sl-card").count() == 0
    ask.get_by_label("both").click()
    ask.get_by_label("fairly sure").click()
    ask.get_by_role("button", name="That is my prediction").click()
    for name in ("alice: log in", "bob: log in", "Kill web-a", "Kill web-b"):
        press(panel, name)
    for name in ("Restart web-a", "Restart web-b", "alice: open profile", "bob: open profile"):
        press(panel, name)
    until_outcomes(panel, "200 OK", "200 OK", "401 Unauthorized", "200 OK")
    said = "It was “only bob”: alice's login was lost at 1.0 s, and noticed at 3.0 s."
    for place in (panel, page.locator(".sl-observe").first):
        assert "You said “both”, fairly sure." in place.inner_text()
        assert said in place.inner_text()

    # In another process, from text alone.
    lesson = lessons.load("00_start_here")
    run = Run.parse(copied(notebook, panel, "Copy run code"))
    assert run.replay(lesson.two_logins).trace.digest() == run.digest
    names = {**vars(lesson), "World": World}
    exec(copied(notebook, panel, "Copy as Python"), names)
    assert names["world"].trace.digest() == run.digest

    # What was pressed last is the line that one sees.
    box = panel.locator(".sl-python")
    assert box.evaluate("(box) => box.scrollHeight > box.clientHeight")
    assert box.evaluate("(box) => box.scrollTop === 0")  # it stands on its end
    box.evaluate("(box) => { box.scrollTop = -1; }")
    assert box.evaluate("(box) => box.scrollTop") == -1

    # And in the neighbour's panel, which is the third one here.
    other = page.locator(".sl-panel").nth(2)
    unfold(other)
    other.get_by_label("a run code to open").fill(run.code())
    press(other, "Open")
    until_outcomes(other, "200 OK", "200 OK", "401 Unauthorized", "200 OK")


def test_two_views_show_one_panel_and_two_panels_do_not_disturb_each_other(house):
    one, same, other = (house.page.locator(".sl-panel").nth(n) for n in range(3))
    press(one, "alice: enter")
    press(same, "Kill door")
    for view in (one, same):
        view.locator(".sl-is-dead").wait_for()
        until_outcomes(view, "200 OK")
        assert view.locator(".sl-error").is_hidden()
    other.locator(".sl-is-up").wait_for()
    assert outcomes(other) == []
    press(other, "alice: ask")
    until_outcomes(other, "401 Unauthorized")
    assert outcomes(one) == ["200 OK"]


def test_the_loud_line_says_by_which_event_a_rule_broke_and_that_it_is_broken_since(house):
    panel = house.page.locator(".sl-panel").first
    loud = panel.locator(".sl-foot")
    press(panel, "alice: enter")
    loud.get_by_text("200 OK").wait_for()
    assert "broken" not in loud.inner_text()
    press(panel, "Kill door")
    press(panel, "Restart door")
    press(panel, "alice: ask")
    loud.get_by_text("no longer true: “who is inside is known”").wait_for()
    assert "alice gets 401 'who?' from door" in loud.inner_text()
    press(panel, "alice: enter")
    loud.get_by_text("200 OK").wait_for()
    loud.get_by_text("not true since 1.5 s: “who is inside is known”").wait_for()
    assert "sl-last-ok" not in loud.get_attribute("class")


def test_a_click_that_fails_is_said_and_the_next_one_clears_it(house):
    panel = house.page.locator(".sl-panel").first
    press(panel, "alice: ask nobody")
    panel.get_by_role("alert").get_by_text("no node is named 'nobody'").wait_for()
    press(panel, "alice: ask")
    until_outcomes(panel, "401 Unauthorized")
    assert panel.locator(".sl-error").is_hidden()


@in_both_motions
def test_keys_do_what_the_mouse_does_and_the_focus_stays_at_the_node(house, motion):
    page = house.page
    panel = page.locator(".sl-panel").first
    panel.locator("[data-verb=kill]").focus()
    page.keyboard.press("Enter")
    panel.locator(".sl-is-dead").wait_for()
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Restart door"
    page.keyboard.press("Space")
    panel.locator(".sl-is-up").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Pause door"
    page.keyboard.press("Shift+Tab")
    press(panel, "alice: enter")
    until_outcomes(panel, "200 OK")
    # Where less motion is asked for, nothing glows.
    panel.locator(".sl-changed").first.wait_for()
    if motion == "reduce":
        assert panel.evaluate("(view) => view.getAnimations({ subtree: true }).length") == 0


@in_both_motions
def test_a_real_process_is_killed_by_the_same_button_and_ends_when_its_cell_is_run_again(house):
    page = house.page
    panel = page.locator(".sl-panel").first
    panel.get_by_role("radio", name="Live").click()
    pid = panel.get_by_text("pid ")
    pid.wait_for()
    first = int(pid.inner_text().split()[1])
    assert psutil.pid_exists(first)
    press(panel, "alice: enter")
    until_outcomes(panel, "200 OK")
    press(panel, "Kill door")
    panel.locator(".sl-is-dead").wait_for()
    assert not psutil.pid_exists(first)
    press(panel, "Restart door")
    panel.locator(".sl-is-up").wait_for()
    press(panel, "alice: ask")
    until_outcomes(panel, "200 OK", "401 Unauthorized")
    second = int(pid.inner_text().split()[1])
    assert panel.get_by_role("button", name="Copy run code").is_hidden()

    page.evaluate(
        """() => {
          const app = window.jupyterapp;
          app.shell.currentWidget.content.activeCellIndex = 1;
          return app.commands.execute('notebook:run-cell');
        }"""
    )
    psutil.wait_procs([psutil.Process(second)] if psutil.pid_exists(second) else [], timeout=60)
    assert not psutil.pid_exists(second)
    panel = page.locator(".sl-panel").first
    press(panel, "alice: ask")
    until_outcomes(panel, "401 Unauthorized")


# What lies over something else: words over bars that are not theirs, names over outcomes.
COVERED = """(panel) => {
  const box = (node) => node.getBoundingClientRect();
  const meet = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const bars = [...panel.querySelectorAll('rect')];
  const theirs = (bar, word) => bar.left < word.left && Math.abs(bar.right - word.right - 4) < 3;
  const written = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  };
  const words = [...panel.querySelectorAll('text.sl-bad')].filter((word) => bars.some(
    (bar) => meet(box(bar), box(word)) && !theirs(box(bar), box(word))));
  const names = [...panel.querySelectorAll('.sl-request')].filter(
    (one) => meet(written(one.querySelector('b')), box(one.querySelector('.sl-outcome'))));
  return [...words, ...names].map((node) => node.textContent);
}"""


def test_a_word_stands_clear_of_the_next_bar_and_a_name_of_its_outcome(house):
    panel = house.page.locator(".sl-panel").first
    for name in ("alice: ask when it is busy", "Pause door", "alice: ask", "Wait", "alice: ask"):
        press(panel, name)
        house.page.wait_for_function(
            "(panel) => panel.ariaBusy === 'false'", arg=panel.element_handle()
        )
    until_outcomes(panel, "503 Service Unavailable", "no reply", "waiting")
    assert panel.locator("text.sl-bad").all_text_contents() == ["503"]
    assert panel.evaluate(COVERED) == []


# Whether the first words of a line of text are seen whole: where they end, it goes on or is cut.
SHOWS = """(line, words) => {
  const range = document.createRange();
  range.setStart(line.firstChild, 0);
  range.setEnd(line.firstChild, words.length);
  const [text, box] = [range.getBoundingClientRect(), line.getBoundingClientRect()];
  return line.textContent.startsWith(words) && text.right <= box.right && text.bottom <= box.bottom;
}"""


def test_where_cards_have_little_room_one_still_reads_on_them_what_was_due(scratched):
    panel = scratched("crowd.ipynb", {"crowd": scratch.CROWD}).page.locator(".sl-panel").first
    names = ("alice", "alice-mobile", "bob")
    for name in names:
        press(panel, f"{name}: profile")
    until_outcomes(panel, *["401 Unauthorized"] * 3)
    for name in names:
        card = panel.locator(f"[data-node={name}]")
        assert "sl-tight" in card.get_attribute("class")
        assert card.locator(".sl-answer").evaluate(SHOWS, "should be 200")


@pytest.fixture
def stuck(scratched):
    """A panel on a server that loops, ends its process, and says half a character."""
    return scratched("stuck.ipynb", {"setup": scratch.SETUP, "stuck": scratch.STUCK})


def test_a_click_that_is_interrupted_is_answered_and_the_kernel_and_the_panel_go_on(stuck):
    panel = stuck.page.locator(".sl-panel").first
    press(panel, "alice: enter")
    until_outcomes(panel, "200 OK")
    press(panel, "alice: loop")
    panel.get_by_role("alert").get_by_text("The kernel has not answered").wait_for()
    stuck.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    panel.get_by_role("alert").get_by_text("the run is as it was before").wait_for()
    until_outcomes(panel, "200 OK")
    press(panel, "alice: ask")
    until_outcomes(panel, "200 OK", "200 OK")
    assert panel.locator(".sl-error").is_hidden()


def test_a_handler_that_ends_its_process_ends_its_node_and_no_kernel(stuck):
    panel = stuck.page.locator(".sl-panel").first
    press(panel, "alice: exit")
    panel.locator(".sl-is-dead").wait_for()
    press(panel, "Restart door")
    panel.locator(".sl-is-up").wait_for()


def test_half_a_character_that_a_node_says_reaches_the_page(stuck):
    panel = stuck.page.locator(".sl-panel").first
    press(panel, "alice: half")
    until_outcomes(panel, "200 OK")
    press(panel, "alice: enter")
    until_outcomes(panel, "200 OK", "200 OK")
    assert panel.locator(".sl-error").is_hidden()
    assert "'\\ud800'" in panel.locator("[data-node=door] .sl-value").first.inner_text()


def test_a_dead_kernel_is_said_in_the_panel(house):
    panel = house.page.locator(".sl-panel").first
    house.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()"
    )
    press(panel, "Kill door")
    panel.get_by_role("alert").get_by_text("run the cell again").wait_for()


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (".statelab { --muted: #b0b8c4 }", "has a contrast of"),
        (".statelab .sl-buttons { position: relative; top: -64px }", "lies over"),
        (".statelab .sl-name { width: 8px }", "is broken"),
        (".statelab .sl-columns { width: 2000px }", "it is wider than its place"),
    ],
)
def test_what_a_picture_may_not_lose_is_seen_when_it_is_lost(house, all_looks, spoiled, said):
    page = house.page
    assert page.evaluate(all_looks) == []
    page.add_style_tag(content=f"{spoiled} /* spoiled */")
    found = page.evaluate(all_looks)
    page.evaluate(
        """() => [...document.querySelectorAll('style')]
          .find((style) => style.textContent.includes('/* spoiled */')).remove()"""
    )
    assert any(said in what for what in found), found


def test_a_value_of_the_drawing_itself_is_seen_where_it_should_not_be(house, all_looks):
    page = house.page
    page.evaluate("() => document.querySelector('.sl-panel').append('false')")
    assert any("says “false”" in what for what in page.evaluate(all_looks))


def test_the_buttons_of_links_that_cross_do_not_cover_each_other(crossing, all_looks):
    page = crossing.page
    panel = page.locator(".sl-panel").first
    press(panel, "alice: go left")
    until_outcomes(panel, "200 OK")
    chips = panel.locator(".sl-chip")
    assert chips.count() == 4
    chips.last.click()
    panel.get_by_role("button", name="Cut", exact=True).click()
    chips.last.get_by_text("cut").wait_for()
    for width in (1400, 800):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(
            "([panel, width]) => panel.clientWidth < width",
            arg=[panel.element_handle(), width],
        )
        assert page.evaluate(all_looks) == []
        for chip in chips.all():
            chip.click(trial=True)
    # Each in the middle of its link, they would.
    page.add_style_tag(content=".statelab .sl-link { top: 50% !important } /* spoiled */")
    assert any("covers" in what for what in page.evaluate(all_looks))
    page.evaluate(
        """() => [...document.querySelectorAll('style')]
          .find((style) => style.textContent.includes('/* spoiled */')).remove()"""
    )
