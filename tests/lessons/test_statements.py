"""The index of statements and the glossary say what is in the notebooks."""

import ast
import functools
import re
from pathlib import Path

import lessons
import nbformat
import pytest

from statelab.lab.ask.quiz import questions_in

DOCS = Path(__file__).parents[2] / "docs"
STATEMENTS = [f"S{number}" for number in range(1, 17)]
# The whole course: a page may point to a lesson before that is there.
COURSE = (
    "00_start_here", "01_state", "02_determinism", "03_stateful_or_stateless", "04_authentication",
    "05_many_servers", "06_hard_and_soft_state", "07_write_lease", "07_write_lease_zookeeper",
    "08_sharing_state", "09_replicas", "10_capstone",
)  # fmt: skip
# What the glossary must have at least, in English and in Korean.
LEAST = {
    "state": "상태", "stateful": "상태 유지, 상태가 있는", "stateless": "무상태, 상태가 없는",
    "deterministic": "결정론적", "token": "토큰",
    "authentication": "인증", "hard state": "하드 상태", "soft state": "소프트 상태",
    "expiry": "만료",
    "refresh": "갱신", "drop": "폐기, 파기", "loss": "유실", "beyond recovery": "복구 불가능",
    "contention": "경합", "permission": "권한", "ownership": "소유권", "divided storage":
    "분산 저장", "central": "중앙 집중식, 중앙화", "replica": "복제본",
    "persistent": "영속적, 지속적", "lease": "리스, 임대",
    "fencing token": "펜싱 토큰",
}  # fmt: skip
# What people believe before they have seen it, and the statement that it is about.
MISCONCEPTIONS = {
    "REST means nothing is stored": "S5",
    "HTTP is stateless, so TCP is too": "S6",
    "A token means the server remembers me": "S7b",
    "A token means stateless": "S7b",
    "Stateful = dies on a kill": "S4",
    "Stateless: the state is gone": "S5",
    "Kill a stateless server and its users are logged out": "S8",
    "Sticky = safe": "S8",
    "Same machine = same memory": "S8",
    "Soft = memory, hard = disk": "S9",
    "No reply = it did not happen": "S10",
    "Silent = dead": "S13",
    "A lock with a time to live never has two holders": "S13",
    "A replica that got all but one input is nearly right": "S15",
    "A replica is a backup": "S15",
    "Always equal = at every instant": "S15",
    "Acknowledged means safe": "S16",
    "Random cannot be replayed": "S3",
}
LINK = re.compile(r"\[(?P<number>\d\d)\]\(\.\./notebooks/(?P<name>\w+)\.ipynb\)")


@functools.cache
def cells(name):
    """The cells of a notebook by id, None if it is not there."""
    path = lessons.NOTEBOOKS / f"{name}.ipynb"
    if not path.exists():
        return None
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def rows(page, columns, part=0):
    """The rows of the table in a page's `part`, the parts begin with "## "; columns by name."""
    text = (DOCS / page).read_text(encoding="utf-8").split("\n## ")[part]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    split = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    return [dict(zip(columns, parts, strict=True)) for parts in split]


def statements():
    return rows("statements.md", ["id", "says", "lesson", "predicted", "shown"])


def glossary():
    return rows("glossary.md", ["english", "korean", "sentence", "lesson"])


def wrong_with(row):
    """What is wrong with a row of the index of statements, as sentences."""
    if row["shown"] == "to come":
        there = [name for name in lessons.names() if name.startswith(row["lesson"])]
        return [f"{name} is there: say which cells show {row['id']}" for name in there]
    link = LINK.fullmatch(row["lesson"])
    if link is None or link["name"] not in COURSE or not link["name"].startswith(link["number"]):
        return [f"{row['id']} points to {row['lesson']}, which is no lesson"]
    there = cells(link["name"])
    if there is None:
        return []
    found = []
    for column, tags in (
        ("predicted", {"predict"}),
        ("shown", {"panel", "observe", "explain", "twin", "real", "engine"}),
    ):
        names = re.findall(r"`([\w-]+)`", row[column])
        if not names:
            found.append(f"{row['id']}: nothing is {column}")
        for name in names:
            if name not in there or there[name].cell_type != "code":
                found.append(f"{row['id']}: {link['name']} has no code cell {name}")
            elif not tags & set(there[name].metadata.tags):
                found.append(f"{row['id']}: {name} is tagged {there[name].metadata.tags}")
    return found


def test_every_statement_is_predicted_and_shown_by_cells_that_exist():
    index = statements()
    assert [wrong for row in index for wrong in wrong_with(row)] == []
    numbers = {re.match(r"S\d+", row["id"])[0] for row in index}
    assert numbers == set(STATEMENTS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shown": "`panel-1` `gone`"}, "has no code cell gone"),
        ({"shown": "`story`"}, "has no code cell story"),
        ({"shown": "`predict-1`"}, "predict-1 is tagged"),
        ({"predicted": ""}, "nothing is predicted"),
        ({"lesson": "[05](../notebooks/05_chat.ipynb)"}, "is no lesson"),
        ({"lesson": "05", "shown": "to come"}, "say which cells show S8"),
    ],
)
def test_a_row_that_is_not_so_is_seen(change, sentence):
    row = next(row for row in statements() if row["id"] == "S8 (1)")
    assert wrong_with(row) == []
    (wrong,) = wrong_with({**row, **change})
    assert sentence in wrong


# ------------------------------------------------------------------------------- misconceptions
def misconceptions():
    return rows("statements.md", ["says", "id", "lesson", "cell", "answer"], part=1)


def wrong_answers(source):
    """The wrong answers of the predictions or questions in a cell, with what is said to them."""
    found = {}
    for call in ast.walk(ast.parse(source)):
        what = ast.unparse(call.func) if isinstance(call, ast.Call) else None
        if what == "lab.predict":
            found |= dict.fromkeys(ast.literal_eval(call.args[1]), "the panel")
        elif what == "lab.quiz":
            for question in questions_in(call.args[0].value):
                found |= question.choices
                del found[question.right]
    return found


def not_met(row):
    """What is wrong with a row of the table of misconceptions, as sentences."""
    link = LINK.fullmatch(row["lesson"])
    there = cells(link["name"]) if link and link["name"] in COURSE else {}
    cell = there.get(row["cell"].strip("`"))
    if cell is None or cell.cell_type != "code":
        return [f"{row['says']}: {row['lesson']} has no code cell {row['cell']}"]
    if not wrong_answers(cell.source).get(row["answer"]):
        return [f"{row['says']}: “{row['answer']}” is no wrong answer of {row['cell']}"]
    return []


def test_every_misconception_is_a_wrong_answer_somewhere():
    table = misconceptions()
    assert [wrong for row in table for wrong in not_met(row)] == []
    assert {row["says"]: row["id"] for row in table} == MISCONCEPTIONS


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cell": "`gone`"}, "has no code cell"),
        ({"cell": "`story`"}, "has no code cell"),
        ({"lesson": "[05](../notebooks/05_chat.ipynb)"}, "has no code cell"),
        ({"answer": "Nobody"}, "is no wrong answer"),  # it is the right one
        ({"answer": "Somebody"}, "is no wrong answer"),
    ],
)
def test_a_misconception_that_is_not_met_is_seen(change, sentence):
    row = next(row for row in misconceptions() if row["says"].startswith("Kill a stateless"))
    assert not_met(row) == []
    (wrong,) = not_met({**row, **change})
    assert sentence in wrong


# ------------------------------------------------------------------------------- the glossary
def words(name):
    """The words of a lesson's recap: English, and Korean if it is given."""
    recap = next(cell.source for cell in cells(name).values() if cell.id == "recap")
    line = re.search(r"^\*\*Words\.\*\* (.+)$", recap, re.MULTILINE)
    for entry in line[1].split(" · "):
        english, korean = re.fullmatch(r"([A-Za-z ,]+?)\s*([가-힣 ,]*(?:ID)?)", entry).groups()
        for word in english.split(", "):
            yield word.removeprefix("to "), korean


@pytest.mark.parametrize("name", lessons.names())
def test_the_words_of_a_recap_are_in_the_glossary(name):
    known = {row["english"]: row["korean"].split(", ") for row in glossary()}
    strange = [
        (word, korean)
        for word, korean in words(name)
        if word not in known or (korean and korean not in known[word])
    ]
    assert strange == []


def test_the_glossary_has_what_it_must_have_in_alphabetical_order():
    known = {row["english"]: row["korean"] for row in glossary()}
    assert [word for word in LEAST if known.get(word) is None] == []
    assert {word: known[word] for word in LEAST} == LEAST
    assert list(known) == sorted(known)


def test_a_word_is_met_in_the_lesson_that_the_glossary_names():
    wrong = []
    for row in glossary():
        link = LINK.fullmatch(row["lesson"])
        assert link, row
        assert link["name"] in COURSE, row
        there = cells(link["name"])
        text = "\n".join(cell.source for cell in (there or {}).values()).lower()
        if there and row["english"] not in text:
            wrong.append(f"{link['name']} never says {row['english']}")
        earlier = [name for name in lessons.names() if name[:2] < link["number"]]
        wrong += [
            f"{name} already teaches {row['english']}"
            for name in earlier
            if row["english"] in dict(words(name))
        ]
        if not row["sentence"].endswith("."):
            wrong.append(f"{row['english']} has no sentence")
    assert wrong == []
