"""An outcome says what it needs, one thing after the other, and is undecided until it has it."""

import pytest

from statelab import Node, World, lab, scenario


class Web(Node):
    async def handle(self, request):
        return "here"


@scenario
def house(world):
    world.start("web", Web)
    world.client("alice")


def lost(rows):
    kill = lab.need(rows.first("kill", "web"), "Still to do: kill web.")
    lab.need(rows.first("start", "web", after=kill), "Still to do: restart it.")
    return "yes", f"at {kill.time:.1f} s."


def test_what_is_still_to_do_is_said_until_all_is_there():
    guess = lab.predict("Is it lost?", ["yes", "no"])
    panel = lab.Panel(house, prediction=guess)
    seen = lab.observe(panel, lost)
    guess.answer("no")
    for verb, mark, text in (
        ("kill", "open", "Still to do: restart it."),
        ("restart", "wrong", "It was “yes”: at 0.0 s."),
    ):
        panel.do(verb, "web")
        assert (seen.verdict["mark"], seen.verdict["text"]) == (mark, text)


@pytest.mark.parametrize("found", [None, [], False, {}])
def test_nothing_is_not_yet_and_whoever_asks_outside_of_a_panel_is_told_so(found):
    with pytest.raises(lab.NotYet, match="kill web"):
        lab.need(found, "Still to do: kill web.")
    with pytest.raises(lab.NotYet, match="kill web"):
        lost(World(seed=7).trace.rows)


def test_what_is_found_is_handed_on():
    assert lab.need("a row", "Still to do.") == "a row"
