"""What a panel lists and marks: who really answered, rights, expiry, losses, new connections."""

from statelab import Node, Response, Soft, lab, scenario
from statelab.lab.panel.columns import Event
from statelab.servers import Balancer


class Desk(Node):
    """Gives the desk to whoever asks first, for a second; anybody else is refused."""

    def __init__(self):
        self.desk = Soft(None, 0.0)

    async def handle(self, request):
        if self.now() < self.desk.until and self.desk.value != request.body:
            return Response(409, "it is taken")
        self.desk = Soft(request.body, self.now() + 1)
        self.disk["last"] = request.body
        return "yours"


class Worker(Node):
    """Asks for the desk when it is told to."""

    def __init__(self, name):
        self.me = name

    async def handle(self, request):
        answer = await self.call("desk", "/", self.me, method="POST")
        return Response(answer.status, answer.body)


class Names(Node):
    """Says who it is."""

    def __init__(self, name):
        self.me = name

    async def handle(self, request):
        return self.me


@scenario
def office(world):
    world.start("desk", Desk)
    for name in ("ann", "bob"):
        world.start(name, Worker, name)
    world.client("boss")


@scenario
def counters(world):
    for name in ("one", "two"):
        world.start(name, Names, name)
    world.start("balancer", Balancer, ["one", "two"], "retry")
    world.client("boss")


OFFICE = [lab.Action("boss", f"send {name}", "POST", name) for name in ("ann", "bob")]
ASK = [lab.Action("boss", "ask", "GET", "balancer"), lab.Action.reconnect("boss")]


def listed(panel, *kinds):
    """The events of these kinds, or all, as (who, what it did, the word, the answer)."""
    return [
        (event["who"], *filter(None, [event["what"], event["word"], event["answer"]]))
        for event in panel.still()["events"]
        if not kinds or event["kind"] in kinds
    ]


def test_behind_a_balancer_one_sees_who_really_answered_and_whom_it_tried_in_vain():
    panel = lab.Panel(counters, actions=ASK)
    for what in (("action", 0), ("action", 0), ("kill", "one"), ("action", 0)):
        panel.do(*what)
    assert listed(panel, "request") == [
        ("boss", "GET / → balancer", "200 OK", "one · one"),
        ("boss", "GET / → balancer", "200 OK", "two · two"),
        ("balancer", "GET / → one", "refused"),
        ("boss", "GET / → balancer", "200 OK", "two · two"),
    ]
    panel.do("kill", "balancer", at=1.2)  # a branch tells the same of what came before
    assert listed(panel, "request")[:2] == [
        ("boss", "GET / → balancer", "200 OK", "one · one"),
        ("boss", "GET / → balancer", "200 OK", "two · two"),
    ]


def test_a_right_is_taken_refused_and_expires_visibly():
    panel = lab.Panel(office, actions=OFFICE)
    for what in (("action", 0), ("action", 1), ("wait",), ("wait",)):
        panel.do(*what)
    assert listed(panel, "taken", "expired") == [
        ("ann", "has desk, says desk"),
        ("desk", "desk of ann expired"),
    ]
    assert ("bob", "POST / → desk", "409 Conflict", "it is taken") in listed(panel)
    expired = next(e for e in panel.still()["events"] if e["kind"] == "expired")
    assert 1.0 <= expired["time"] < 1.1


def test_what_expires_in_silence_is_told_without_a_further_event():
    panel = lab.Panel(office, actions=OFFICE[:1])
    panel.do("action", 0)
    rows = len(panel.rows)
    panel.do("wait")
    assert listed(panel, "expired") == []
    panel.do("wait")
    assert len(panel.rows) == rows
    recording = panel._session.branch.recording
    assert recording.tables["events"]["at"][-1] == rows  # before the next row, whenever it comes
    refreshed = recording.branch(rows)  # a run that goes on otherwise knows that it still holds
    assert len(refreshed._ends_us) == 1


def test_a_new_connection_a_lost_message_and_a_write_are_marked():
    panel = lab.Panel(counters, actions=ASK)
    for what in (("action", 0), ("action", 1), ("action", 0), ("lose_next", "boss", "balancer")):
        panel.do(*what)
    panel.do("action", 0)
    (new,) = listed(panel, "reconnect")
    assert new[1].startswith("has a new connection to balancer, from port ")
    assert listed(panel, "lost") == [("balancer", "does not get what boss sent: lost on the way")]
    desk = lab.Panel(office, actions=OFFICE)
    desk.do("action", 0)
    recording = desk._session.branch.recording
    kinds = [recording.book.texts[kind] for kind in recording.tables["events"]["kind"]]
    assert kinds.count(Event.WRITE) == 1


def test_what_nodes_ask_is_judged_only_where_a_lesson_says_how():
    for expected, mark in ((None, ""), (lambda rows, request: request.status == 409, "ok")):
        panel = lab.Panel(office, actions=OFFICE, expected=expected)
        panel.do("action", 0)
        panel.do("action", 1)
        refused = [e for e in panel.still()["events"] if e["who"] == "bob" and e["word"]]
        assert [e["mark"] for e in refused] == [mark]
    assert [e["mark"] for e in panel.still()["events"] if e["who"] == "ann" and e["word"]] == [
        "fail"
    ]


def test_a_kill_that_takes_nothing_says_so():
    panel = lab.Panel(office, actions=OFFICE)
    panel.do("kill", "desk")
    assert listed(panel, "kill") == [("desk", "was killed: it had nothing to lose")]
    (desk,) = [
        node
        for column in panel.still()["columns"]
        for node in column["nodes"]
        if node["name"] == "desk"
    ]
    assert desk["memory"]["caption"] == "memory · nothing to lose"


# ------------------------------------------------------------------------------- the verdict
def first_fate(rows):
    kill = lab.need(rows.first("kill"), "Still to do: kill somebody.")
    return kill.node, "so it was pressed."


def test_a_verdict_stays_until_another_run_earns_another():
    guess = lab.predict("Who dies first?", ["ann", "bob"])
    panel = lab.Panel(office, prediction=guess, actions=OFFICE)
    guess.answer("ann")
    seen = lab.observe(panel, first_fate)
    panel.do("kill", "ann")
    assert seen.verdict["mark"] == "right"
    panel.do("again")
    assert seen.verdict["text"] == "Still to do: kill somebody."
    assert seen.verdict["earlier"] == "And so it was: so it was pressed."
    panel.do("kill", "bob")
    assert (seen.verdict["mark"], "earlier" in seen.verdict) == ("wrong", False)


def test_what_is_done_afterwards_in_the_same_run_does_not_wipe_a_verdict():
    guess = lab.predict("How many die?", ["one", "two"])
    panel = lab.Panel(office, prediction=guess)
    guess.answer("one")

    def counted(rows):
        lab.need(len(rows.where("kill")) == 1, "Still to do: kill one.")
        return "one", "it was one."

    seen = lab.observe(panel, counted)
    for name in ("ann", "bob"):
        panel.do("kill", name)
    assert seen.verdict["mark"] == "right"
    panel.do("kill", "desk", at=0.1, keep=False)  # another run, which earns nothing
    assert (seen.verdict["mark"], "earlier" in seen.verdict) == ("open", True)
