"""What a view tells its pages: all of it at once, later changes by number, all again if asked."""

import comm
import pytest
from matplotlib.figure import Figure

from statelab import Node, lab, scenario


class Door(Node):
    async def handle(self, request):
        return "come in"


@scenario
def house(world):
    world.start("door", Door)
    world.client("alice").get("door")


def panel():
    return lab.Panel(house, prediction=lab.predict("Which?", ["this", "that"]))


def observed():
    return lab.observe(panel(), lambda rows: ("this", "so it was"))


def compared():
    return lab.compare(lab.predict("Which?", ["this", "that"]), "this", "so it was")


def scrub():
    return lab.Scrub(lambda state, n: {"n": state["n"] + n}, {"n": 0}, [1, 2])


def slider():
    return lab.Slider("x", [1, 2], lambda x: lab.Plot(Figure(), f"x is {x}"), value=2)


def wire():
    return lab.Wire(Door, b"GET / HTTP/1.1\r\n\r\n", lab.predict("Which?", ["this", "that"]))


def open_wire():
    return lab.Wire(Door, b"GET / HTTP/1.1\r\n\r\n")


@pytest.fixture
def told(monkeypatch):
    """What is said to pages: (kind of message, data)."""
    said = []

    def publish(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        said.append((msg_type, data))

    monkeypatch.setattr(comm.DummyComm, "publish_msg", publish)
    return said


@pytest.mark.parametrize("make", [panel, scrub])
def test_a_view_is_told_of_when_it_is_whole(told, make):
    """A page may ask for the states of all widgets at any moment."""
    make()
    (kind, _) = told[-1]
    assert kind == "comm_open"


@pytest.mark.parametrize("make", [slider, wire, open_wire])
def test_a_box_and_its_parts_are_told_of_when_they_are_whole(told, make):
    make()
    assert {kind for kind, _ in told} == {"comm_open"}


@pytest.mark.parametrize("make", [observed, compared])
def test_a_comparison_is_told_of_with_its_sentence(told, make):
    make()
    assert told[-1][0] == "comm_open"
    assert told[-1][1]["state"]["verdict"]["text"]


def test_what_is_told_has_a_number_that_grows(told):
    log = scrub()
    log.leave_out(1)
    log.leave_out(2)
    numbers = [data["state"]["told"] for _, data in told if "told" in data["state"]]
    assert numbers == sorted(set(numbers))
    assert log.get_state()["told"] == numbers[-1]


def test_a_page_that_asks_is_told_all_once_more(told):
    log = scrub()
    log.leave_out(1)
    before = told[-1][1]["state"]["told"]
    log._handle_msg({"content": {"data": {"method": "custom", "content": "state"}}, "buffers": []})
    (_, data) = told[-1]
    assert data["state"]["states"] == log.states
    assert data["state"]["told"] > before
