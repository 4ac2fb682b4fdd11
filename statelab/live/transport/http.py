"""How a call looks as HTTP/1.1, at both ends.

What HTTP needs for itself stays out of a node's sight, and so does one header of our own. It shows
that the request comes from this world, which shares a secret. It tells the number of the message,
so that the rows of both processes can be put together, and the path, if a URL has no room for that.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Any, NoReturn
from urllib.parse import quote

import h11

from statelab.checked import FRAMING
from statelab.effects import Call

MARK = "statelab"
_IN_URL = "/?=&:@!$'()*+,;-._~%[]"
ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)


class NoJSON(ValueError):
    """What some bytes are not."""


def json_bytes(value: Any) -> bytes:
    """A value as JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def read_body(data: bytes | bytearray) -> Any:
    """What `data` says as JSON, None if it is empty; raises NoJSON."""
    if not data.strip():
        return None
    try:
        return json.loads(data, parse_constant=_no_constant)
    except NoJSON:
        raise
    except RecursionError:
        raise NoJSON("it is nested too deep") from None
    except ValueError as wrong:
        # Python says of an integer too long only which of its own settings to change.
        is_long = type(wrong) is ValueError
        raise NoJSON("an integer has too many digits" if is_long else str(wrong)) from None


def _no_constant(name: str) -> NoReturn:
    raise NoJSON(f"{name} is no JSON")


def request_events(call: Call, host: str, message: str, secret: str) -> list[h11.Event]:
    """The request as h11 sends it."""
    data = b"" if call.body is None else json_bytes(call.body)
    path = target(call.path)
    headers = [("host", host), (MARK, mark(secret, call, message))]
    headers.append(("content-length", str(len(data))))
    if data:
        headers.append(("content-type", "application/json"))
    headers += call.headers.items()
    request = h11.Request(method=call.method, target=path, headers=headers)
    return [request, h11.Data(data=data), h11.EndOfMessage()]


# ------------------------------------------------------------------------------- our own header
def _sign(secret: str, to: str, method: bytes, target: bytes, told: bytes) -> bytes:
    """What only this world's own can say; the secret itself is never said, whoever listens."""
    data = b"\0".join((to.encode(errors="surrogatepass"), method, target, told))
    return hmac.digest(secret.encode(), data, "sha256").hex().encode()


def mark(secret: str, call: Call, message: str) -> bytes:
    """What our header says."""
    url = target(call.path)
    told = (message + ("" if url == call.path else f" {json.dumps(call.path)}")).encode()
    return _sign(secret, call.to, call.method.encode(), url.encode(), told) + b" " + told


def ours(request: h11.Request, secret: str, to: str) -> tuple[str, str | None, bytes] | None:
    """The message and the path (None if it is the URL's) that our header tells of, and itself.

    A stranger may send a header of that name, too, but does not know the secret.
    """
    for name, value in request.headers:
        if name == MARK.encode():
            given, _, told = value.partition(b" ")
            if hmac.compare_digest(given, _sign(secret, to, request.method, request.target, told)):
                message, _, path = told.decode().partition(" ")
                return message, json.loads(path) if path else None, value
    return None


def visible(headers: Any, mark: bytes | None = None) -> dict[str, str]:
    """The headers that a node or a client sees: those that somebody gave.

    One that comes several times is a list (RFC 9110, section 5.3), so no value hides another.
    """
    seen: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key not in FRAMING and value != mark:
            seen[key] = f"{seen[key]}, {text}" if key in seen else text
    return seen


# ------------------------------------------------------------------------------- paths
def target(path: str) -> str:
    """The path as it stands in a request line."""
    return quote(path, safe=_IN_URL, errors="surrogatepass")


def path_of(target: bytes) -> str:
    """The path as a request line has it, which may name the host before it."""
    absolute = ABSOLUTE.fullmatch(target.decode("latin-1"))
    return (absolute[2] or "/") if absolute else target.decode("latin-1")
