"""Whatever a node says, a page sends, a function raises or a caller gives: a widget lives on."""

import base64
import contextlib
import dataclasses
import functools
import io
import math
import re
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import comm
import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jupyter_client.session import json_packer
from matplotlib.figure import Figure

from statelab import Invariant, Node, Response, Soft, World, WrongState, lab, scenario
from statelab.lab.panel import picture
from statelab.vetting import reach


class Parrot(Node):
    """Keeps in its memory, on its disk and in its log what it is told, and says it back."""

    def __init__(self):
        self.told = []

    async def handle(self, request):
        if request.path == "/exit":
            sys.exit(3)
        if request.path == "/raise":
            raise KeyboardInterrupt
        if request.path == "/interrupt":
            signal.raise_signal(signal.SIGINT)
        self.told.append(request.body)
        self.disk["told"] = request.body
        self.log(str(request.body))
        return Response(200, request.body)


@scenario
def talk(world):
    world.start("parrot", Parrot)
    world.client("alice")


def says(body, path="/"):
    return lab.Action("alice", "say", "POST", "parrot", path, body)


@pytest.fixture
def channel(monkeypatch):
    """What is sent to pages, packed as Jupyter packs it."""
    sent = []

    def publish(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        sent.append(json_packer(data))

    monkeypatch.setattr(comm.DummyComm, "publish_msg", publish)
    return sent


def receive(widget, data):
    """What a page sends to a widget."""
    widget._handle_msg({"content": {"data": data}, "buffers": []})


def click(panel, *doing, **more):
    receive(
        panel, {"method": "custom", "content": {"do": list(doing), "n": panel.handled + 1, **more}}
    )


def words(panel):
    return [request["word"] for request in panel.still()["requests"]]


# ------------------------------------------------------------------------------- what nodes say
@pytest.mark.parametrize(
    "said",
    [
        "\ud800", "x\udfffy", "\x00", "\x1b[31mred\x7f", "a\tb\nc\r", "\ufffe\uffff",
        "\u2028", "\U0001f600", "</script>&<b>", "NaN", "x" * 900_000, ["\ud800"] * 9,
        {"\ud800": {"\x00": "\ud800"}}, {"a\tb": None}, {"__proto__": 1, "constructor": 2},
        10**3999, -0.0, 1e308, [], "",
    ],
    ids=lambda said: repr(said)[:20],
)  # fmt: skip
def test_whatever_a_node_says_reaches_the_page(channel, said):
    panel = lab.Panel(talk, actions=[says(said)])
    for doing in (("action", 0), ("kill", "parrot"), ("restart", "parrot"), ("action", 0)):
        click(panel, *doing)
        assert panel.error == ""
    assert words(panel) == ["200 OK", "200 OK"]
    assert len(channel) > 5
    for sent in channel:
        sent.decode()


@dataclasses.dataclass
class Shy:
    """A value that cannot be written."""

    n: int = 1

    def __repr__(self):
        raise RuntimeError("shy")


class Odd(Node):
    """Remembers what it is asked to."""

    async def handle(self, request):
        name, value = ODD[request.body]
        setattr(self, name, value())


ODD = (
    ("huge", lambda: 10**5000),
    ("huge", lambda: [10**5000]),
    ("shy", Shy),
    ("shy", lambda: [Shy(), {"a": Shy()}]),
    ("half", lambda: "\ud800"),
    ("a\tb", lambda: 1),
    ("constructor", lambda: 1),
    ("__x__", lambda: 1),
    ("ports", lambda: 5),
    ("ports", lambda: {"a": 1}),
    ("token", lambda: 5),
    ("token", lambda: None),
    ("soft", lambda: Soft(1, math.inf)),
    ("soft", lambda: Soft(1, math.nan)),
    ("soft", lambda: Soft(1, None)),
    ("soft", lambda: Soft(1, "soon")),
    ("soft", lambda: Soft(1, 10**400)),
    ("soft", lambda: {"a": Soft(Shy(), 1.0), ("b", 1): Soft(10**5000, 2.0), None: 1}),
    ("soft", lambda: [Soft(1, None)]),
    ("deep", lambda: functools.reduce(lambda inside, _: [inside], range(60), 1)),
    ("long", lambda: "x" * 10**6),
    ("many", lambda: dict.fromkeys(range(5000))),
    ("bytes", lambda: b"\xff"),
    ("set", lambda: frozenset({1, "a"})),
)


@scenario
def oddly(world):
    world.start("odd", Odd)
    world.client("alice")


@pytest.mark.parametrize("place", range(len(ODD)), ids=lambda place: ODD[place][0])
def test_whatever_a_node_remembers_is_shown_or_said_and_the_panel_goes_on(channel, place):
    asks = lab.Action("alice", "ask", "POST", "odd", "/", place)
    panel = lab.Panel(oddly, actions=[asks])
    for doing in (("action", 0), ("kill", "odd"), ("restart", "odd"), ("wait",)):
        click(panel, *doing)
        assert panel.error == ""
        lines = str(
            [node["memory"] for column in panel.still()["columns"] for node in column["nodes"]]
        )
        assert not re.search(r"0x|nan|inf", lines)
    for sent in channel:
        assert b"NaN" not in sent


class ByMeta(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


class Raises(metaclass=ByMeta):
    """A value of a class that can be asked for nothing."""


class Hides:
    """A value whose class cannot be asked for."""

    @property
    def __class__(self):
        raise RuntimeError("hidden")


class Counts(dict):
    """A value that cannot be gone through."""

    def __len__(self):
        raise RuntimeError("uncounted")

    __iter__ = items = values = __repr__ = __len__


class Unlike:
    """A value that cannot be compared."""

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("unlike")


def itself(make, put):
    made = make()
    put(made)
    return made


BAD = (
    Raises, lambda: Raises, lambda: [Raises()], Hides, lambda: {"a": Hides()}, Unlike,
    lambda: Soft(Hides(), 1.0), lambda: {"k": Soft(Raises(), 1.0)}, lambda: Counts(a=1),
    lambda: itself(list, lambda x: x.append(x)), lambda: itself(dict, lambda x: x.update(a=x)),
    lambda: itself(list, lambda x: x.append(Soft(x, 1.0))),
    lambda: itself(Shy, lambda x: setattr(x, "n", x)), object, lambda: {Unlike: 1},
    lambda: numpy.array([1, 2]), lambda: (n for n in "a"),
)  # fmt: skip


class Bad(Node):
    """Remembers, answers or raises what cannot be looked at."""

    async def handle(self, request):
        how, place = request.body
        made = BAD[place]()
        if how == "raises":
            raise ValueError(made)
        if how == "answers":
            return made
        self.made = made


@scenario
def badly(world):
    world.start("bad", Bad)
    world.client("alice")


@pytest.mark.parametrize("how", ["remembers", "answers", "raises"])
@pytest.mark.parametrize("place", range(len(BAD)))
def test_what_cannot_be_looked_at_is_said_in_a_sentence_and_the_panel_goes_on(
    how, place, monkeypatch
):
    monkeypatch.setattr(reach, "is_learners", lambda module: False)  # it would be refused
    asks = lab.Action("alice", "ask", "POST", "bad", "/", [how, place])
    panel = lab.Panel(badly, actions=[asks])
    for doing in (("action", 0), ("action", 0), ("kill", "bad"), ("restart", "bad"), ("wait",)):
        click(panel, *doing)
        assert len(panel.error) < 250
        if how == "remembers" and doing[0] == "action":
            assert re.match("This could not be shown: TypeError: bad.made\\b", panel.error)
            assert "which has no canonical form" in panel.error
        else:
            assert panel.error == ""
    assert set(words(panel)) == {"200 OK" if how == "remembers" else "500 Internal Server Error"}


@pytest.mark.live
def test_whatever_a_real_process_says_reaches_the_page(channel):
    bodies = ["\ud800", "\x00\x1b", {"\ud800": ["\x00"]}, "x" * 300_000]
    with contextlib.closing(lab.Panel(talk, actions=list(map(says, bodies)), live=True)) as panel:
        click(panel, "world", "live")
        until(lambda: panel.pids.get("parrot"))
        for number in range(len(bodies)):
            click(panel, "action", number)
            until(lambda: words(panel) == ["200 OK"] * (number + 1))  # noqa: B023
            assert panel.error == ""


def until(condition):
    """Waits until `condition()` holds; fails if it never does."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_what_cannot_be_sent_is_sent_as_near_as_may_be(channel):
    panel = lab.Panel(talk, title="half \ud800", actions=[says("\ud800")])
    lab.observe(panel, lambda rows: (None, math.nan))
    receive(panel, {"method": "request_state"})
    assert b"half ?" in channel[-1]
    assert b'"text":"nan"' in channel[-1].replace(b": ", b":")


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x08", "\ufffe", "\ud800"])
def test_a_picture_is_well_formed_whatever_characters_its_words_have(bad):
    @scenario
    def odd(world):
        world.start(f"par{bad}rot".replace("\ud800", ""), Parrot)

    panel = lab.Panel(odd, title=f"a {bad} title", actions=[lab.Action("al", f"a{bad}b")])
    ElementTree.fromstring(picture.svg(panel.title, panel._first, panel.actions))
    picture.html(panel.title, panel._first, panel.actions).encode()


# ------------------------------------------------------------------------------- what is raised
@pytest.mark.parametrize("path", ["/exit", "/raise", "/interrupt"])
def test_a_click_whose_handler_ends_the_process_is_answered_and_the_panel_goes_on(path):
    panel = lab.Panel(talk, actions=[says(1), says(1, path)])
    click(panel, "action", 0)
    click(panel, "action", 1)
    assert panel.handled == 2
    if path == "/interrupt":  # somebody pressed the interrupt button
        assert "KeyboardInterrupt ended it; the run is as it was before" in panel.error
    else:
        assert panel.error == ""
        click(panel, "restart", "parrot")
    click(panel, "action", 0)
    assert panel.error == ""
    assert words(panel)[-1] == "200 OK"
    assert panel.code.startswith("SL1-")


def test_an_interrupted_click_in_the_past_leaves_all_runs_as_they_were():
    panel = lab.Panel(talk, actions=[says(1), says(1, "/interrupt")])
    click(panel, "action", 0)
    click(panel, "action", 0)
    before = panel.still(), len(panel.runs)
    click(panel, "action", 1, at_us=250_000)
    assert "KeyboardInterrupt" in panel.error
    assert (panel.still(), len(panel.runs)) == before
    click(panel, "action", 0)
    assert words(panel) == ["200 OK"] * 3


RAISES = [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError]


@pytest.mark.parametrize("wrong", RAISES)
def test_whatever_a_learners_function_raises_is_said_in_the_widget(wrong):
    def fails(*_):
        if fails.on:
            raise wrong
        return {"n": 1}

    def draws(value):
        if fails.on:
            raise wrong
        return lab.Plot(Figure(figsize=(1, 1)), "a plot")

    fails.on = False
    scrub, slider = lab.Scrub(fails, {"n": 1}, [1, 2]), lab.Slider("x", [1, 2], draws, value=1)
    fails.on = True
    panel = lab.Panel(talk, actions=[says(1)], invariants=[Invariant("all is well", fails)])
    observed = lab.observe(panel, fails)
    click(panel, "action", 0)
    for said in (observed.verdict["text"], panel.lights[0]["text"]):
        assert wrong.__name__ in said
    assert panel.error == ""
    receive(scrub, {"method": "update", "state": {"without": [1]}})
    assert wrong.__name__ in scrub.end
    slider.control.value = 2
    assert wrong.__name__ in slider.shown.value
    assert wrong.__name__ in lab.observe(scrub, fails).verdict["text"]


def test_an_outcome_that_is_no_pair_is_said():
    panel = lab.Panel(talk)
    for outcome in (lambda rows: None, lambda rows: 5, lambda rows: ("a",), lambda rows: {}):
        assert "could not be told" in lab.observe(panel, outcome).verdict["text"]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda world: world.start("other", Parrot),
        lambda world: world.client("bob").post("parrot", "/", {"deep": [[[1]]]}),
        lambda world: world.kill("parrot"),
        lambda world: world.run(1e6),
        lambda world: world.partition("alice", "parrot"),
        lambda world: world.client("other\x00"),
    ],
)
def test_a_panels_world_may_be_used_by_code_and_each_click_works_after_that(misuse):
    panel = lab.Panel(talk, actions=[says(1)])
    misuse(panel.world)
    click(panel, "action", 0)
    assert panel.error == ""
    assert len(words(panel)) >= 1
    click(panel, "again")
    click(panel, "action", 0)
    assert (panel.error, words(panel)) == ("", ["200 OK"])


# ------------------------------------------------------------------------------- what pages send
def nested(depth):
    return [nested(depth - 1)] if depth else 1


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), math.nan, math.inf, "\ud800", "kill", "parrot"])
    | st.floats()
    | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(["do", "n", "at_us", "keep", "need"]) | st.text(max_size=5),
            inside, max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip
WORDS = ["action", "kill", "restart", "pause", "lose_next", "hold", "run", "open", "world", "wait"]
clicks = st.fixed_dictionaries(
    {"do": st.lists(anything | st.sampled_from([*WORDS, "parrot", 0, 1, True]), max_size=4)},
    optional={"n": anything, "at_us": anything, "keep": anything, "need": anything},
)


@pytest.mark.fuzz
@given(st.lists(anything | clicks, min_size=1, max_size=5))
@example([{"do": ["wait", 1], "n": 1 << 53}])
def test_a_panel_answers_or_ignores_whatever_a_page_sends(sent):
    panel = lab.Panel(talk, actions=[says(1)])
    for content in sent:
        panel._clicked(panel, content, [])  # not by the widget's own door, which hides errors
        receive(panel, {"method": "custom", "content": content})
        traits = dict.fromkeys(("error", "mode", "runs", "run", "handled", "look"), content)
        before = {name: getattr(panel, name) for name in traits}
        for state in (content, traits):
            receive(panel, {"method": "update", "state": state})
        assert {name: getattr(panel, name) for name in traits} == before
        assert len(panel.error) <= 1100
        assert panel.handled < 1 << 53
    click(panel, "again")
    click(panel, "action", 0)
    assert (panel.error, words(panel)) == ("", ["200 OK"])


QUESTION = "1 + 1?\n+ 2 → Yes.\n- 3 → One too many."


ASKED = {
    "predict": (lambda: lab.predict("?", ["a", "b"]), ["chosen", "sure", "done", "question"]),
    "quiz": (lambda: lab.quiz(f"{QUESTION}\n\n{QUESTION}"), ["chosen", "feedback"]),
    "scrub": (
        lambda: lab.Scrub(lambda state, more: {"n": state["n"] + more}, {"n": 0}, [1, 2, 3]),
        ["without", "at", "states", "inputs"],
    ),
}
VALUES = (
    anything
    | st.sampled_from(["answered", "skipped", "", "guess", "certain", 0, 1, 99, -1, -2, [], [0, 1]])
    | st.lists(st.integers(-3, 5), max_size=4)
)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.fuzz
@given(data=st.data())
def test_what_a_page_sets_holds_or_is_not_taken(name, data):
    make, names = ASKED[name]
    widget, fresh = make(), make()
    panel = lab.Panel(talk, prediction=widget) if name == "predict" else None
    for _ in range(data.draw(st.integers(1, 4))):
        state = data.draw(anything | st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
        receive(widget, {"method": "update", "state": state})
        receive(widget, {"method": "custom", "content": state})
        holds(name, widget, fresh)
    if panel is not None:
        assert (panel.gate == "") == (widget.done != "")
        assert panel.verdict["mark"] == "open"


def holds(name, widget, fresh):
    if name == "predict":
        assert widget.choice in (["a", "b"] if widget.done == "answered" else [None])
        assert widget.question == fresh.question
        assert widget.said()
    elif name == "quiz":
        assert len(widget.feedback) == 2
        for place, feedback in zip(widget.chosen, widget.feedback, strict=True):
            assert feedback["mark"] == ["", "right", "wrong"][place + 1]
    else:
        assert widget.inputs == fresh.inputs
        assert 0 <= widget.at <= 3
        left = sum({1, 2, 3} - set(widget.without))
        assert widget.states[-1] == [str(left)]
        assert "could not" not in widget.end


def test_by_code_what_does_not_hold_is_refused_in_a_sentence():
    guess = lab.predict("?", ["a", "b"])
    for name, value in (("chosen", 99), ("done", "answered"), ("sure", "perhaps"), ("done", "x")):
        with pytest.raises(Exception, match=r"\w+ \w+ \w+"):
            setattr(guess, name, value)
    assert (guess.chosen, guess.done, guess.sure) == (-1, "", "")


# ------------------------------------------------------------------------------- what callers give
def rule(state, more):
    return state


def plot(value):
    return lab.Plot(Figure(figsize=(1, 1)), "a plot")


@scenario
def keeps(world, kept):
    pass


WRONG = {
    "a step of nothing": lambda: lab.Panel(talk, step=0),
    "a negative step": lambda: lab.Panel(talk, step=-1),
    "a step that is none": lambda: lab.Panel(talk, step="1"),
    "a step too long": lambda: lab.Panel(talk, step=10**400),
    "a step of NaN": lambda: lab.Panel(talk, step=math.nan),
    "a scenario that is none": lambda: lab.Panel(5),
    "a scenario's name": lambda: lab.Panel("talk"),
    "a scenario without its mark": lambda: lab.Panel(lambda world: None),
    "arguments in a list": lambda: lab.Panel(talk, [1]),
    "a seed in words": lambda: lab.Panel(talk, seed="seven"),
    "a title that is a number": lambda: lab.Panel(talk, title=5),
    "a prediction in words": lambda: lab.Panel(talk, prediction="kill it"),
    "a prediction that is 0": lambda: lab.Panel(talk, prediction=0),
    "an action in words": lambda: lab.Panel(talk, actions=["kill"]),
    "one action": lambda: lab.Panel(talk, actions=says(1)),
    "actions None": lambda: lab.Panel(talk, actions=None),
    "an invariant in words": lambda: lab.Panel(talk, invariants=["all is well"]),
    "columns in a list": lambda: lab.Panel(talk, columns=["servers"]),
    "a column that is not there": lambda: lab.Panel(talk, columns={"parrot": "left"}),
    "a level in words": lambda: lab.Panel(talk, level="two"),
    "a level that is true": lambda: lab.Panel(talk, level=True),
    "an outcome that is none": lambda: lab.Panel(talk).judge(5),
    "a time in words": lambda: lab.Panel(talk).do("kill", "parrot", at="now"),
    "a time too late": lambda: lab.Panel(talk).do("kill", "parrot", at=1e308),
    "a verb that is none": lambda: lab.Panel(talk).do(["kill"], "parrot"),
    "a name that is a list": lambda: lab.Panel(talk).do("kill", ["parrot"]),
    "a run that is a dict": lambda: lab.Panel(talk).do("run", {}),
    "a world that is a list": lambda: lab.Panel(talk).do("world", ["live"]),
    "a run code that is none": lambda: lab.Panel(talk).open_run(5),
    "a row in words": lambda: lab.Panel(talk).open_run(lab.Panel(talk).code, at="1"),
    "a client that is a number": lambda: lab.Action(5, "say", "GET", "parrot"),
    "a label that is a number": lambda: lab.Action("alice", 5, "GET", "parrot"),
    "a body too deep": lambda: says(nested(102)),
    "a question that is none": lambda: lab.predict(5, ["a", "b"]),
    "choices None": lambda: lab.predict("?", None),
    "choices in one word": lambda: lab.predict("?", "abc"),
    "no choices": lambda: lab.predict("?", []),
    "choices that are numbers": lambda: lab.predict("?", [1, 2]),
    "an answer that is a list": lambda: lab.predict("?", ["a", "b"]).answer(["a"]),
    "a sureness that is a list": lambda: lab.predict("?", ["a", "b"]).answer("a", ["guess"]),
    "something else to compare": lambda: lab.compare("?", "a", "so."),
    "something else to observe": lambda: lab.observe(5, lambda rows: None),
    "an outcome in words": lambda: lab.observe(lab.Panel(talk), "so."),
    "an exit check in a list": lambda: lab.quiz([QUESTION]),
    "an exit check without a question": lambda: lab.quiz(" "),
    "a question without choices": lambda: lab.quiz("1 + 1?"),
    "a choice without feedback": lambda: lab.quiz("1 + 1?\n+ 2\n- 3 → No."),
    "a choice without a mark": lambda: lab.quiz("1 + 1?\n2 → Yes.\n- 3 → No."),
    "two right choices": lambda: lab.quiz("1 + 1?\n+ 2 → Yes.\n+ 3 → Yes."),
    "no right choice": lambda: lab.quiz("1 + 1?\n- 2 → Yes.\n- 3 → No."),
    "one choice twice": lambda: lab.quiz("1 + 1?\n+ 2 → Yes.\n- 2 → No."),
    "a rule that is none": lambda: lab.Scrub(5, {}, []),
    "a rule that returns nothing": lambda: lab.Scrub(lambda *_: None, {}, [1]),
    "a start that is a list": lambda: lab.Scrub(rule, [], []),
    "a log that is a number": lambda: lab.Scrub(rule, {}, 5),
    "a place in words": lambda: lab.Scrub(rule, {}, [1]).leave_out("1"),
    "a place that is not there": lambda: lab.Scrub(rule, {}, [1]).leave_out(2),
    "a slider's values None": lambda: lab.Slider("x", None, plot, value=1),
    "a slider's values in words": lambda: lab.Slider("x", ["a"], plot, value="a"),
    "no values": lambda: lab.Slider("x", [], plot, value=1),
    "a value not among them": lambda: lab.Slider("x", [1], plot, value=2),
    "a slider's label None": lambda: lab.Slider(None, [1], plot, value=1),
    "a slider that draws nothing": lambda: lab.Slider("x", [1], lambda value: None, value=1),
    "a slider without a function": lambda: lab.Slider("x", [1], "plot", value=1),
    "a figure that is none": lambda: lab.Plot(5, "a plot"),
    "a plot's text None": lambda: lab.Plot(Figure(figsize=(1, 1)), None),
    "a wire to no class": lambda: lab.Wire("web", b""),
    "a request that is a str": lambda: lab.Wire(Parrot, "GET /"),
    "a wire's prediction in words": lambda: lab.Wire(Parrot, b"", "?"),
    "a table of no trace": lambda: lab.outcome_table(5),
    "a map of no trace": lambda: lab.state_map(World(seed=1)),
    "a scenario that is a class": lambda: lab.Panel(Parrot),
    "an argument whose name is none": lambda: lab.Panel(talk, {1: 2}),
    "an argument that cannot be written": lambda: lab.Panel(keeps, {"kept": Shy()}),
    "a column that is a list": lambda: lab.Panel(talk, columns={"parrot": []}),
    "a panel that is live in a word": lambda: lab.Panel(talk, live=numpy.array([1, 2])),
    "an array to do": lambda: lab.Panel(talk).do(numpy.array([1, 2])),
    "a run whose number is an array": lambda: lab.Panel(talk).do("run", numpy.array([1, 2])),
    "a world that is an array": lambda: lab.Panel(talk).do("world", numpy.array([1, 2])),
    "a shared run without its row": lambda: lab.Panel(talk).do("shared", "SL1-x"),
    "choices that cannot be written": lambda: lab.predict("?", Shy()),
    "a choice that is not there": lambda: lab.compare(lab.predict("?", ["a", "b"]), "c", "so."),
    "a value too large": lambda: lab.Slider("x", [1, 10**400], plot, value=1),
    "a value that cannot be written": lambda: lab.Slider("x", [1], plot, value=Shy()),
    "a figure that cannot be written": lambda: lab.Plot(Shy(), "a plot"),
    "a lesson's name that is None": lambda: lab.lesson(None),
    "a lesson's folder that is None": lambda: lab.lesson("00_start_here", None),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_a_caller_gives_that_is_wrong_is_refused_by_us_in_a_sentence(what):
    with pytest.raises((TypeError, ValueError)) as told:
        WRONG[what]()
    last = traceback.extract_tb(told.value.__traceback__)[-1]
    assert "statelab" in last.filename.split("site-packages")[-1]
    assert last.line.lstrip().startswith(("raise", "_bad"))
    assert 15 < len(str(told.value)) < 600


def test_a_row_that_is_none_is_refused_before_its_run_is_opened():
    panel = lab.Panel(talk, actions=[says(1)])
    panel.do("action", 0)
    with pytest.raises(TypeError, match="the row to look at"):
        panel.open_run(panel.code, at="1")
    assert len(panel.runs) == 1


def test_what_is_closed_says_so_and_does_nothing():
    panel, wire = lab.Panel(talk, actions=[says(1)]), lab.Wire(Parrot, b"")
    for closed in (panel, wire):
        closed.close()
        closed.close()
    wire.wait()
    for do in (lambda: panel.do("action", 0), lambda: panel.do("again"), lambda: wire.do("send")):
        with pytest.raises(WrongState, match="is closed, and nothing was done: run its cell again"):
            do()
    click(panel, "action", 0)
    assert "is closed" in panel.error
    assert words(panel) == []


class Unsaid(Exception):
    def __str__(self):
        raise RuntimeError("unsaid")


def test_an_error_that_cannot_say_what_it_is_is_named_in_the_widget():
    def fails(*_):
        raise Unsaid

    panel = lab.Panel(
        talk, actions=[says(1)], expected=fails, invariants=[Invariant("all is well", fails)]
    )
    click(panel, "action", 0)
    assert panel.error == "It could not be told whether this is as it should be: Unsaid."
    assert panel.lights[0]["text"] == "Unsaid."
    assert lab.observe(panel, fails).verdict["text"] == "The outcome could not be told: Unsaid."


def test_a_log_and_a_state_that_cannot_be_written_are_named_by_their_kind():
    scrub = lab.Scrub(lambda state, more: {"n": more}, {"n": 1}, [10**5000, Shy()])
    assert scrub.inputs == ["a int", "a Shy"]
    assert scrub.states == [["1"], ["a int"], ["a Shy"]]
    assert "a Shy" in scrub._html()


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\ud800"])
def test_a_plot_and_a_slider_can_be_sent_and_are_well_formed_whatever_their_words(bad):
    def drawn(value):
        figure = Figure(figsize=(1, 1))
        figure.suptitle(f"a{bad}b".replace("\ud800", ""))
        return lab.Plot(figure, f"a {bad} plot")

    slider = lab.Slider(f"a {bad}", [1, 2], drawn, value=1, unit=bad)
    json_packer([slider.plot._repr_mimebundle_(), slider.shown.value, slider.control.description])
    json_packer(repr(slider))
    ElementTree.fromstring(base64.b64decode(slider.plot._data))


@pytest.mark.parametrize("coding", ["utf-8", "ascii", "cp1252"])
def test_a_check_says_its_verdict_whatever_the_output_has_no_form_for(monkeypatch, coding):
    out = io.TextIOWrapper(io.BytesIO(), coding)
    monkeypatch.setattr(sys, "stdout", out)
    verdict = lab.check(talk, seeds=1, until=0.1, invariants=[Invariant("half \ud800", len)])
    out.flush()
    assert not verdict.passed
    assert b"half ?" in out.buffer.getvalue()


@pytest.mark.parametrize("sentences", [["it holds", "it holds"], ["code"]])
def test_a_sweep_refuses_two_columns_of_one_name(sentences):
    with pytest.raises(ValueError, match="the table would have two columns"):
        lab.sweep(talk, 1, invariants=[Invariant(one, lambda rows: None) for one in sentences])


@pytest.mark.parametrize("seq", ["a", 10**6, True, -1])
def test_a_sweep_refuses_a_breach_that_is_no_row(seq):
    with pytest.raises(lab.SweepError, match="return the seq of the row where it broke, or None"):
        lab.sweep(
            talk, 1, until=0.1, invariants=[Invariant("it holds", lambda rows: seq)],
            executor=ThreadPoolExecutor(1),
        )  # fmt: skip
