"""The panel's traits, without a browser: clicks, outcomes, predictions, its two worlds."""

import asyncio
import json
import threading
import time
from xml.etree import ElementTree

import numpy
import psutil
import pytest

from statelab import Node, Response, Run, Soft, World, lab, scenario
from statelab.lab import previous
from statelab.lab import words as told
from statelab.lab.panel import picture
from statelab.lab.panel.panel import Panel


class Door(Node):
    """Lets in who has said a name, and remembers that in its memory; counts on its disk."""

    def __init__(self):
        self.inside = []

    async def handle(self, request):
        if request.path == "/enter":
            self.inside.append(request.body)
            self.disk["entered"] = self.disk.get("entered", 0) + 1
            return "in"
        if request.path == "/break":
            raise ValueError("the door is broken")
        return "hello" if self.inside else Response(401, "who?")


@scenario
def house(world, server=Door):
    world.start("door", server)
    world.client("alice")


ENTER = lab.Action("alice", "enter", "POST", "door", "/enter", "alice")
ASK = lab.Action("alice", "ask", "GET", "door", "/")


@pytest.fixture
def panel():
    made = lab.Panel(house, {"server": Door}, actions=[ENTER, ASK])
    yield made
    made.close()


def click(panel, *what):
    """What the drawing sends when a button is pressed."""
    panel._clicked(None, {"do": list(what), "n": panel.handled + 1}, [])


def node(panel, name):
    nodes = [n for column in panel.still()["columns"] for n in column["nodes"]]
    return next((n for n in nodes if n["name"] == name), {})


def pid(panel):
    return panel.pids.get("door")


def words(panel):
    return [request["word"] for request in panel.still()["requests"]]


# ------------------------------------------------------------------------------- clicks
def test_a_kill_is_seen_to_take_the_memory_and_leave_the_disk(panel):
    click(panel, "action", 0)
    assert node(panel, "door")["memory"]["lines"][0]["text"] == "['alice']"
    click(panel, "kill", "door")
    door = node(panel, "door")
    assert door["status"] == "dead"
    assert door["memory"]["lost"]
    assert door["memory"]["caption"] == "memory · lost at 0.5\N{NO-BREAK SPACE}s"
    assert door["memory"]["lines"][0]["text"] == "['alice']"  # struck through, until a restart
    assert door["disk"][0]["text"] == "1"
    click(panel, "restart", "door")
    door = node(panel, "door")
    assert (door["status"], door["life"]) == ("up", "2nd life")
    assert door["memory"]["caption"] == "memory · new at 1.0\N{NO-BREAK SPACE}s"
    assert door["memory"]["lines"][0]["text"] == "[]"
    assert door["disk"][0]["text"] == "1"


def test_every_request_has_its_outcome_in_a_word(panel):
    for what in (("action", 0), ("action", 1), ("kill", "door"), ("action", 1)):
        click(panel, *what)
    for what in (("restart", "door"), ("action", 1), ("pause", "door"), ("action", 1)):
        click(panel, *what)
    assert words(panel) == ["200 OK", "200 OK", "refused", "401 Unauthorized", "waiting"]
    click(panel, "wait")
    assert words(panel)[-1] == "no reply"
    assert [r["mark"] for r in panel.still()["requests"]][-3:] == ["fail", "fail", "fail"]


def test_a_paused_node_answers_once_it_goes_on(panel):
    click(panel, "pause", "door")
    assert node(panel, "door")["status"] == "paused"
    click(panel, "action", 0)
    assert words(panel) == ["waiting"]
    click(panel, "resume", "door")
    assert words(panel) == ["200 OK"]


def test_a_click_takes_one_step_of_virtual_time_and_no_task(panel):
    before = threading.active_count()
    click(panel, "action", 0)
    click(panel, "wait")
    assert panel.world.now() == 1.0
    assert threading.active_count() == before


def happened(panel):
    """What the panel lists, oldest first, without its times."""
    return [
        " ".join(filter(None, [event["who"], event["what"], event["word"], event["answer"]]))
        for event in panel.still()["events"]
    ]


def test_what_has_just_happened_is_listed_requests_and_faults_alike(panel):
    for what in (("kill", "door"), ("restart", "door"), ("action", 0), ("pause", "door")):
        click(panel, *what)
    for what in (("resume", "door"), ("kill", "door"), ("action", 1)):
        click(panel, *what)
    assert happened(panel) == [
        "door was killed: it had nothing to lose",
        "door began its 2nd life, with a new memory",
        "alice POST /enter → door 200 OK in",
        "door was paused: requests wait",
        "door goes on",
        "door was killed: its memory is lost",
        "alice GET / → door refused",
    ]


def test_starting_over_begins_the_same_run_anew(panel):
    begun, python = panel.still(), panel.python
    click(panel, "action", 0)
    click(panel, "again")
    assert panel.still() == begun
    assert panel.python == python


def test_where_state_lives_now_is_told_for_each_thing_ever_remembered(panel):
    click(panel, "action", 0)
    click(panel, "kill", "door")
    assert panel.still()["where"] == {"inside": "", "entered": "door’s disk", "port": ""}


# ------------------------------------------------------------------------------- as code
def test_a_panel_can_do_nothing_that_its_python_and_its_run_code_cannot(panel):
    for what in (("action", 0), ("kill", "door"), ("action", 1), ("restart", "door"), ("wait",)):
        click(panel, *what)
    digest = panel.world.trace.digest()
    names = {"World": World, "house": house, "Door": Door}
    exec(panel.python, names)
    assert names["world"].trace.digest() == digest
    assert Run.parse(panel.code).replay(house).trace.digest() == digest


def test_code_without_a_click_left_out_gives_another_digest(panel):
    click(panel, "action", 0)
    click(panel, "kill", "door")
    lines = [line for line in panel.python.splitlines() if "kill" not in line]
    names = {"World": World, "house": house, "Door": Door}
    exec("\n".join(lines), names)
    assert names["world"].trace.digest() != panel.world.trace.digest()


def test_what_a_panel_sends_is_json(panel):
    click(panel, "action", 0)
    for name in ("runs", "look", "pids", "lights", "verdict", "actions"):
        assert json.loads(json.dumps(getattr(panel, name))) == getattr(panel, name)


# ------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (["kill", "dor"], "no node is named 'dor'"),
        (["restart", "door"], "only a dead node can be restarted"),
        (["explode", "door"], "a panel has no 'explode'"),
        (["action", 7], "no action 7"),
        (["world", "live"], "a panel has no 'world'"),
        ([], "IndexError"),
    ],
)
def test_a_click_that_cannot_be_done_is_said_in_a_sentence_and_the_panel_goes_on(panel, what, said):
    if what == []:
        panel._clicked(None, {"do": [], "n": 1}, [])
        assert panel.error != ""
    else:
        click(panel, *what)
        assert said in panel.error
    assert panel.handled == 1
    click(panel, "action", 0)
    assert panel.error == ""
    assert words(panel) == ["200 OK"]


def test_by_code_the_same_mistake_raises(panel):
    with pytest.raises(ValueError, match="no action 'entr'"):
        panel.do("action", "entr")


def test_a_handler_that_raises_shows_as_a_500_with_what_it_said():
    broken = lab.Action("alice", "break", "POST", "door", "/break")
    panel = lab.Panel(house, actions=[broken])
    click(panel, "action", 0)
    assert words(panel) == ["500 Internal Server Error"]
    assert "the door is broken" in panel.still()["requests"][0]["answer"]


def test_an_action_that_could_never_be_sent_is_refused_when_it_is_written():
    with pytest.raises(ValueError, match="begin"):
        lab.Action("alice", "ask", "GET", "door", "no-slash")


# ------------------------------------------------------------------------------- as it should be
def marks(panel):
    return [request["mark"] for request in panel.still()["requests"]]


def never_in_after_a_kill(rows, request):
    """Whoever asks after a kill should be out."""
    return request.ok != bool(rows.first("kill", before=request))


def test_an_answer_of_2xx_is_as_it_should_be_and_nothing_else_unless_a_lesson_says_so():
    for expected, seen in (
        (None, ["ok", "ok", "fail", "fail"]),
        (never_in_after_a_kill, ["ok", "ok", "ok", "ok"]),
        (lambda rows, request: request.status == 401, ["fail"] * 3 + ["ok"]),
        (lambda rows, request: 401, ["fail"] * 3 + ["ok"]),
    ):
        panel = lab.Panel(house, actions=[ENTER, ASK], expected=expected)
        for what in (
            ("action", 0),
            ("action", 1),
            ("kill", "door"),
            ("action", 1),
            ("restart", "door"),
            ("action", 1),
        ):
            click(panel, *what)
        assert words(panel) == ["200 OK", "200 OK", "refused", "401 Unauthorized"]
        assert marks(panel) == seen


def test_what_was_due_is_said_beside_what_came_instead():
    for due, said in (
        (401, "should be 401 · in"),
        (numpy.int64(401), "should be 401 · in"),
        ("401", "should be 401 · in"),
        (False, "in"),
        ("", "in"),
        (None, "in"),
        ("4" * 99, "should be 4444"),
    ):
        panel = lab.Panel(house, actions=[ENTER], expected=lambda rows, request, due=due: due)
        click(panel, "action", 0)
        assert marks(panel) == ["fail"]
        (request,) = panel.still()["requests"]
        assert request["answer"].startswith(said)
        assert len(request["answer"]) < 90


def test_what_is_expected_is_asked_once_for_each_request_with_the_run_so_far():
    asked = []

    def expected(rows, request):
        asked.append((rows[-1].seq, request.end, request.answer, request.path, request.over))
        return True

    panel = lab.Panel(house, actions=[ENTER, ASK], expected=expected)
    panel.do("action", 0)
    panel.do("action", 1)
    assert [one[2:] for one in asked] == [("in", "/enter", True), ("hello", "/", True)]
    assert all(so_far == end for so_far, end, *_ in asked)
    panel.do("kill", "door", at=0.4)  # a branch: the first request is in both, and asked once
    assert [one[2] for one in asked] == ["in", "hello", None]


@pytest.mark.parametrize("wrong", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_expectation_that_raises_is_said_and_the_panel_goes_on(wrong):
    def expected(rows, request):
        raise wrong

    panel = lab.Panel(house, actions=[ENTER, ASK], expected=expected)
    click(panel, "action", 0)
    assert f"could not be told whether this is as it should be: {wrong.__name__}" in panel.error
    assert marks(panel) == ["ok"]
    click(panel, "wait")
    assert panel.error == ""


# ------------------------------------------------------------------------------- predictions
def made_of(rows):
    left = [row for row in rows if row.kind == "kill"]
    return (None, "Still to do: kill it.") if not left else ("it forgets", "that was quick.")


@pytest.fixture
def guess():
    return lab.predict("What does a kill do?", ["it forgets", "nothing"])


def test_a_panel_opens_once_its_prediction_is_answered(guess):
    panel = lab.Panel(house, prediction=guess)
    assert panel.gate == "What does a kill do?"
    guess.answer("nothing", "certain")
    assert (panel.gate, guess.choice) == ("", "nothing")


def test_a_panel_opens_when_its_prediction_is_skipped(guess):
    panel = lab.Panel(house, prediction=guess)
    click(panel, "skip")
    assert (panel.gate, guess.done, guess.choice) == ("", "skipped", None)


@pytest.mark.parametrize(
    ("answer", "mark", "text"),
    [
        (None, "known", "No prediction so far. It was “it forgets”: that was quick."),
        ("nothing", "wrong", "You said “nothing”, certain. It was “it forgets”: that was quick."),
        ("it forgets", "right", "You said “it forgets”, certain. And so it was: that was quick."),
    ],
)
def test_the_outcome_is_compared_with_the_prediction_in_words(guess, answer, mark, text):
    panel = lab.Panel(house, prediction=guess)
    if answer:
        guess.answer(answer, "certain")
    seen = lab.observe(panel, made_of)
    assert seen.verdict["mark"] == "open"
    panel.do("kill", "door")
    assert (seen.verdict["mark"], repr(seen)) == (mark, text)


def test_a_prediction_is_compared_with_an_experiment_that_has_no_panel(guess):
    seen = lab.compare(guess, "it forgets", "it was quick.")
    assert repr(seen) == "Answer the question first: then it stands here."
    guess.answer("nothing", "certain")  # the cell was run first, and the question answered then
    assert seen.verdict["mark"] == "wrong"
    assert repr(seen) == "You said “nothing”, certain. It was “it forgets”: it was quick."
    assert lab.compare(guess, "nothing", "so it was.").verdict["mark"] == "right"
    with pytest.raises(ValueError, match="'elsewhere' is none of the choices"):
        lab.compare(guess, "elsewhere", "?")
    with pytest.raises(TypeError, match="what decided it: a str"):
        lab.compare(guess, "it forgets", None)


def test_who_skips_is_told_what_an_experiment_has_shown(guess):
    seen = lab.compare(guess, "it forgets", "it was quick.")
    guess.skip()
    assert repr(seen) == "You skipped the prediction. It was “it forgets”: it was quick."


def test_what_a_notebook_stores_is_the_skipped_prediction(guess):
    seen = lab.observe(lab.Panel(house, prediction=guess), made_of)
    assert repr(seen) == "No prediction so far. Still to do: kill it."


def test_an_outcome_that_raises_is_said_and_not_lost(guess):
    seen = lab.observe(lab.Panel(house, prediction=guess), lambda rows: 1 / 0)
    assert "could not be told: ZeroDivisionError" in seen.verdict["text"]


def test_a_prediction_is_one_of_its_choices(guess):
    with pytest.raises(ValueError):
        guess.answer("something else")
    with pytest.raises(ValueError):
        guess.answer("nothing", sure="quite")


def test_an_outcome_that_is_none_of_the_choices_is_said_to_be_none(guess):
    seen = lab.observe(lab.Panel(house, prediction=guess), lambda rows: ("it sleeps", "so it is"))
    assert "told: 'it sleeps' is none of the choices" in seen.verdict["text"]


def test_the_exit_check_answers_each_choice_with_its_own_feedback():
    quiz = lab.quiz("2 + 2?\n+ 4 → Yes.\n- 5 → One too\n  many.")
    assert quiz.feedback == [{"mark": "", "text": ""}]
    quiz.chosen = [1]
    assert quiz.feedback == [{"mark": "wrong", "text": "Not so. One too many."}]
    quiz.chosen = [0]
    assert quiz.feedback == [{"mark": "right", "text": "Right. Yes."}]


# ------------------------------------------------------------------------------- what is stored
def test_texts_and_pictures_are_the_same_each_time(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    for _ in range(2):
        panel = lab.Panel(house, {"server": Door}, actions=[ENTER, ASK])
        panel._ipython_display_()
        panel.do("kill", "door")
        panel._ipython_display_()
    pictures, panels = shown[::2], shown[1::2]
    assert {one["text/html"] for one in pictures} == {pictures[0]["text/html"]}
    assert pictures[0]["text/html"].startswith('<img alt="Lab panel “house”: alice, client; door')
    assert {one["text/plain"] for one in pictures} == {
        "Lab panel “house”: alice, client; door, Door, up"
    }
    assert {one["text/plain"] for one in panels} == {"Panel(house, server=Door, seed=7)"}


def test_the_picture_is_well_formed_whatever_the_nodes_are_called(panel):
    click(panel, "action", 0)
    for title in ("<b> & co", "“quotes”"):
        ElementTree.fromstring(picture.svg(title, panel.still(), panel.actions))


# ------------------------------------------------------------------------------- the view
def test_nodes_stand_in_columns_by_their_class_unless_it_is_said_otherwise():
    class CacheNode(Door):
        pass

    class SomeBalancer(Door):
        pass

    @scenario
    def many(world):
        world.start("cache", CacheNode)
        world.start("in front", SomeBalancer)
        world.start("web", Door)

    names = [column["name"] for column in lab.Panel(many).still()["columns"]]
    assert names == ["balancers", "servers", "stores"]
    names = [c["name"] for c in lab.Panel(many, columns={"cache": "clients"}).still()["columns"]]
    assert names == ["clients", "balancers", "servers"]


def test_values_are_short_and_say_when_they_expire():
    assert len(told.brief("x" * 1000)) < 30
    assert told.brief(Soft("alice", 2.5)) == "'alice' until 2.5 s"


def test_a_client_that_lost_its_connection_shows_no_port(panel):
    click(panel, "action", 0)
    assert "port to door" in str(node(panel, "alice")["memory"])
    click(panel, "kill", "door")
    assert "port to door" not in str(node(panel, "alice")["memory"])


# ------------------------------------------------------------------------------- run again
def test_a_cell_that_is_run_again_closes_the_panel_it_made_before(monkeypatch):
    monkeypatch.setattr(Panel, "close", lambda self: setattr(self, "shut", True))
    runs = iter([("cell-1", "first"), ("cell-1", "first"), ("cell-2", "x"), ("cell-1", "second")])
    monkeypatch.setattr(previous, "_running", lambda: next(runs))
    panels = [lab.Panel(house) for _ in range(4)]
    assert [hasattr(panel, "shut") for panel in panels] == [True, True, False, False]


# ------------------------------------------------------------------------------- live
def until(condition, seconds=60.0):
    """Waits until `condition()` holds; fails if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def living():
    panel = lab.Panel(house, actions=[ENTER, ASK], live=True)
    click(panel, "world", "live")
    until(lambda: pid(panel))
    yield panel
    panel.close()


@pytest.mark.live
def test_the_same_clicks_end_real_processes(living):
    first = pid(living)
    click(living, "action", 0)
    until(lambda: words(living) == ["200 OK"])
    click(living, "kill", "door")
    until(lambda: node(living, "door")["status"] == "dead")
    until(lambda: not psutil.pid_exists(first))
    assert node(living, "door")["memory"]["lost"]
    click(living, "restart", "door")
    until(lambda: node(living, "door")["status"] == "up")
    until(lambda: pid(living) not in (None, first))
    click(living, "action", 1)
    until(lambda: words(living)[-1] == "401 Unauthorized")


@pytest.mark.live
def test_a_verb_that_fails_in_the_live_world_is_said_too(living):
    click(living, "resume", "door")
    until(lambda: "not paused" in living.error)
    assert "resume" not in living.python


@pytest.mark.live
def test_a_live_run_is_python_too(living):
    click(living, "action", 0)
    until(lambda: "post('door', '/enter', 'alice', wait=False)" in living.python)
    assert living.python.startswith("world = LiveWorld()\nhouse(world)")
    assert living.code == ""
    compile(living.python, "<panel>", "exec")


@pytest.mark.live
def test_going_back_to_simulated_or_closing_ends_the_processes(living):
    first = pid(living)
    click(living, "world", "simulated")
    assert pid(living) is None
    until(lambda: not psutil.pid_exists(first))
    click(living, "world", "live")
    until(lambda: pid(living))
    second = pid(living)
    living.close()
    living.close()
    until(lambda: not psutil.pid_exists(second))


@pytest.mark.live
def test_traits_are_set_on_the_kernels_own_thread_only():
    threads = set()

    async def cell():
        panel = lab.Panel(house, actions=[ENTER], live=True)
        panel.observe(lambda _: threads.add(threading.get_ident()))
        panel.do("world", "live")
        panel.do("action", "enter")
        for _ in range(500):
            if words(panel) == ["200 OK"]:
                break
            await asyncio.sleep(0.01)
        panel.close()
        return words(panel)

    assert asyncio.run(cell()) == ["200 OK"]
    assert threads == {threading.get_ident()}


@pytest.mark.live
def test_a_scenario_that_fails_in_the_live_world_says_so():
    @scenario
    def broken(world):
        if not isinstance(world, World):
            raise RuntimeError("no such luck")

    panel = lab.Panel(broken, live=True)
    click(panel, "world", "live")
    until(lambda: panel.error == "RuntimeError: no such luck")
    panel.close()


@pytest.mark.live
def test_a_live_link_is_held_and_released(living):
    click(living, "action", 0)
    until(lambda: words(living) == ["200 OK"])
    click(living, "hold", "alice", "door")
    until(lambda: any(link["fault"] == "held" for link in living.still()["links"]))
    click(living, "action", 1)
    until(lambda: words(living) == ["200 OK", "waiting"])
    click(living, "release", "alice", "door")
    until(lambda: words(living) == ["200 OK", "200 OK"])
