"""`python3 lab.py translate`: catalogs from the English course, editions from the catalogs."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo

from translation import catalog, edition, units, words

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
PAGES = ("README.md", "docs/teaching.md", "docs/glossary.md")
PICTURES, PACKAGE = "pictures", "statelab"  # the names of two catalogs
# A folder of catalogs is a language.
LANGUAGES = sorted({path.parent.name for path in (ROOT / "translation").glob("*/*.po")})


def lessons() -> list[Path]:
    """The English notebooks."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def pictures() -> list[Path]:
    """The English pictures."""
    return sorted((NOTEBOOKS / "pictures").glob("*.svg"))


def load(path: Path) -> dict[str, Any]:
    """A notebook as it is stored."""
    return json.loads(path.read_text("utf-8"))


def sources() -> dict[str, list[units.Unit]]:
    """The units of each catalog, by its name."""
    found = {path.stem: units.of_notebook(load(path)) for path in lessons()}
    for page in PAGES:
        found[_name(page)] = units.of_page((ROOT / page).read_text("utf-8"))
    found[PICTURES] = [
        unit for path in pictures() for unit in units.of_picture(path.stem, path.read_text("utf-8"))
    ]
    found[PACKAGE] = words.said_by(ROOT / "statelab")
    return found


def _name(page: str) -> str:
    return Path(page).stem.lower()


def catalog_file(language: str, name: str) -> Path:
    """Where a catalog is."""
    return ROOT / "translation" / language / f"{name}.po"


def update(language: str) -> list[str]:
    """Brings the catalogs up to the English course; what is missing in them, as sentences."""
    found = []
    for name, of_it in sources().items():
        path = catalog_file(language, name)
        fresh = catalog.updated(catalog.read(path, language), of_it)
        catalog.write(path, fresh)
        found += [f"{path.relative_to(ROOT)}: {what}" for what in catalog.missing(fresh, of_it)]
    return found


def made(language: str) -> dict[str, bytes]:
    """The files of an edition as its catalogs make them, by their paths; notebooks bare."""
    read = {name: catalog.read(catalog_file(language, name), language) for name in sources()}
    said = {name: catalog.said(one) for name, one in read.items()}
    files: dict[str, str | bytes] = {}
    names = [path.name for path in lessons()]
    for path in pictures():
        drawing = path.read_text("utf-8")
        drawn = units.redrawn(path.stem, drawing, said[PICTURES])
        if drawn != drawing:
            files[f"notebooks/{language}/pictures/{path.name}"] = drawn
            names.append(f"pictures/{path.name}")
    of = edition.twins(language, names, PAGES)
    for page in PAGES:
        blocks = units.of_page((ROOT / page).read_text("utf-8"))
        text = "\n\n".join(said[_name(page)].get(one.key, one.text) for one in blocks)
        files[of[page]] = edition.addressed(text, language, page, of) + "\n"
    for path in lessons():
        here = f"notebooks/{path.name}"
        bare = edition.notebook(load(path), said[path.stem], language, here, of)
        files[of[here]] = json.dumps(bare, ensure_ascii=False, indent=1) + "\n"
    compiled = BytesIO()
    write_mo(compiled, catalog.timeless(read[PACKAGE]))
    files[f"statelab/locale/{language}.mo"] = compiled.getvalue()
    return {
        path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()
    }


def stale(language: str) -> list[str]:
    """The files that are not what the catalogs make; a notebook's outputs do not count."""
    return [path for path, content in made(language).items() if not _is(ROOT / path, content)]


def _is(path: Path, content: bytes) -> bool:
    if not path.exists():
        return False
    if path.suffix == ".ipynb":
        return _bare(load(path)) == _bare(json.loads(content))
    return path.read_bytes() == content


def _bare(notebook: dict[str, Any]) -> list[Any]:
    """What of a notebook is no output."""
    return [(cell["id"], cell["metadata"], "".join(cell["source"])) for cell in notebook["cells"]]


def affected(files: dict[str, bytes], changed: list[str]) -> list[Path]:
    """The notebooks whose outputs may be others when these files have changed."""
    notebooks = {path: files[path].decode() for path in files if path.endswith(".ipynb")}
    if any(path.endswith(".mo") for path in changed):
        return [ROOT / path for path in notebooks]  # each shows the package's words
    loads = [json.dumps(f'lab.lesson("{Path(path).stem}")')[1:-1] for path in changed]
    return [
        ROOT / path
        for path, source in notebooks.items()
        if path in changed or any(load in source for load in loads)
    ]


def main() -> int:
    """Updates the catalogs, makes the editions, and records what they change the outputs of."""
    for language in LANGUAGES:
        missing = update(language)
        files, changed = made(language), stale(language)
        for path in changed:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_bytes(files[path])
            print(f"{language}: made {path}", flush=True)
        if notebooks := affected(files, changed):
            record = [sys.executable, ROOT / "tests" / "helpers" / "record.py", *notebooks]
            if code := subprocess.run(record).returncode:
                return code
        for what in missing:
            print(what)
        print(f"{language}: {len(missing)} units are not translated or stale")
    return 0


if __name__ == "__main__":
    sys.exit(main())
