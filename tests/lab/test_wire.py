"""One real connection by hand: what its buttons do, and what the table then says."""

import sys
import time

import pytest
from processes import folder_of, wait_until

from statelab import Node, lab

pytestmark = pytest.mark.live
REQUEST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 6\r\n\r\n[2, 3]"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it remembers")


class Adder(Node):
    async def handle(self, request):
        return sum(request.body)


@pytest.fixture
def wire():
    made = lab.Wire(Adder, REQUEST)
    yield made
    made.close()


def press(wire, *texts):
    """Clicks the buttons that say so, and waits."""
    buttons = {button.description: button for button in wire.children[0].children}
    for text in texts:
        buttons[text].click()
    wire.wait()


def last(wire):
    return wire.table.splitlines()[-1].split()


@linux
def test_what_a_paused_server_has_not_read_is_acknowledged_all_the_same(wire):
    press(wire, "pause the server", "send the request")
    assert last(wire)[-5:] == ["55", "55", "55", "0", "established"]
    press(wire, "fetch the answer")
    assert wire.said == "There is no answer to fetch."
    press(wire, "resume it")
    end = time.monotonic() + 10
    while not wire.said.startswith("The answer") and time.monotonic() < end:
        press(wire, "fetch the answer")
    assert wire.said.startswith("The answer: 'HTTP/1.1 200 OK")
    assert last(wire)[-5:-2] == ["55", "55", "0"]


def test_each_click_adds_a_line_and_starting_over_begins_a_new_connection(wire):
    press(wire, "send the request", "kill it")
    whens = [line.split("  ")[0] for line in wire.table.splitlines()[1:4]]
    assert whens == ["connected", "request sent", "server killed"]
    press(wire, "start over")
    assert wire.table.splitlines()[1].startswith("connected")
    assert len(wire.table.splitlines()) < 4
    assert wire.children[2].value == wire._ledger._repr_html_()


def test_an_error_is_said_in_the_widget_and_the_next_click_works(wire):
    press(wire, "kill it", "kill it")
    assert wire.said.startswith("WrongState: web is dead already")
    press(wire, "start over", "send the request")
    assert wire.said == "55 bytes sent."
    with pytest.raises(ValueError, match="there is no button 'explode'"):
        wire.do("explode")


def test_it_opens_when_the_prediction_is_answered_and_starts_nothing_before():
    guess = lab.predict("Which?", ["this", "that"])
    wire = lab.Wire(Adder, REQUEST, guess)
    assert wire.said == "Predict first."
    (skip,) = wire.children[0].children
    skip.click()
    assert guess.done == "skipped"
    assert len(wire.children[0].children) == 6
    assert wire._world is None
    wire.close()


def test_the_prediction_is_compared_with_what_the_table_says():
    def lines_so_far(lines):
        whens = [when for when, _ in lines]
        return ("two" if len(whens) == 2 else None), f"lines: {', '.join(whens) or 'none'}."

    guess = lab.predict("How many?", ["one", "two"])
    wire = lab.Wire(Adder, REQUEST, guess)
    observed = lab.observe(wire, lines_so_far)
    assert repr(observed) == "No prediction so far. lines: none."
    guess.answer("one", "certain")
    press(wire, "send the request")
    assert repr(observed) == (
        "You said “one”, certain. It was “two”: lines: connected, request sent."
    )
    press(wire, "start over")
    assert repr(observed) == "You said “one”, certain. lines: connected."
    wire.close()


def test_closing_it_ends_its_process(wire):
    press(wire, "send the request")
    folder = folder_of(wire._world)
    wire.close()
    wait_until(lambda: not folder.exists())


def test_viewers_without_a_kernel_read_what_it_is(wire):
    bundle = wire._repr_mimebundle_()
    assert bundle["text/plain"] == "Wire(Adder)"
    assert "pause the server" in bundle["text/html"]
