"""How notebooks get their kernels when they are checked or recorded."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import nbval.kernel
from jupyter_client.manager import KernelManager

REFERENCE_PYTHON = (3, 11)  # what stored outputs are recorded with; others run uncompared

_sockets = None
_numbers = itertools.count()


def private_transport():
    """Return a kernel manager's settings for Unix sockets of its own; {} where there are none.

    By TCP, the ports of a kernel are chosen first and bound later: of many kernels started in
    parallel, some die at start because another took a port in between.
    """
    global _sockets
    if os.name == "nt":
        return {}
    if _sockets is None:
        # Not in TMPDIR: a socket's path must stay under some 100 characters.
        _sockets = Path(tempfile.mkdtemp(prefix="statelab-", dir="/tmp"))
    return {"transport": "ipc", "ip": str(_sockets / f"kernel{next(_numbers)}")}


def remove_sockets():
    """Remove the folder of the sockets, if there is one."""
    global _sockets
    if _sockets is not None:
        shutil.rmtree(_sockets, ignore_errors=True)
    _sockets = None


def patch_nbval():
    """Let nbval, which has no option for it, start its kernels on private sockets."""
    nbval.kernel.KernelManager = lambda **settings: KernelManager(**settings, **private_transport())
