"""What a panel shows at one moment, as plain data: for pictures, texts and tests.

The drawing looks the same things up in the same tables (static/recording.js).
"""

from __future__ import annotations

from typing import Any

from statelab.lab.panel.columns import GONE, Flag, Mark
from statelab.lab.panel.recording import Recording
from statelab.lab.panel.symbols import COLUMNS
from statelab.language import spoken

_QUIET = ("write", "routine")  # what is not listed


def still(recording: Recording, at: int | None = None) -> dict[str, Any]:
    """What is shown after row `at`, the last one if it is None."""
    at = len(recording) - 1 if at is None else at
    subjects, fields = recording.book.subjects, _fields(recording, at)
    nodes = {
        number: _node(subjects[number], fields[number])
        for number in sorted(fields)
        if "status" in fields[number]
    }
    links = [
        {"from": s["a"], "to": s["b"], **_link(fields.get(number, {}))}
        for number, s in enumerate(subjects)
        if "a" in s
    ]
    return {
        "columns": [
            {"name": column, "nodes": inside}
            for column in COLUMNS
            if (inside := [n for n in nodes.values() if n["column"] == column])
        ],
        "links": links,
        "requests": _requests(recording, at),
        "events": [
            event
            for event in _events(recording, at)
            if event["kind"] not in _QUIET and event["mark"] != Mark.WAIT
        ],
        "where": {
            field.split("\t")[1]: what["text"]
            for field, what in fields.get(recording.book.where, {}).items()
        },
    }


def _fields(recording: Recording, at: int) -> dict[int, dict[str, dict[str, Any]]]:
    texts = recording.book.texts
    found: dict[int, dict[str, dict[str, Any]]] = {}
    changes = recording.tables["changes"]
    for when, subject, field, value, full, flags, until in zip(*changes.values(), strict=True):
        if when > at:
            break
        fields = found.setdefault(subject, {})
        if value == GONE:
            fields.pop(texts[field], None)
        else:
            fields[texts[field]] = {
                "text": texts[value], "full": texts[full], "token": bool(flags & Flag.TOKEN),
                "until": until,
            }  # fmt: skip
    return found


def _node(subject: dict[str, Any], fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def word(name: str) -> str:
        return fields[name]["text"] if name in fields else ""

    def lines(kind: str) -> list[dict[str, Any]]:
        return [
            {"name": field.split("\t")[2], "field": field, **what}
            for field, what in fields.items()
            if field.startswith(kind)
        ]

    status = word("status")
    return {
        **subject,
        "status": status,
        "life": word("life"),
        "died": word("died"),
        "memory": {
            "caption": word("caption") or spoken("memory"),
            "lost": status == "dead",
            "lines": lines("memory\t"),
        },
        "disk": sorted(lines("disk\t"), key=lambda line: line["name"]),
        "label": ", ".join(
            [subject["name"], spoken(subject["role"]), *([spoken(status)] * subject["lives"])]
        ),
    }


def _link(fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "open": fields.get("open", {"text": "0"})["text"] != "0",
        "fault": fields.get("fault", {"text": ""})["text"],
    }


def _requests(recording: Recording, at: int) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for event in _events(recording, at):
        if event["bar"] != GONE:
            begun = {"client": event["who"], "what": event["what"], "time": event["time"]}
            became = {name: event[name] for name in ("mark", "word", "answer")}
            found.setdefault(event["bar"], begun).update(became)
    return list(found.values())


def _events(recording: Recording, at: int) -> list[dict[str, Any]]:
    book, columns = recording.book, recording.tables["events"]
    found = []
    for values in zip(*columns.values(), strict=True):
        event = dict(zip(columns, values, strict=True))
        if event["at"] <= at or at == len(recording) - 1:  # what expired since then, too
            names = ("kind", "mark", "what", "word", "answer")
            texts = {name: book.texts[event[name]] for name in names}
            found.append({
                **texts, "who": book.subjects[event["lane"]]["name"], "time": event["time"] / 1e6,
                "bar": event["bar"], "mark": texts["mark"].replace(Mark.NEITHER, ""),
            })  # fmt: skip
    return found
