"""An address opens somebody's run in the panel that it is of, at the event that they looked at."""

import dataclasses

import pytest

from browser import scratch
from browser.jupyter import Lab
from browser.kernel import in_kernel
from statelab import Run, World

AT = 4


def shared():
    """A run of the scratch notebook's scenario: alice enters, and its server is killed."""
    names = {}
    exec(scratch.SETUP, names)
    world = World(seed=7)
    names["house"](world)
    world.client("alice").post("door", "/enter", "alice")
    world.kill("door")
    return Run.of(world)


@pytest.fixture
def at_address(browser, server, folder):
    """A function that opens the scratch notebook in a browser of its own, at an address."""
    scratch.write(folder / "shared.ipynb", scratch.CELLS)
    pages = []

    def open_at(fragment):
        address, first = server
        lab = Lab(browser, address, f"{first}#{fragment}")
        pages.append(lab)
        lab.open("shared.ipynb")
        return lab

    yield open_at
    for lab in pages:
        assert lab.errors == []
        lab.close()
        lab.page.context.close()


def event(lab, title):
    """At which event a panel's time line stands."""
    panel = lab.page.locator(f".sl-panel[aria-label={title!r}]").first
    return panel.locator(".sl-steps").text_content()


def test_an_address_opens_its_run_at_its_event_in_the_first_panel_that_it_is_of(at_address):
    run = shared()
    lab = at_address(f"run={run.code()}&at={AT}")
    lab.page.get_by_text(f"event {AT + 1} of ").first.wait_for(state="attached")
    assert f"event {AT + 1} of " in event(lab, "one")
    assert in_kernel(lab, "one.world.trace.digest()") == run.digest
    assert f"event {AT + 1} of " not in event(lab, "other")
    # What is copied from there opens the same in another browser, and no server hears of the run.
    address = lab.page.locator(".sl-code").nth(1).text_content()
    again = at_address(address.partition("#")[2])
    again.page.get_by_text(f"event {AT + 1} of ").first.wait_for(state="attached")
    assert in_kernel(again, "one.world.trace.digest()") == run.digest


HUB = """() => {
  const settings = document.getElementById('jupyter-config-data');
  const own = JSON.parse(settings.textContent);
  settings.textContent = JSON.stringify({ ...own, hubPrefix: '/hub/' });
}"""


def test_on_a_hub_an_address_leads_each_reader_to_a_server_of_their_own(at_address):
    lab = at_address("")
    lab.page.evaluate(HUB)
    lab.run_anew()
    lab.page.locator("[data-verb=kill]").first.press("Enter")
    lab.page.locator(".sl-is-dead").first.wait_for()
    address = lab.page.locator(".sl-code").nth(1).text_content()
    assert "/hub/user-redirect/lab" in address
    assert "workspaces" not in address


def test_an_address_without_a_run_code_says_so_once(at_address):
    lab = at_address("run=SL1-nonsense&at=1")
    said = lab.page.locator(".sl-panel[aria-label='one'] .sl-error").first
    said.filter(has_text="run code").wait_for(state="attached")
    assert lab.page.locator(".sl-panel[aria-label='other'] .sl-error").text_content() == ""


def test_the_run_of_another_scenario_opens_nowhere_and_disturbs_nobody(at_address):
    other = dataclasses.replace(shared(), scenario="shop")
    lab = at_address(f"run={other.code()}&at={AT}")
    in_kernel(lab, "1")  # it has heard of the address by now
    assert "run code" not in lab.page.locator(".sl-error").all_text_contents()
    assert all(f"event {AT + 1} of " not in event(lab, title) for title in ("one", "other"))
