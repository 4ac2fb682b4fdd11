"""A small database: it remembers on disk, so a kill takes nothing from it."""

from __future__ import annotations

from typing import Any

from statelab.message import Request, Response
from statelab.node import Node

OPERATIONS = ("/get", "/put", "/delete", "/incr", "/append", "/keys")


class Store(Node):
    """Keeps values by key on its disk, durable before it answers, and nothing in memory.

    Bodies: /get, /delete {"key"}; /put {"key", "value"}; /incr {"key", "by": 1}; /append {"key",
    "value"}; /keys {"prefix": ""}. Each answers with the value as it is then, null if there is
    none; /keys with a sorted list. No operation awaits, so each is atomic.
    """

    async def handle(self, request: Request) -> Any:
        if request.path not in OPERATIONS:
            return Response(404, {"error": f"a store takes {', '.join(OPERATIONS)}"})
        body = {} if request.body is None else request.body
        wanted = "prefix" if request.path == "/keys" else "key"
        name = body.get(wanted, "" if wanted == "prefix" else None) if type(body) is dict else None
        if type(name) is not str:
            return Response(400, {"error": f'{request.path} needs {{"{wanted}": a text}}'})
        if request.path in ("/put", "/append") and "value" not in body:
            return Response(400, {"error": f'{request.path} needs a "value"'})
        return getattr(self, f"_{request.path[1:]}")(name, body)

    def _get(self, key: str, body: dict) -> Any:
        return self.disk.get(key)

    def _put(self, key: str, body: dict) -> Any:
        self.disk[key] = body["value"]
        return body["value"]

    def _delete(self, key: str, body: dict) -> Any:
        self.disk.pop(key, None)
        return None

    def _incr(self, key: str, body: dict) -> Any:
        value, by = self.disk.get(key, 0), body.get("by", 1)
        if type(value) not in (int, float) or type(by) not in (int, float):
            return Response(400, {"error": f"{key} is {value!r}: {by!r} cannot be added to it"})
        self.disk[key] = value + by
        return value + by

    def _append(self, key: str, body: dict) -> Any:
        value = self.disk.get(key, [])
        if type(value) is not list:
            return Response(400, {"error": f"{key} is {value!r}: only a list can be appended to"})
        self.disk[key] = [*value, body["value"]]
        return [*value, body["value"]]

    def _keys(self, prefix: str, body: dict) -> list[str]:
        return [key for key in self.disk if key.startswith(prefix)]
