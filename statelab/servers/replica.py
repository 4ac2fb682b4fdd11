"""A small database that keeps its inputs in a log, and a copy that is made by replaying that log.

State-machine replication: Schneider, "Implementing Fault-Tolerant Services" (1990). They stand in
lesson 09 with the same text, which a test compares.
"""

from __future__ import annotations

from statelab.message import NoReply, Refused, Response
from statelab.node import Node


class Table(Node):
    """A table of items, and the rule by which an input changes it.

    An input is ["add", item, n], ["set", item, n], ["sell", item, n] (if there are so many),
    ["delete", item] or ["delete"].
    """

    def __init__(self):
        self.table, self.position = {}, 0

    def apply(self, change):
        what, *item = change
        self.position += 1
        if what == "delete":
            for name in item or list(self.table):
                self.table.pop(name, None)
            return
        name, number = item
        there = self.table.get(name, 0)
        if what == "add":
            self.table[name] = there + number
        elif what == "set":
            self.table[name] = number
        elif what == "sell" and there >= number:
            self.table[name] = there - number


class Original(Table):
    """Takes inputs in, one by one, and keeps them in a log, on its disk; its table follows.

    With `synchronous` it answers a write when a replica has it too.
    """

    def __init__(self, synchronous=False):
        super().__init__()
        self.confirmed = 0
        self._synchronous = synchronous
        for change in self.disk.get("log", []):
            self.apply(change)

    async def handle(self, request):
        if request.path == "/log":  # a replica asks what comes after its position
            self.confirmed = max(self.confirmed, request.body)
            return self.disk.get("log", [])[request.body :]
        if request.path == "/write":
            self.take(request.body)
            position = self.position
            while self._synchronous and self.confirmed < position:
                await self.sleep(0.01)
            return {"position": position}
        return {"table": self.table, "position": self.position}

    def take(self, change):
        self.disk["log"] = [*self.disk.get("log", []), change]
        self.apply(change)
        self.log(f"at {self.position}: {sorted(self.table.items())}")


class Replica(Original):
    """A copy: asks for what its log lacks, again and again, and takes it in, in that order.

    It takes no writes, until somebody promotes it.
    """

    def __init__(self, follows="original"):
        super().__init__()
        self.follows = None if "promoted" in self.disk else follows

    async def run(self):
        while self.follows:
            try:
                answer = await self.call(self.follows, "/log", self.position)
                for change in answer.body if self.follows else []:
                    self.take(change)
            except (Refused, NoReply):
                pass  # its position says what it lacks: it asks for that again
            await self.sleep(0.02)

    async def handle(self, request):
        if request.path == "/promote":
            self.disk["promoted"] = True
            self.follows = None
        if request.path == "/write" and self.follows:
            return Response(409, {"error": f"I am a copy: write to {self.follows}"})
        return await super().handle(request)
