"""Notebooks for browser tests: two panels, one of them shown twice; and links that cross."""

import nbformat

SETUP = '''
from statelab import Invariant, LiveWorld, Node, Response, World, lab, scenario


class Door(Node):
    """Lets in who has said a name."""

    def __init__(self):
        self.inside = []
        self.doubts = 0

    async def handle(self, request):
        if request.path == "/enter":
            self.inside.append(request.body)
            return "in"
        if request.path == "/busy":
            return Response(503, "come again")
        return "hello" if self.inside else Response(401, "who?")


@scenario
def house(world):
    world.start("door", Door)
    world.client("alice")


ACTIONS = [
    lab.Action("alice", "enter", "POST", "door", "/enter", "alice"),
    lab.Action("alice", "ask", "GET", "door", "/"),
    lab.Action("alice", "ask nobody", "GET", "nobody", "/"),
    lab.Action("alice", "ask when it is busy", "GET", "door", "/busy"),
]


def first_401(rows):
    return next((row.seq for row in rows if row.kind == "answer" and row.data[0] == 401), None)


KNOWN = Invariant("who is inside is known", first_401)
'''
CELLS = {
    "setup": SETUP,
    "one": """
one = lab.Panel(house, title="one", actions=ACTIONS, invariants=[KNOWN], live=True)
one""",
    "again": "one",
    "other": 'lab.Panel(house, title="other", actions=ACTIONS)',
}

LATE = """
import threading

opens = threading.Event()


@scenario
def late(world):
    if isinstance(world, LiveWorld):
        opens.wait(90)
    house(world)


lab.Panel(late, actions=ACTIONS, live=True)"""

# A widget of each kind; `touched` tells what a page has done to one.
EVERY = {
    "setup": SETUP
    + """
from matplotlib.figure import Figure

touched = []


def watched(widget, *names):
    widget.observe(lambda change: touched.append(change.name), names)
    return widget


def line(height):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, height])
    return lab.Plot(figure, f"up to {height}")""",
    "predict": """guess = watched(lab.predict("Which?", ["this", "that"]), "chosen", "done")
guess""",
    "panel": 'watched(lab.Panel(house, actions=ACTIONS, live=True), "handled", "runs")',
    "gated": 'watched(lab.Panel(house, prediction=lab.predict("?", ["a", "b"])), "handled")',
    "quiz": 'watched(lab.quiz("1 + 1?\\n+ 2 → Yes.\\n- 3 → No."), "chosen")',
    "scrub": """
def count(state, given):
    return {"count": state["count"] + given}


watched(lab.Scrub(count, {"count": 0}, [1, 2, 3]), "at", "without")""",
    "slider": """
slider = lab.Slider("height", [1, 2, 3], line, value=2)
watched(slider.control, "value")
slider""",
    "wire": 'wire = watched(lab.Wire(Door, b"", lab.predict("?", ["a", "b"])), "table")\nwire',
    "end": "",
}

STUCK = """
import sys


class Stuck(Door):
    async def handle(self, request):
        if request.path == "/loop":
            while True:
                pass
        if request.path == "/exit":
            sys.exit(3)
        if request.path == "/half":
            self.inside.append(request.body)
            self.log(request.body)
        return await super().handle(request)


@scenario
def stuck(world):
    world.start("door", Stuck)


lab.Panel(stuck, actions=[
    *ACTIONS,
    lab.Action("alice", "loop", "POST", "door", "/loop"),
    lab.Action("alice", "exit", "POST", "door", "/exit"),
    lab.Action("alice", "half", "POST", "door", "/half", chr(0xD800)),
])"""

CROSSING = """
from statelab import Node, lab, scenario


class Shop(Node):
    async def handle(self, request):
        return "sold"


@scenario
def crossing(world):
    for name in ("left", "right"):
        world.start(name, Shop)
    for name in ("alice", "bob"):
        world.client(name)


lab.Panel(crossing, actions=[
    lab.Action(client, f"go {shop}", "GET", shop)
    for client in ("alice", "bob") for shop in ("left", "right")
])"""

CROWD = """
from statelab import Node, Response, lab, scenario

NAMES = ("alice", "alice-mobile", "bob")


class Door(Node):
    async def handle(self, request):
        return Response(401, "nobody of that name has come in by this door")


@scenario
def crowd(world):
    world.start("door", Door)
    for name in NAMES:
        world.client(name)


lab.Panel(crowd, expected=lambda rows, request: 200, actions=[
    lab.Action(name, label, "GET", "door") for name in NAMES for label in ("log in", "profile")
])"""


def write(path, sources=CELLS):
    """Writes one, of a source for each cell's id."""
    cells = [nbformat.v4.new_code_cell(source.strip(), id=name) for name, source in sources.items()]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def view(notebook, name):
    """The output of the cell of that id in the notebook of EVERY."""
    place = list(EVERY).index(name)
    return notebook.page.locator(".jp-Notebook-cell").nth(place).locator(".jp-Cell-outputArea")
