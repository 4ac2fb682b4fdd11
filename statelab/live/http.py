"""How a call looks as HTTP/1.1, at both ends.

What HTTP needs for itself stays out of a node's sight: `FRAMING`, and two headers of our own. One
tells the number of the message, so that the rows of both processes can be put together; the other
the path, if it has characters that a URL has no room for.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NoReturn
from urllib.parse import quote

import h11

from statelab.message import MAX_BODY
from statelab.node import FRAMING, Call

MESSAGE = "statelab-message"
PATH = "statelab-path"
OURS = FRAMING | {MESSAGE, PATH}
MAX_BYTES = 32 * MAX_BODY  # more than any body of MAX_BODY takes as JSON
_IN_URL = "/?=&:@!$'()*+,;-._~%[]"


def body_bytes(body: Any) -> bytes:
    """The body as JSON; an absent one takes no bytes."""
    return b"" if body is None else json.dumps(body, separators=(",", ":")).encode()


def read_body(data: bytes) -> Any:
    """What `data` says as JSON; raises ValueError if it says nothing."""
    if not data.strip():
        return None
    try:
        return json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def request_events(call: Call, host: str, message: str) -> list[h11.Event]:
    """The request as h11 sends it; raises h11.LocalProtocolError if HTTP has no form for it."""
    data = body_bytes(call.body)
    headers = [("host", host), (MESSAGE, message), ("content-length", str(len(data)))]
    if data:
        headers.append(("content-type", "application/json"))
    path = target(call.path)
    if path != call.path:
        headers.append((PATH, json.dumps(call.path)))
    headers += given(call.headers).items()
    request = h11.Request(method=call.method, target=path, headers=headers)
    return [request, h11.Data(data=data), h11.EndOfMessage()]


def target(path: str) -> str:
    """The path as it stands in a request line."""
    return quote(path, safe=_IN_URL, errors="surrogatepass")


def read_path(url: str, headers: dict[str, str]) -> str:
    """The path as the caller gave it, if our header tells of it; else as it stands in the URL."""
    with contextlib.suppress(ValueError, TypeError):
        path = json.loads(headers.get(PATH, "null"))
        if target(path) == url:
            return path
    return url


def visible(headers: Any) -> dict[str, str]:
    """The headers that a node or a client sees: those that somebody gave."""
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
    return given(dict(pairs))


def given(headers: dict[str, str]) -> dict[str, str]:
    """The headers but those that HTTP, or we, need."""
    return {name: value for name, value in headers.items() if name not in OURS}
