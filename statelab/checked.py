"""What can be said and named: checked here, before either world sees it."""

from __future__ import annotations

import re
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from statelab.message import shown

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


def ran(function: Any, result: Any) -> Any:
    """What a function returned that acts on a world; raises TypeError if it has not run by that."""
    if not isinstance(result, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        return result
    if not isinstance(result, AsyncGeneratorType):
        result.close()
    name = getattr(function, "__name__", "the function")
    raise TypeError(
        f"{name} gave a {type(result).__name__}, and nothing of that has happened: write it as a "
        "plain def, with no async, await or yield"
    )


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


def checked_headers(headers: dict) -> dict[str, str]:
    """The headers as they travel: names in lower case; raises TypeError or ValueError."""
    if not isinstance(headers, dict):
        raise TypeError(f"headers are a dict of str to str, not {shown(headers)}")
    if not headers:  # as most have none
        return {}
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


def checked_shares(**shares: float) -> None:
    """Raises ValueError unless all are shares from 0 to 1."""
    for what, share in shares.items():
        if not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"{what}={shown(share)} is not a share from 0 to 1")
