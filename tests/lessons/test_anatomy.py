"""Each lesson has the anatomy of a lesson: its parts, in order, none longer than it may be."""

import ast
import itertools
import re

import lessons
import nbformat
import pytest

from statelab.lab.ask.quiz import questions_in

# A lesson's parts in their order, by the tags of its cells; the capstone's come in its own order.
PARTS = ("title", "setup", "story", "code", "predict", "panel", "observe", "explain", "twin",
         "real", "change", "hunt", "answer", "exit", "recap")  # fmt: skip
# A companion shows on one real engine what its lesson has taught, without a workshop.
COMPANIONS = {"07_write_lease_zookeeper": ("title", "setup", "story", "code", "predict", "panel",
                                           "observe", "engine", "explain", "recap")}  # fmt: skip
PROJECTS = {"10_capstone"}
OTHER_TAGS = {"answer-server", "appendix", "engine", "token"}
WORKSHOP = {"change", "hunt", "answer"}
MOST_WORDS = {"story": 120, "explain": 200}
MOST_LINES = 30  # of one server, blank lines and docstring aside; twice that in a project
MOST_PREDICTIONS = 3
COMPARED = ("observe", "compare", "Wire")  # by these a prediction is compared with what happened

NAMES = lessons.names()
LESSONS = [name for name in NAMES if name not in COMPANIONS]


def read(name):
    """The cells of a notebook."""
    return nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells


def departures(name, cells):
    """What in these cells departs from the anatomy, as sentences."""
    found = [*order(name, cells), *title(name, cells), *story(name, cells), *explanations(cells)]
    found += [*servers(name, cells), *predictions(cells)]
    if name not in COMPANIONS:
        if "In the wild" not in text(cells, "explain"):
            found.append("no explanation points to a real system")
        found += [*without_hands(cells), *workshop(cells), *exit_check(cells), *recap(name, cells)]
    return found


# ------------------------------------------------------------------------------- what it is made of
def tagged(cells, tag, kind=None):
    return [cell for cell in cells if tag in cell.metadata.tags and kind in (None, cell.cell_type)]


def text(cells, tag):
    return "\n\n".join(cell.source for cell in tagged(cells, tag, "markdown"))


def prose(markdown):
    """The words that a learner reads one after the other: no heading, picture, table or address."""
    lines = [line for line in markdown.splitlines() if not re.match(r"#|\||!\[", line.strip())]
    return re.sub(r"\]\([^)]*\)", "]", "\n".join(lines)).split()


def calls(cells, function):
    """The calls `lab.function(…)` in the cells, as (cell, call)."""
    for cell in cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == f"lab.{function}":
                    yield cell, node


def printed(cell):
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


# ------------------------------------------------------------------------------- the parts
def order(name, cells):
    parts = COMPANIONS.get(name, PARTS)
    first = {}
    for place, cell in enumerate(cells):
        for tag in cell.metadata.get("tags", []) or ["nothing"]:
            first.setdefault(tag, place)
            if tag not in PARTS and tag not in OTHER_TAGS:
                yield f"cell {cell.id} is tagged {tag}, which is no part of a lesson"
    missing = [part for part in parts if part not in first]
    yield from (f"there is no {part}" for part in missing)
    met = sorted((part for part in parts if part in first), key=first.get)
    if name in PROJECTS:
        met = [part for part in parts if part in (*met[:3], *met[-2:])] if not missing else met
        wanted = [*parts[:3], *parts[-2:]]
    else:
        wanted = [part for part in parts if part in first]
    if met != wanted:
        yield f"its parts come in the order {' '.join(met)}, not {' '.join(wanted)}"


def title(name, cells):
    card = text(cells, "title")
    wanted = {
        "the question": r"\A# .+" if name in COMPANIONS else r"\A# .+\?$",
        "how long it takes": r"^\*\*(?:Lesson|Companion)\b.*\*\*.* (?:minutes|hours)",
        "what one will be able to": r"^You will be able to\n- ",
        "the Binder badge": r"\[!\[Open in Binder\]\(pictures/binder\.svg\)\]\(https://mybinder\.org/",
        "what comes before": r"before it:" if name != NAMES[0] else "",
        "the link back": r"^← \[" if name not in (NAMES[0], *COMPANIONS) else "",
        "the link on": r"next: \[" if name not in (NAMES[-1], *COMPANIONS) else "",
    }
    for what, pattern in wanted.items():
        if not re.search(pattern, card, re.MULTILINE):
            yield f"its title does not say {what}"


def story(name, cells):
    told = text(cells, "story")
    if told.count("![") != (name not in COMPANIONS):
        yield f"its story has {told.count('![')} pictures"
    if len(prose(told)) > MOST_WORDS["story"]:
        yield f"its story has {len(prose(told))} words"


def explanations(cells):
    together, explained = [], 0
    for cell in [*cells, None]:
        if cell and cell.cell_type == "markdown" and "explain" in cell.metadata.tags:
            together.append(cell)
            continue
        words = sum(len(prose(part.source)) for part in together)
        if words > MOST_WORDS["explain"]:
            yield f"{together[0].id} explains in {words} words"
        explained, together = explained + bool(together), []
    if not re.search(r"^\|.+\|$", text(cells, "explain"), re.MULTILINE):
        yield "no explanation has a table"


def servers(name, cells):
    """Servers that a learner reads, each no longer than can be read at once."""
    most = MOST_LINES * 2 if name in PROJECTS else MOST_LINES
    for cell in tagged(cells, "code", "code"):
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            continue
        lines = cell.source.splitlines()
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.ClassDef):
                full = [line for line in lines[node.lineno - 1 : node.end_lineno] if line.strip()]
                docstring = ast.get_docstring(node, clean=False) or ""
                length = len(full) - len([line for line in docstring.splitlines() if line.strip()])
                if length > most:
                    yield f"{node.name} has {length} lines"


# ------------------------------------------------------------------------------- predictions
def predictions(cells):
    asked = list(calls(cells, "predict"))
    optional = workshop_of(cells)
    lesson = [cell for cell, _ in asked if cell not in optional]
    if not 1 <= len(lesson) <= MOST_PREDICTIONS:
        yield f"it asks for {len(lesson)} predictions"
    places = [*(cells.index(cell) for cell, _ in asked), len(cells)]
    for (cell, call), place, end in zip(asked, places, places[1:], strict=False):
        choices = ast.literal_eval(call.args[1])
        if not 2 <= len(choices) <= 5:
            yield f"{cell.id} has {len(choices)} choices"
        if "predict" not in cell.metadata.tags:
            yield f"{cell.id} is not tagged predict"
        after = cells[place + 1 : end]
        if not any(tagged(after, tag, "code") for tag in ("panel", "observe", "engine")):
            yield f"after {cell.id}, nothing can be done or seen"
        name = cell.source.strip().splitlines()[-1]
        told = [later for what in COMPARED for later, _ in calls(after, what)]
        if not told or not any(re.search(rf"\b{name}\b", later.source) for later in after):
            yield f"after {cell.id}, nothing compares it with what happened"
        if not tagged(after, "explain", "markdown"):
            yield f"after {cell.id}, nothing is explained"


# ------------------------------------------------------------------------------- what follows
def without_hands(cells):
    twin = "\n".join(cell.source for cell in tagged(cells, "twin", "code"))
    if "digest()" not in twin or not re.search(
        r"\b[0-9a-f]{16}\b", "".join(printed(cell) for cell in tagged(cells, "twin", "code"))
    ):
        yield "what runs without hands prints no digest"
    if "diagrams." not in twin:
        yield "what runs without hands draws nothing"
    if "LiveWorld(" not in "\n".join(cell.source for cell in tagged(cells, "real", "code")):
        yield "nothing of the real thing runs in a LiveWorld"


def workshop_of(cells):
    """The cells from the first of the workshop on."""
    return [*itertools.dropwhile(lambda cell: not WORKSHOP & set(cell.metadata.tags), cells)]


def workshop(cells):
    begins = workshop_of(cells)[:1]
    if not begins or not re.search(r"^## Workshop \(optional", begins[0].source, re.M):
        yield "its workshop does not say that it is optional"
    for tag, mark in ("hunt", "✕ not yet: with seed"), ("answer", "✓ passed: under"):
        checked = [cell for cell, _ in calls(tagged(cells, tag), "check")]
        if len(checked) != 1:
            yield f"its {tag} is checked {len(checked)} times"
        yield from (
            f"{cell.id} does not print “{mark}”" for cell in checked if mark not in printed(cell)
        )
    for cell in tagged(cells, "answer-server"):
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"{cell.id} is not folded"
    # A folded heading hides the cells after it, and not what stands in its own.
    for cell in [*tagged(cells, "answer")[:1], *tagged(cells, "appendix")[:1]]:
        if not cell.metadata.get("jp-MarkdownHeadingCollapsed"):
            yield f"{cell.id} is not folded"
    answer = tagged(cells, "answer", "markdown")[:1]
    if answer and len(prose(answer[0].source)) > 10:
        yield f"{answer[0].id} says more than its heading"


def exit_check(cells):
    texts = [call.args[0].value for _, call in calls(tagged(cells, "exit"), "quiz")]
    questions = [question for text in texts for question in questions_in(text)]
    if len(texts) != 1 or len(questions) != 3:
        yield f"its exit check has {len(questions)} questions"
    for number, question in enumerate(questions, 1):
        if len(question.choices) < 3:
            yield f"question {number} has {len(question.choices)} answers"
        if not all(said.endswith((".", "?", "!")) for said in question.choices.values()):
            yield f"an answer of question {number} has no feedback"


def recap(name, cells):
    told = text(cells, "recap")
    points = re.findall(r"^- ", told, re.MULTILINE)
    if len(points) != 3:
        yield f"its recap has {len(points)} points"
    for what in "On Monday", "Share", "To discuss", "Words":
        if not re.search(rf"^\*\*{what}\b", told, re.MULTILINE):
            yield f"its recap has no “{what}”"
    if name != NAMES[-1] and "next: [" not in told:
        yield "its recap does not lead on"


# ------------------------------------------------------------------------------- tests
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_has_the_anatomy_of_a_lesson(name):
    assert departures(name, read(name)) == []


# A check that cannot fail is no check: each of these changes to a lesson makes one departure.
def write(name, old, new):
    """In the cell `name`, `old` becomes `new`."""

    def change(cells):
        cell = next(cell for cell in cells if cell.id == name)
        assert old in cell.source
        cell.source = cell.source.replace(old, new, 1)

    return change


def cut(name, pattern):
    """In the cell `name`, the first text of this form is gone."""

    def change(cells):
        cell = next(cell for cell in cells if cell.id == name)
        cell.source, cuts = re.subn(pattern, "", cell.source, count=1)
        assert cuts

    return change


def tag(name, *tags):
    """The cell `name` has other tags."""

    def change(cells):
        next(cell for cell in cells if cell.id == name).metadata.tags = list(tags)

    return change


def everywhere(old, new):
    """In every explanation, `old` becomes `new`."""

    def change(cells):
        for cell in tagged(cells, "explain"):
            cell.source = cell.source.replace(old, new)

    return change


def without(*names):
    """The cells are not there."""

    def change(cells):
        cells[:] = [cell for cell in cells if cell.id not in names]

    return change


def last(name):
    """The cell `name` comes last."""

    def change(cells):
        cells.sort(key=lambda cell: cell.id == name)

    return change


def output(name, text):
    """The cell `name` has printed something else."""

    def change(cells):
        cell = next(cell for cell in cells if cell.id == name)
        cell.outputs = [{"output_type": "stream", "name": "stdout", "text": text}]

    return change


def unfold(name):
    """What belongs to the cell `name` is open to see."""

    def change(cells):
        cell = next(cell for cell in cells if cell.id == name)
        cell.metadata = {"tags": cell.metadata.tags}

    return change


WORDS = " word" * 200
LONG = "\n".join(f"    line_{number} = {number}" for number in range(31))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("real"), "nothing of the real thing runs in a LiveWorld"),
        (tag("story"), "there is no story"),
        (tag("twin", "twin", "surprise"), "which is no part of a lesson"),
        (last("story"), "its parts come in the order"),
        (write("title", "?\n", ".\n"), "does not say the question"),
        (write("title", " minutes, and", ", and"), "does not say how long"),
        (write("title", "You will be able to", "Learn to"), "does not say what one will"),
        (write("title", "pictures/binder.svg", "pictures/other.svg"), "the Binder badge"),
        (write("title", "before it:", "after"), "does not say what comes before"),
        (write("title", "← [", "["), "does not say the link back"),
        (write("title", "next: [", "["), "does not say the link on"),
        (write("story", "![", "["), "its story has 0 pictures"),
        (write("story", "![", f"{WORDS}\n\n!["), "its story has"),
        (write("explain-1", "\n", f"\n{WORDS}\n"), "explain-1 explains in"),
        (
            write("services", "\nclass", f"\nclass Long(Node):\n{LONG}\n\n\nclass"),
            "Long has 32 lines",
        ),
        (without("predict-1", "predict-2", "predict-3"), "it asks for 0 predictions"),
        (
            write("predict-3", ")\nguess", ')\nlab.predict("?", ["a", "b"])\nguess'),
            "for 4 predictions",
        ),
        (write("predict-1", '["only', '["a", "b", "c", "only'), "predict-1 has 6 choices"),
        (tag("predict-1", "code"), "predict-1 is not tagged predict"),
        (without("observe-1"), "after predict-1, nothing compares it"),
        (everywhere("In the wild", "Elsewhere"), "no explanation points to a real system"),
        (everywhere("|", ""), "no explanation has a table"),
        (unfold("answer-server"), "answer-server is not folded"),
        (unfold("answer-text"), "answer-text is not folded"),
        (write("answer-text", "Try first.", WORDS), "answer-text says more than its heading"),
        (without("twin-diagram"), "draws nothing"),
        (output("twin", "held"), "prints no digest"),
        (write("workshop", "(optional", "(for all"), "does not say that it is optional"),
        (output("hunt", "✓ passed: under 20 hidden seeds"), "hunt does not print"),
        (output("answer", "✕ not yet: with seed 7"), "answer does not print"),
        (cut("exit", r"(?s)\n\n(?!.*\n\n).*(?=\n\"{3})"), "its exit check has 2 questions"),
        (cut("exit", r"(?m)^- .*\n(  .*\n)*"), "question 1 has 2 answers"),
        (write("recap", "\n- ", "\n"), "its recap has 2 points"),
        (write("recap", "**On Monday", "**Some day"), "its recap has no “On Monday”"),
        (write("recap", "next: [", "["), "its recap does not lead on"),
    ],
)
def test_a_departure_is_seen(change, sentence):
    cells = read("06_hard_and_soft_state")
    change(cells)
    found = departures("06_hard_and_soft_state", cells)
    assert any(sentence in departure for departure in found), found
