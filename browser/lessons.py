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

WORDS = {  # by language: what a cell may need, and what is said of it
    "en": {
        "processes": "This cell needs real processes; a browser has none.",
        "matplotlib": "This cell draws with matplotlib, which is not in this edition.",
        "clock": "This cell needs a clock finer than a browser's, which is coarse on purpose.",
        "pandas": "This cell needs pandas for its table, which is not in this edition.",
        "elsewhere": "On Binder or your own machine it runs.",
        "outcome": "What came of it there:",
        "silent": "It shows nothing itself.",
        "folded code": "its code",
        "folded outcome": "what it was",
    },
    "ko": {
        "processes": "이 셀에는 실제 프로세스가 필요한데, 브라우저에는 없습니다.",
        "matplotlib": "이 셀은 matplotlib로 그리는데, 이 판에는 없습니다.",
        "clock": "이 셀에는 더 정밀한 시계가 필요합니다. 브라우저의 시계는 일부러 거칩니다.",
        "pandas": "이 셀의 표에는 pandas가 필요한데, 이 판에는 없습니다.",
        "elsewhere": "Binder나 여러분의 컴퓨터에서는 실행됩니다.",
        "outcome": "거기서 나온 결과:",
        "silent": "이 셀 자체는 아무것도 보여 주지 않습니다.",
        "folded code": "코드",
        "folded outcome": "결과",
    },
}
_DRAWN = re.compile(r'<img alt="([^"]*)"[^>]* src="data:image/svg\+xml;base64,([^"]*)">')


def write(notebooks: Path, folder: Path, language: str = "en") -> None:
    """Writes the lessons that run there, and their pictures, into `folder`, which is new."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for path in sorted((notebooks / "pictures").glob("*.svg")):
        (pictures / path.name).write_bytes(plain(path.read_text(encoding="utf-8")))
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if needs(notebook):
            continue
        stored = Stored(folder, path.stem, language)
        notebook["cells"] = [stored.shown(cell) for cell in notebook["cells"]]
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8")


class Stored:
    """The outcomes of one lesson as texts, with their pictures among those in `folder`."""

    def __init__(self, folder: Path, name: str, language: str):
        self._folder, self._name, self._words = folder, name, WORDS[language]
        self._pictures = 0

    def shown(self, cell: dict[str, Any]) -> dict[str, Any]:
        """The cell, or the text that stands for it."""
        need, say = needs(cell), self._words
        if need is None:
            return cell
        outcome = [part for output in cell["outputs"] if (part := self._told(output))]
        code = fenced("".join(cell["source"]), "python")
        hidden = cell["metadata"].get("jupyter", {})
        if hidden.get("source_hidden"):
            code = f"<details><summary>{say['folded code']}</summary>\n\n{code}\n\n</details>"
        came = say["outcome" if outcome else "silent"]
        if hidden.get("outputs_hidden"):  # it answers a question above
            head = f"<details><summary>{say['folded outcome']}</summary>"
            outcome = [head, *outcome, "</details>"]
        text = "\n\n".join([f"> **{say[need]}** {say['elsewhere']} {came}", code, *outcome])
        return {
            "cell_type": "markdown",
            "id": cell["id"],
            "metadata": {"tags": cell["metadata"]["tags"]},
            "source": text.splitlines(keepends=True),
        }

    def _told(self, output: dict[str, Any]) -> str:
        """An output as Markdown; '' if there is nothing to see."""
        if "text" in output:
            return fenced("".join(output["text"]))
        data = {kind: "".join(value) for kind, value in output["data"].items()}
        words, page = data.get("text/plain", ""), data.get("text/html", "")
        if "image/png" in data:
            return self._picture(words, "png", base64.b64decode(data["image/png"]))
        if picture := _DRAWN.search(page):
            drawn = plain(base64.b64decode(picture[2]).decode())
            return self._picture(html.unescape(picture[1]), "svg", drawn)
        if page.startswith("<!--"):
            return ""
        return "\n".join(line for line in page.splitlines() if line.strip()) or fenced(words)

    def _picture(self, words: str, kind: str, content: bytes) -> str:
        """A picture in a file of its own: a text may hold none."""
        self._pictures += 1
        path = Path("pictures", f"{self._name}_stored_{self._pictures}.{kind}")
        (self._folder / path).write_bytes(content)
        return f"![{re.sub(r'[][<>]', '', words)}]({path.as_posix()})"


def needs(whole: dict[str, Any]) -> str | None:
    """What a cell or a notebook needs that a browser has not, a key of WORDS; None if nothing."""
    return whole["metadata"].get("statelab", {}).get("needs")


def plain(drawn: str) -> bytes:
    """An SVG in ASCII: JupyterLite hands a page's pictures on by what knows Latin 1 only."""
    return drawn.encode("ascii", "xmlcharrefreplace")


def fenced(text: str, language: str = "") -> str:
    """A text as it is."""
    return f"```{language}\n{text.rstrip()}\n```"
