"""The panel's time line in a real Chromium: scrub, step, play, branch, and travel as text."""

import psutil
import pytest

from browser import scratch
from browser.kernel import in_kernel
from browser.motions import in_both_motions
from statelab import Run

pytestmark = pytest.mark.browser

# What a view shows at its cursor, in the form of `still`.
SHOWN = """(panel) => {
  const all = (node, words) => [...node.querySelectorAll(words)];
  const word = (node, words) => node.querySelector(words)?.textContent ?? '';
  const lines = (node, box) => all(node, `${box} .sl-line:not(.sl-empty)`)
    .map((line) => word(line, '.sl-key')
      + word(line, '.sl-value').split(' → ').at(-1)); // an old value stands before it
  return {
    nodes: all(panel, '.sl-card').map((card) => [card.dataset.node, card.dataset.status,
      word(card, '.sl-memory .sl-caption'), lines(card, '.sl-memory'), lines(card, '.sl-disk')]),
    requests: all(panel, '.sl-request').map((one) => [word(one, 'b'), word(one, '.sl-what'),
      word(one, '.sl-outcome')]),
    events: all(panel, '.sl-event').map((one) => [word(one, 'b'), word(one, '.sl-did')]),
    where: all(panel, '.sl-place').map((one) => [word(one, 'dt'), word(one, 'dd')]),
    row: Number(panel.querySelector('.sl-count').textContent.match(/\\d+/)) - 1,
  };
}"""


READY = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.ready.then(() => {})"


def press(panel, name):
    panel.get_by_role("button", name=name, exact=True).click()


def settled(panel, row=None):
    """Waits until the kernel has answered and the cursor stands at `row`, or at the end."""
    panel.locator(".sl-field").wait_for()
    panel.page.wait_for_function(
        """([panel, row]) => {
          const [at, count] = panel.querySelector('.sl-count').textContent.match(/\\d+/g);
          return panel.ariaBusy !== 'true' && at === (row === null ? count : String(row + 1));
        }""",
        arg=[panel.element_handle(), row],
    )
    return panel.evaluate(SHOWN)


def as_shown(still):
    """`still`, as the view shows it."""
    nodes = [node for column in still["columns"] for node in column["nodes"]]
    lines = lambda items: [f"{line['name']} = {line['text']}" for line in items]  # noqa: E731
    return {
        "nodes": [
            [n["name"], n["status"], n["memory"]["caption"] if n["lives"] or n["memory"]["lines"]
             else "", lines(n["memory"]["lines"]), lines(n["disk"])]
            for n in nodes
        ],
        "requests": [
            *([r["client"], r["what"], r["word"]]
              for r in still["requests"][::-1] if r["mark"] == "wait"),
            *([e["who"], e["what"], e["word"]]
              for e in still["events"][::-1] if e["kind"] == "request"),
        ],
        "events": [[e["who"], e["what"]] for e in still["events"][::-1] if e["kind"] != "request"],
        "where": {name: places or "nowhere" for name, places in still["where"].items()},
    }  # fmt: skip


STILL = (
    "__import__('statelab.lab.panel.snapshot').lab.panel.snapshot"
    ".still(one._session.branch.recording, {row})"
)
A_DAY = ["alice: enter", "alice: ask", "Kill door", "alice: ask", "Restart door", "alice: ask"]


# Each frame is 16 ms after the one before, however long it took: a busy machine shows no fewer.
WATCHED = """(panel) => {
  const frame = window.requestAnimationFrame;
  let now = performance.now();
  window.requestAnimationFrame = (draw) => frame(() => draw((now += 16)));
  const [places, labels] = [new Set(), new Set()];
  const watch = new MutationObserver(() => panel.querySelectorAll('.sl-message').forEach((one) => {
    places.add(one.getAttribute('transform'));
    labels.add(one.querySelector('text').textContent);
  }));
  watch.observe(panel, { subtree: true, childList: true, attributes: true });
  panel.seen = () => {
    watch.disconnect();
    window.requestAnimationFrame = frame;
    return { places: [...places], labels: [...labels] };
  };
}"""


@pytest.fixture
def day(house):
    """A panel with a day behind it."""
    panel = house.page.locator(".sl-panel").first
    for number, name in enumerate(A_DAY):
        press(panel, name)
        house.page.wait_for_function(
            "([panel, time]) => panel.querySelector('.sl-field').ariaValueText.startsWith(time)",
            arg=[panel.element_handle(), f"{(number + 1) / 2:.1f} s"],
        )
    settled(panel)
    return house, panel


def test_at_every_event_the_drawing_shows_what_the_recording_says(day):
    notebook, panel = day
    last = settled(panel)["row"]
    (rule,) = in_kernel(notebook, "one.lights")
    assert 0 < rule["row"] <= last
    panel.locator(".sl-field").focus()
    notebook.page.keyboard.press("Home")
    for row in range(last + 1):
        shown = settled(panel, row)
        wanted = as_shown(in_kernel(notebook, STILL.format(row=row)))
        assert shown["nodes"] == wanted["nodes"]
        assert shown["requests"] == wanted["requests"]
        broken = ["", f"no longer true: “{rule['sentence']}”"]  # an event of the page's own
        assert shown["events"].count(broken) == (row >= rule["row"])
        assert [event for event in shown["events"] if event != broken] == wanted["events"]
        assert dict(shown["where"]) == wanted["where"]
        notebook.page.keyboard.press("ArrowRight")


@in_both_motions
def test_the_cursor_is_dragged_stepped_and_played_and_nothing_is_asked_of_the_kernel(day):
    notebook, panel = day
    page, field = notebook.page, panel.locator(".sl-field")
    handled = in_kernel(notebook, "one.handled")
    box, foot = field.bounding_box(), panel.locator(".sl-foot").bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 40)
    page.mouse.down()
    page.wait_for_function(
        "(field) => field.ariaValueText.startsWith('0.000 s')", arg=field.element_handle()
    )
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.up()
    assert "1.5" in field.get_attribute("aria-valuetext")
    assert panel.locator(".sl-past").is_visible()
    assert panel.locator(".sl-foot").bounding_box() == foot  # or the time line would jump away
    assert page.evaluate("() => getSelection().toString()") == ""
    middle = panel.evaluate(SHOWN)["row"]
    press(panel, "one event on")
    settled(panel, middle + 1)
    press(panel, "one event back")
    settled(panel, middle)
    panel.get_by_label("speed").select_option("64")
    press(panel, "Play")
    settled(panel)
    press(panel, "to the start")
    settled(panel, 0)
    assert in_kernel(notebook, "one.handled") == handled


def test_cards_scroll_except_while_time_is_played(day):
    _, panel = day
    card = panel.locator(".sl-card").first
    overflow = "(card) => getComputedStyle(card).overflowY"
    panel.get_by_label("speed").select_option("0.25")
    assert card.evaluate(overflow) == "auto"
    press(panel, "Play")
    panel.get_by_role("button", name="Pause", exact=True).wait_for()
    assert card.evaluate(overflow) == "hidden"  # or each is a layer: with twenty, half the frames
    panel.get_by_role("button", name="Pause", exact=True).click()
    panel.get_by_role("button", name="Play", exact=True).wait_for()
    assert card.evaluate(overflow) == "auto"


def test_a_light_leads_to_the_moment_of_its_first_breach(day):
    _, panel = day
    moment = panel.locator(".sl-moment")
    assert moment.inner_text().startswith("first broken at 2.5")
    assert panel.locator(".sl-light.sl-is-wrong").count() == 1
    moment.click()
    assert "alice gets 401" in panel.locator(".sl-happens").inner_text()
    press(panel, "one event back")
    assert panel.locator(".sl-light.sl-is-wrong").count() == 0


@in_both_motions
def test_a_click_in_the_past_branches_and_one_can_go_back_to_the_old_future(day):
    notebook, panel = day
    page, field = notebook.page, panel.locator(".sl-field")
    before = settled(panel)
    box = field.bounding_box()
    page.mouse.click(box["x"] + 8 + (box["width"] - 16) * 0.1, box["y"] + 40)  # 0.3 s
    press(panel, "Kill door")
    branch = panel.get_by_role("radio", name="from 0.3 s: kill door")
    branch.wait_for()
    after = settled(panel)
    assert [request[2] for request in after["requests"]][1] == "refused"
    assert panel.locator(".sl-bar-ghost").count() > 0
    assert panel.locator(".sl-parting").count() == 1
    press(panel, "Where they part")
    assert panel.locator(".sl-happens").inner_text() == "kill door"
    panel.get_by_role("radio", name="as it was").click()
    assert settled(panel) == before
    branch.click()
    assert settled(panel) == after


def test_what_was_done_later_is_left_out_if_one_says_so(day):
    notebook, panel = day
    box = panel.locator(".sl-field").bounding_box()
    notebook.page.mouse.click(box["x"] + 8 + (box["width"] - 16) * 0.25, box["y"] + 40)
    panel.get_by_role("radio", name="are left out").click()
    press(panel, "alice: ask")
    panel.get_by_role("radio", name="from 0.75 s: alice GET /").wait_for()
    shown = settled(panel)
    assert [request[2] for request in shown["requests"]] == ["200 OK", "200 OK", "200 OK"]


def test_a_link_is_cut_healed_held_and_loses_a_message_by_key(house):
    page, panel = house.page, house.page.locator(".sl-panel").first
    chip = panel.locator(".sl-chip").first

    def choose(name):
        chip.focus()
        page.keyboard.press("Enter")
        panel.locator(".sl-menu").get_by_role("button", name=name, exact=True).press("Enter")

    for name, word in (("Cut", "cut"), ("Heal", ""), ("Hold", "held"), ("Release", "")):
        choose(name)
        page.wait_for_function(
            "([chip, word]) => chip.textContent === word", arg=[chip.element_handle(), word]
        )
    choose("Lose the next to door")
    panel.locator(".sl-chip", has_text="loses next to door").wait_for()
    press(panel, "alice: enter")
    press(panel, "Wait")
    press(panel, "Wait")
    panel.locator(".sl-request .sl-outcome", has_text="no reply").wait_for()
    chip.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not any(menu.is_visible() for menu in panel.locator(".sl-menu").all())
    lanes = panel.locator(".sl-lane").all_inner_texts()
    assert lanes == ["alice", "door", "alice – door"]


def test_a_live_world_that_cannot_be_branched_says_so(house):
    panel = house.page.locator(".sl-panel").first
    panel.get_by_role("radio", name="Live").click()
    panel.get_by_text("pid ").wait_for()
    press(panel, "alice: enter")
    panel.locator(".sl-request .sl-outcome", has_text="200 OK").wait_for()
    press(panel, "to the start")
    assert "a live world cannot be branched" in panel.locator(".sl-past").inner_text()
    press(panel, "Kill door")
    panel.locator(".sl-is-dead").wait_for()
    assert panel.locator(".sl-branches").count() == 0
    panel.get_by_role("radio", name="Simulated").click()


def test_a_run_code_pasted_in_another_kernel_and_python_give_the_panels_digest(day, folder):
    notebook, panel = day
    box = panel.locator(".sl-field").bounding_box()
    notebook.page.mouse.click(box["x"] + 8 + (box["width"] - 16) * 0.25, box["y"] + 40)
    press(panel, "Kill door")
    panel.get_by_role("radio", name="from 0.75 s: kill door").wait_for()
    settled(panel)
    shown = panel.evaluate(SHOWN)
    texts = {}
    panel.locator(".sl-log").evaluate("(details) => { details.open = true; }")
    for name in ("Copy run code", "Copy as Python"):
        notebook.page.evaluate("() => navigator.clipboard.writeText('')")
        press(panel, name)
        notebook.page.wait_for_function("() => navigator.clipboard.readText()")
        texts[name] = notebook.page.evaluate("() => navigator.clipboard.readText()")
    digest = Run.parse(texts["Copy run code"]).digest

    notebook.close()
    notebook.open("house.ipynb")  # another kernel
    panel = notebook.page.locator(".sl-panel").first
    panel.locator(".sl-log").evaluate("(details) => { details.open = true; }")
    panel.get_by_label("a run code to open").fill(texts["Copy run code"])
    panel.get_by_label("a run code to open").press("Enter")
    panel.get_by_role("radio", name="from a run code").wait_for()
    assert settled(panel) == shown
    assert in_kernel(notebook, "one.world.trace.digest()") == digest
    notebook.page.evaluate(
        """async (code) => {
          const { sessionContext } = window.jupyterapp.shell.currentWidget.context;
          await sessionContext.session.kernel.requestExecute({ code }).done;
        }""",
        texts["Copy as Python"],
    )
    assert in_kernel(notebook, "world.trace.digest()") == digest


def test_a_page_that_is_loaded_again_shows_all_runs_where_they_were(day):
    notebook, panel = day
    page = notebook.page
    box = panel.locator(".sl-field").bounding_box()
    page.mouse.click(box["x"] + 8 + (box["width"] - 16) * 0.25, box["y"] + 40)
    press(panel, "Kill door")
    panel.get_by_role("radio", name="from 0.75 s: kill door").wait_for()
    shown = settled(panel)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    kernel = in_kernel(notebook, "__import__('os').getpid()")
    page.reload()
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady")
    page.evaluate(READY)
    assert in_kernel(notebook, "__import__('os').getpid()") == kernel  # what had died shows nothing
    panel = page.locator(".sl-panel").first
    panel.get_by_role("radio", name="from 0.75 s: kill door").wait_for()
    assert settled(panel) == shown
    press(panel, "Kill door")
    panel.locator(".sl-is-dead").wait_for()


def test_a_panel_left_playing_ends_with_its_cell_and_with_its_kernel(day):
    notebook, panel = day
    page = notebook.page
    press(panel, "to the start")
    panel.get_by_label("speed").select_option("0.25")
    press(panel, "Play")
    page.evaluate(
        """() => {
          const app = window.jupyterapp;
          app.shell.currentWidget.content.activeCellIndex = 1;
          return app.commands.execute('notebook:run-cell');
        }"""
    )
    panel = page.locator(".sl-panel").first
    settled(panel)
    press(panel, "alice: enter")
    panel.locator(".sl-request .sl-outcome", has_text="200 OK").wait_for()
    press(panel, "to the start")
    press(panel, "Play")
    kernel = psutil.Process(in_kernel(notebook, "__import__('os').getpid()"))
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()"
    )
    psutil.wait_procs([kernel], timeout=60)
    assert not kernel.is_running()
    notebook.run_all()
    panel = page.locator(".sl-panel").first
    press(panel, "alice: ask")
    panel.locator(".sl-request .sl-outcome", has_text="401 Unauthorized").wait_for()


def test_a_saved_notebook_without_a_kernel_shows_the_static_picture(house, folder):
    page = house.page
    picture = page.locator("img[alt^='Lab panel “one”']").first
    page.locator(".sl-panel").first.wait_for()
    picture.wait_for(state="hidden")
    house.save_and_open_without_kernel("house.ipynb")
    picture.wait_for()
    assert picture.evaluate("(image) => image.complete && image.naturalWidth > 0")


def test_where_motion_is_welcome_messages_travel_and_the_eyes_follow(
    house,
):
    panel = house.page.locator(".sl-panel").first
    panel.evaluate(WATCHED)
    press(panel, "alice: enter")
    panel.locator(".sl-request .sl-outcome", has_text="200 OK").wait_for()
    settled(panel)
    seen = panel.evaluate("(panel) => panel.seen()")
    assert len(seen["places"]) > 8
    assert seen["labels"] == ["POST /enter", "200"]


@in_both_motions
def test_a_live_run_is_shown_from_its_first_row_on_however_late_that_comes(folder, opened):
    scratch.write(folder / "late.ipynb", {"setup": scratch.SETUP, "late": scratch.LATE})
    notebook = opened("late.ipynb")
    panel = notebook.page.locator(".sl-panel").first
    panel.get_by_role("radio", name="Live").click()
    panel.get_by_text("event 0 of 0").wait_for()
    for key in ("ArrowRight", "Home", "End"):
        panel.locator(".sl-field").press(key)
    assert notebook.strays() == []
    in_kernel(notebook, "opens.set()")
    panel.get_by_text("pid ").wait_for()
    press(panel, "Kill door")
    panel.locator(".sl-is-dead").wait_for()
    shown = settled(panel)
    assert shown["nodes"][-1][:2] == ["door", "dead"]
    press(panel, "Restart door")
    panel.locator(".sl-is-up").wait_for()


def test_a_value_that_is_none_is_seen_wherever_a_view_says_it(house):
    assert house.strays() == []
    for spoil in (
        "(panel) => panel.append('after NaN s')",
        "(panel) => panel.querySelector('.sl-cursor').style.setProperty('--x', 'undefined')",
        "(panel) => panel.querySelector('.sl-card').setAttribute('title', 'null')",
    ):
        panel = house.page.locator(".sl-panel").first
        before = panel.evaluate("(panel) => panel.outerHTML")
        panel.evaluate(spoil)
        assert len(house.strays()) == 1
        panel.evaluate("(panel, before) => { panel.outerHTML = before; }", before)
