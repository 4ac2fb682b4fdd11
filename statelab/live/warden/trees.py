"""Process trees: a process and all that came of it, stopped and ended as one.

The warden imports this when it has time, for psutil takes longer to import than a node to start.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

_SEGMENTS, _IPC_RMID = Path("/proc/sysvipc/shm"), 0  # Linux

# So long, at the most, a process on a busy machine needs to hear a signal, and to be gone.
_HEARING_S, _DYING_S = 5.0, 20.0
_SEGMENT = re.compile(r"/dev/shm/PostgreSQL\.[0-9]+")  # Linux


def kill(pid: int) -> None:
    """SIGKILL, whether paused or not; returns when nothing of what came of it runs any more.

    The process itself is left to who waits for it. All are stopped before: what is born while the
    others die would be nobody's.
    """
    tree = pause(pid)
    _kill(tree)
    _wait(tree[1:], (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))


def pause(pid: int) -> list[psutil.Process]:
    """SIGSTOP; returns when all of them have stopped, and who they are."""
    tree: list[psutil.Process] = []
    end = time.monotonic() + _HEARING_S
    while more := _unknown(pid, {process.pid for process in tree}):
        for process in more:  # those that have just been born are found by the next look
            _each(process.suspend)
        _wait(more, (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
        tree += more
        if time.monotonic() > end:  # they are born faster than one can look
            break
    return tree


def resume(pid: int) -> None:
    """SIGCONT."""
    for process in _tree(pid):
        _each(process.resume)


def end_all(reap: Callable[[], object]) -> None:
    """Kills every process that came of this one; `reap` waits for those that have ended."""
    end = time.monotonic() + _DYING_S
    while (alive := _below(os.getpid())) and time.monotonic() < end:
        _kill(alive)
        time.sleep(0.01)
        reap()


def free_shared_memory(makers: set[int]) -> None:
    """Removes the System V segments that these processes made, which SIGKILL leaves behind."""
    if not _SEGMENTS.exists():
        return
    for line in _SEGMENTS.read_text().splitlines()[1:]:
        number, maker = int(line.split()[1]), int(line.split()[4])
        if maker in makers:
            ctypes.CDLL(None).shmctl(number, _IPC_RMID, None)


def _kill(processes: list[psutil.Process]) -> None:
    """SIGKILL to each of them; and what PostgreSQL then leaves in memory goes.

    While it makes a cluster, which it does in several processes, no setting keeps it from using
    POSIX shared memory; of a segment nobody knows who made it. So they are stopped before.
    """
    segments: set[str] = set()
    makers = [process for process in processes if _name(process) == "postgres"]
    for process in makers:
        _each(process.suspend)
    _wait(makers, (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
    for process in makers:
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{process.pid}/maps").read_text("utf-8", "replace")
            segments.update(_SEGMENT.findall(maps))
        with contextlib.suppress(OSError):
            files = Path(f"/proc/{process.pid}/fd").iterdir()
            segments.update(_SEGMENT.findall("\n".join(os.readlink(file) for file in files)))
    for process in processes:
        _each(process.kill)
    for segment in segments:
        Path(segment).unlink(missing_ok=True)
    free_shared_memory({process.pid for process in processes})


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


def _tree(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [psutil.Process(pid), *_all_below(pid)]
    return []


def _unknown(pid: int, known: set[int]) -> list[psutil.Process]:
    """Those of a tree who are not known yet, as far as a look at once or else a thorough one."""
    found = [] if pid in known else _tree(pid)
    found = found or _seen(pid, known)
    return found or [process for process in _all_below(pid) if process.pid not in known]


def _seen(pid: int, known: Collection[int] = ()) -> list[psutil.Process]:
    """Those of `_all_below` of whom Linux tells at once; it may miss who is just born, or ends.

    A look at all processes of a busy machine takes longer than some live, whose children go on.
    If some are `known` already, whoever else is found first will do: the next look finds others.
    """
    found: list[psutil.Process] = []
    parents = [pid]
    while parents and not (known and found):
        for born in _children(parents.pop()):
            parents.append(born)
            if born not in known:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.append(psutil.Process(born))
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    tasks = f"/proc/{pid}/task"
    with contextlib.suppress(OSError):  # it has ended, or this system does not tell
        for task in os.listdir(tasks):
            found += map(int, Path(tasks, task, "children").read_text().split())
    return found[::-1]  # who lives longest is the last, and is looked at first


def _below(pid: int) -> list[psutil.Process]:
    """Some of what came of a process, if there is anything."""
    return _seen(pid) or _all_below(pid)


def _all_below(pid: int) -> list[psutil.Process]:
    """All that came of a process, by who is whose parent.

    psutil's own `children` compares times of birth as well, by the clock of the wall: one that is
    set meanwhile makes a child older than its parent, and then it is none.
    """
    children = collections.defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            children[process.ppid()].append(process)
    found, parents = [], [pid]
    while parents:
        born = children.pop(parents.pop(), [])
        found += born
        parents += [process.pid for process in born]
    return found


def _wait(processes: list[psutil.Process], statuses: tuple[str, ...]) -> None:
    """Waits until each has such a status or is gone, but not for long."""
    end = time.monotonic() + _HEARING_S
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.status() not in statuses and time.monotonic() < end:
                time.sleep(0.0005)


def _each(verb: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        verb()
