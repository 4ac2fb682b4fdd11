"""The live world: each node an operating-system process, reached over real HTTP."""

from typing import Any

from statelab import machine

__all__ = ["LiveWorld"]


def __getattr__(name: str) -> Any:
    # The processes of nodes import this package too, and must not pay for the driver.
    if name == "LiveWorld" and not machine.HAS_PROCESSES:
        return machine.NoLiveWorld
    if name == "LiveWorld":
        from statelab.live.world import LiveWorld

        return LiveWorld
    raise AttributeError(f"module 'statelab.live' has no attribute {name!r}")
