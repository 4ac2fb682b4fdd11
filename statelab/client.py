"""A client: what a browser or a phone is. It keeps its connections, and its token."""

from __future__ import annotations

from typing import Any, Protocol

from statelab.checked import DEFAULT_TIMEOUT
from statelab.effects import Call
from statelab.message import NoReply, Refused, Response


class Pending:
    """A request under way: `outcome` is None until it has ended, then a Response or an error."""

    __slots__ = ("_world", "name", "outcome")

    def __init__(self, world: ClientWorld, name: str):
        self._world = world
        self.name = name
        self.outcome: Response | Refused | NoReply | None = None

    def result(self) -> Response:
        """Waits until the request has ended; returns its Response, raises Refused or NoReply."""
        if self.outcome is None:
            self._world._wait(self)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def __repr__(self) -> str:
        return f"<request of {self.name}: {self.outcome or 'under way'}>"


class ClientWorld(Protocol):
    """What a client needs of its world."""

    def _request(self, client: Client, call: Call) -> Pending: ...
    def _wait(self, pending: Pending) -> None: ...
    def _reconnect(self, client: Client) -> None: ...
    def _ports(self, client: Client) -> dict[str, int]: ...


class Client:
    """Sends requests from outside, over one connection for each server, each with its own port.

    A connection lasts until one side dies, a time-out closes it, or `reconnect`. When an answer's
    body has a "token", the client keeps it and sends it as `Authorization: Bearer` from then on.
    """

    _world: ClientWorld
    name: str
    _token: str | None

    def __init__(self, *_: Any):
        raise TypeError("a client is its world's: write world.client('alice'), which makes it")

    @classmethod
    def _of(cls, world: ClientWorld, name: str) -> Client:
        client = cls.__new__(cls)
        client._world, client.name, client._token = world, name, None
        return client

    @property
    def token(self) -> str | None:
        """The token that the client keeps, or None."""
        return self._token

    @token.setter
    def token(self, token: Any) -> None:
        raise TypeError(
            "a client keeps the token that an answer's body brings: to send another, give "
            "headers={'authorization': 'Bearer …'}"
        )

    @property
    def ports(self) -> dict[str, int]:
        """The port of each open connection, by the server's name."""
        return self._world._ports(self)

    def get(self, to: str, path: str = "/", **options: Any) -> Response | Pending:
        """Sends GET; see `send` for the options, the result and the errors."""
        return self.send("GET", to, path, **options)

    def post(self, to: str, path: str = "/", body: Any = None, **options: Any):
        """Sends POST with a JSON body; see `send`."""
        return self.send("POST", to, path, body, **options)

    def put(self, to: str, path: str = "/", body: Any = None, **options: Any):
        """Sends PUT with a JSON body; see `send`."""
        return self.send("PUT", to, path, body, **options)

    def delete(self, to: str, path: str = "/", **options: Any) -> Response | Pending:
        """Sends DELETE; see `send`."""
        return self.send("DELETE", to, path, **options)

    def send(
        self,
        method: str,
        to: str,
        path: str = "/",
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait: bool = True,
    ) -> Response | Pending:
        """Sends a request; waits for its Response, or with `wait=False` returns it as Pending.

        Raises Refused (it did not happen), NoReply (nobody knows), UnknownNode, and TypeError or
        ValueError for what cannot be sent. A header given here replaces the client's own token.
        `timeout` is in seconds.
        """
        pending = self._world._request(self, Call(to, path, body, method, headers, timeout))
        return pending.result() if wait else pending

    def reconnect(self) -> None:
        """Closes the client's connections; its next request opens a new one, from a new port."""
        self._world._reconnect(self)

    def __repr__(self) -> str:
        return f"<client {self.name}>"


def with_token(client: Client, headers: dict[str, str]) -> dict[str, str]:
    """The headers that the client sends: its token, unless they bring their own."""
    if client._token is None or "authorization" in headers:
        return headers
    return {"authorization": f"Bearer {client._token}", **headers}


def keep_token(client: Client, response: Response) -> None:
    """Lets the client keep the token that an answer brought."""
    body = response.body
    if type(body) is dict and isinstance(body.get("token"), str):
        client._token = body["token"]
