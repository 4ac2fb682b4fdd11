"""The warden: one process per live world, the parent of all its nodes and engines.

A paused process cannot notice that the notebook's kernel has died, and an engine never looks. So
the warden does: it is never paused, it sits in a session of its own where no interrupt reaches it,
and when its channel or its parent ends it kills every process tree and removes the world's folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from typing import Any, NoReturn

from statelab.live.transport import ports
from statelab.live.transport.control import Frames, connect, pack, say
from statelab.live.warden.folder import remove_at_last
from statelab.message import said

POSIX = os.name == "posix"
LINUX = sys.platform == "linux"
HOLDS = LINUX  # elsewhere two sockets cannot have one port, and only one listen
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # Linux
_IDLE_S = 0.05
_LOOK_S = 0.5  # how often it looks whether the kernel still lives
_LAST_S = 8.0  # less than what the driver waits for the warden's end


class Warden:
    """Starts, signals and reaps processes for one driver. Each is known by a `key`."""

    def __init__(self, channel: socket.socket, forks: bool):
        self._channel = channel
        self._forks = forks
        self._pids: dict[int, int] = {}  # pid → key
        self._popen: dict[int, subprocess.Popen] = {}  # pid → what Popen made
        self._held: dict[int, socket.socket] = {}  # by port
        self._shared: dict[int, int] = {}  # key → port
        self._after: list[tuple[list[str], dict[str, Any]]] = []
        self._told: list[bool] = []  # not empty: it was asked to end, by SIGTERM
        self._wake, wake = socket.socketpair()
        wake.setblocking(False)
        if POSIX:
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            # Neither raises: it could come where everything is being ended, and cut that short.
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.signal(signal.SIGTERM, lambda *_: self._told.append(True))
        self._wakes = wake
        self._wait_s = _IDLE_S
        self._parent = os.getppid()
        if LINUX:
            _adopt()
            # If it is stopped when its parent dies, it goes on.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)

    def serve(self) -> None:
        """Does what the driver says until it is gone, then ends everything."""
        frames = Frames()
        try:
            while True:
                ready, _, _ = select.select([self._channel, self._wake], [], [], self._wait_s)
                if not ready:
                    self._prepare()
                # A fork of the kernel may hold its end of the channel, whoever forked.
                if self._told or (POSIX and os.getppid() != self._parent):
                    return
                if self._wake in ready:
                    self._wake.recv(4096)
                if self._channel in ready:
                    data = self._channel.recv(1 << 16)
                    if not data:
                        return
                    for verb, number, key, *args in frames.feed(data):
                        self._do(verb, number, key, *args)
                self._reap()
        except OSError:
            pass  # the driver is gone
        finally:
            self._end()

    def _prepare(self) -> None:
        """Does what would have made the first nodes wait."""
        import statelab.live.warden.trees  # noqa: F401

        self._wait_s = _LOOK_S if POSIX else 0.02  # elsewhere no signal tells of an exit

    # --------------------------------------------------------------------------- verbs
    def _do(self, verb: str, number: int, key: int, *args: Any) -> None:
        result, why = None, ""
        try:
            result = getattr(self, f"_do_{verb}")(key, *args)
        except OSError as wrong:
            why = str(wrong) or repr(wrong)
        say(self._channel, "done", number, result, why)

    def _do_node(self, key: int, spec: dict[str, Any]) -> int:
        """Starts a node's process; returns its pid."""
        if HOLDS:
            spec["holder"] = self._holder(spec["port"]).fileno()
        return self._python(key, "statelab.live.child.main", spec)

    def _do_relay(self, key: int, spec: dict[str, Any]) -> int:
        """Starts the relay; returns its pid."""
        return self._python(key, "statelab.live.relay.main", spec)

    def _do_hold(self, key: int, port: int, shared: bool) -> None:
        """Keeps a port; if `shared`, lets a program of that key take it, until that has ended."""
        if HOLDS:
            self._shared[key] = port
            ports.share(self._holder(port), shared)

    def _holder(self, port: int) -> socket.socket:
        if port not in self._held:
            self._held[port] = ports.held(port)
        return self._held[port]

    def _do_program(self, key: int, argv: list[str], log: str, options: dict[str, Any]) -> int:
        """Starts any other program, an engine say; `options` are Popen's, but `env` adds."""
        return self._spawn(key, argv, log, b"", **_adding(options))

    def _do_after(self, key: int, argv: list[str], options: dict[str, Any]) -> None:
        """Keeps a program to be run when the world has ended, and nothing runs any more."""
        self._after.append((argv, options))

    def _do_tree(self, key: int, verb: str) -> None:
        """Kills, pauses or resumes a process and all that came of it."""
        from statelab.live.warden import trees

        for pid, owner in self._pids.items():
            if owner == key:
                getattr(trees, verb)(pid)

    # --------------------------------------------------------------------------- processes
    def _python(self, key: int, module: str, spec: dict[str, Any]) -> int:
        """Starts a process that is what `module` does with `spec`."""
        if not self._forks:
            argv = [sys.executable, "-P", "-m", module]
            kept = [spec["holder"]] if "holder" in spec else []
            return self._spawn(key, argv, spec["log"], pack(spec), pass_fds=kept)
        out = _log(spec["log"])
        try:
            pid = os.fork()
            if not pid:
                self._become(module, spec, out)
        finally:
            os.close(out)
        self._pids[pid] = key
        return pid

    def _become(self, module: str, spec: dict[str, Any], out: int) -> NoReturn:
        """In a fork: forgets that this was the warden, and becomes something else."""
        try:
            os.setsid()
            _adopt()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for sock in (self._channel, self._wake, self._wakes):
                sock.close()
            with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as comm:
                # What `top` and `ps` show, and whoever reads /proc line by line.
                comm.write(re.sub(r"[^\w.-]", "_", spec["name"]).encode(errors="replace"))
            os.dup2(out, 1)
            os.dup2(out, 2)
            importlib.import_module(module).live(spec)
        except BaseException:
            traceback.print_exc()
        finally:  # whatever fails here, too: else this would go on as a second warden
            try:
                sys.stderr.flush()
            finally:
                os._exit(1)

    def _spawn(self, key: int, argv: list[str], log: str, stdin: bytes, **options: Any) -> int:
        out = _log(log)
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
                preexec_fn=_adopt if LINUX else None, **options,
            )  # fmt: skip
        finally:
            os.close(out)
        with contextlib.suppress(OSError), process.stdin:
            process.stdin.write(stdin)
        self._pids[process.pid] = key
        self._popen[process.pid] = process
        return process.pid

    def _reap(self) -> None:
        """Tells of the processes that have ended."""
        for pid, code in self._ended():
            key = self._pids.pop(pid, None)
            process = self._popen.pop(pid, None)
            if process is not None:
                process.returncode = code
            if key in self._shared:
                self._do_hold(key, self._shared[key], False)
            if key is not None:
                say(self._channel, "exit", key, code)

    def _ended(self) -> list[tuple[int, int]]:
        if not POSIX:
            return [(pid, p.returncode) for pid, p in self._popen.items() if p.poll() is not None]
        ended = []
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                ended.append((found[0], os.waitstatus_to_exitcode(found[1])))
        if ended:
            from statelab.live.warden import trees

            trees.free_shared_memory({pid for pid, _ in ended})
        return ended

    def _end(self) -> None:
        """Kills every process tree, then runs what was kept for the end."""
        from statelab.live.warden import trees

        trees.end_all(self._ended)
        last = []
        for argv, options in self._after:
            with contextlib.suppress(OSError):
                last.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, **_adding(options)))
        end = time.monotonic() + _LAST_S
        for process in last:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
        trees.end_all(self._ended)


def _adopt() -> None:
    """What comes of this process stays in its tree from here on, though its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _adding(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "env": {**os.environ, **options.get("env", {})}}


def main() -> None:
    """Is the warden of the world whose folder is the argument, until that world has ended."""
    folder = sys.argv[1]
    os.umask(0o077)  # what a node or an engine writes is nobody else's
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        line = sys.stdin.readline()
        if line:
            _serve(json.loads(line))
    finally:
        remove_at_last(folder)


def _serve(config: dict[str, Any]) -> None:
    try:
        channel = connect(config["desk"], bytes.fromhex(config["token"]), ("warden", os.getpid()))
    except OSError:  # the driver is gone already
        return
    forks = config["forks"]
    try:
        if forks:
            gc.disable()  # imports are faster without it
            import cloudpickle  # noqa: F401

            import statelab.live.child.main  # noqa: F401

            gc.freeze()
            gc.enable()
        Warden(channel, forks).serve()
    except Exception as wrong:
        say(channel, "lost", said(wrong))
        while channel.recv(4096):  # until the driver has taken note
            pass


if __name__ == "__main__":
    main()
