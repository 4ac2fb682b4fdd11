"""Another lesson's own code, its servers and stories, from the tagged cells of its notebook."""

from __future__ import annotations

import ast
import json
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from statelab.lab.given import given


def lesson(name: str, folder: Path | str = ".") -> ModuleType:
    """A module of what the notebook `name`, such as "04_authentication", defines.

    It holds the imports of the `setup` cells and everything in the `code` cells, in their order.
    Raises FileNotFoundError if the folder does not hold it, and whatever its cells raise.
    """
    given(str, name, "the name of a lesson")
    path = Path(given((str, Path), folder, "the folder of a lesson"), f"{name}.ipynb")
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not beside this notebook: copy it there")
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = [f"# cell {cell['id']}\n{code}" for cell in cells if (code := _definitions(cell))]
    source = "\n\n".join(parts) + "\n"
    module = ModuleType(f"lesson_{name}")
    # No file has this name, so the source is found in the line cache, as that of a notebook's cell
    # is: run codes take a fingerprint of it.
    module.__file__ = f"<lesson {name}>"
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(True), module.__file__)
    sys.modules[module.__name__] = module
    exec(compile(source, module.__file__, "exec"), vars(module))
    return module


def _definitions(cell: dict[str, Any]) -> str:
    """What a cell defines, as source: '' if its tags do not say that it is of use elsewhere."""
    tags, source = cell["metadata"].get("tags", []), "".join(cell["source"])
    if cell["cell_type"] == "code" and "code" in tags:
        return source
    if cell["cell_type"] == "code" and "setup" in tags:
        lines = ast.parse(source).body
        imports = [line for line in lines if isinstance(line, (ast.Import, ast.ImportFrom))]
        return "\n".join(ast.unparse(line) for line in imports)
    return ""
