"""What another lesson defines is had from its notebook, as that notebook has it."""

import inspect
import json

import pytest

from statelab import LiveWorld, Run, World, lab

SETUP = "import random\nfrom statelab import Node, scenario\n\nprint('ready')"
COUNTER = """class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


@scenario
def counting(world):
    world.start("web", Counter)
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A function: the kernel runs beside a notebook with these cells, each a tag and its source."""

    def write(*cells):
        made = [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {"tags": [tag]}, "source": source}
            for n, (tag, source) in enumerate(cells)
        ]
        text = json.dumps({"cells": made})
        (tmp_path / "01_counter.ipynb").write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path)

    return write


def counted(world, lesson):
    lesson.counting(world)
    return world.call("web").body, world.call("web").body


def test_a_lessons_servers_and_scenarios_run_in_another_and_what_it_shows_does_not(beside, capsys):
    beside(("setup", SETUP), ("code", COUNTER.splitlines(True)), ("panel", "1 / 0"))
    lesson = lab.lesson("01_counter")
    assert counted(World(seed=7), lesson) == (1, 2)
    assert capsys.readouterr().out == ""


def test_a_run_of_it_can_be_shared_and_its_source_be_seen(beside):
    beside(("setup", SETUP), ("code", COUNTER))
    lesson = lab.lesson("01_counter")
    world = World(seed=7)
    counted(world, lesson)
    again = Run.parse(Run.of(world).code()).replay(lab.lesson("01_counter").counting)
    assert again.trace.digest() == world.trace.digest()
    assert inspect.getsource(lesson.Counter) == COUNTER.partition("\n\n\n@")[0] + "\n"


@pytest.mark.live
def test_it_runs_on_real_processes_too(beside):
    beside(("setup", SETUP), ("code", COUNTER))
    with LiveWorld() as world:
        assert counted(world, lab.lesson("01_counter")) == (1, 2)


def test_a_lesson_that_is_not_there_is_named(beside):
    beside()
    with pytest.raises(FileNotFoundError, match=r"02_other\.ipynb is not beside this notebook"):
        lab.lesson("02_other")
