"""Strangers: who calls a node and does not know its world's secret, such as curl, or a browser.

What a stranger's browser may have sent on behalf of a page of the web is turned away, and nothing
of a stranger's is kept without bound.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from typing import Any

import h11

from statelab.checked import MAX_HEADERS, MAX_HEADERS_SIZE
from statelab.live.transport import http

MOST_STRANGERS = 100  # connections: some systems give a process no more than 256 descriptors
MOST_SILENT = 100  # connections on which nothing was said yet
MOST_BODY = 1 << 17  # of a body: it is parsed in one go, and nobody else is heard meanwhile
_HOST = re.compile(r"(\[[0-9a-f:.]*\]|[^:]*)(:[0-9]{0,5})?", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://(.*)", re.IGNORECASE)
_NEAR = ("same-origin", "same-site", "none")  # of what a browser says about a page's site


class Unfit(Exception):
    """A request that never reaches the node: the status it gets, and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


class Turns:
    """Strangers whose requests are whole wait here until one after the other is handed over.

    They take no more than half of the node's time: whatever one costs, as long others are heard.
    """

    def __init__(self):
        self._waiting: dict[Any, None] = {}
        self._next: asyncio.Handle | None = None

    def queue(self, stranger: Any) -> None:
        """Calls its `hand_over` when those before it have had their turns."""
        self._waiting[stranger] = None
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._take)

    def forget(self, stranger: Any) -> None:
        """It is gone."""
        self._waiting.pop(stranger, None)

    def _take(self) -> None:
        self._next = None
        if self._waiting:
            loop = asyncio.get_running_loop()
            began = loop.time()
            first, *_ = self._waiting
            del self._waiting[first]
            first.hand_over()
            now = loop.time()
            self._next = loop.call_at(now + (now - began), self._take)


def admit(request: h11.Request, name: str) -> None:
    """Raises Unfit for a stranger's request that is not for the node of that name."""
    if why := _foreign(request, name):
        raise Unfit(403, why)
    size = sum(len(name) + len(value) for name, value in request.headers)
    if len(request.headers) > MAX_HEADERS or size > MAX_HEADERS_SIZE:
        most = f"{MAX_HEADERS} headers or {MAX_HEADERS_SIZE:,} characters"
        raise Unfit(431, f"there are more than {most}")
    told = dict(request.headers)
    if b"transfer-encoding" in told and (
        b"content-length" in told or request.http_version == b"1.0"
    ):  # who stands between may have read another end of it (RFC 9112, section 6.1)
        raise Unfit(400, "it says in two ways where its body ends")


def _is_here(host: str) -> bool:
    """Whether a host, with or without a port, is this machine and nothing else."""
    found = _HOST.fullmatch(host)
    if found is None or int((found[2] or "")[1:] or 0) >= 1 << 16:
        return False
    if found[1].lower() in ("localhost", "localhost."):
        return True
    try:
        if found[1].startswith("["):
            return ipaddress.IPv6Address(found[1][1:-1]) == ipaddress.IPv6Address(1)
        return ipaddress.IPv4Address(found[1]).is_loopback
    except ValueError:
        return False


def _foreign(request: h11.Request, name: str) -> str:
    """Why a browser may have sent this on behalf of a page that is not of this machine; '' if not.

    Who writes a request by hand may call the node by its `name`, if that is one word: no page has
    such a host.

    A page may send a request to any address, and see to it that its own host name stands for this
    machine (DNS rebinding); but the browser says which name, and which page.
    """
    absolute = http.ABSOLUTE.fullmatch(request.target.decode("latin-1"))
    told = [(name, value.decode("latin-1")) for name, value in request.headers]
    if absolute:
        told.append((b"host", absolute[1]))
    for header, value in told:  # of several, any; HTTP/1.0 names no host, and no browser speaks it
        if header == b"host" and not (_is_here(value) or (value == name and "." not in value)):
            return f"the host {value:.100} is not this machine: ask 127.0.0.1 or localhost"
        if header == b"origin" and value:
            origin = _ORIGIN.fullmatch(value)
            if not (origin and _is_here(origin[1])):
                return f"a page of {value:.100} is not of this machine"
        if header == b"sec-fetch-site" and value.lower() not in _NEAR:
            return "a page of another site is not of this machine"
    return ""
