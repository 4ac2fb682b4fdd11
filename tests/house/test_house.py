"""The house: its rooms, the arrows between them, and what no room may have."""

import ast
import collections
import functools
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each room, and the rooms whose files it may import. The root's own files, the core, are open to
# all and know none; whatever is not named here is an arrow that the house does not have.
ROOMS = {
    "core": set(),
    "vetting": {"core"},
    "sim": {"core", "vetting"},
    "servers": {"core"},
    "engines": {"core", "servers"},
    "live/transport": {"core"},
    "live/child": {"core", "live/transport"},
    "live/relay": {"core", "live/transport"},
    "live/warden": {"core", "live/transport", "live/child"},
    "live/driver": {"core", "live/transport", "live/warden", "engines"},
    "live": {"core", "vetting", "live/transport", "live/driver", "engines"},
    "diagrams": {"core"},
    "lab": {"core", "sim"},
    "lab/ask": {"core", "lab"},
    "lab/show": {"core", "sim", "live", "lab", "lab/ask"},
    "lab/trials": {"core", "vetting", "sim", "live/warden", "lab"},
    "lab/panel": {"core", "sim", "live", "lab", "lab/ask"},
}
DOOR = {"statelab", "statelab.live", "statelab.lab", "statelab.diagrams", "statelab.engines"}


parsed = functools.cache(ast.parse)  # most files are asked many things


def house(root=ROOT):
    """{module: the source of its file}."""
    found = {}
    for path in sorted((root / "statelab").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path.read_text("utf-8")
    return found


def room_of(module, modules):
    """The room in which a module lies."""
    parts = module.split(".")[1:]
    package = any(other.startswith(module + ".") for other in modules)
    folder = parts if package else parts[:-1]
    return "/".join(folder) or "core"


def imports(source, modules):
    """The modules that a source imports anywhere in it, also for its annotations only."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in modules)


def arrows(modules):
    """{module: the modules that it imports}; a package's own door is no arrow of its rooms."""
    return {
        module: {other for other in imports(source, modules) if other not in DOOR}
        for module, source in modules.items()
        if module not in DOOR
    }


def strays(modules):
    """The arrows between rooms that the table does not have."""
    found = set()
    for module, others in arrows(modules).items():
        for other in others:
            here, there = room_of(module, modules), room_of(other, modules)
            if here != there and there not in ROOMS[here]:
                found.add(f"{module} → {other}")
    return sorted(found)


def circles(modules):
    """One circle of imports, if there are any; also those for annotations only."""
    try:
        graphlib.TopologicalSorter(arrows(modules)).prepare()
    except graphlib.CycleError as wrong:
        return wrong.args[1]
    return []


def too_long(modules):
    """The files of more than 300 lines."""
    return sorted(module for module, source in modules.items() if source.count("\n") > 300)


def public_names(source):
    """What a module defines for others."""
    for node in parsed(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def doubled(modules):
    """Public names that two modules define; what begins a process, its `main`, is for nobody."""
    homes = collections.defaultdict(set)
    for module, source in modules.items():
        if module.endswith(".main"):
            continue
        for name in public_names(source):
            homes[name].add(module)
    return {name: sorted(where) for name, where in homes.items() if len(where) > 1}


def test_every_room_is_in_the_table_and_every_arrow_is_one_of_its():
    modules = house()
    assert {room_of(module, modules) for module in modules} == set(ROOMS)
    assert strays(modules) == []


def test_imports_go_one_way():
    assert circles(house()) == []


def test_a_file_is_read_in_one_go():
    assert too_long(house()) == []


def test_a_name_has_one_meaning():
    assert doubled(house()) == {}


@pytest.mark.parametrize(
    ("module", "line", "seen"),
    [
        ("statelab.node", "from statelab.sim.world import World", strays),
        ("statelab.sim.clock", "from statelab.live.world import LiveWorld", strays),
        ("statelab.engines.redis", "import statelab.live.transport.control", strays),
        ("statelab.rows", "if TYPE_CHECKING:\n    from statelab.sim.life import Life", strays),
        ("statelab.trace", "def micros(): ...", doubled),
        ("statelab.message", "from statelab.client import Client", circles),
        ("statelab.words", "if TYPE_CHECKING:\n    import statelab.trace", circles),
        ("statelab.lab.view", "\n" * 300, too_long),
    ],
)
def test_what_the_house_must_not_have_is_seen(module, line, seen):
    modules = house()
    modules[module] += f"\n{line}\n"
    assert seen(modules)


def test_the_page_for_who_takes_over_shows_the_rooms_as_they_are():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert picture() in text, f"python -m tests.house.test_house\n{picture()}"


FOLDERS = ("statelab", "browser", "tests", "docs", "notebooks")


def gone(text):
    """The files that a text names, of Python, JavaScript or words, and that are nowhere."""
    here = [f"/{path}" for top in FOLDERS for path in (ROOT / top).rglob("*.*")]
    here += [f"/{path}" for path in ROOT.glob("*.*")]
    named = set(re.findall(r"(?<![\w/.])(\w[\w/]*\.(?:py|js|md))\b", text))
    return sorted(name for name in named if not any(file.endswith(f"/{name}") for file in here))


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_file_that_a_page_names_is_there(page):
    assert gone(page.read_text("utf-8")) == []


def test_a_file_that_code_names_is_there():
    assert gone("\n".join(house().values())) == []


def test_a_file_that_has_moved_is_seen():
    text = "see lives.py, `live/faults.py` and docs/gone.md, not example.python"
    assert gone(text) == ["docs/gone.md", "lives.py"]


def picture():
    """The rooms in layers, each with its files and what it may import."""
    modules = house()
    lines = []
    for room, others in ROOMS.items():
        files = [module for module in modules if room_of(module, modules) == room]
        doors = {module for module in files for other in modules if other.startswith(f"{module}.")}
        names = " ".join(module.rpartition(".")[2] for module in files if module not in doors)
        inner = " ".join(sorted(others)) or "nothing"
        lines.append(f"{room:15} ← {inner:58} {names}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(picture())
