"""The process of one life of a node: serves HTTP until it is killed.

`python -m statelab.live.child.main` reads a spec from its standard input; where the system can
fork, the warden calls `live` in a fork of itself that has done the imports already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import socket
import sys
import traceback
from functools import partial
from typing import Any

from statelab.live.child.life import Incarnation
from statelab.live.child.server import Server
from statelab.live.transport.control import Frames, connect, let_go, say
from statelab.live.transport.ports import listener
from statelab.message import said


def live(spec: dict[str, Any]) -> None:
    """Is the node that `spec` describes."""
    sys.path[:] = spec["path"]
    channel = connect(spec["desk"], spec["token"], ("node", spec["key"], os.getpid()))

    selector = selectors.DefaultSelector()
    if hasattr(os, "register_at_fork"):  # what the node forks is not the node
        os.register_at_fork(after_in_child=lambda: let_go(selector))
    loop = asyncio.SelectorEventLoop(selector)
    asyncio.set_event_loop(loop)
    try:
        os.chdir(spec["cwd"])
        with _holder(spec) as holder:
            sock = listener(spec["port"], holder)
        life = Incarnation(spec, loop, partial(say, channel))
    except BaseException as wrong:
        with contextlib.suppress(OSError):  # where it is written to, there may be no room
            traceback.print_exc()
        say(channel, "failed", said(wrong))
        channel.recv(1)  # until the driver has read it, and has this process killed
        raise
    loop.add_reader(channel, _hear, loop, channel, life, Frames())
    life.report(stepped=True)
    say(channel, "up", dict(life.disk))
    loop.call_soon(life.run)
    loop.run_until_complete(Server(life, spec["secret"]).serve(sock))
    loop.run_forever()


def _holder(spec: dict[str, Any]) -> Any:
    """What keeps this node's port, a copy that was given to this process; None if there is none."""
    return socket.socket(fileno=spec["holder"]) if "holder" in spec else contextlib.nullcontext()


def _hear(
    loop: asyncio.AbstractEventLoop, channel: socket.socket, life: Incarnation, frames: Frames
) -> None:
    """The driver says something, or has ended.

    Its end the warden has seen too, and kills this process with all that came of it. Only if the
    warden is gone as well, the process ends by itself.
    """
    data = channel.recv(1 << 16)
    for _, number, names in frames.feed(data):  # all that it says is "divert"
        for name in names:
            life.divert(name)
        say(channel, "done", number, None, "")
    if not data:
        loop.remove_reader(channel)
        loop.call_later(1.0, os._exit, 0)


if __name__ == "__main__":
    live(next(Frames().feed(sys.stdin.buffer.read())))
