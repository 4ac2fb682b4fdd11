"""What strict nbval lets through: a notebook that was not recorded, or not for every machine."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NBVAL_COMMENT = re.compile(r"^\s*#\s*(NBVAL_|PYTEST_VALIDATE)\w+", re.MULTILINE)

# What a text says that is true of one run on one machine only.
ONE_RUN_ONLY = {
    "an absolute path": re.compile(
        r"(?<![\w.:/<])/(?:home|root|tmp|Users|usr|var|private|opt|mnt|srv|work)/|\b[A-Z]:\\\w"
    ),
    "a memory address": re.compile(r"\bat 0x[0-9a-fA-F]{6,}|\bobject 0x[0-9a-fA-F]{6,}"),
    "a process id": re.compile(r"\bpid\b\W{0,3}\d+", re.IGNORECASE),
    "a port of this machine": re.compile(r"(?:\b127\.0\.0\.1|\blocalhost|\[::1\]):\d+"),
    "a measured time": re.compile(
        r"\b(?:CPU times|Wall time)\b|\bper loop\b|\b(?:took|elapsed)\W{1,3}\d", re.IGNORECASE
    ),
    "the date of the run": re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d"),
    "a widget's random id": re.compile(r"\bIPY_MODEL_\w+|\b[0-9a-f]{32}\b"),
}
EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")


def problems(notebook):
    """Return a sentence for each thing in the notebook that would pass nbval and should not."""
    found = []
    name = notebook.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        found.append(f"its kernel is {name!r}, not 'python3'")
    if "widgets" in notebook.metadata:
        found.append("it stores the state of widgets")
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        found.append("cells lack an id, or share one")
    filled = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in filled]
    if counts != list(range(1, len(filled) + 1)):
        found.append(f"its cells were not run once each, in order: {counts}")
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            found += [f"cell {number} {problem}" for problem in cell_problems(cell)]
    return found


def cell_problems(cell):
    """Yield what is wrong with one code cell."""
    for tag in cell.metadata.get("tags", []):
        if tag == "raises-exception" or tag.startswith("nbval"):
            yield f"is tagged {tag!r}"
    if NBVAL_COMMENT.search(cell.source):
        yield "has a comment that tells nbval not to look"
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "error":
            yield f"stores an error: {output.ename}"
        if WIDGET_VIEW in data:
            yield "stores a widget's view, whose model is gone"
        if data and not data.keys() - {"image/png", "image/jpeg", WIDGET_VIEW}:
            yield "shows a picture only, which nbval does not compare: add a text or an SVG"
        for text in [output.get("text", ""), *data.values()]:
            text = EMBEDDED.sub("", text if isinstance(text, str) else json.dumps(text))
            for what, pattern in ONE_RUN_ONLY.items():
                match = pattern.search(text)
                if match and not any(text is data.get(m) for m in ("image/png", "image/jpeg")):
                    yield f"prints {what}: {match[0]!r}"


def test_there_are_notebooks():
    assert NOTEBOOKS, "notebooks/ holds no notebook: the lint and nbval would pass without looking"


@pytest.mark.notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_recorded_clean(path):
    notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))  # `read` would mend cell ids
    assert problems(notebook) == []
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5), "older formats have no cell ids"
    nbformat.validate(notebook)


# A check that cannot fail is no check: each of these notebooks has one fault.


KERNEL = {"name": "python3", "display_name": "Python 3"}


def lint(*outputs, source="1 + 1", count=1, **metadata):
    cell = new_code_cell(
        source, execution_count=count, outputs=list(outputs), metadata=metadata.pop("cell", {})
    )
    return problems(new_notebook(cells=[cell], metadata={"kernelspec": KERNEL, **metadata}))


def shown(**data):
    return new_output("display_data", data={key.replace("_", "/"): data[key] for key in data})


def test_a_clean_notebook_has_no_problems():
    picture = shown(image_png="iVBORw0KGgo=", text_plain="two nodes; b is dead")
    assert lint(new_output("stream", text="alice: 200 at 2.0 s\n"), picture) == []


@pytest.mark.parametrize(
    ("sentence", "fault"),
    [
        ("not 'python3'", {"kernelspec": {"name": "py312", "display_name": "Mine"}}),
        ("state of widgets", {"widgets": {}}),
        ("not run once each", {"count": None}),
        ("not run once each", {"count": 2}),
        ("tagged 'nbval-skip'", {"cell": {"tags": ["nbval-skip"]}}),
        ("tagged 'raises-exception'", {"cell": {"tags": ["raises-exception"]}}),
        ("not to look", {"source": "x\n# NBVAL_IGNORE_OUTPUT"}),
    ],
)
def test_the_lint_sees_a_faulty_cell(sentence, fault):
    (problem,) = lint(**fault)
    assert sentence in problem


@pytest.mark.parametrize(
    "text",
    [
        "saved in /tmp/run/disk.json",
        r"saved in C:\Users\alice",
        "<Node object at 0x7f3a5c0d1e80>",
        "started, pid 4711",
        "listening on 127.0.0.1:8080",
        "listening on http://localhost:40123",
        "Wall time: 12 ms",
        "took 0.31 s",
        "2026-05-01 12:31:07 restarted",
    ],
)
def test_the_lint_sees_what_is_true_of_one_run_only(text):
    (problem,) = lint(new_output("stream", text=text))
    assert "prints" in problem
    (problem,) = lint(shown(text_html=f"<p>{text}</p>"))
    assert "prints" in problem


@pytest.mark.parametrize(
    ("sentence", "output"),
    [
        ("stores an error", new_output("error", ename="KeyError", evalue="'x'", traceback=[])),
        ("picture only", shown(image_png="iVBORw0KGgo=")),
        (
            "widget's view",
            new_output("display_data", data={WIDGET_VIEW: {}, "text/plain": "Panel"}),
        ),
    ],
)
def test_the_lint_sees_a_faulty_output(sentence, output):
    (problem,) = lint(output)
    assert sentence in problem


@pytest.mark.parametrize("ids", [("a", "a"), ("a", None)])
def test_the_lint_sees_cells_without_ids_of_their_own(ids):
    cells = [new_code_cell("1", execution_count=number) for number in (1, 2)]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    for cell, name in zip(cells, ids, strict=True):
        cell.pop("id")
        cell.update({"id": name} if name else {})
    assert problems(notebook) == ["cells lack an id, or share one"]
