"""What state does to a system: one server, ten lines long, in two worlds."""

import importlib
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


# Only who asks for real processes, or for a run as a text, pays for what they need.
_LATER = {
    "LiveWorld": "statelab.live",
    "Run": "statelab.sim.run",
    "RunCodeError": "statelab.sim.run_code",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'statelab' has no attribute {name!r}")
