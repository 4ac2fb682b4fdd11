"""One real connection by hand, in a real Chromium: acknowledged is not read."""

import sys

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it remembers"),
]


def test_buttons_work_on_a_real_connection_and_the_table_follows(opened):
    page = opened("notebooks/03_stateful_or_stateless.ipynb").page
    wire = page.locator(".jp-Cell", has_text="lab.Wire(").first
    for button in ("Skip the prediction", "pause the server", "send the request"):
        wire.get_by_role("button", name=button).click()
    line = wire.locator("tr", has_text="request sent")
    line.wait_for()
    assert line.locator("td").all_inner_texts()[1:] == ["62", "62", "62", "0", "established"]
    wire.get_by_role("button", name="fetch the answer").click()
    wire.get_by_text("There is no answer to fetch.").wait_for()
    page.get_by_text("It was “62 acknowledged, none read”").wait_for()
