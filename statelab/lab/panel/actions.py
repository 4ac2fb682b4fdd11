"""What a learner can do: faults of nodes and links, and a button for each action of a client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from statelab.checked import DEFAULT_TIMEOUT, checked_name
from statelab.effects import Call
from statelab.lab.given import given
from statelab.language import spoken
from statelab.message import shown

NODE_FAULTS = ("kill", "restart", "pause", "resume")
LINK_FAULTS = ("partition", "heal", "hold", "release", "lose_next")


@dataclass(frozen=True)
class Action:
    """A button of `client` that sends one request; its options are those of `Client.send`.

    Raises TypeError or ValueError, at once, for a request that cannot be sent.
    """

    client: str
    label: str
    method: str = "GET"
    to: str = ""
    path: str = "/"
    body: Any = None
    headers: dict[str, str] | None = None
    timeout: float | None = DEFAULT_TIMEOUT

    def __post_init__(self):
        checked_name(self.client, "a client")
        given(str, self.label, "the label of an action")
        if self.method != "RECONNECT":
            Call(self.to, self.path, self.body, self.method, self.headers, self.timeout)

    @classmethod
    def reconnect(cls, client: str, label: str = "") -> Action:
        """A button that closes the client's connections: its next request opens a new one."""
        return cls(client, label or spoken("new connection"), "RECONNECT")

    def verb(self) -> tuple:
        """The action as a verb of the world and its arguments."""
        if self.method == "RECONNECT":
            return "reconnect", self.client
        return (
            "request",
            self.client,
            self.method,
            self.to,
            self.path,
            self.body,
            self.headers,
            self.timeout,
        )

    def apply(self, world: Any) -> None:
        """Does it, in either world, and does not wait for the outcome."""
        client = world.client(self.client)
        if self.method == "RECONNECT":
            client.reconnect()
            return
        client.send(
            self.method,
            self.to,
            self.path,
            self.body,
            headers=self.headers,
            timeout=self.timeout,
            wait=False,
        )

    def line(self) -> str:
        """What the button does, in a few words for its tooltip."""
        if self.method == "RECONNECT":
            return spoken("{client} closes its connections", client=self.client)
        body = "" if self.body is None else f" {self.body!r}"
        what = f"{self.method} {self.path}{body}"
        return spoken("{client} sends {what} to {to}", client=self.client, what=what, to=self.to)


def named(actions: Sequence[Action], label: str | int, client: str | None = None) -> Action:
    """The action that is meant by its place, or its label and client. Raises ValueError."""
    if type(label) is int and 0 <= label < len(actions):
        return actions[label]
    for action in actions:
        if action.label == label and client in (None, action.client):
            return action
    known = ", ".join(f"{action.client}: {action.label}" for action in actions) or "none"
    raise ValueError(f"no action {shown(label)}; the panel's actions: {known}")
