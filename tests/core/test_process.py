"""What a class does to its process, a simulated kill would not undo: refused, by its line."""

import abc
import atexit
import decimal
import json
import logging
import operator
import os
import random
import signal
import sys
import threading
import urllib.request
from csv import register_dialect

import pytest

from statelab import Node, World


class Precise(Node):
    async def handle(self, request):
        decimal.getcontext().prec += 1


class Moves(Node):
    async def handle(self, request):
        os.chdir("/")


class Limits(Node):
    async def handle(self, request):
        sys.setrecursionlimit(5000)


class Registers(Node):
    async def handle(self, request):
        register_dialect("mine", delimiter=";")


class Installs(Node):
    async def handle(self, request):
        urllib.request.install_opener(urllib.request.build_opener())


class ImportsAndMoves(Node):
    async def handle(self, request):
        import os

        os.chdir("/")


class NamesItsThread(Node):
    async def handle(self, request):
        threading.current_thread().name = request.body


class Masks(Node):
    async def handle(self, request):
        return os.umask(0o77)


class HearsSignals(Node):
    def __init__(self):
        signal.signal(signal.SIGTERM, self.end)

    def end(self, *_):
        self.ended = True


class HearsSignalsByName(HearsSignals):
    def __init__(self):
        from signal import SIGTERM, signal

        signal(SIGTERM, self.end)


class SavesAtTheEnd(Node):
    def __init__(self):
        atexit.register(self.save)

    def save(self):
        self.disk["saved"] = True


SERVERS = [
    Precise, Moves, ImportsAndMoves, Limits, Registers, Installs, NamesItsThread, Masks,
    HearsSignals, HearsSignalsByName, SavesAtTheEnd,
]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
def test_what_reaches_a_setting_of_the_process_is_refused_at_the_start(server):
    with pytest.raises(TypeError, match=r", in line \d+, which reaches what is the process's"):
        World().start("web", server)


class Welcome(Node):
    """Has methods of these names, and sets only what is its own."""

    def __init__(self):
        self.known, self.on = {}, set()

    def register(self, name):
        operator.setitem(self.known, name, json.dumps(sorted(self.on)))
        self.on.add(name)

    def set_on(self, name):
        self.register(name)

    async def handle(self, request):
        self.set_on(request.body)
        logging.getLogger("shop").debug("registered %s", request.body)
        with decimal.localcontext() as exact:
            exact.prec = 40
            third = decimal.Decimal(1) / 3
        dice = random.Random(7)
        before = dice.getstate()
        once = dice.random()
        dice.setstate(before)
        return [len(str(third)), once == dice.random()]


def test_what_only_sounds_like_it_is_welcome():
    world = World()
    world.start("web", Welcome)
    assert world.call("web", body="alice").body == [42, True]


# ------------------------------------------------------------------------------- waits
MODULES = """
import json, operator, os, random, select, signal, socket, subprocess, threading, time
import urllib.request
from threading import Event
"""


class Shape(abc.ABC):  # noqa: B024
    pass


def server(body):
    """A class whose handler has that body."""
    names = {"Node": Node, "Shape": Shape, "__name__": __name__}
    exec(MODULES, names)
    text = "".join(f"\n        {line}" for line in body.split("; "))
    exec(f"class Waits(Node):\n    async def handle(self, request):{text}", names)
    return names["Waits"]


@pytest.mark.parametrize(
    "body",
    [
        "getattr(time, 'sleep')(0.1)", "vars(time)['sleep'](0.1)", "time.__dict__['sleep'](0.1)",
        "operator.methodcaller('sleep', 0.1)(time)", "clock = time; clock.sleep(0.1)",
        "(clock := time).sleep(0.1)", "a, b = time, 0.1; a.sleep(b)",
        "import time as clock; clock.sleep(0.1)", "select.select([], [], [], 0.1)",
        "select.poll().poll(100)", "threading.Event().wait(0.1)", "Event().wait(0.1)",
        "import selectors; selectors.DefaultSelector().select(0.1)",
        "threading.Condition().wait(0.1)", "signal.sigtimedwait([], 0.1)",
        "import sched; sched.scheduler().run()",
    ],
)  # fmt: skip
def test_whatever_stops_the_process_is_no_wait_of_a_node(body):
    with pytest.raises(TypeError, match=r", in line \d+: a node waits with self\.sleep"):
        World().start("web", server(body))


@pytest.mark.parametrize(
    "body",
    [
        "subprocess.run(['true'])", "import subprocess as s; s.Popen(['true']).wait()",
        "from subprocess import check_output; check_output(['true'])",
        "socket.create_connection(('127.0.0.1', 1))",
        "getattr(socket, 'socket')().connect(('127.0.0.1', 1))",
        "s = socket; s.getaddrinfo('a', 1)",
        "urllib.request.urlopen('http://127.0.0.1:1')",
        "import http.client; http.client.HTTPConnection('127.0.0.1').request('GET', '/')",
    ],
)  # fmt: skip
def test_a_simulated_node_asks_nothing_of_the_machine_outside(body):
    with pytest.raises(TypeError, match=r", in line \d+: that is outside of the simulated world"):
        World().start("web", server(body))


@pytest.mark.parametrize(
    "body",
    [
        "time.time(); self.log('sleep')", "node = self; time.time(); await node.sleep(0.1)",
        "os.path.join('a', 'b'); getattr(request, 'path')", "socket.inet_aton('127.0.0.1')",
        "urllib.request.Request('http://a')", "subprocess.list2cmdline(['a'])",
        "dice = random.Random(7); dice.setstate(dice.getstate()); random.SystemRandom",
    ],
)  # fmt: skip
def test_what_only_has_such_a_name_waits_for_nothing(body):
    world = World()
    world.start("web", server(body))
    assert world.call("web").status == 200


# ------------------------------------------------------------------------------- libraries
@pytest.mark.parametrize(
    ("number", "body"),
    [*enumerate(
        [
            "coder = json.JSONEncoder; coder.{name} = 1",
            "for coder in (json.JSONEncoder,): coder.{name} = 1",
            "coder, n = json.JSONEncoder, 1; coder.{name} = n",
            "setattr(json.JSONEncoder, '{name}', 1)", "type(json.JSONEncoder()).{name} = 1",
            "coder = json.JSONEncoder().__class__; coder.{name} = 2",
            "Shape.register(bytes)", "tell = Shape.register; tell(bytearray)",
        ]
    )],
)  # fmt: skip
def test_what_a_class_that_all_share_was_given_or_told_outlives_a_kill_and_is_found(number, body):
    world = World()
    world.start("web", server(body.replace("{name}", f"mark_{number}")))
    with pytest.raises(TypeError, match=r"has changed (JSONEncoder\.mark|Shape\.register)"):
        world.call("web")
    if hasattr(json.JSONEncoder, f"mark_{number}"):
        delattr(json.JSONEncoder, f"mark_{number}")


def test_an_object_of_a_library_that_is_made_for_it_is_the_nodes_own():
    world = World()
    world.start("web", server("coder = json.JSONEncoder(); coder.mark = 1"))
    world.call("web")
    world.kill("web")


def test_a_class_that_is_gone_by_the_kill_was_told_of_and_survives_nothing():
    Shape.register(type("Square", (), {}))
    world = World()
    world.start("web", server("import gc; gc.collect(); isinstance(1, Shape)"))
    assert world.call("web").status == 200
