"""What a class does to its process, a simulated kill would not undo: refused, by its line."""

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
