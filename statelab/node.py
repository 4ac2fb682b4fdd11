"""What a server is, and the effects it may have.

Rules of this file:

1. It does not know which world it is in. All effects pass one door, which a world provides.
2. A node's coroutine yields its effects; a task (`task.py`) steps it by hand and asks the door to
   perform them. So both worlds switch at `await` and nowhere else, and a dead node can be left
   where it stood, with nothing of it run again.
3. If you are adding a feature, don't add it here.
"""

from __future__ import annotations

import math
import random
import types
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from statelab.message import NoReply, Refused, Request, Response, copied

if TYPE_CHECKING:
    from statelab.task import Task

DEFAULT_TIMEOUT = 1.0
DEFAULT_TIMEOUT_US = 1_000_000
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class UnknownNode(LookupError):
    """A name that no node of this world has; nothing was sent."""


class WrongState(RuntimeError):
    """A verb that does not apply now, such as to kill a dead node; nothing was done."""


class Killed(GeneratorExit):
    """Raised at the shut door of a dead node, so that nothing it still runs has an effect.

    Python closes what is left of a coroutine by GeneratorExit, and takes this one as well.
    """


class Soft(NamedTuple):
    """A value that expires by itself at `until`, in seconds since the world began."""

    value: Any
    until: float


def micros(seconds: float, what: str = "a time") -> int:
    """Returns whole microseconds; raises ValueError if `seconds` is negative or not finite."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{what} is {seconds!r}: give seconds as a number")
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{what} is {seconds!r} s: give a finite number of seconds, 0 or more")
    return round(seconds * 1_000_000)


# ------------------------------------------------------------------------------- effects
# A node's coroutine yields an int to sleep for that many µs, a Call, or a tuple of coroutines to
# run side by side.
class Call:
    """One request, as asked for; and, filled in by the world, how it goes.

    `timeout_us` None waits for ever. `task` goes on when the call is `done`; `sent` is the trace's
    row of its sending, and `blame` the latest that tells why no answer has come.
    """

    __slots__ = (
        "blame", "body", "connection", "done", "headers", "method", "number", "path", "sent",
        "task", "timeout_us", "to", "via",
    )  # fmt: skip

    def __init__(self, to, path, body, method, headers, timeout, via=None):
        if type(to) is not str or type(path) is not str or path[:1] != "/":
            _bad_call(to, path)
        if method not in METHODS:
            raise ValueError(f"method {method!r} is none of {', '.join(METHODS)}")
        self.to = to
        self.path = path
        self.body = copied(body)
        self.method = method
        self.headers = _headers(headers) if headers else {}
        if timeout == DEFAULT_TIMEOUT:
            self.timeout_us = DEFAULT_TIMEOUT_US
        else:
            self.timeout_us = None if timeout is None else micros(timeout, "the timeout") or 1
        self.via = via
        self.done = False


def _bad_call(to: Any, path: Any) -> NoReturn:
    if not isinstance(to, str):
        raise TypeError(f"call {to!r} by its name, a str")
    raise ValueError(f"the path {path!r} must be a str that begins with '/'")


def _headers(headers: dict) -> dict[str, str]:
    for name, value in headers.items():
        text = f"{name}{value}" if isinstance(name, str) and isinstance(value, str) else "\n"
        if "\n" in text or "\r" in text or not name or not text.isascii():
            raise ValueError(f"header {name!r}: {value!r} must be two ASCII strings of one line")
    # The blanks around a value are not part of it (RFC 9110, section 5.5).
    return {name.lower(): value.strip(" \t") for name, value in headers.items()}


class Door(Protocol):
    """What a world provides to one life of a node.

    `shut` is true once the life has ended. `current` is the task that runs now; while `__init__`
    runs there is none, and so no effect.
    """

    name: str
    shut: Any
    current: Task | None
    disk: Disk
    random: random.Random

    def now_us(self) -> int: ...
    def log(self, text: str) -> None: ...
    def write(self, key: str, value: Any) -> None: ...
    def erase(self, key: str) -> None: ...
    def sleep(self, task: Task, us: int) -> None: ...
    def call(self, task: Task, call: Call) -> None: ...


class Disk(MutableMapping):
    """A small durable store: str keys, JSON values, and a kill does not touch it.

    A read returns a copy: to change what is stored, store again.
    """

    def __init__(self, data: dict[str, Any], door: Door):
        self._data = data
        self._door = door

    def __getitem__(self, key: str) -> Any:
        return copied(self._data[key])

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"disk key {key!r} is not a str")
        value = copied(value)
        _open(self._door).write(key, value)
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self._data:
            raise KeyError(key)
        _open(self._door).erase(key)
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._data))

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"Disk({self._data!r})"


def _open(door: Door) -> Door:
    if door.shut:
        raise Killed(f"{door.name} is dead")
    return door


# ------------------------------------------------------------------------------- the node
class Node:
    """A server, or a client that acts on its own: subclass it and write `handle`, `run` or both.

    Public attributes are its memory: a kill erases them. `self.disk` is its disk: a kill does not.
    `__init__` sets attributes and has no effects; it may read the disk, the clock and `random`.
    """

    _door: Door

    async def handle(self, request: Request) -> Any:
        """Answers one request: returns a Response, or a JSON body (status 200)."""
        return Response(404, {"error": f"{type(self).__name__} handles no requests"})

    async def run(self) -> None:
        """Does work of the node's own, from its start to its end."""

    @types.coroutine
    def sleep(self, seconds: float):
        """Waits for `seconds` of the world's time, 1 µs at least."""
        if self._door.shut:
            _open(self._door)
        if type(seconds) is float and 0.0 < seconds < 1e9:
            yield round(seconds * 1_000_000) or 1
        else:
            yield micros(seconds, "the sleep") or 1

    @types.coroutine
    def call(
        self,
        to: str,
        path: str = "/",
        body: Any = None,
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        via: Any = None,
    ):
        """Sends a request to the node named `to` and returns its Response, whatever its status.

        One connection for each (caller, to, via), one request at a time on it; `via` names a
        connection of one's own where one per server is not enough, as in a balancer.
        Raises Refused (it did not happen), NoReply (nobody knows), UnknownNode, and TypeError or
        ValueError for what cannot be sent. `timeout` is in seconds; None waits for ever.
        """
        if self._door.shut:
            _open(self._door)
        return (yield Call(to, path, body, method, headers, timeout, via))

    @types.coroutine
    def gather(self, *coroutines: Coroutine):
        """Runs coroutines side by side; returns their results in order when all have ended.

        If some fail, the first of them in order raises here, after all have ended.
        """
        if self._door.shut:
            for coroutine in coroutines:
                coroutine.close()
        _open(self._door)
        return (yield coroutines)

    def now(self) -> float:
        """Seconds since the world began."""
        return _open(self._door).now_us() / 1_000_000

    @property
    def random(self) -> random.Random:
        """This life's own stream of random numbers, seeded by the world, the name and the life."""
        return _open(self._door).random

    def log(self, text: str) -> None:
        """Writes one line to the trace."""
        _open(self._door).log(str(text))

    @property
    def disk(self) -> Disk:
        """This node's durable store, a mapping of str to JSON."""
        return self._door.disk


def memory(node: Node) -> dict[str, Any]:
    """The public attributes of `node`: what a kill erases."""
    return {name: value for name, value in vars(node).items() if name[0] != "_"}


def born(factory: Callable[..., Node], args: tuple, door: Door) -> Node:
    """Makes a node with `door` already in place, as `factory(*args)` would make it."""
    node = factory.__new__(factory, *args)
    node._door = door
    node.__init__(*args)
    return node


# What a handler did not catch, as the status that its caller gets.
STATUS_OF_ERROR = {Refused: 502, NoReply: 504}


def answer(value: Any, error: BaseException | None) -> tuple[int, Any, dict[str, str]]:
    """The status, body and headers sent when `handle` returned `value` or raised `error`.

    The body is a copy. An answer that cannot be sent becomes a 500 that says why.
    """
    if error is None:
        try:
            if type(value) is not Response:
                return 200, copied(value), {}
            if type(value.status) is not int or not 200 <= value.status <= 599:
                raise ValueError(f"the status {value.status!r} is not an int from 200 to 599")
            headers = _headers(value.headers) if value.headers else {}
            return value.status, value.frozen_body(), headers
        except (TypeError, ValueError) as wrong:
            error = wrong
    return STATUS_OF_ERROR.get(type(error), 500), {"error": said(error)}, {}


def said(error: BaseException) -> str:
    """An error in one line: its type and what it says."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
