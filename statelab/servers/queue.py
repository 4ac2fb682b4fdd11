"""A message queue: what is appended waits until somebody has read it and said that it is done.

Named after Redis Streams (stream, group, acknowledgement, pending), with a visibility time-out as
Amazon SQS has it: there whoever reads claims what others took and left; here `/read` does so too.
"""

from __future__ import annotations

import re
from typing import Any

from statelab.checked import MAX_SECONDS
from statelab.message import Request, Response
from statelab.node import Node, Soft

_NAME = re.compile(r"[\w.-]+")
_LOOK_S = 0.01  # how often a read that waits looks again
QUEUE_PATHS = ("/append", "/read", "/ack", "/pending")


class Queue(Node):
    """Hands each entry of a stream to one reader of each group, again and again until one acks.

    Bodies: /append {"stream", "entry"} answers {"id"}; /read {"stream", "group", "wait": 0} with
    the next [{"id", "entry", "deliveries"}], or with [] if none comes within `wait` seconds;
    /ack {"stream", "group", "id"} with whether it was pending; /pending {"stream", "group"} with
    the ids that were read and not acknowledged. Ids count from 1. What is read is invisible to its
    group for `visible_s` seconds; if no ack has come by then, the next read gets it again, before
    what is new. Entries stay when acknowledged, so another group reads them from the beginning.

    With `durable`, each change is on its disk before it answers. Otherwise a kill takes it all.
    """

    def __init__(self, visible_s: float = 1.0, durable: bool = True):
        self.visible_s = visible_s
        self.streams = {}
        self.groups = {}
        self._durable = durable
        for key, value in self.disk.items():
            kind, *name = key.split(" ")
            if kind == "entry":
                self.streams.setdefault(name[0], []).append(value)
            else:
                read, pending = value
                pending = {int(id): Soft(count, until) for id, (count, until) in pending.items()}
                self.groups[" ".join(name)] = {"read": read, "pending": pending}

    async def handle(self, request: Request) -> Any:
        asked = request.body if type(request.body) is dict else {}
        if request.path not in QUEUE_PATHS:
            return Response(404, {"error": f"a queue takes {', '.join(QUEUE_PATHS)}"})
        for name in ("stream",) if request.path == "/append" else ("stream", "group"):
            if type(asked.get(name)) is not str or not _NAME.fullmatch(asked[name]):
                return Response(400, {"error": f"{name!r} must be a name, without spaces"})
        if request.path == "/append":
            return self._append(asked["stream"], asked.get("entry"))
        name = f"{asked['stream']} {asked['group']}"
        if request.path == "/read":
            wait = asked.get("wait", 0)
            if type(wait) not in (int, float) or not 0 <= wait <= MAX_SECONDS:
                return Response(400, {"error": "'wait' must be seconds, from 0 on"})
            return await self._read(asked["stream"], name, wait)
        pending = self._group(name)["pending"]
        if request.path == "/pending":
            return sorted(pending)
        if type(asked.get("id")) is not int:
            return Response(400, {"error": "'id' must be the number of an entry"})
        was = pending.pop(asked["id"], None) is not None
        self._keep_group(name)
        return {"acknowledged": was}

    def _append(self, stream: str, entry: Any) -> dict[str, int]:
        entries = self.streams.setdefault(stream, [])
        entries.append(entry)
        if self._durable:
            self.disk[f"entry {stream} {len(entries):09}"] = entry
        return {"id": len(entries)}

    async def _read(self, stream: str, name: str, wait: float) -> list[dict[str, Any]]:
        end = self.now() + wait
        while (found := self._next(stream, name)) is None:
            if self.now() >= end:
                return []
            await self.sleep(_LOOK_S)
        return [found]

    def _next(self, stream: str, name: str) -> dict[str, Any] | None:
        """What the group gets now: what was left by a reader, else what is new, else None."""
        group, entries = self._group(name), self.streams.get(stream, [])
        pending = group["pending"]
        left = [id for id, taken in sorted(pending.items()) if self.now() >= taken.until]
        if left:
            id, deliveries = left[0], pending[left[0]].value + 1
        elif group["read"] < len(entries):
            group["read"] += 1
            id, deliveries = group["read"], 1
        else:
            return None
        pending[id] = Soft(deliveries, round(self.now() + self.visible_s, 6))
        self._keep_group(name)
        return {"id": id, "entry": entries[id - 1], "deliveries": deliveries}

    def _group(self, name: str) -> dict[str, Any]:
        return self.groups.setdefault(name, {"read": 0, "pending": {}})

    def _keep_group(self, name: str) -> None:
        if self._durable:
            group = self.groups[name]
            pending = {id: list(taken) for id, taken in group["pending"].items()}
            self.disk[f"group {name}"] = [group["read"], pending]
