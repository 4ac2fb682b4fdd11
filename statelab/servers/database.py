"""A database that takes writes of whoever has a token; it stands in lesson 07 with the same text.

Fencing: Chubby calls its tokens sequencers (Burrows, "The Chubby lock service", 2006, section 2.4).
"""

from __future__ import annotations

from statelab.message import Response
from statelab.node import Node


class Database(Node):
    """Keeps what is written on its disk; with `fencing` it refuses a token older than one seen."""

    def __init__(self, fencing):
        self.fencing = fencing

    async def handle(self, request):
        write, newest = request.body, self.disk.get("newest token", 0)
        if self.fencing and write["token"] < newest:
            return Response(409, {"error": f"token {write['token']}, but I have seen {newest}"})
        if self.fencing:
            self.disk["newest token"] = write["token"]
        self.disk["written"] = [*self.disk.get("written", []), write]
        return {"ok": True}
