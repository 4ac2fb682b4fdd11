"""Trials of checks that begin in a moment: forks of a process which has all imported.

What a trial is stays as it is, from the place it is put into to how it is ended; only Python need
not start anew for each. Tests of how one starts take none of these.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import types

# Not a module of its own: it would be taken for a learner's, who is at work as long as it runs.
STEM = """
import json, os, signal, socket, sys
sys.path[:] = json.loads(sys.argv[1])
sys.modules["pytest"] = None  # as elsewhere.py has it
import cloudpickle, time_machine
del sys.modules["pytest"]
from statelab.lab.trials.trial import serve

def take(door):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, streams, _, _ = socket.recv_fds(door, 1 << 20, 2)
        if not text:
            os._exit(0)
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for stream, number in zip(streams, (0, 1)):
                os.dup2(stream, number)
            os.closerange(3, max(*streams, door.fileno()) + 1)
            door.detach()
            return json.loads(text)
        for stream in streams:
            os.close(stream)
        door.send(str(child).encode())

order = take(socket.socket(fileno=int(sys.argv[2])))
os.environ.clear()
os.environ.update(order["env"])
os.chdir(order["cwd"])
sys.path[:] = order["path"]
serve(order["number"])
"""


class Forked:
    """What Runner needs of a Popen: a fork of the stem with this process's hash seed."""

    def __init__(self, command, *, env, **_):
        order = {"path": json.loads(command[3]), "number": int(command[4]), "env": env}
        read, self_writes = os.pipe()
        self_reads, write = os.pipe()
        door = _stem(env["PYTHONHASHSEED"])
        text = json.dumps({**order, "cwd": os.getcwd()}).encode()
        socket.send_fds(door, [text], [read, write])
        for stream in (read, write):
            os.close(stream)
        self.stdin, self.stdout = os.fdopen(self_writes, "wb"), os.fdopen(self_reads, "rb")
        self.pid = int(door.recv(100))
        try:
            self._life = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._life = None

    def terminate(self):
        self._signal(signal.SIGTERM)

    def kill(self):
        self._signal(signal.SIGKILL)

    def _signal(self, number):
        if self._life is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._life, number)

    def wait(self, timeout=None):
        if self._life is None:
            return
        if not select.select([self._life], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a fork", timeout)
        os.close(self._life)
        self._life = None


_stems = {}


def _stem(hash_seed):
    """The socket to the stem with this hash seed, which ends with this process."""
    if hash_seed not in _stems:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = json.dumps([entry or os.getcwd() for entry in sys.path])
        process = subprocess.Popen(
            [sys.executable, "-c", STEM, path, str(its.fileno())],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[its.fileno()],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, start_new_session=True,
        )  # fmt: skip
        its.close()
        _stems[hash_seed] = ours, process
    return _stems[hash_seed][0]


def subprocess_that_forks():
    """What stands for the module `subprocess` in process.py; itself where nothing can fork so."""
    if not (hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")):
        return subprocess
    kept = {name: getattr(subprocess, name) for name in ("PIPE", "DEVNULL", "TimeoutExpired")}
    return types.SimpleNamespace(Popen=Forked, **kept)


def end():
    """Ends all stems."""
    for ours, process in _stems.values():
        ours.close()
        process.wait(20)
    _stems.clear()
