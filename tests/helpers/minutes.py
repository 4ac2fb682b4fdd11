"""How long a lesson takes, computed from its notebook; `python -m tests.helpers.minutes` prints it.

What is folded away, the appendices and the workshop do not count. A step is a numbered line before
or after a panel; "twice" and "four times" in it are as many presses.
"""

import ast
import math
import re
import sys
from pathlib import Path

import nbformat

from statelab.lab.ask.quiz import questions_in

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WORDS, LINES = 200, 10  # a minute
PRESS, PREDICTION = 20 / 60, 90 / 60  # minutes
OPTIONAL = {"change", "hunt", "answer", "answer-server", "appendix"}
TIMES = {
    "once each": 1,
    "twice": 1,
    "three times": 2,
    "four times": 3,
    "five times": 4,
}  # beyond the first
AT_ONCE = 40  # visible lines before the first panel, at the most


def words(markdown):
    """How many words one reads: tables too, but no badge, picture or address."""
    markdown = re.sub(r"\[?!\[[^]]*\]\([^)]*\)(\]\([^)]*\))?", "", markdown)
    markdown = re.sub(r"\]\([^)]*\)", "]", markdown)
    return len(re.findall(r"\w[\w'’.-]*", markdown))


def lines(cell):
    """How many lines of code one reads."""
    folded = cell.metadata.get("jupyter", {}).get("source_hidden")
    return 0 if folded else sum(bool(line.strip()) for line in cell.source.splitlines())


def presses(markdown):
    """How many presses its numbered steps ask for."""
    steps = re.findall(r"^\d+\. (.+)$", markdown, re.MULTILINE)
    return sum(1 + sum(more for said, more in TIMES.items() if said in step) for step in steps)


def asked(cell):
    """How many words an exit check asks one to read: questions, choices, and one answer of each."""
    if "lab.quiz(" not in cell.source:
        return 0
    quiz = ast.parse(cell.source).body[-1].value
    questions = questions_in(quiz.args[0].value)
    return sum(words(" ".join((q.question, *q.choices, q.choices[q.right]))) for q in questions)


def read(name):
    """The cells of a lesson that are not optional, in order, without what a heading folds away."""
    folded = 0  # the level of the heading
    for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells:
        heading = re.match(r"(#+) ", cell.source) if cell.cell_type == "markdown" else None
        if heading and len(heading[1]) <= (folded or 9):
            folded = len(heading[1]) if cell.metadata.get("jp-MarkdownHeadingCollapsed") else 0
        if not folded and OPTIONAL.isdisjoint(cell.metadata.tags):
            yield cell


def needed(cell):
    """The minutes that a cell takes."""
    if cell.cell_type == "markdown":
        return words(cell.source) / WORDS + presses(cell.source) * PRESS
    predictions = cell.source.count("lab.predict(")
    return lines(cell) / LINES + predictions * PREDICTION + asked(cell) / WORDS


def minutes(name, predictions=None):
    """The minutes that a lesson takes; up to the end of so many predictions, if that is given."""
    total, met = 0.0, 0
    for cell in read(name):
        met += cell.cell_type == "code" and "lab.predict(" in cell.source
        if predictions is not None and (met > predictions or "twin" in cell.metadata.tags):
            break
        total += needed(cell)
    return total


def promised(name):
    """The minutes that a lesson's card promises: whole fives."""
    return 5 * math.ceil(minutes(name) / 5)


def before_the_first_press(name):
    """How many lines of code one reads before the first panel."""
    total = 0
    for cell in read(name):
        if "lab.Panel(" in cell.source:
            return total
        total += lines(cell) if cell.cell_type == "code" else 0
    return total


def main(names):
    print("lesson                      minutes   of these: words   code  before the first press")
    for name in names or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        cells = list(read(name))
        said = sum(words(cell.source) for cell in cells if cell.cell_type == "markdown") / WORDS
        code = sum(lines(cell) for cell in cells if cell.cell_type == "code") / LINES
        first = before_the_first_press(name)
        print(f"{name:27} {minutes(name):7.1f} {said:17.1f} {code:6.1f} {first:11} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
