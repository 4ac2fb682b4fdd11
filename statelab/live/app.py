"""A node as an ASGI application: what any HTTP client sees of it."""

from __future__ import annotations

import json
from typing import Any

from statelab.live import http
from statelab.live.life import Life
from statelab.message import Request, Response, copied
from statelab.node import METHODS


class Unfit(Exception):
    """A request that never reaches the node: the status it gets, and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


class App:
    """Takes requests for one life of a node."""

    def __init__(self, life: Life):
        self._life = life

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            request, message = await self._read(scope, receive)
        except Unfit as unfit:
            response = Response(unfit.status, {"error": str(unfit)})
            if unfit.status == 405:
                response.headers = {"allow": ", ".join(METHODS)}
        else:
            response = await self._life.handle(request, message)
        data = b"" if response.status in (204, 304) else _bytes(response.body)
        headers = {"content-type": "application/json", "content-length": str(len(data))}
        headers |= http.given(response.headers)
        if response.status in (204, 304):
            del headers["content-type"], headers["content-length"]
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": pairs})
        await send({"type": "http.response.body", "body": data})

    async def _read(self, scope: dict[str, Any], receive: Any) -> tuple[Request, str | None]:
        method = scope["method"]
        if method not in METHODS:
            raise Unfit(405, f"the method {method} is none of {', '.join(METHODS)}")
        try:
            body = copied(http.read_body(await _whole(receive)))
        except TypeError as wrong:
            raise Unfit(400, str(wrong)) from None
        except ValueError as wrong:
            status = 413 if "too large" in str(wrong) else 400
            why = str(wrong) if status == 413 else f"the body is not JSON: {wrong}"
            raise Unfit(status, why) from None
        pairs = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        url = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        path = http.read_path(url, pairs)
        peer = tuple(scope["client"] or ("unknown", 0))
        headers = http.visible(scope["headers"])
        return Request(method, path, headers, body, peer), pairs.get(http.MESSAGE)


async def _whole(receive: Any) -> bytes:
    """The bytes of the body; raises Unfit if they are too many."""
    data = bytearray()
    while True:
        event = await receive()
        data += event.get("body", b"")
        if len(data) > http.MAX_BYTES:
            raise Unfit(413, f"the body is too large: more than {http.MAX_BYTES:,} bytes")
        if not event.get("more_body"):
            return bytes(data)


def _bytes(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
