"""Three ways to know who is calling: by the connection, by a session id, by a token.

All take POST /login {"user": ...} and POST /logout, and answer GET /profile with the user, or
with 401. Nobody asks for a password: the lesson is what is remembered, and where. The first three
stand in lesson 04 with the same text, which a test compares.
"""

from __future__ import annotations

from statelab.message import Response
from statelab.node import Node
from statelab.servers import tokens


class AuthByConnection(Node):
    """Remembers who logged in from which <ip, port>, that is, on which connection."""

    def __init__(self):
        self.logged_in = {}

    async def handle(self, request):
        if request.path == "/login":
            self.logged_in[request.peer] = tokens.user_in(request)
            return {"ok": True}
        if request.path == "/logout":
            self.logged_in.pop(request.peer, None)
            return {"ok": True}
        user = self.logged_in.get(request.peer)
        if user is None:
            return Response(401, {"error": "nobody has logged in on this connection"})
        return {"user": user}


class AuthBySession(Node):
    """Remembers who got which session id: a random text that means nothing by itself."""

    def __init__(self):
        self.logged_in = {}

    async def handle(self, request):
        session = tokens.brought_by(request)
        if request.path == "/login":
            session = self.random.randbytes(16).hex()
            self.logged_in[session] = tokens.user_in(request)
            return {"token": session}
        if request.path == "/logout":
            self.logged_in.pop(session, None)
            return {"ok": True}
        user = self.logged_in.get(session)
        if user is None:
            return Response(401, {"error": "this session id is not known here"})
        return {"user": user}


class AuthByToken(Node):
    """Remembers no user, only the key that it was given: it checks the signature of each token."""

    def __init__(self, key, lifetime_s=3600.0):
        self.key = tokens.checked_key(key)
        self.lifetime_s = lifetime_s

    async def handle(self, request):
        token = tokens.brought_by(request)
        if request.path == "/login":
            user = tokens.user_in(request)
            return {"token": tokens.signed(user, self.key, self.now(), self.lifetime_s)}
        if request.path == "/logout":
            return {"ok": True}  # nothing to forget, so the token stays good until it expires
        try:
            return {"user": tokens.user_of(token, self.key, self.now())}
        except tokens.BadToken as wrong:
            return Response(401, {"error": str(wrong)})


class KeyMadeAtStart(AuthByToken):
    """Makes its own key when it starts, as many a first version does."""

    def __init__(self):
        super().__init__(self.random.randbytes(32))
