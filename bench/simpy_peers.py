"""The same three workloads in simpy: by its own `Store`, and by mailboxes made by hand.

What crosses the network is one Timeout whose callback delivers, the cheapest that simpy has (a
process for each message, as its documentation shows, is slower). Nothing is copied, recorded,
timed out or lost here. In `requests` the balancer is a loop over its mailbox that passes requests
and answers on, and the servers are loops too: nothing of theirs can wait, which is the fastest.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import simpy

from bench import workloads
from bench.workloads import LATENCY_S, PINGS, SLEEPERS, SLEEPS, Built, nap_s


class Mailbox:
    """A mailbox by hand: a deque, and an event while its one reader waits."""

    __slots__ = ("_env", "_full", "_letters")

    def __init__(self, env: simpy.Environment):
        self._env = env
        self._letters: deque[Any] = deque()
        self._full: simpy.Event | None = None

    def put(self, letter: Any) -> None:
        if self._full is None:
            self._letters.append(letter)
        else:
            full, self._full = self._full, None
            full.succeed(letter)

    def get(self) -> simpy.Event:
        event = simpy.Event(self._env)
        if self._letters:
            event.succeed(self._letters.popleft())
        else:
            self._full = event
        return event


class Post:
    """Delivers letters after a latency."""

    def __init__(self, env: simpy.Environment):
        self._timeout = env.timeout
        self._random = random.Random(7).random
        self._low_s, self._span_s = LATENCY_S[0], LATENCY_S[1] - LATENCY_S[0]

    def send(self, box: Mailbox | simpy.Store, letter: Any) -> None:
        delay_s = self._low_s + self._random() * self._span_s
        self._timeout(delay_s).callbacks.append(lambda _: box.put(letter))


Box = type[Mailbox] | type[simpy.Store]


def timers(box: Box) -> Built:
    """Processes that only sleep: counts the sleeps."""
    env = simpy.Environment()
    naps = [0] * SLEEPERS

    def sleeper(who: int):
        for turn in range(SLEEPS):
            yield env.timeout(nap_s(who, turn))
            naps[who] += 1

    for who in range(SLEEPERS):
        env.process(sleeper(who))
    return _counted(env, naps)


def ping_pong(box: Box) -> Built:
    """One process calls another: counts the answers."""
    env = simpy.Environment()
    post = Post(env)
    at_ping, at_pong = box(env), box(env)
    answers, count = [0], [0]

    def ping():
        for _ in range(PINGS):
            post.send(at_pong, {"user": "alice", "item": 17})
            yield at_ping.get()
            answers[0] += 1

    def pong():
        while True:
            yield at_pong.get()
            count[0] += 1
            post.send(at_ping, {"user": "alice", "item": 17})

    env.process(ping())
    env.process(pong())
    return _counted(env, answers)


def requests(box: Box) -> Built:
    """Clients through a balancer to servers: counts the answers."""
    env = simpy.Environment()
    post = Post(env)
    at_balancer = box(env)
    at_servers = [box(env) for _ in range(workloads.SERVERS)]
    at_clients = [box(env) for _ in range(workloads.CLIENTS)]
    answers, counts = [0] * workloads.CLIENTS, [0] * workloads.SERVERS

    def client(who: int):
        mine = at_clients[who]
        for turn in range(workloads.REQUESTS):
            yield env.timeout(nap_s(who, turn))
            post.send(at_balancer, (True, mine, {"user": "alice", "item": 17}))
            yield mine.get()
            answers[who] += 1

    def balancer():
        turn = 0
        while True:
            is_request, asker, body = yield at_balancer.get()
            if is_request:
                post.send(at_servers[turn], (asker, body))
                turn = (turn + 1) % workloads.SERVERS
            else:
                post.send(asker, body)

    def server(number: int):
        mine = at_servers[number]
        while True:
            asker, _body = yield mine.get()
            counts[number] += 1
            post.send(at_balancer, (False, asker, {"user": "alice", "item": 17}))

    env.process(balancer())
    for number in range(workloads.SERVERS):
        env.process(server(number))
    for who in range(workloads.CLIENTS):
        env.process(client(who))
    return _counted(env, answers)


def _counted(env: simpy.Environment, counts: list[int]) -> Built:
    return Built(lambda until_s: env.run(until=until_s), lambda: sum(counts))


WORKLOADS = {"timers": timers, "ping_pong": ping_pong, "requests": requests}
