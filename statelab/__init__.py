"""What state does to a system: one server, ten lines long, in two worlds."""

from typing import Any

from statelab.client import Client, Pending
from statelab.effects import UnknownNode, WrongState
from statelab.message import NoReply, Refused, Request, Response
from statelab.node import Node, Soft
from statelab.rows import Row
from statelab.sim.inputs import scenario
from statelab.sim.world import World
from statelab.trace import Invariant, Trace

__version__ = "0.1.0"
__all__ = [
    "Client",
    "Invariant",
    "LiveWorld",
    "NoReply",
    "Node",
    "Pending",
    "Refused",
    "Request",
    "Response",
    "Row",
    "Run",
    "RunCodeError",
    "Soft",
    "Trace",
    "UnknownNode",
    "World",
    "WrongState",
    "scenario",
]


def __getattr__(name: str) -> Any:
    # Only who asks for real processes, or for a run as a text, pays for what they need.
    if name == "LiveWorld":
        from statelab.live import LiveWorld

        return LiveWorld
    if name == "Run":
        from statelab.sim.run import Run

        return Run
    if name == "RunCodeError":
        from statelab.sim.run_code import RunCodeError

        return RunCodeError
    raise AttributeError(f"module 'statelab' has no attribute {name!r}")
