"""What a node may do: the effects that it asks for, and the door that performs them.

A node's coroutine yields an int to sleep for that many µs, a Call, or a tuple of coroutines to run
side by side.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Iterator, MutableMapping
from typing import Any, NoReturn, Protocol

from statelab.checked import (
    DEFAULT_TIMEOUT,
    DEFAULT_TIMEOUT_US,
    MAX_PATH,
    METHODS,
    checked_headers,
    micros,
)
from statelab.message import copied, shown


class UnknownNode(LookupError):
    """A name that no node of this world has; nothing was sent."""


def unknown_node(name: Any, nodes: Iterable[str], clients: Container[str] = ()) -> UnknownNode:
    """The error for a name that is none of the `nodes`', said alike in both worlds."""
    what = f"no node is named {shown(name)}"
    if name in clients:
        what = f"{name} is a client, not a node"
    names = ", ".join(nodes) or "none yet"
    return UnknownNode(f"{what}; nothing was sent or done. The nodes: {names}")


class WrongState(RuntimeError):
    """A verb that does not apply now, such as to kill a dead node; nothing was done."""


class Killed(GeneratorExit):
    """Raised at the shut door of a dead node, so that nothing it still runs has an effect.

    Python closes what is left of a coroutine by GeneratorExit, and takes this one as well.
    """


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
        if type(method) is not str or method not in METHODS:
            raise ValueError(f"method {shown(method)} is none of {', '.join(METHODS)}")
        self.to = to
        self.path = path
        self.body = copied(body)
        self.method = method
        self.headers = {} if headers is None else checked_headers(headers)
        if timeout is DEFAULT_TIMEOUT:
            self.timeout_us = DEFAULT_TIMEOUT_US
        else:
            self.timeout_us = None if timeout is None else _timeout_us(timeout)
        self.via = via if via is None else _checked_via(via)
        self.connection = None  # until it is sent
        self.done = False


def _timeout_us(timeout: float) -> int:
    if not (us := micros(timeout, "the timeout")):
        raise ValueError(
            f"the timeout is {timeout:g} s, in which nobody can answer; nothing was sent: give a "
            "microsecond or more, or None to wait for ever"
        )
    return us


def _checked_via(via: Any) -> Any:
    # What nobody awaited, or an object made for the call, would name a new connection each time.
    if not _is_name(via):
        raise TypeError(
            f"via is {shown(via)}; nothing was sent: name the connection by a str, a whole number "
            "or a tuple of such, as request.peer is"
        )
    return via


def _is_name(via: Any) -> bool:
    if isinstance(via, tuple):
        return all(map(_is_name, via))
    return via is None or isinstance(via, (str, int))


def _bad_call(to: Any, path: Any) -> NoReturn:
    if type(to) is not str:
        raise TypeError(f"call a node by its name, a str, not {shown(to)}; nothing was sent")
    if type(path) is not str or path[:1] != "/":
        raise ValueError(
            f"the path {shown(path)} must be a str that begins with '/'; nothing was sent"
        )
    raise ValueError(f"the path has more than {MAX_PATH:,} characters; nothing was sent")


class Door(Protocol):
    """What a world provides to one life of a node.

    `shut` is true once the life has ended. `current` is the task that runs now; while `__init__`
    runs there is none, and so no effect. `keeps` is whether the node's code may keep what it does
    not await, and so whether that is counted: it costs a twentieth of the time.
    """

    name: str
    node: Any
    shut: Any
    current: Any
    keeps: bool
    disk: Disk
    random: random.Random

    def now_us(self) -> int: ...
    def log(self, text: str) -> None: ...
    def write(self, key: str, value: Any) -> None: ...
    def erase(self, key: str) -> None: ...
    def sleep(self, task: Any, us: int) -> None: ...
    def call(self, task: Any, call: Call) -> None: ...
    def die(self, task: Any, error: BaseException) -> None: ...


class Disk(MutableMapping):
    """A small durable store: str keys, JSON values, and a kill does not touch it.

    A read returns a copy: to change what is stored, store again.
    """

    def __init__(self, data: dict[str, Any], door: Door):
        self._data = data
        self._door = door

    def __getitem__(self, key: str) -> Any:
        try:
            return copied(self._data[key])
        except TypeError:  # a list, say, that can be no key of a dict
            raise _bad_key(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise _bad_key(key)
        value = copied(value)
        opened(self._door).write(key, value)
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        self[key]  # raises what a read does
        opened(self._door).erase(key)
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._data))

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"Disk({self._data!r})"


def _bad_key(key: Any) -> TypeError:
    return TypeError(f"disk key {shown(key)} is not a str")


def opened(door: Door) -> Door:
    """The door, unless it is shut: raises Killed."""
    if door.shut:
        raise Killed(f"{door.name} is dead")
    return door


def memory(node: Any) -> dict[str, Any]:
    """The public attributes of a node: what a kill erases."""
    return {name: value for name, value in vars(node).items() if name[:1] != "_"}
