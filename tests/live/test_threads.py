"""A live world among threads, loops, watchers and other worlds."""

import asyncio
import itertools
import threading
import time

import pytest
from live_nodes import Caller, Counter, consistent
from processes import wait_until

from statelab.live.driver import warden
from statelab.live.world import LiveWorld

pytestmark = pytest.mark.live


def test_verbs_may_be_called_from_several_threads(world):
    world.start("web", Counter)
    bodies, errors = [], []

    def work(number):
        try:
            client = world.client(f"c{number}")
            bodies.extend(client.post("web").body for _ in range(10))
            world.start(f"node{number}", Counter)
            world.kill(f"node{number}")
            bodies.append(world.call("web").body)
        except Exception as wrong:
            errors.append(wrong)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(bodies) == list(range(1, 56))
    assert consistent(world.trace)


def test_verbs_work_where_a_loop_runs_already(world):
    async def cell():
        world.start("web", Counter)
        return world.call("web").body

    assert asyncio.run(cell()) == 1


def test_two_worlds_live_side_by_side(world):
    with LiveWorld() as other:
        world.start("web", Counter)
        other.start("web", Counter)
        assert [world.call("web").body, world.call("web").body] == [1, 2]
        assert other.call("web").body == 1
        world.kill("web")
        assert other.call("web").body == 2
    world.restart("web")
    assert world.call("web").body == 1


def test_a_watcher_hears_of_rows_but_not_of_each(world):
    calls = []
    stop = world.watch(lambda: calls.append(time.monotonic()))
    world.start("web", Counter)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        world.call("web", timeout=60)
    wait_until(lambda: len(calls) >= 3)
    gaps = [after - before for before, after in itertools.pairwise(calls)]
    assert min(gaps) > 0.03
    stop()
    world.run(0.1)
    heard = len(calls)
    world.call("web")
    world.run(0.1)
    assert len(calls) == heard


def test_a_watcher_that_calls_a_verb_is_told_not_to(world):
    errors = []

    def watcher():
        try:
            world.kill("web")
        except RuntimeError as wrong:
            errors.append(str(wrong))

    world.watch(watcher)
    world.start("web", Counter)
    wait_until(lambda: errors)
    assert "on the thread that performs verbs" in errors[0]
    assert world.status("web") == "up"


def test_each_message_is_handled_once(world):
    world.start("web", Counter)
    world.start("middle", Caller)
    for _ in range(20):
        world.call("middle", body={"to": "web"})
    receives = [row.message for row in world.trace.rows if row.kind == "receive"]
    assert len(receives) == len(set(receives)) == 40
    assert consistent(world.trace)


def test_fresh_interpreters_do_the_same_as_forks(monkeypatch):
    monkeypatch.setattr(warden, "FORKS", False)
    with LiveWorld(seed=7) as world:
        world.start("web", Counter, 10)
        assert world.call("web").body == 11
        world.kill("web")
        world.restart("web")
        assert world.call("web").body == 11
        with pytest.raises(RuntimeError, match="b did not start: TypeError"):
            world.start("b", Counter, 1, 2, 3)


def test_a_world_has_a_folder_for_its_nodes_files_that_goes_with_it():
    with LiveWorld() as world:
        (world.folder / "players.db").write_text("alice")
        folder = world.folder
        assert (folder / "players.db").read_text() == "alice"
    assert not folder.exists()
