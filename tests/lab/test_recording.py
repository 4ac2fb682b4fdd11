"""What a panel records for its drawing, and how it travels: append-only, and from a parting on."""

import pytest
from drawing import Drawing

from statelab import (
    Invariant,
    Node,
    NoReply,
    Refused,
    Run,
    RunCodeError,
    Soft,
    World,
    lab,
    scenario,
)
from statelab.lab.panel.columns import TABLES
from statelab.lab.panel.recording import Recording
from statelab.lab.panel.snapshot import still
from statelab.lab.panel.symbols import Book


class Keeper(Node):
    """Remembers who came, for two seconds, and counts on its disk."""

    def __init__(self):
        self.seen = {}
        self.count = 0

    async def handle(self, request):
        self.count += 1
        self.seen[request.body] = Soft(self.count, self.now() + 2)
        if self.count == 3:
            del self.seen["alice"]
        self.disk["count"] = self.disk.get("count", 0) + 1
        if request.path == "/slow":
            await self.sleep(0.3)
        return self.count


class Passer(Node):
    """Passes each request on."""

    async def handle(self, request):
        try:
            return (await self.call("keeper", request.path, request.body)).body
        except (Refused, NoReply) as failed:
            return type(failed).__name__


@scenario
def two_of_them(world):
    world.start("keeper", Keeper)
    world.start("balancer", Passer)
    world.client("alice")


ACTIONS = [
    lab.Action("alice", "come", "POST", "balancer", "/", "alice"),
    lab.Action("alice", "come slowly", "POST", "balancer", "/slow", "slow"),
    lab.Action("bob", "come", "POST", "keeper", "/", "bob"),
    lab.Action.reconnect("bob"),
]
DAY = [
    ("action", 0), ("action", 2), ("kill", "keeper"), ("action", 0), ("restart", "keeper"),
    ("action", 1), ("partition", "alice", "balancer"), ("action", 0), ("heal", "alice", "balancer"),
    ("hold", "balancer", "keeper"), ("action", 0), ("wait",), ("release", "balancer", "keeper"),
    ("pause", "keeper"), ("action", 2), ("wait",), ("wait",), ("resume", "keeper"),
    ("lose_next", "bob", "keeper"), ("action", 2), ("wait",), ("action", 3), ("action", 2),
]  # fmt: skip


@pytest.fixture
def panel():
    return lab.Panel(two_of_them, actions=ACTIONS, columns={"balancer": "balancers"})


def shows(recording, at=None):
    """What is shown; of the links only those that have something to show, in no order."""
    shown = still(recording, at)
    links = [link for link in shown["links"] if link["open"] or link["fault"]]
    return {**shown, "links": sorted(links, key=str)}


# ------------------------------------------------------------------------------- recording
def test_a_recording_that_grew_click_by_click_is_the_one_made_at_once(panel):
    for what in DAY:
        panel.do(*what)
    trace, grown = panel.world.trace, panel._session.branch.recording
    once = Recording(Book({"balancer": "balancers"}))
    once.feed(trace.rows, trace.memory)
    assert shows(once) == shows(grown)
    for at in range(0, len(once), 7):  # bob, whom a button belongs to, is shown from the start
        assert shows(once, at)["columns"][1:] == shows(grown, at)["columns"][1:]
        assert shows(once, at)["requests"] == shows(grown, at)["requests"]


def test_every_row_has_its_sentence_and_nothing_stays_in_the_air(panel):
    for what in DAY:
        panel.do(*what)
    panel.do("wait")
    recording = panel._session.branch.recording
    assert len(recording) == len(panel.rows)
    assert all(panel._book.texts[said] for said in recording.tables["rows"]["says"])
    assert recording._flying == {}
    assert [key for key in recording._going_on if key[0] not in ("life", "soft")] == []


def test_what_is_seen_at_a_row_is_what_was_seen_when_the_run_had_come_there():
    world = World(seed=7, memory=True)
    two_of_them(world)
    steps, before = Recording(Book()), []
    fed = 0
    for n in range(1, 40):
        world.run(until=n * 0.05)
        if n in (3, 9):
            world.client("alice").post("balancer", "/", "alice", wait=False)
        if n == 15:
            world.kill("keeper")
        memory = world.trace.memory[fed:]
        fed += len(memory)
        steps.feed(world.trace.since(len(steps)), memory)
        before.append((len(steps) - 1, shows(steps)))
    for at, shown in before:
        assert shows(steps, at) == shown


def test_a_line_for_each_thing_that_expires_and_none_when_it_is_gone(panel):
    def lines():
        nodes = [n for c in panel.still()["columns"] for n in c["nodes"] if n["name"] == "keeper"]
        return {line["name"]: line["until"] for line in nodes[0]["memory"]["lines"]}

    panel.do("action", 0)
    assert lines() == {"seen[alice]": pytest.approx(2.0, abs=0.1), "count": 0.0}
    panel.do("action", 2)
    panel.do("action", 2)
    assert set(lines()) == {"seen[bob]", "count"}
    panel.do("kill", "keeper")
    assert set(lines()) == {"seen[bob]", "count"}  # struck through, until the next life
    panel.do("restart", "keeper")
    assert set(lines()) == {"seen", "count"}


def test_a_dead_node_has_no_open_connection(panel):
    def open_links():
        return {link["from"] for link in panel.still()["links"] if link["open"]}

    panel.do("action", 0)
    assert open_links() == {"alice", "balancer"}
    panel.do("kill", "balancer")
    assert open_links() == set()


# ------------------------------------------------------------------------------- chunks
def test_the_drawing_has_all_tables_though_each_chunk_brings_what_is_new(panel):
    drawing = Drawing(panel)
    for what in DAY:
        panel.do(*what)
    branch = panel._session.branch
    assert drawing.runs[branch.number] == branch.recording.tables
    assert drawing.texts == panel._book.texts
    assert drawing.subjects == panel._book.subjects
    assert drawing.lacks == 0
    before = sum(drawing.sizes)
    panel.do("wait")
    assert sum(drawing.sizes) - before < 1500  # mostly the header: nothing has happened


def test_a_drawing_that_comes_late_asks_once_and_has_everything(panel):
    for what in DAY[:6]:
        panel.do(*what)
    panel.do("kill", "balancer", at=0.2)
    panel.do("wait")
    drawing = Drawing(panel)  # a page that was loaded again
    assert drawing.lacks == 1
    panel._clicked(None, {"need": True}, [])
    assert drawing.lacks == 1
    for number, branch in panel._session.branches.items():
        assert drawing.runs[number] == branch.recording.tables


def test_a_branch_sends_only_the_rows_after_the_parting(panel):
    for what in DAY:
        panel.do(*what)
    drawing = Drawing(panel)
    panel._clicked(None, {"need": True}, [])
    panel.do("kill", "keeper", at=panel.world.now() - 1)
    branch = panel._session.branch
    assert branch.parting > len(branch.recording) // 2
    assert drawing.runs[branch.number] == branch.recording.tables
    assert drawing.sizes[-1] < drawing.sizes[-2] / 2


# ------------------------------------------------------------------------------- branches
def test_a_click_in_the_past_makes_another_run_and_the_old_one_stays(panel):
    panel.do("action", 0)
    panel.do("action", 2)
    old, digest = panel.run, panel.world.trace.digest()
    panel.do("kill", "keeper", at=0.25)
    assert panel.run != old
    assert [run["label"] for run in panel.runs] == ["as it was", "from 0.25 s: kill keeper"]
    assert panel.runs[1]["parent"] == old
    # What was done later stays: bob comes, and finds nobody.
    assert [r["word"] for r in panel.still()["requests"]] == ["200 OK", "refused"]
    panel.do("run", old)
    assert panel.world.trace.digest() == digest
    assert [r["word"] for r in panel.still()["requests"]] == ["200 OK", "200 OK"]


def test_what_was_done_later_can_be_left_out(panel):
    panel.do("action", 0)
    panel.do("action", 2)
    panel.do("kill", "keeper", at=0.25, keep=False)
    assert [r["word"] for r in panel.still()["requests"]] == ["200 OK"]
    assert panel.world.now() == 0.5


def test_a_later_input_that_no_longer_applies_is_skipped_visibly(panel):
    panel.do("action", 0)
    panel.do("kill", "keeper")
    panel.do("kill", "keeper", at=0.25)
    (skipped,) = [row for row in panel.rows if row.kind == "skipped"]
    assert "dead already" in skipped.data[-1]


@pytest.mark.parametrize("keep", [True, False])
def test_a_branch_is_the_run_that_python_and_its_run_code_make(panel, keep):
    for what in DAY:
        panel.do(*what)
    for at, what in ((1.7, ("kill", "keeper")), (0.31, ("action", 3)), (2.2, ("action", 0))):
        panel.do(*what, at=at, keep=keep)
        digest = panel.world.trace.digest()
        names = {"World": World, "two_of_them": two_of_them}
        exec(panel.python, names)
        assert names["world"].trace.digest() == digest
        assert Run.parse(panel.code).replay(two_of_them).trace.digest() == digest


def test_a_branch_shows_what_a_run_made_whole_shows(panel):
    for what in DAY:
        panel.do(*what)
    for at in (0.0, 0.31, 1.003, 2.7, 5.0):
        panel.do("kill", "balancer", at=at)
        branch = panel._session.branch
        whole = Run.parse(panel.code).replay(two_of_them, memory=True)
        once = Recording(Book({"balancer": "balancers"}))
        once.feed(whole.trace.rows, whole.trace.memory)
        once.expect(["alice", "bob"], [])
        shown = still(branch.recording)
        assert still(once)["columns"] == shown["columns"]
        assert still(once)["requests"] == shown["requests"]
        panel.do("run", 1)


def test_all_before_the_parting_is_equal_and_the_first_row_that_differs_is_named(panel):
    for what in DAY:
        panel.do(*what)
    old = panel.world.trace
    panel.do("pause", "keeper", at=0.3)
    new, parting = panel.world.trace, panel.runs[-1]["parting"]
    assert new.rows[:parting] == old.rows[:parting]
    assert new.rows[parting] != old.rows[parting]
    assert new.rows[parting].kind == "pause"


def test_memory_that_is_recorded_from_the_parting_on_changes_nothing():
    def made(memory_from):
        world = World(seed=3)
        inputs = [(100_000, "request", "alice", "POST", "balancer", "/", "alice", None, 1.0)] * 3
        function = two_of_them.__wrapped__
        world.replay(function, {}, inputs, 2_000_000, memory_from=memory_from)
        return world

    digests = {made(n).trace.digest() for n in (None, 0, 2)}
    assert len(digests) == 1
    assert [len(made(n).trace.memory) for n in (None, 0)] == [0, len(made(0).trace.memory)]
    assert 0 < len(made(2).trace.memory) < len(made(0).trace.memory)


# ------------------------------------------------------------------------------- run codes
def test_a_pasted_run_code_opens_the_same_run_in_another_panel(panel):
    for what in DAY[:8]:
        panel.do(*what)
    other = lab.Panel(two_of_them, actions=ACTIONS)
    other.do("open", panel.code)
    assert other.world.trace.digest() == panel.world.trace.digest()
    assert [run["label"] for run in other.runs] == ["as it was", "from a run code"]
    other.do("action", 2)  # and it goes on
    assert other.still()["requests"][-1]["client"] == "bob"


@pytest.mark.parametrize("code", ["", "hello", "SL1-abc", "SL9-abc"])
def test_what_is_no_run_code_is_said_and_changes_nothing(panel, code):
    with pytest.raises(RunCodeError):
        panel.do("open", code)
    panel._clicked(None, {"do": ["open", code], "n": 1}, [])
    assert panel.error != ""
    assert len(panel.runs) == 1


def test_a_run_opens_at_the_row_that_decided_it(panel):
    panel.do("action", 0)
    other = lab.Panel(two_of_them)
    other.open_run(panel.code, at=5)
    assert other.look["row"] == 5


# ------------------------------------------------------------------------------- lights
def first_refusal(rows):
    return next((row.seq for row in rows if row.kind == "refused"), None)


def test_a_light_tells_the_first_breach_of_the_run_that_is_shown():
    nobody = Invariant("nobody is refused", first_refusal)
    broken = Invariant("it can be told", lambda rows: 1 / 0)
    panel = lab.Panel(two_of_them, actions=ACTIONS, invariants=[nobody, broken])
    assert [light["row"] for light in panel.lights] == [-1, -1]
    assert "ZeroDivisionError" in panel.lights[1]["text"]
    panel.do("kill", "keeper")
    panel.do("action", 2)
    assert panel.lights[0]["text"] == "first broken at 0.5 s · bob"
    assert panel.rows[panel.lights[0]["row"]].kind == "refused"
    panel.do("restart", "keeper", at=0.4)
    assert panel.lights[0]["row"] == -1


# ------------------------------------------------------------------------------- the table
def test_the_tables_of_a_cell_say_what_the_panel_says(panel):
    for what in DAY[:5]:
        panel.do(*what)
    table = lab.outcome_table(panel.world.trace)
    assert list(table["outcome"]) == [r["word"] for r in panel.still()["requests"]]
    kept = lab.state_map(panel.world.trace)
    assert set(kept[kept["kept"] == "disk"]["where"]) == {"keeper"}
    assert list(TABLES) == list(panel._session.branch.recording.tables)
