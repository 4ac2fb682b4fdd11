"""What nodes say to one another: a request, a response, and the two ways a call fails.

A message is JSON. Both worlds copy it on its way, so two nodes never share an object.
"""

from __future__ import annotations

import types
from typing import Any

MAX_BODY = 1_000_000  # values plus characters: a larger body is refused in both worlds
MAX_DEPTH = 100
IP = "127.0.0.1"  # where both worlds are
MAX_INT = 10**4000  # Python itself writes no integer of more than 4,300 digits as text


class Refused(Exception):
    """The call definitely did not happen: nobody was there to take it."""


class NoReply(Exception):
    """Nobody knows whether the call happened: it was sent, and no answer came."""


class NotAwaited(TypeError):
    """A coroutine stands where its result should."""

    def __init__(self, coroutine: types.CoroutineType):
        super().__init__(f"{coroutine.__name__}() was not awaited: write await before it")
        self.coroutine = coroutine


class _Message:
    """A body, copied when it is first looked at.

    What has arrived shares its body with the trace and with what else carries it: it is `frozen`,
    a copy already, as `copied` makes it, that nobody changes. Many nodes pass it on, or leave it
    alone.
    """

    __slots__ = ("_body", "frozen")

    @property
    def body(self) -> Any:
        """The JSON body: this message's own."""
        if self.frozen:
            self._body = copied(self._body)
            self.frozen = False
        return self._body

    @body.setter
    def body(self, body: Any) -> None:
        self._body = body
        self.frozen = False

    def frozen_body(self) -> Any:
        """The body as something that nobody will change: a copy, unless this one is frozen."""
        return self._body if self.frozen else copied(self._body)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    __hash__ = None

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({fields})"


class Request(_Message):
    """A request as the server sees it; `peer` is the (ip, port) that the connection comes from."""

    __slots__ = ("headers", "method", "path", "peer")
    __match_args__ = ("method", "path", "headers", "body", "peer")

    def __init__(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        peer: tuple[str, int],
    ):
        self.method = method
        self.path = path
        self.headers = headers
        self._body = body
        self.peer = peer
        self.frozen = False


class Response(_Message):
    """An answer: an HTTP status, a JSON body, and headers (names in lower case)."""

    __slots__ = ("headers", "status")
    __match_args__ = ("status", "body", "headers")

    def __init__(
        self,
        status: int = 200,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ):
        self.status = status
        self._body = body
        self.headers = {} if headers is None else headers
        self.frozen = False


_SHORT, _SMALL = 1000, 1 << 63  # what is no larger than this need not be measured


def copied(body: Any) -> Any:
    """Returns what `json.loads(json.dumps(body))` would, and shares nothing mutable with `body`.

    Raises TypeError (a value JSON has no form for, NaN and infinities included; or nested deeper
    than MAX_DEPTH) and ValueError (larger than MAX_BODY), saying where in the body.
    """
    # Every message comes by here, and most bodies are a scalar or a small dict of scalars. The
    # literals are _SMALL, at half of its price.
    kind = type(body)
    if kind is dict and len(body) < _SHORT:
        for key, value in body.items():
            kind = type(value)
            if kind is str:
                if len(value) > _SHORT:
                    break
            elif kind is int:
                if not -0x8000000000000000 < value < 0x8000000000000000:
                    break
            elif kind is not bool and value is not None:
                break
            if type(key) is not str or len(key) > _SHORT:
                break
        else:
            return body.copy()
    elif kind is int:
        if -0x8000000000000000 < body < 0x8000000000000000:
            return body
    elif kind is bool or body is None or (kind is str and len(body) < _SHORT):
        return body
    return _copy(body, [MAX_BODY], 0, ())


def _copy(value: Any, budget: list[int], depth: int, where: tuple) -> Any:
    kind = type(value)
    if kind is dict or isinstance(value, dict):
        _spend(len(value) + 1, budget, depth, where)
        copy = {}
        for key, item in value.items():
            if type(key) is not str:
                key = _key(key, where)
            copy[key] = _copy(item, budget, depth + 1, (where, key))
            _spend(len(key), budget, depth, where)
        return copy
    if kind is str or isinstance(value, str):
        _spend(len(value), budget, depth, where)
        return value if kind is str else str.__str__(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, (list, tuple)):
        _spend(len(value) + 1, budget, depth, where)
        return [_copy(item, budget, depth + 1, (where, i)) for i, item in enumerate(value)]
    if isinstance(value, int):
        if not -_SMALL < value < _SMALL:
            if not -MAX_INT < value < MAX_INT:
                place = _place(where)
                raise ValueError(f"{place} is too large: an integer of more than 4,000 digits")
            _spend(value.bit_length() // 3, budget, depth, where)  # about as many as its digits
        return int(value)
    if isinstance(value, float):
        if value - value != 0.0:
            raise TypeError(f"{_place(where)} is {shown(value)}, which JSON has no form for")
        return float(value)
    if isinstance(value, types.CoroutineType):
        raise NotAwaited(value)
    raise TypeError(
        f"{_place(where)} is a {kind.__name__}, which JSON has no form for: "
        "send None, bool, int, float, str, list or dict"
    )


def _spend(amount: int, budget: list[int], depth: int, where: tuple) -> None:
    if depth > MAX_DEPTH:
        raise TypeError(f"the body is nested more than {MAX_DEPTH} deep: does it contain itself?")
    budget[0] -= amount
    if budget[0] < 0:
        raise ValueError(
            f"the body is too large: more than {MAX_BODY:,} values and characters "
            f"(it ran over at {_place(where)})"
        )


def _key(key: Any, where: tuple) -> str:
    """A dict key as JSON writes it."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(_copy(key, [MAX_BODY], 0, where))
    if isinstance(key, float) and key - key == 0.0:
        return float.__repr__(key)
    raise TypeError(
        f"{_place(where)} has the key {shown(key)}, which JSON has no form for: use a str"
    )


def _place(where: tuple) -> str:
    path = ""
    while where:
        where, step = where
        path = f"[{step!r}]{path}"
    return f"body{path}"


def shown(value: Any) -> str:
    """The value as an error may quote it: its repr, no longer than a line, or its kind."""
    if isinstance(value, types.CoroutineType):
        return f"{value.__name__}() without await"
    try:
        text = repr(value)
    except BaseException:  # of an integer of 5,000 digits, or a class of the learner's
        return f"a {type(value).__name__}"
    return text if len(text) <= 100 else text[:97] + "..."


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
