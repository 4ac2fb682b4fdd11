"""Wardens that begin in a moment: forks of a process which has all imported.

A warden stays what it is, a child of this process with pipes, a session and an end of its own;
only Python need not start anew for each. Tests of how a live world begins and ends, and of what
forks of the kernel do to it, take none of these.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import types

STEM = """
import ctypes, gc, json, os, platform, signal, socket, sys
gc.disable()
import cloudpickle
from statelab.live.child import main
from statelab.live.relay import main
from statelab.live.warden import trees
from statelab.live.warden import main
gc.freeze()
gc.enable()
CLONE_PARENT, CLONE = 0x8000, {"x86_64": 56, "aarch64": 220}[platform.machine()]

def fork():
    '''A fork which is no child of this process, but of the one whose child this is.'''
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = ctypes.PyDLL(None).syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid

def take(door):
    while True:
        text, streams, _, _ = socket.recv_fds(door, 1 << 20, 2)
        if not text:
            os._exit(0)
        child = fork()
        if not child:
            os.setsid()
            for stream, number in zip(streams, (0, 1)):
                os.dup2(stream, number)
            os.dup2(1, 2)
            os.closerange(3, max(*streams, door.fileno()) + 1)
            door.detach()
            return json.loads(text)
        for stream in streams:
            os.close(stream)
        door.send(str(child).encode())

order = take(socket.socket(fileno=int(sys.argv[1])))
os.environ.clear()
os.environ.update(order["env"])
os.chdir(order["cwd"])
sys.argv[:] = ["warden", order["folder"]]
with open("/proc/self/comm", "w") as comm:
    comm.write(order["name"])
main.main()
"""
_stems = {}
_lock = threading.Lock()


def name_of(folder):
    """What the forked warden of the world with this folder is called."""
    return f"warden-{folder[-8:]}"


class Forked(subprocess.Popen):
    """What WardenProcess needs of a Popen."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *more):
        stdin, log = more[3], more[6]
        folder = args[-1]
        order = {"env": env, "cwd": os.getcwd(), "folder": folder, "name": name_of(folder)}
        try:
            with _lock:
                door = _stem(args[0], env)
                socket.send_fds(door, [json.dumps(order).encode()], [stdin, log])
                self.pid = int(door.recv(100))
        finally:
            os.close(stdin)
        self._child_created = True


def _stem(executable, env):
    """The socket to the stem that finds the same modules; it ends with this process."""
    key = executable, env["PYTHONPATH"]
    if key not in _stems:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = subprocess.Popen(
            [executable, "-P", "-c", STEM, str(its.fileno())], pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env, start_new_session=True,
        )  # fmt: skip
        its.close()
        _stems[key] = ours, process
    return _stems[key][0]


def subprocess_that_forks():
    """What stands for the module `subprocess` in warden.py; itself where nothing can fork so."""
    if sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64"):
        return subprocess
    kept = {name: getattr(subprocess, name) for name in ("PIPE", "TimeoutExpired")}
    return types.SimpleNamespace(Popen=Forked, **kept)


def end():
    """Ends all stems."""
    for ours, process in _stems.values():
        ours.close()
        process.wait(20)
    _stems.clear()
