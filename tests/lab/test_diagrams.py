"""Diagrams: the same bytes for the same trace, everything in words, no text on another."""

import itertools
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from statelab import Node, NoReply, Refused, Response, Soft, World, scenario
from statelab.diagrams import diagram, picture, reader, sequence, svg
from statelab.effects import UnknownNode
from statelab.trace import Trace

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


class Login(Node):
    """Remembers who logged in from which port."""

    def __init__(self):
        self.logged_in = {}

    async def handle(self, request):
        if request.path == "/login":
            self.logged_in[request.peer[1]] = request.body["user"]
            self.disk["last"] = request.body["user"]
            self.log("somebody logs in")
        if request.path == "/slow":
            await self.sleep(0.4)
        if request.path == "/wrong":
            raise ValueError("not this one")
        if request.peer[1] not in self.logged_in:
            return Response(401, {"error": "who are you?"})
        return {"user": self.logged_in[request.peer[1]]}


class Passes(Node):
    """Passes every request on to one of two servers in turn."""

    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        path, body = request.path, request.body
        return await self.call(f"web-{self.count % 2 + 1}", path, body, method=request.method)


class Dies(Node):
    async def run(self):
        await self.sleep(0.01)
        raise RuntimeError("out of memory")


class Calls(Node):
    async def run(self):
        while True:
            try:
                await self.call("web", "/login", {"user": "the one who calls and calls"})
            except (Refused, NoReply) as failed:
                self.log(type(failed).__name__)
            await self.sleep(0.05 * self.random.random())


def tries(call, *args, **options):
    try:
        return call(*args, **options)
    except (Refused, NoReply) as failed:
        return failed


def killed(world):
    alice = world.client("alice")
    alice.post("web", "/login", {"user": "alice"})
    world.run(until=2)
    world.kill("web")
    world.run(0.1)
    tries(alice.get, "web", "/profile")
    world.run(until=2.2)
    world.restart("web")
    alice.get("web", "/profile")


def killed_while_it_works(world):
    pending = world.client("alice").get("web", "/slow", wait=False)
    world.run(0.1)
    world.kill("web")
    tries(pending.result)


def paused(world):
    alice = world.client("alice")
    alice.get("web", "/profile")
    world.pause("web")
    tries(alice.post, "web", "/login", {"user": "alice"})
    world.resume("web")
    world.run(0.1)


def lost(world):
    alice = world.client("alice")
    world.lose_next("alice", "web")
    tries(alice.post, "web", "/login", {"user": "alice"})
    world.lose_next("web", "alice")
    tries(alice.post, "web", "/login", {"user": "alice"}, timeout=0.5)
    world.link("alice", "web", duplicate=1.0)
    alice.post("web", "/login", {"user": "alice"})
    world.run(0.1)


def cut(world):
    alice, bob = world.client("alice"), world.client("bob")
    world.partition("alice", "web")
    tries(alice.get, "web", "/profile")
    world.heal("alice", "web")
    world.hold("web", "bob")
    pending = bob.get("web", "/profile", wait=False)
    world.run(0.3)
    world.release("bob", "web")
    pending.result()
    world.hold("bob", "web")
    bob.get("web", "/slow", wait=False)
    world.run(0.1)


def wrong(world):
    world.client("alice").get("web", "/wrong")
    world.start("batch", Dies)
    world.run(0.1)


def balanced(world):
    world.start("web-1", Login)
    world.start("web-2", Login)
    world.start("balancer", Passes)
    alice, bob = world.client("alice"), world.client("bob")
    pending = [
        client.post("balancer", "/login", {"user": name}, wait=False)
        for client, name in ((alice, "alice"), (bob, "bob"))
    ]
    world.run(0.1)
    world.kill("web-2")
    assert all(request.outcome for request in pending)
    alice.get("balancer", "/profile")


def odd(world):
    name = '<a&b> "quoted" \x07 \u202e ' + "long " * 20
    world.start(name, Login)
    world.client("한국어 ☃ 🙂").post(name, "/<x>&y/" + "deep/" * 30, {"</svg>": "]]>" * 50})


def crowded(world):
    for number in range(4):
        world.start(f"caller-{number}", Calls)
        world.link(f"caller-{number}", "web", (0.01, 0.08), 0.1, 0.2)
    world.run(0.7)
    world.kill("web")
    world.run(0.2)
    world.restart("web")
    world.run(1)


def nothing(world):
    pass


DAYS = [
    killed, killed_while_it_works, paused, lost, cut, wrong, balanced, odd, crowded, nothing,
]  # fmt: skip


def world_of(day, seed=7):
    world = World(seed, memory=True)
    world.start("web", Login)
    day(world)
    return world


def words(diagram):
    return [text.text for text in ElementTree.fromstring(diagram.svg).iter(f"{SVG}text")]


# ------------------------------------------------------------------------------- what it says
@pytest.mark.parametrize(
    ("day", "said"),
    [
        (killed, ["POST /login", "200", "killed", "nobody there", "refused", "2nd life", "401"]),
        (killed_while_it_works, ["GET /slow", "killed", "no reply", "connection reset"]),
        (paused, ["paused", "no reply", "timed out", "resumed", "too late"]),
        (lost, ["lost", "no reply", "again", "too late", "“somebody logs in”", "last = alice"]),
        (cut, ["partition", "cut off", "healed", "hold", "released", "held"]),
        (wrong, ["raised ValueError: not this one", "500", "crashed: RuntimeError: out of memory"]),
        (balanced, ["balancer", "web-1", "killed", "refused", "502"]),
        (nothing, ["nothing has happened yet"]),
    ],
)
def test_every_outcome_is_said_in_words(day, said):
    shown = words(sequence(world_of(day).trace))
    assert [word for word in said if word not in shown] == []


def test_who_and_when_are_written():
    shown = words(sequence(world_of(killed).trace, title="Alice and a kill"))
    for word in ("Alice and a kill", "alice", "client", "web", "Login", "0.000 s", "2.000 s"):
        assert word in shown


def test_the_text_alternative_tells_the_same_events():
    diagram = sequence(world_of(killed).trace, title="Kill")
    assert diagram.summary == (
        "alice, web; 3 requests, 2 answered (1 with an error), 1 refused; web killed at 2.000 s"
    )
    for line in ("2.000 s: kill web", "alice is refused by web: connection refused"):
        assert line in diagram.text
    tree = ElementTree.fromstring(diagram.svg)
    assert tree.find(f"{SVG}title").text == "Kill"
    assert tree.find(f"{SVG}desc").text == diagram.text
    bundle = diagram._repr_mimebundle_()
    assert f'alt="Kill: {diagram.summary}"' in bundle["text/html"]
    assert bundle["text/plain"] == f"<Diagram Kill: {diagram.summary}>"


def test_memory_is_shown_where_it_changed_before_the_answer():
    trace = world_of(killed).trace
    port = next(row.data for row in trace.rows if row.kind == "connect")
    assert f"logged_in = {{{port}: alice}}" in words(sequence(trace, memory=True))
    kinds = [row.kind for row in diagram._in_order(trace.rows, trace.memory) if row.node == "web"]
    assert kinds[:6] == ["start", "memory", "receive", "memory", "disk", "log"]
    assert not [word for word in words(sequence(trace)) if word.startswith("logged_in")]


def test_a_window_begins_with_who_lives_then():
    trace = world_of(killed).trace
    after = words(sequence(trace, start=2.19))
    assert "killed" not in after
    assert "2nd life" in after
    assert "Login, 2nd life" in words(sequence(trace, start=2.201))
    before = words(sequence(trace, until=1.9))
    assert "killed" not in before
    assert "200" in before


def test_a_message_sent_before_the_window_still_arrives_in_it():
    world = world_of(paused)
    resumed = next(row.time for row in world.trace.rows if row.kind == "resume")
    shown = words(sequence(world.trace, start=resumed))
    assert {"POST /login", "200", "too late"} <= set(shown)


def test_a_reply_after_its_caller_gave_up_is_too_late_though_no_row_says_so():
    # The live world cannot see where such a reply ends: no `drop` row follows.
    world = world_of(paused)
    rows = [row for row in world.trace.rows if row.kind != "drop"]
    assert len(rows) < len(world.trace)
    shown = words(sequence(Trace(rows, [], world.trace.states)))
    assert "too late" in shown
    assert "under way" not in shown


def test_only_the_nodes_named_are_shown_in_their_order():
    shown = words(sequence(world_of(balanced).trace, nodes=["web-2", "balancer"]))
    assert "alice" not in shown
    assert shown.index("web-2") < shown.index("balancer")
    with pytest.raises(UnknownNode, match="'web-9' is not in this trace, which has: alice, bob"):
        sequence(world_of(balanced).trace, nodes=["web-9"])


def test_many_rows_and_many_nodes_are_limited_and_it_says_so():
    trace = world_of(crowded).trace
    diagram = sequence(trace, limit=10)
    shown = words(diagram)
    left = next(int(word.split()[1]) for word in shown if word.endswith("more rows"))
    assert 0 < left < len(trace)
    assert f"… {left} more rows" in diagram.text
    assert len(sequence(trace, limit=1000).svg) > len(diagram.svg)
    world = World()
    for number in range(30):
        world.start(f"web-{number}", Login)
    assert "… 18 more nodes and clients" in words(sequence(world.trace))


# ------------------------------------------------------------------------------- one picture
def test_an_arrow_is_level_unless_something_happened_at_its_receiver_meanwhile():
    class Busy(Node):
        async def handle(self, request):
            return None

    world = World(7)
    world.start("web", Busy)
    slow, fast = world.client("slow"), world.client("fast")
    world.link("slow", "web", 0.02)
    world.link("fast", "web", 0.001)
    slow.get("web", wait=False)
    fast.get("web", wait=False)
    world.run(1)
    steps = reader.Reading(world.trace.rows, ["slow", "fast", "web"], 0, 40)
    level = {(arrow.sender, arrow.kind): arrow.first is arrow.last for arrow in steps.arrows}
    # The slow request leaves first and comes last: level arrows could not show that.
    assert level == {(0, "request"): False, (1, "request"): True, (2, "answer"): True}


def test_steps_never_go_back_in_time_and_arrows_never_point_up():
    for day in DAYS:
        trace = world_of(day).trace
        names = list(dict.fromkeys(row.node for row in trace.rows))
        steps = reader.Reading(diagram._in_order(trace.rows, trace.memory), names, 0, 200)
        times = [step.time_us for step in steps.steps]
        assert times == sorted(times)
        place = {step: number for number, step in enumerate(steps.steps)}
        for arrow in steps.arrows:
            assert place[arrow.first] <= place[arrow.last]


def test_equal_traces_make_equal_bytes_in_every_interpreter():
    code = (
        "import hashlib, test_diagrams as t\n"
        "for day in t.DAYS:\n"
        "    svg = t.sequence(t.world_of(day).trace, memory=True).svg\n"
        "    print(hashlib.sha256(svg.encode()).hexdigest())\n"
    )
    outputs = set()
    for seed in ("0", "1", "4711"):
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT}/tests/lab",
        }
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert len(set(outputs.pop().split())) == len(DAYS)


def test_a_set_in_memory_is_written_in_one_order():
    class Tags(Node):
        def __init__(self):
            self.tags = {"b", "a", "c"}
            self.lease = Soft("alice", 3.5)

    world = World(memory=True)
    world.start("web", Tags)
    shown = words(sequence(world.trace, memory=True))
    assert "tags = {a, b, c}, lease = [alice, 3.5]" in shown


def test_looking_changes_nothing():
    world = world_of(crowded)
    before = world.trace.digest(), len(world.trace), repr(world.trace.rows)
    sequence(world.trace, memory=True)
    assert (world.trace.digest(), len(world.trace), repr(world.trace.rows)) == before


def test_a_replayed_run_gives_the_same_picture():
    from statelab import Run

    @scenario
    def one_server(world):
        world.start("web", Login)

    world = World(7)
    one_server(world)
    killed(world)
    again = Run.parse(Run.of(world).code()).replay(one_server)
    assert sequence(again.trace).svg == sequence(world.trace).svg


def test_what_is_saved_is_the_picture(tmp_path):
    diagram = sequence(world_of(odd).trace)
    diagram.save(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_bytes() == diagram.svg.encode()


# ------------------------------------------------------------------------------- how it is drawn
@pytest.mark.parametrize("day", DAYS)
def test_it_is_well_formed_whatever_the_names(day):
    ElementTree.fromstring(sequence(world_of(day).trace, title="<b>&\x00", memory=True).svg)


def test_odd_names_are_shown_not_obeyed():
    diagram = sequence(world_of(odd).trace)
    assert any(word.startswith('<a&b> "quoted" � �') for word in words(diagram))
    assert diagram.svg.count("</svg>") == 1
    html = diagram._repr_mimebundle_()["text/html"]
    assert html.count("<") == html.count(">") == 1


def test_without_escaping_the_picture_would_break(monkeypatch):
    monkeypatch.setattr(svg, "escape", lambda text: text)
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(sequence(world_of(odd).trace).svg)


def boxes(diagram):
    """(text, left, top, right, bottom) of every text, from the SVG alone."""
    tree = ElementTree.fromstring(diagram.svg)
    fonts = dict(re.findall(r"\.(\w+)\{font:\d+ (\d+)px", tree.find(f"{SVG}style").text))
    for text in tree.iter(f"{SVG}text"):
        size, font = float(fonts[text.get("class")]), text.get("class")
        wide = svg.width(text.text or "", font)
        x, y = float(text.get("x")), float(text.get("y"))
        x -= {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "start")]
        yield text.text, x, y - 0.75 * size, x + wide, y + 0.2 * size


def overlaps(diagram):
    return [
        (one[0], other[0])
        for one, other in itertools.combinations(boxes(diagram), 2)
        if one[1] < other[3] and other[1] < one[3] and one[2] < other[4] and other[2] < one[4]
    ]


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("day", DAYS)
def test_no_text_lies_on_another_or_outside(day, memory):
    diagram = sequence(world_of(day).trace, memory=memory, limit=200)
    assert overlaps(diagram) == []
    size = ElementTree.fromstring(diagram.svg)
    for text, left, top, right, bottom in boxes(diagram):
        assert left >= 0, text
        assert top >= 0, text
        assert right <= float(size.get("width")), text
        assert bottom <= float(size.get("height")), text


def test_crowded_days_of_many_seeds_have_no_text_on_another(seeds):
    for seed in seeds(30):
        assert overlaps(sequence(world_of(crowded, seed).trace, memory=True, limit=100)) == []


def test_without_shortening_texts_would_overlap(monkeypatch):
    monkeypatch.setattr(picture, "shortened", lambda text, font, most: text)
    assert overlaps(sequence(world_of(odd).trace)) != []


def contrast(colour, other):
    def light(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        lines = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * lines[0] + 0.7152 * lines[1] + 0.0722 * lines[2]

    low, high = sorted((light(colour), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("day", DAYS)
def test_every_text_stands_out_from_its_card(day):
    tree = ElementTree.fromstring(sequence(world_of(day).trace, memory=True).svg)
    colours = {text.get("fill") for text in tree.iter(f"{SVG}text")}
    assert {colour: contrast(colour, svg.CARD) >= 4.5 for colour in colours} == dict.fromkeys(
        colours, True
    )


def test_a_text_too_long_is_cut_and_says_so():
    assert svg.shortened("POST /login", "label", 200) == "POST /login"
    cut = svg.shortened("POST /" + "deep/" * 30, "label", 100)
    assert cut.endswith("…")
    assert svg.width(cut, "label") <= 100


class Slow(Node):
    async def handle(self, request):
        await self.sleep(0.5)
        return 1


def busy(requests, body=None):
    world = World(seed=1)
    world.start("web", Slow)
    for _ in range(requests):
        world.call("web", body=body, wait=False)
    world.run(2)
    return world.trace


@pytest.mark.parametrize(
    ("requests", "body", "limit"),
    [(4000, None, 10**6), (1, "x" * 30_000, 40), (1, {"cart": ["apple"] * 30_000}, 40)],
)
def test_a_picture_takes_time_as_its_trace_is_long_and_not_its_square(requests, body, limit):
    trace = busy(requests, body)
    before = time.process_time()
    sequence(trace, limit=limit)
    assert time.process_time() - before < 6
