"""What a server is, and the effects it may have.

Rules of this file:

1. It does not know which world it is in. All effects pass one door, which a world provides.
2. A node's coroutine yields its effects; a task (`task.py`) steps it by hand and asks the door to
   perform them. So both worlds switch at `await` and nowhere else, and a dead node can be left
   where it stood, with nothing of it run again.
3. If you are adding a feature, don't add it here.
"""

from __future__ import annotations

import random
import re
import types
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from statelab.message import NoReply, NotAwaited, Refused, Request, Response, copied, shown
from statelab.unawaited import effect, steps, unawaited

if TYPE_CHECKING:
    from statelab.task import Task

DEFAULT_TIMEOUT = 1.0
DEFAULT_TIMEOUT_US = 1_000_000
MAX_SECONDS = 1e9  # some thirty years: no lesson lasts longer, and microseconds stay exact
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
YOU = "you"  # the client that `world.call` speaks as
MAX_NAME = 200  # characters
MAX_SEED = 10**100
MAX_PATH = 2_000  # characters
MAX_HEADERS, MAX_HEADERS_SIZE = 100, 16_000  # how many, and their characters in all
# What HTTP says about a message itself: a node neither sets it, whatever it gives, nor sees it.
FRAMING = frozenset(
    {"connection", "content-length", "content-type", "date", "expect", "host", "keep-alive",
     "server", "te", "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110, section 5.6.2)
_VALUE = re.compile(r"[\x20-\x7e\t]*")  # a header's value


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
        raise TypeError(f"{what} is {shown(seconds)}: give seconds as a number")
    if not 0 <= seconds <= MAX_SECONDS:  # NaN is not, either
        told = "too long" if seconds > MAX_SECONDS else f"{max(seconds, -MAX_SECONDS):g} s"
        raise ValueError(
            f"{what} is {told}: give a finite number of seconds, from 0 to {MAX_SECONDS:,.0f}"
        )
    return round(seconds * 1_000_000)


def bounds_us(latency: float | list[float] | tuple[float, float]) -> tuple[int, int]:
    """The bounds of a latency in whole microseconds; raises ValueError if it can be none."""
    bounds = tuple(latency) if isinstance(latency, (tuple, list)) else (latency, latency)
    if len(bounds) != 2:
        raise ValueError(f"the latency {shown(latency)} is neither a number nor two bounds")
    low_us, high_us = (micros(bound, "the latency") for bound in bounds)
    if high_us < low_us:
        raise ValueError(f"the latency {shown(latency)} has its bounds the wrong way round")
    return low_us, high_us


def checked_name(name: Any, whose: str = "a node") -> str:
    """Returns `name`, which may be any text; raises TypeError or ValueError for what is none."""
    if type(name) is not str or not name:
        raise TypeError(f"{whose}'s name is a str, not {shown(name)}")
    if len(name) > MAX_NAME:
        raise ValueError(f"{whose}'s name has {len(name):,} characters: {MAX_NAME} at the most")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise ValueError(f"{whose}'s name {shown(name)} has half a character in it")
    if name == YOU and whose == "a node":
        raise ValueError(f"{name!r} is the client that world.call speaks as: choose another name")
    return name


def checked_seed(seed: Any) -> int:
    """Returns `seed`; raises TypeError or ValueError unless it is a whole number of 100 digits."""
    if type(seed) is not int:
        raise TypeError(f"the seed {shown(seed)} is not an int")
    if not -MAX_SEED < seed < MAX_SEED:
        raise ValueError("the seed has more than 100 digits: give a smaller one")
    return seed


# ------------------------------------------------------------------------------- effects
# A node's coroutine yields an int to sleep for that many µs, a Call, or a tuple of coroutines to
# run side by side.
def _owing(door: Door, verb: str) -> Task:
    """The task that asks for an effect now, and owes its await from here on."""
    task = door.current
    if task is None:
        raise RuntimeError(f"{door.name}.__init__ has an effect ({verb}): move it to run()")
    task.owed += 1
    return task


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
        if type(to) is not str or type(path) is not str or path[:1] != "/" or len(path) > MAX_PATH:
            _bad_call(to, path)
        if method not in METHODS:
            raise ValueError(f"method {shown(method)} is none of {', '.join(METHODS)}")
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
        self.connection = None  # until it is sent
        self.done = False


def _bad_call(to: Any, path: Any) -> NoReturn:
    if type(to) is not str:
        raise TypeError(f"call a node by its name, a str, not {shown(to)}; nothing was sent")
    if type(path) is not str or path[:1] != "/":
        raise ValueError(
            f"the path {shown(path)} must be a str that begins with '/'; nothing was sent"
        )
    raise ValueError(f"the path has more than {MAX_PATH:,} characters; nothing was sent")


def _headers(headers: dict) -> dict[str, str]:
    """The headers as they travel: names in lower case; raises TypeError or ValueError."""
    if not isinstance(headers, dict):
        raise TypeError(f"headers are a dict of str to str, not {shown(headers)}")
    clean = {}
    for name, value in headers.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise ValueError(f"header {shown(name)}: {shown(value)} must be two ASCII strings")
        if not _TOKEN.fullmatch(name):
            raise ValueError(
                f"{shown(name)} is no name of a header: use letters, digits and hyphens"
            )
        if not _VALUE.fullmatch(value):
            raise ValueError(f"header {name}: {shown(value)} must be one line of ASCII")
        if name.lower() not in FRAMING:
            # The blanks around a value are not part of it (RFC 9110, section 5.5).
            clean[name.lower()] = value.strip(" \t")
    if len(clean) > MAX_HEADERS or sum(map(len, [*clean, *clean.values()])) > MAX_HEADERS_SIZE:
        raise ValueError(
            f"these are more than {MAX_HEADERS} headers or {MAX_HEADERS_SIZE:,} characters"
        )
    return clean


class Door(Protocol):
    """What a world provides to one life of a node.

    `shut` is true once the life has ended. `current` is the task that runs now; while `__init__`
    runs there is none, and so no effect. `keeps` is whether the node's code may keep what it does
    not await, and so whether that is counted: it costs a twentieth of the time.
    """

    name: str
    node: Node
    shut: Any
    current: Task | None
    keeps: bool
    disk: Disk
    random: random.Random

    def now_us(self) -> int: ...
    def log(self, text: str) -> None: ...
    def write(self, key: str, value: Any) -> None: ...
    def erase(self, key: str) -> None: ...
    def sleep(self, task: Task, us: int) -> None: ...
    def call(self, task: Task, call: Call) -> None: ...
    def die(self, task: Task, error: BaseException) -> None: ...


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
            raise TypeError(f"disk key {shown(key)} is not a str")
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

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Waits for `seconds` of the world's time, 1 µs at least."""
        door = self._door
        if door.shut:
            _open(door)
        if type(seconds) is float and 0.0 < seconds < 1e9:
            us = round(seconds * 1_000_000) or 1
        else:
            us = micros(seconds, "the sleep") or 1
        return effect(_owing(door, "sleep") if door.keeps else None, us)

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
    ) -> Awaitable[Response]:
        """Sends a request to the node named `to` and returns its Response, whatever its status.

        One connection for each (caller, to, via), one request at a time on it; `via` names a
        connection of one's own where one per server is not enough, as in a balancer.
        Raises Refused (it did not happen), NoReply (nobody knows), UnknownNode, and TypeError or
        ValueError for what cannot be sent. `timeout` is in seconds; None waits for ever.
        """
        door = self._door
        if door.shut:
            _open(door)
        call = Call(to, path, body, method, headers, timeout, via)
        return effect(_owing(door, "call") if door.keeps else None, call)

    def gather(self, *coroutines: Awaitable) -> Awaitable[list]:
        """Runs coroutines side by side; returns their results in order when all have ended.

        If some fail, the first of them in order raises here, after all have ended.
        """
        door = self._door
        if door.shut:
            for coroutine in coroutines:
                coroutine.close()
            _open(door)
        return effect(_owing(door, "gather") if door.keeps else None, coroutines)

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
    return {name: value for name, value in vars(node).items() if name[:1] != "_"}


def born(factory: Callable[..., Node], args: tuple, door: Door) -> Node:
    """Makes a node with `door` already in place, as `factory(*args)` would make it."""
    node = factory.__new__(factory, *args)
    if type(node) is not factory:
        raise TypeError(
            f"{factory.__name__}.__new__ made {shown(node)}: let it make a {factory.__name__}"
        )
    node._door, door.node = door, node
    birth = types.SimpleNamespace(door=door, wrong=None)
    if (given := node.__init__(*args)) is not None:
        what = "a coroutine" if hasattr(given, "cr_code") else shown(given)
        birth.wrong = TypeError(
            f"{factory.__name__}.__init__ returned {what}: write def __init__, and return nothing"
        )
    given = None
    if birth.wrong is not None:
        raise birth.wrong
    return node


steps[born.__code__] = "birth"


# What a handler did not catch, as the status that its caller gets.
STATUS_OF_ERROR = {Refused: 502, NoReply: 504}


def answer(
    door: Door, value: Any, error: BaseException | None, method: str
) -> tuple[tuple[int, Any, dict[str, str]], BaseException | None]:
    """The status, body and headers sent when `handle` returned `value` or raised `error`.

    The body is a copy. What cannot be sent is an error, too, and the second of what is returned.
    `method` is that of the request: HTTP has no room for a body in an answer to HEAD, or of some
    statuses.
    """
    if error is None:
        try:
            if type(value) is not Response:
                status, body, headers = 200, copied(value), {}
            elif not _is_status(value.status):
                raise ValueError(f"the status {shown(value.status)} is not an int from 200 to 599")
            else:
                status, body = int(value.status), value.frozen_body()
                headers = _headers(value.headers) if value.headers else {}
        except NotAwaited as wrong:
            error = unawaited(door, wrong.coroutine)
        except Exception as wrong:  # a class of the learner's may raise whatever it is asked
            error = wrong
    if error is not None:
        status, body, headers = STATUS_OF_ERROR.get(type(error), 500), {"error": said(error)}, {}
    if status == 204 or status == 304 or method == "HEAD":
        body = None
    return (status, body, headers), error


def _is_status(status: Any) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 599


def said(error: BaseException) -> str:
    """An error in one line: its type and what it says, 1,000 characters at the most."""
    name, text = type(error).__name__[:100], text_of(error)
    return f"{name}: {text[:1000]}" if text else name


def text_of(error: BaseException) -> str | None:
    """What an error says; None for one that cannot, such as of an integer of 5,000 digits."""
    try:
        return str(error)
    except BaseException:  # by a class of the learner's
        return None
