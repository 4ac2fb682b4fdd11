"""The supporting cast: servers that lessons start and tests kill. They know no world."""

from statelab.servers.balancer import Balancer
from statelab.servers.database import Database
from statelab.servers.lease import Lease, LeaseServer, ServerLease
from statelab.servers.queue import Queue
from statelab.servers.store import Store

__all__ = [
    "Balancer",
    "Database",
    "Lease",
    "LeaseServer",
    "Queue",
    "ServerLease",
    "Store",
]
