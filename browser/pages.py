"""The lessons as pages to read: with no kernel, no JavaScript, and no other host.

What is folded in a lesson is folded here, and opens by a press: HTML's own `details` does that.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html
from pygments.formatters import HtmlFormatter

WORDS = {
    "en": ("the code", "what came of it", "Lessons to read; to run them, open", "the lessons"),
    "ko": ("코드", "그 결과", "읽는 수업. 실행하려면", "수업 목록"),
}
STYLE = """
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif;
  color: #1d2430; background: #fff; word-break: keep-all; overflow-wrap: anywhere; }
img, svg { max-width: 100%; height: auto; }
pre { padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; line-height: 1.45;
  background: #f5f6f8; border-radius: 4px; word-break: normal; overflow-wrap: normal; }
.out { margin: .4rem 0 1.2rem 1rem; overflow-x: auto; }
.out pre { background: none; padding: 0; }
table { border-collapse: collapse; } th, td { padding: .25rem .7rem; border: 1px solid #ccd2dc;
  text-align: left; vertical-align: top; }
.anchor-link { display: none; }
summary { cursor: pointer; color: #3b5bdb; } summary > * { display: inline; color: #1d2430; }
"""
_HEADING = re.compile(r"(#+) ")
_LINK = re.compile(r'href="(?!\w+:|#)([^"]*)\.ipynb(#[^"]*)?"')


def write(notebooks: Path, folder: Path, language: str = "en") -> None:
    """Writes a page for each lesson, and one that lists them, into `folder`, which is new."""
    shutil.copytree(notebooks / "pictures", folder / "pictures")
    titles = {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        titles[path.stem] = "".join(cells[0]["source"]).splitlines()[0].strip("# ")
        text = _LINK.sub(r'href="\1.html\2"', "\n".join(shown(cells, language)))
        (folder / f"{path.stem}.html").write_text(
            page(titles[path.stem], text, language), encoding="utf-8"
        )
    up = "../" if language == "en" else "../../"
    _, _, run, lessons = WORDS[language]
    listed = "".join(
        f'<li><a href="{name}.html">{name[:2]}</a> {html.escape(title)}</li>'
        for name, title in titles.items()
    )
    text = f'<h1>statelab</h1><p>{run} <a href="{up}lab/index.html">{lessons}</a>.</p>{listed}'
    (folder / "index.html").write_text(page("statelab", text, language), encoding="utf-8")


def page(title: str, text: str, language: str) -> str:
    """A whole page."""
    style = STYLE + HtmlFormatter().get_style_defs(".highlight")
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style><body>\n{text}\n</body></html>\n"
    )


def shown(cells: list[dict[str, Any]], language: str) -> list[str]:
    """The cells as HTML; what a heading folds away is inside its `details`."""
    parts, folded = [], 0  # the level of the heading
    for cell in cells:
        source = "".join(cell["source"])
        heading = _HEADING.match(source) if cell["cell_type"] == "markdown" else None
        if heading and folded and len(heading[1]) <= folded:
            parts.append("</details>")
            folded = 0
        if cell["cell_type"] == "markdown":
            text = markdown2html(source)
            if heading and cell["metadata"].get("jp-MarkdownHeadingCollapsed") and not folded:
                folded = len(heading[1])
                end = f"</h{folded}>"
                text = "<details><summary>" + text.replace(end, f"{end}</summary>", 1)
            parts.append(text)
        else:
            parts += code(cell, source, language)
    return [*parts, "</details>"] if folded else parts


def code(cell: dict[str, Any], source: str, language: str) -> list[str]:
    """A cell of code and its outputs, each folded as the lesson has it."""
    its_code, outcome, *_ = WORDS[language]
    hidden = cell["metadata"].get("jupyter", {})
    text = Highlight2HTML()(source)
    if hidden.get("source_hidden"):
        text = f"<details><summary>{its_code}</summary>{text}</details>"
    outputs = "".join(output(one) for one in cell["outputs"])
    if outputs:
        outputs = f'<div class="out">{outputs}</div>'
    if outputs and hidden.get("outputs_hidden"):
        outputs = f"<details><summary>{outcome}</summary>{outputs}</details>"
    return [text, outputs]


def output(one: dict[str, Any]) -> str:
    """An output: as its own HTML, else as a picture, else as text."""
    if "text" in one:
        return f"<pre>{ansi2html(''.join(one['text']))}</pre>"
    if "traceback" in one:
        return f"<pre>{ansi2html(chr(10).join(one['traceback']))}</pre>"
    data = {kind: "".join(value) for kind, value in one["data"].items()}
    words = html.escape(data.get("text/plain", ""))
    if "text/html" in data:
        return data["text/html"]
    if "image/png" in data:
        return f'<img alt="{words}" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{words}</pre>"
