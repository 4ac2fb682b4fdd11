"""A run code `SL1-…`: versioned compact JSON, zlib, base64url, with a checksum.

It is read with caps on every size and never by pickle; it names code, and brings none. What it
means is known in run.py.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from typing import Any

from statelab.message import MAX_DEPTH, shown

VERSION = "SL1"
MAX_TEXT, MAX_JSON = 100_000, 1_000_000
_DEEPEST = MAX_DEPTH + 3  # a body, in an input, in the inputs of what is kept
_LONGEST = 500  # characters of an error
_WRITTEN = re.compile(r"[A-Za-z0-9_-]+")  # as RFC 4648, section 5, writes it


class RunCodeError(ValueError):
    """A run code that cannot be read, or that made another run; nothing was changed."""

    def __init__(self, text: str):
        # What it quotes comes from somebody else, and may be of any length.
        text = " ".join(text.encode(errors="backslashreplace").decode().split())
        super().__init__(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def written(kept: list) -> str:
    """The run code that keeps these JSON values. Raises RunCodeError if they are too many."""
    if _depth(kept) > _DEEPEST:
        raise RunCodeError(f"this run has something nested more than {MAX_DEPTH} deep")
    text = json.dumps(kept, separators=(",", ":"))
    packed = zlib.compress(text.encode(), 9)
    code = f"{VERSION}-{_base64(packed + _checksum(packed))}"
    if len(text) > MAX_JSON or len(code) > MAX_TEXT:
        raise RunCodeError("this run has too many inputs for a run code")
    return code


def read(text: Any) -> Any:
    """What a run code keeps. Raises RunCodeError, saying what is wrong with it."""
    if not isinstance(text, str):
        raise RunCodeError(f"a run code is a text that begins with SL1-, not {shown(text)}")
    text = "".join(text.split())
    if len(text) > MAX_TEXT:
        raise RunCodeError(
            f"the run code is too large: {len(text):,} characters; the most are {MAX_TEXT:,}"
        )
    version, dash, rest = text.partition("-")
    if not dash or not version.startswith("SL"):
        raise RunCodeError("this is not a run code: one begins with SL1-")
    if version != VERSION:
        raise RunCodeError(
            f"this run code is of version {version:.20}, and this statelab reads {VERSION}: "
            "open it with the statelab that made it"
        )
    try:
        known = rest if _WRITTEN.fullmatch(rest) else ""  # the decoder takes more, and warns
        data = base64.urlsafe_b64decode(known + "=" * (-len(known) % 4))
    except binascii.Error:
        data = b""
    packed, checksum = data[:-4], data[-4:]
    if len(data) < 5 or _checksum(packed) != checksum or _base64(data) != rest:
        raise RunCodeError("the run code is damaged: copy the whole text once more")
    return _unpacked(packed)


def _unpacked(packed: bytes) -> Any:
    """What was kept. Raises RunCodeError if it could be read in two ways."""
    unzip = zlib.decompressobj()
    try:
        text = unzip.decompress(packed, MAX_JSON)
        if unzip.unconsumed_tail:
            raise RunCodeError(f"the run code is too large: more than {MAX_JSON:,} bytes unpacked")
        kept = json.loads(text.decode(), object_pairs_hook=_dict, **_FINITE)
        if _depth(kept) > _DEEPEST:
            raise RunCodeError(f"the run code is nested more than {MAX_DEPTH} deep")
        if unzip.eof and not unzip.unused_data:
            return kept
    except RunCodeError:
        raise
    except (zlib.error, ValueError, RecursionError):
        pass
    raise RunCodeError("the run code is damaged: it cannot be unpacked")


def _dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = dict(pairs)
    if len(kept) < len(pairs):
        raise ValueError("one key comes twice")
    return kept


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no JSON")
    return number


_FINITE = {"parse_float": _finite, "parse_constant": _finite}


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return 1 + max(map(_depth, value), default=0)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")
