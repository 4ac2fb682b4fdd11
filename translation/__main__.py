"""`python3 lab.py translate`: catalogs from the English course, editions from the catalogs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo

from translation import catalog, edition, units, words

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
PAGES = ("README.md", "docs/teaching.md", "docs/glossary.md")
LANGUAGES = ("ko",)
PANEL = "statelab"  # the catalog of what the package says


def sources() -> dict[str, list[units.Unit]]:
    """The units of each catalog, by its name."""
    found = {path.stem: units.of_notebook(load(path)) for path in lessons()}
    for page in PAGES:
        found[Path(page).stem.lower()] = units.of_page((ROOT / page).read_text("utf-8"))
    found["pictures"] = [
        unit
        for path in sorted((NOTEBOOKS / "pictures").glob("*.svg"))
        for unit in units.of_picture(path.stem, path.read_text("utf-8"))
    ]
    found[PANEL] = words.said_by(ROOT / "statelab")
    return found


def lessons() -> list[Path]:
    """The English notebooks."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def load(path: Path) -> dict[str, Any]:
    """A notebook as it is stored."""
    return json.loads(path.read_text("utf-8"))


def catalog_file(language: str, name: str) -> Path:
    """Where a catalog is."""
    return ROOT / "translation" / language / f"{name}.po"


def update(language: str) -> list[str]:
    """Brings the catalogs up to the English course; what is missing in them, as sentences."""
    found = []
    for name, of_it in sources().items():
        path = catalog_file(language, name)
        fresh = catalog.updated(catalog.read(path, language), of_it)
        path.parent.mkdir(exist_ok=True)
        catalog.write(path, fresh)
        found += [f"{path.relative_to(ROOT)}: {what}" for what in catalog.missing(fresh, of_it)]
    return found


def make(language: str) -> list[Path]:
    """Makes an edition's notebooks, pages, pictures and words; the notebooks that it changed."""
    folder = NOTEBOOKS / language
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    said = {name: catalog.said(catalog.read(catalog_file(language, name), language))
            for name in sources()}  # fmt: skip
    for path in sorted((NOTEBOOKS / "pictures").glob("*.svg")):
        drawing = path.read_text("utf-8")
        drawn = units.redrawn(path.stem, drawing, said["pictures"])
        if drawn != drawing:
            (folder / "pictures" / path.name).write_text(drawn, "utf-8")
    with (ROOT / "statelab" / "locale" / f"{language}.mo").open("wb") as file:
        write_mo(file, catalog.read(catalog_file(language, PANEL), language))
    changed = []
    names = {path.name for path in lessons()}
    for path in lessons():
        made = edition.notebook(
            load(path), said[path.stem], language,
            lambda address: address in names or (folder / address).exists(),
        )  # fmt: skip
        target = folder / path.name
        if not target.exists() or _bare(load(target)) != _bare(made):
            text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
            target.write_text(text, "utf-8")
            changed.append(target)
    return changed


def _bare(notebook: dict[str, Any]) -> list[Any]:
    """What of a notebook is no output."""
    return [(cell["id"], cell["metadata"], "".join(cell["source"])) for cell in notebook["cells"]]


def main() -> int:
    """Updates the catalogs, makes the editions, and records what has changed."""
    for language in LANGUAGES:
        missing = update(language)
        changed = make(language)
        print(f"{language}: {len(changed)} notebooks are new or changed", flush=True)
        if changed:
            record = [sys.executable, ROOT / "tests" / "helpers" / "record.py", *changed]
            if code := subprocess.run(record).returncode:
                return code
        for what in missing:
            print(what)
        print(f"{language}: {len(missing)} units are not translated or stale")
    return 0


if __name__ == "__main__":
    sys.exit(main())
