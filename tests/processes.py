"""Whether a world's processes and its folder are gone, and how long that may take."""

import time

import psutil


def is_over(pids, folder):
    gone = [pid for pid in pids if not psutil.pid_exists(pid) or is_zombie(pid)]
    return len(gone) == len(pids) and not folder.exists()


def is_zombie(pid):
    """Whether nobody has waited for it yet; one that is reparented may be for a moment."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_over(pids, folder, seconds=2.0):
    end = time.monotonic() + seconds
    while not is_over(pids, folder):
        assert time.monotonic() < end, (
            f"{[psutil.Process(p) for p in pids if psutil.pid_exists(p)]} {folder.exists()}"
        )
        time.sleep(0.01)
