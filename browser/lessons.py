"""The lessons as the browser edition has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def write(notebooks: Path, folder: Path) -> None:
    """Writes the lessons and their pictures into `folder`, which is new."""
    shutil.copytree(notebooks / "pictures", folder / "pictures")
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / path.name).write_text(text, encoding="utf-8")
