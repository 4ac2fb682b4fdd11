"""The lessons: their names, and what each of them defines."""

import ast
import contextlib
import functools
from pathlib import Path

import nbformat
import pytest

from statelab import Run, lab

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@functools.cache
def load(name):
    """Return a module of what the notebook `name`, such as "04_authentication", defines."""
    with contextlib.chdir(NOTEBOOKS):  # where its kernel would run
        return lab.lesson(name)


def names():
    """Return the names of the lessons there are."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def few(names, always):
    """Return `names` as parameters: those that are not in `always` are for the soak."""
    marks = {True: (), False: pytest.mark.soak}
    return [pytest.param(name, marks=marks[name in always]) for name in names]


class Lesson:
    """A lesson under test: what it defines, its cells, and its panels as a learner uses them."""

    def __init__(self, name):
        self.name = name
        self.module = load(name)

    def __getattr__(self, name):
        return getattr(self.module, name)

    def cell(self, name):
        """The source of a cell by its id."""
        notebook = nbformat.read(NOTEBOOKS / f"{self.name}.ipynb", as_version=4)
        return next(cell.source for cell in notebook.cells if cell.id == name)

    def run(self, *sources, **names):
        """The lesson's names, and these, after some more source was run, such as a cell's."""
        names = {**vars(self.module), "lab": lab, **names}
        for source in sources:
            exec(source, names)
        return names

    def shown(self, *cells, **names):
        """What each of these cells shows, as its last expression, when they are run in order."""
        names = self.run(**names)
        for cell in map(self.cell, cells):
            *before, last = ast.parse(cell).body
            exec(compile(ast.Module(before, []), f"<{self.name}>", "exec"), names)
            yield eval(compile(ast.Expression(last.value), f"<{self.name}>", "eval"), names)

    def opened(self, number, answer):
        """A panel and what is observed of it, after a prediction."""
        cells = (f"{kind}-{number}" for kind in ("predict", "panel", "observe"))
        guess, panel, observation = self.shown(*cells)
        guess.answer(answer)
        return panel, observation

    def hunted(self):
        """The run whose code the bug hunt shows."""
        return Run.parse(self.run(self.cell("hunt-run").partition("world =")[0])["code"])


VERBS = ("kill", "restart", "pause", "resume", "hold", "release", "lose_next", "wait", "again")


def press(panel, *buttons):
    """Presses a panel's buttons: a verb and its names, such as "kill web", or an action's label.

    A tuple is what the panel itself is given.
    """
    for button in buttons:
        if type(button) is not tuple:
            button = button.split() if button.split()[0] in VERBS else ("action", button)
        panel.do(*button)
        assert panel.error == ""
