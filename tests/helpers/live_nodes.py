"""Nodes that the tests of the live world start, and what they ask of its trace."""

from statelab.node import Node


class Counter(Node):
    """Remembers in its own memory."""

    def __init__(self, count=0):
        self.count = count

    async def handle(self, request):
        self.count += 1
        return self.count


class Echo(Node):
    async def handle(self, request):
        body = {"method": request.method, "path": request.path, "body": request.body}
        return {**body, "headers": request.headers, "peer": request.peer}


class Sleeper(Node):
    """Sleeps as long as it is told, and counts what it has finished."""

    def __init__(self):
        self.finished = 0

    async def handle(self, request):
        await self.sleep(request.body or 0)
        self.finished += 1
        return self.finished


class Caller(Node):
    """Calls the node that it is told to."""

    async def handle(self, request):
        body = request.body
        times = body.get("times", 1)
        answers = await self.gather(*[
            self.call(body["to"], body=body.get("body"), timeout=body.get("timeout", 1.0),
                      via=via if body.get("via") else None)
            for via in range(times)
        ])  # fmt: skip
        return [answer.body for answer in answers]


def kinds(world, message=None):
    return [row.kind for row in world.trace.rows if message in (None, row.message)]


def consistent(trace):
    """Each row stands where it says, after its cause, and not before an earlier time."""
    latest = 0
    for place, row in enumerate(trace.rows):
        assert row.seq == place
        assert row.cause is None or row.cause < place
        assert row.time_us >= latest
        latest = row.time_us
    return True
