"""The lessons as the browser edition has them: what cannot run is told, and its outcome shown.

A cell says so in its metadata, `{"statelab": {"needs": "processes"}}`, and so does each cell that
goes on with what such a cell made. It becomes a text: why, the code, and what came of it when it
was recorded. "Run all" then goes on past it, and nobody mistakes a stored outcome for a fresh one.
"""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

NEEDS = {
    "processes": "This cell needs real processes; a browser has none.",
    "matplotlib": "This cell draws with matplotlib, which is not in this edition.",
    "pandas": "This cell needs pandas for its table, which is not in this edition.",
}
ELSEWHERE = "On Binder or your own machine it runs."
PICTURES = ("image/svg+xml", "image/png")
_INLINE = re.compile(r'<img alt="([^"]*)"[^>]* src="data:([^;]+);base64,([^"]*)">')


def write(notebooks: Path, folder: Path) -> None:
    """Writes the lessons that run there, and their pictures, into `folder`, which is new."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for path in sorted((notebooks / "pictures").glob("*.svg")):
        # JupyterLite hands a page's own pictures on by a function that knows Latin 1 only.
        text = path.read_text(encoding="utf-8")
        (pictures / path.name).write_bytes(text.encode("ascii", "xmlcharrefreplace"))
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if needs(notebook):
            continue
        notebook["cells"] = [shown(cell) for cell in notebook["cells"]]
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8")


def shown(cell: dict[str, Any]) -> dict[str, Any]:
    """The cell, or the text that stands for it."""
    need = needs(cell)
    if need is None:
        return cell
    attachments: dict[str, dict[str, str]] = {}
    outcome = [part for output in cell["outputs"] if (part := told(output, attachments))]
    came = "What came of it there:" if outcome else "It shows nothing itself."
    parts = [f"> **{NEEDS[need]}** {ELSEWHERE} {came}"]
    code = fenced("".join(cell["source"]), "python")
    if cell["metadata"].get("jupyter", {}).get("source_hidden"):
        code = f"<details><summary>its code</summary>\n\n{code}\n\n</details>"
    text = "\n\n".join([*parts, code, *outcome])
    return {
        "attachments": attachments,
        "cell_type": "markdown",
        "id": cell["id"],
        "metadata": cell["metadata"],
        "source": text.splitlines(keepends=True),
    }


def needs(whole: dict[str, Any]) -> str | None:
    """What a cell or a notebook needs that a browser has not, one of NEEDS; None if nothing."""
    return whole["metadata"].get("statelab", {}).get("needs")


def told(output: dict[str, Any], attachments: dict[str, dict[str, str]]) -> str:
    """An output as Markdown; its pictures go into `attachments`, for a text may hold no others."""
    if "text" in output:
        return fenced("".join(output["text"]))
    data = {kind: "".join(value) for kind, value in output["data"].items()}
    words = data.get("text/plain", "")
    for kind in PICTURES:
        if kind in data:
            content = data[kind]
            if kind == "image/svg+xml":
                content = base64.b64encode(content.encode()).decode()
            return attached(attachments, words, kind, content)
    page = data.get("text/html", "")
    if picture := _INLINE.search(page):
        return attached(attachments, html.unescape(picture[1]), picture[2], picture[3])
    if page.startswith("<!--"):
        return ""
    return "\n".join(line for line in page.splitlines() if line.strip()) or fenced(words)


def attached(attachments: dict, words: str, kind: str, content: str) -> str:
    """A picture among the attachments, as Markdown."""
    name = f"{len(attachments)}.{'svg' if 'svg' in kind else 'png'}"
    attachments[name] = {kind: content}
    return f"![{re.sub(r'[][<>]', '', words)}](attachment:{name})"


def fenced(text: str, language: str = "") -> str:
    """A text as it is."""
    return f"```{language}\n{text.rstrip()}\n```"
