"""Loads a lesson's own code, its servers and scenarios, from the tagged cells of its notebook."""

import ast
import functools
import linecache
import sys
from pathlib import Path
from types import ModuleType

import nbformat

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@functools.cache
def load(name):
    """Return a module of what the notebook `name`, such as "04_authentication", defines.

    It holds the imports of the `setup` cells and everything in the `code` cells, in their order.
    """
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return module_of(name, notebook.cells)


def module_of(name, cells):
    """Return the module that these cells define."""
    parts = [f"# cell {cell.id}\n{code}" for cell in cells if (code := definitions(cell))]
    source = "\n\n".join(parts) + "\n"
    module = ModuleType(f"lesson_{name}")
    # No file has this name, so the source is found in the line cache, as that of a notebook's cell
    # is: run codes take a fingerprint of it.
    module.__file__ = f"<lesson {name}>"
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(True), module.__file__)
    sys.modules[module.__name__] = module
    exec(compile(source, module.__file__, "exec"), vars(module))
    return module


def definitions(cell):
    """Return what a cell defines, as source: '' if its tags do not say that it is of use here."""
    tags = cell.metadata.get("tags", [])
    if cell.cell_type != "code":
        return ""
    if "code" in tags:
        return cell.source
    if "setup" in tags:
        lines = ast.parse(cell.source).body
        imports = [line for line in lines if isinstance(line, (ast.Import, ast.ImportFrom))]
        return "\n".join(ast.unparse(line) for line in imports)
    return ""


def names():
    """Return the names of the lessons there are."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
