"""Run codes: a run as a short text, and what is said of a text that is none."""

import base64
import dataclasses
import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import until, with_input

from statelab import Node, Run, RunCodeError, World, scenario
from statelab.sim.fingerprint import bare, fingerprint
from statelab.sim.run import DifferentCode, NotDeterministic


class Counter(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += request.body or 1
        return self.count


class Twice(Counter):
    async def handle(self, request):
        self.count += 2
        return self.count


class Asker(Node):
    async def run(self):
        while True:
            await self.sleep(0.1)
            await self.call("web")


@scenario
def counting(world, server=Counter, askers=1):
    world.start("web", server)
    for number in range(askers):
        world.start(f"asker-{number}", Asker)


def a_run(seed=7, **args):
    world = World(seed)
    counting(world, **args)
    world.run(0.35)
    world.kill("web")
    world.run(0.1)
    world.restart("web")
    alice = world.client("alice")
    alice.post("web", "/", 5)
    alice.reconnect()
    alice.get("web", "/x", headers={"a": "b"}, timeout=2.5, wait=False)
    world.call("web", method="GET", wait=False)
    world.link("alice", "web", (0.01, 0.02), 0.1)
    world.partition("asker-0", "web")
    world.run(1)
    world.heal("asker-0", "web")
    world.lose_next("alice", "web")
    world.pause("web")
    world.run(0.5)
    return world


def test_a_run_code_makes_the_run_again():
    world = a_run()
    code = Run.of(world).code()
    again = Run.parse(code).replay(counting, memory=True)
    assert again.trace.rows == world.trace.rows
    assert again.trace.digest() == world.trace.digest()
    assert Run.of(again).code() == code


@scenario
def adding(world, numbers, more):
    world.start("web", Counter)
    while numbers:
        world.call("web", body=numbers.pop() + more["by"])


def test_a_run_keeps_what_was_given_to_it_whatever_becomes_of_that_later():
    world, numbers, more, headers = World(), [1, 2], {"by": 1}, {"a": "b"}
    adding(world, numbers=numbers, more=more)
    world.call("web", "/", headers=headers)
    run = Run.of(world)
    code = run.code()
    numbers.append(5)
    more["by"] = 7
    headers["a"] = "c"
    assert (Run.of(world).code(), run.code()) == (code, code)
    assert run.replay(adding).trace.digest() == run.replay(adding).trace.digest() == run.digest
    assert numbers == [1, 2, 5]


def test_the_run_as_python_makes_the_run_again():
    world = a_run(server=Twice, askers=2)
    text = Run.of(world).python()
    assert "counting(world, server=Twice, askers=2)" in text
    names = {"World": World, "counting": counting, "Twice": Twice}
    exec(text, names)
    assert names["world"].trace.digest() == world.trace.digest()


def test_a_run_code_is_short():
    world = World(7)
    counting(world)
    for k in range(60):
        world.run(0.1)
        getattr(world, ("kill", "restart")[k % 2])("web")
    assert len(Run.of(world).code()) < 600
    few = until(Run.of(world), 500_000)
    assert len(few.inputs) == 5
    assert len(few.code()) < 200


def test_a_class_of_the_scenarios_module_travels_by_name():
    world = a_run(server=Twice)
    run = Run.of(world)
    assert run.args == {"server": {"class": "Twice"}}
    assert Run.parse(run.code()).replay(counting).trace.digest() == world.trace.digest()


CODE = Run.of(a_run()).code()


@pytest.mark.fuzz
@given(st.data())
def test_a_text_that_was_changed_anywhere_is_refused(data):
    code = CODE
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = code[:place] + other + code[place + 1 :]
    if changed != code:
        with pytest.raises(RunCodeError):
            Run.parse(changed)


def test_line_breaks_and_blanks_do_no_harm():
    code = Run.of(a_run()).code()
    broken = f"  {code[:40]}\n{code[40:90]} {code[90:]}\n"
    assert Run.parse(broken) == Run.parse(code)


def packed(kept, version="SL1"):
    data = zlib.compress(json.dumps(kept).encode())
    data += zlib.crc32(data).to_bytes(4, "big")
    return f"{version}-{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}"


GOOD = ["counting", {}, 7, [[100_000, "kill", "web"]], 200_000, "", ""]


def with_inputs(*inputs):
    return [*GOOD[:3], list(inputs), *GOOD[4:]]


def test_the_hand_packed_code_of_these_tests_is_good():
    assert Run.parse(packed(GOOD)).inputs == ((100_000, "kill", "web"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a run code"),
        ("hello world", "not a run code"),
        ("SL2-abc", "of version SL2, and this statelab reads SL1"),
        ("SL1-" + "A" * 200_000, "too large: 200,004 characters"),
        ("SL1-!!!!", "damaged: copy the whole text"),
        ("SL1-", "damaged"),
        (packed(GOOD)[:-2], "damaged"),
        (packed("x" * 1_100_000), "too large: more than 1,000,000 bytes unpacked"),
        (packed({"scenario": "counting"}), "does not hold what a run is made of"),
        (packed([*GOOD[:2], "7", *GOOD[3:]]), "does not hold what a run is made of"),
        (packed([*GOOD[:4], 10**18, "", ""]), "too long a time"),
        (packed(with_inputs(*[[0, "kill", "web"]] * 20_001)), "too many inputs"),
        (packed(with_inputs("kill")), "no input: 'kill'"),
        (packed(with_inputs([0, "replay", 1])), "a verb that no world has: 'replay'"),
        (packed(with_inputs([0, "__init__", 1])), "a verb that no world has"),
        (packed(with_inputs([0, "kill", "web", "now"])), "kill does not fit: too many"),
        (packed(with_inputs([-5, "kill", "web"])), "not in the order of their times"),
        (packed(with_inputs([300_000, "kill", "web"])), "not in the order of their times"),
    ],
)
def test_a_text_that_is_no_run_code_is_told_why(text, sentence):
    with pytest.raises(RunCodeError, match=sentence):
        Run.parse(text)


def test_a_run_of_another_scenario_is_sent_to_its_lesson():
    @scenario
    def chatting(world):
        world.start("web", Counter)

    with pytest.raises(RunCodeError, match="of the scenario 'counting', and here is 'chatting'"):
        Run.of(a_run()).replay(chatting)


def test_a_class_that_is_not_here_is_named():
    run = Run.of(a_run())
    missing = Run(run.scenario, {"server": {"class": "Gone"}}, 7, (), 10)
    with pytest.raises(RunCodeError, match="needs a class named Gone"):
        missing.replay(counting)


def test_a_run_by_other_code_says_that_the_code_differs(monkeypatch):
    run = Run.of(a_run())
    monkeypatch.setattr(Counter, "handle", Twice.handle)
    with pytest.raises(DifferentCode, match="is not the code that made it"):
        run.replay(counting)


def test_a_run_that_is_not_deterministic_says_so(monkeypatch):
    class Drawing(Node):
        async def handle(self, request):
            return time.perf_counter_ns()

    monkeypatch.setitem(globals(), "Drawing", Drawing)
    run = Run.of(a_run(server=Drawing))
    with pytest.raises(NotDeterministic, match="by the same code"):
        run.replay(counting)
    assert run.replay(counting, check=False)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda world: world.start("web", Counter), "no scenario has set it up|outside"),
        (lambda world: (counting(world), world.start("x", Counter)), "x was started outside"),
        (lambda world: (world.client("alice"), counting(world)), "its scenario came after"),
        (lambda world: counting(world, askers=range(1)[0:0]) or None, None),
    ],
)
def test_a_world_without_a_scenario_has_no_run_code(make, sentence):
    world = World()
    if sentence is None:
        with pytest.raises(TypeError):
            make(world)
        return
    make(world)
    with pytest.raises(RunCodeError, match=sentence):
        Run.of(world)


def test_an_argument_that_is_not_json_is_named():
    @scenario
    def odd(world, names=()):
        world.start("web", Counter)

    world = World()
    odd(world, names={"a"})
    with pytest.raises(RunCodeError, match=r"argument names=\{'a'\} is neither JSON nor"):
        Run.of(world)


# ------------------------------------------------------------------------------- branching
def test_an_input_put_in_earlier_makes_another_run_and_later_ones_stay():
    world = a_run()
    branch = with_input(Run.of(world), 200_000, "kill", "web").replay(counting)
    (skipped,) = [row for row in branch.trace.rows if row.kind == "skipped"]
    assert skipped.data == ("kill", "web", "web is dead already; restart it first")
    assert skipped.time == 0.35
    verbs = [item[1] for item in world.inputs]
    assert [item[1] for item in branch.inputs] == ["kill", "attempt", *verbs[1:]]
    assert branch.inputs[1][2:] == ("kill", "web")
    difference = world.trace.first_difference(branch.trace)
    assert (difference.right.kind, difference.right.time) == ("kill", 0.2)
    assert world.now() == branch.now()


def test_a_run_with_an_input_that_did_not_apply_is_python_too():
    branch = with_input(Run.of(a_run()), 200_000, "kill", "web").replay(counting)
    names = {"World": World, "counting": counting, "Counter": Counter}
    exec(Run.of(branch).python(), names)
    assert names["world"].trace.digest() == branch.trace.digest()


@pytest.mark.parametrize("args", [["explode", "web"], ["kill"], ["attempt", "kill", "web"], []])
def test_a_run_code_cannot_attempt_what_no_world_does(args):
    run = dataclasses.replace(Run.of(a_run()), inputs=((0, "attempt", *args),))
    with pytest.raises(RunCodeError):
        Run.parse(run.code())


def test_a_branch_has_a_run_code_of_its_own():
    branch = with_input(Run.of(a_run()), 200_000, "kill", "web").replay(counting)
    again = Run.parse(Run.of(branch).code()).replay(counting)
    assert again.trace.digest() == branch.trace.digest()


def test_inputs_fall_due_while_the_scenario_itself_takes_time():
    @scenario
    def long(world):
        world.start("web", Counter)
        for _ in range(3):
            world.call("web")
            world.run(1)

    world = World(3)
    long(world)
    run = Run.of(world)
    branch = with_input(run, 1_500_000, "kill", "web").replay(long)
    assert [row.time for row in branch.trace.rows if row.kind == "kill"] == [1.5]
    (ended,) = [row for row in branch.trace.rows if row.kind == "skipped"]
    assert "the scenario ended early: Refused" in ended.data[1]
    assert Run.parse(Run.of(branch).code()).replay(long).trace.rows == branch.trace.rows


@pytest.mark.parametrize("depth", [90, 98, 100])
def test_whatever_a_world_takes_travels_in_a_run_code(depth):
    world = World()
    counting(world, askers=0)
    body = []
    for _ in range(depth - 1):
        body = [body]
    world.call("web", "/", body)
    assert Run.parse(Run.of(world).code()).replay(counting).trace.digest() == world.trace.digest()


def test_no_world_lasts_longer_than_its_run_code_can_say():
    world = World()
    counting(world, askers=0)
    world.run(1e9)
    assert Run.parse(Run.of(world).code()).replay(counting).now() == 1e9
    with pytest.raises(ValueError, match="too long"):
        world.run(1)
    world.call("web", "/")  # events may still come
    with pytest.raises(RunCodeError, match="too long for a run code"):
        Run.of(world).code()


def test_a_run_can_be_cut_short():
    run = until(Run.of(a_run()), 400_000)
    world = run.replay(counting)
    assert world.now() == 0.4
    assert [item[1] for item in world.inputs] == ["kill"]


def test_what_newer_pythons_put_into_a_class_is_no_part_of_its_fingerprint():
    class Stepped(Counter):
        step: int = 1

    before = fingerprint(counting, [Stepped])
    Stepped.__annotate_func__ = lambda format: {"step": int}  # as 3.14 does
    assert fingerprint(counting, [Stepped]) == before


def test_what_only_people_read_is_no_part_of_a_fingerprint():
    mine = 'def f(x):\n    """Adds."""\n    y = "# no comment"  # why\n\n    return x + 1\n'
    assert bare(mine) == 'def f(x):\n    y = "# no comment"\n    return x + 1'
    assert bare(mine.replace("Adds", "더합니다").replace("why", "왜")) == bare(mine)
    assert bare(mine.replace("+ 1", "+ 2")) != bare(mine)
    assert bare('def f(): "one line"') == 'def f(): "one line"'
    assert bare("key=lambda x: x)") == "key=lambda x: x)"
