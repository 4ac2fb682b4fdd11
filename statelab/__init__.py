"""What state does to a system: one server, ten lines long, in two worlds."""

from statelab.client import Client, Pending
from statelab.message import NoReply, Refused, Request, Response
from statelab.node import Node, Soft, UnknownNode, WrongState
from statelab.runcode import Run, RunCodeError, scenario
from statelab.trace import Invariant, Row, Trace
from statelab.world import World

__version__ = "0.1.0"
