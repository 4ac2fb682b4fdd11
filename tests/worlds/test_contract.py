"""Every lesson, by the classes of its own notebook, has the same outcomes in both worlds."""

import contextlib
import functools

import lessons
import nbformat
import pytest
from late import Late

from statelab import LiveWorld, World


def start_here(lesson):
    """What lesson 00 lets happen, as (what, a function of a world that returns the outcome)."""

    def deploy(world):
        lesson.two_logins(world)
        return lesson.deploy(world)

    yield "deploy", deploy


def state(lesson):
    """What lesson 01 lets happen in both worlds: one packet is left out, none is lost."""

    def played(world):
        lesson.game(world)
        return lesson.adventure(world, lesson.LOG[:3] + lesson.LOG[4:])

    yield "adventure", played


def determinism(lesson):
    """What lesson 02 lets happen in both worlds: what is not deterministic agrees in none."""

    def fed(world):
        lesson.two_machines(world, machine=lesson.Game)
        return lesson.feed(world)

    yield "feed", fed


def stateful_or_stateless(lesson):
    """What lesson 03 lets happen in both worlds; TCP's own memory is of the live one only."""

    def night(world):
        lesson.shop(world)
        return lesson.night(world), lesson.lookups(world.trace)

    yield "night", night
    for server in (lesson.ShopByToken, lesson.ShopByConnection):
        for number in range(3):

            def day(world, server=server, number=number):
                lesson.fruit(world, server=server)
                return lesson.day(world, number)

            yield f"day {number} of {server.__name__}", day


def authentication(lesson):
    """What lesson 04 lets happen, with each of its servers."""
    for server in lesson.SERVERS:
        for do in (lesson.visit, lesson.taken_for):
            yield (
                f"{do.__name__} {server[0].__name__}",
                lambda world, do=do, s=server[:2]: do(world, *s),  # its tokens last for an hour
            )
    for server in lesson.SERVERS[::2]:
        for do in (lesson.price, lesson.taken_for_behind_a_balancer):
            yield (
                f"{do.__name__} {server[0].__name__}",
                lambda world, do=do, s=server: do(world, *s),
            )


def many_servers(lesson):
    """What lesson 05 lets happen, with each of its designs."""
    for what, *design in lesson.DESIGNS:
        yield what, lambda world, design=design: lesson.evening(world, *design)


def hard_and_soft_state(lesson):
    """What lesson 06 lets happen in both worlds: messages whose sender dies, none that is lost."""
    yield "two questions", lesson.two_questions
    for what, *permission in lesson.PERMISSIONS:
        yield what, lambda world, p=permission: lesson.writing_resumes(world, *p)


def write_lease(lesson):
    """What lesson 07 lets happen: a kill, and three pauses, of a writer that has the right."""

    def told(story, *how, fencing=False):
        def tell(world):
            lesson.billing(world, fencing=fencing)
            return story(world, *how)

        return tell

    yield "a kill", told(lesson.a_kill)
    yield "a pause", told(lesson.a_pause)
    yield "a pause, fenced", told(lesson.a_pause, fencing=True)
    yield "a pause, fenced, not seen", told(lesson.a_pause, False, fencing=True)


def sharing_state(lesson):
    """What lesson 08 lets happen, each way: what a reader sees, what a kill of the keeper takes."""
    for way, (args, keeper) in lesson.WAYS.items():

        def readings(world, args=args, keeper=keeper):
            lesson.game(world, **args, phones=False)
            return lesson.readings(world, keeper)

        yield way, readings


def replicas(lesson):
    """What lesson 09 lets happen: an obedient copy, a failover of both kinds, lost baskets."""
    yield "a DELETE", lesson.obeys
    for synchronous in (False, True):
        yield f"synchronous={synchronous}", lambda world, s=synchronous: lesson.failover(world, s)
    yield "baskets", lesson.basket


def capstone(lesson):
    """What lesson 10 lets happen: a restart between two matches, with each of its designs."""
    designs = {"naive": lesson.MINE, "reasonable": lesson.NEIGHBOUR, "sound": lesson.SOUND}
    for name, design in designs.items():
        yield name, lambda world, design=design: lesson.visit(world, design)


CASES = {
    "00_start_here": start_here,
    "01_state": state,
    "02_determinism": determinism,
    "03_stateful_or_stateless": stateful_or_stateless,
    "04_authentication": authentication,
    "05_many_servers": many_servers,
    "06_hard_and_soft_state": hard_and_soft_state,
    "07_write_lease": write_lease,
    "08_sharing_state": sharing_state,
    "09_replicas": replicas,
    "10_capstone": capstone,
}


def outcomes(name, new_world):
    """All that the lesson lets happen, each in a new world: {what: outcome}."""
    found = {}
    for what, do in CASES[name](lessons.load(name)):
        with new_world() as world:
            found[what] = do(world)
    return found


def simulated(seed=None):
    """A simulated world, for a `with`; with a seed, on a busy machine."""
    return contextlib.nullcontext(World(seed=7) if seed is None else Late(seed))


@pytest.mark.live
@pytest.mark.parametrize("name", sorted(CASES.keys() & set(lessons.names())))
def test_a_lesson_has_the_same_outcomes_in_both_worlds(name):
    expected = outcomes(name, simulated)
    assert len(expected) > 0
    assert outcomes(name, LiveWorld) == expected


@pytest.mark.parametrize("name", sorted(CASES.keys() & set(lessons.names())))
def test_no_outcome_hangs_on_how_fast_the_machine_is(name, seeds):
    expected = outcomes(name, simulated)
    for seed in seeds(40):
        assert outcomes(name, functools.partial(simulated, seed)) == expected


@pytest.mark.parametrize("name", lessons.names())
def test_a_lesson_that_runs_on_real_processes_is_held_to_the_contract(name):
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    real = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "real" in cell.metadata.get("tags", ())
    ]
    if any("LiveWorld" in cell.source for cell in real):
        assert name in CASES, f"{name} uses a LiveWorld: add what it does there to CASES"


def test_a_class_of_a_notebook_that_gave_another_outcome_would_be_seen(monkeypatch):
    lesson = lessons.load("04_authentication")
    good = outcomes("04_authentication", simulated)
    monkeypatch.setattr(lesson.AuthByConnection, "__init__", _knows_everybody)
    assert outcomes("04_authentication", simulated) != good


def _knows_everybody(self):
    self.logged_in = {("127.0.0.1", port): "anyone" for port in range(49152, 65536)}
