"""The lesson that docs/teaching.md shows is a whole one: in forty lines, and it runs."""

import ast
import re
from pathlib import Path

from lessons import press

from statelab import World

TEXT = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text("utf-8")
SHOWN = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]


def lesson():
    """The prediction, the panel and the observation that its cells make."""
    names = {}
    *_, last = ast.parse(SHOWN).body
    exec(SHOWN.replace(ast.unparse(last), f"observation = {ast.unparse(last)}"), names)
    return names["guess"], names["panel"], names["observation"]


def test_it_is_no_longer_than_forty_lines():
    assert len([line for line in SHOWN.splitlines() if line.strip()]) <= 40


def test_its_observation_leads_to_the_kill_and_tells_the_prediction_from_what_happened():
    guess, panel, observation = lesson()
    guess.answer("one")
    for button, todo in (
        ("vote", "Still to do: kill the poll."),
        ("kill poll", "Still to do: restart it, and count."),
        ("restart poll", "Still to do: restart it, and count."),
    ):
        press(panel, button)
        assert observation.verdict["text"] == todo
    press(panel, "count")
    assert observation.verdict["mark"] == "wrong"
    assert "It was “none”: the vote of 0.0 s met its kill at 0.5 s." in repr(observation)


def test_a_poll_that_kept_its_votes_on_disk_would_have_one():
    names = {}
    exec(SHOWN, names)

    class OnDisk(names["Poll"]):
        async def handle(self, request):
            self.disk["votes"] = self.disk.get("votes", 0) + (request.method == "POST")
            return self.disk["votes"]

    world = World(seed=7)
    names["poll"](world, server=OnDisk)
    alice = world.client("alice")
    alice.post("poll", "/")
    world.kill("poll")
    world.restart("poll")
    world.run(0.1)  # until the news of the kill has reached her
    alice.get("poll", "/")
    assert names["what_is_left"](world.trace.rows)[0] == "one"
