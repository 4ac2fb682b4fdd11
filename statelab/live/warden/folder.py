"""A folder of a live world, and how it goes, whatever its nodes have done to what is in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time


def remove(folder: str | os.PathLike) -> None:
    """Removes a folder with all that is in it, as far as that can be done.

    What is read-only, as a cache of modules is, opens first: only root may empty it as it is.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.isdir(folder):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
        for parent, names, _ in os.walk(folder):  # each opens before it is looked into
            for name in names:
                path = os.path.join(parent, name)
                with contextlib.suppress(OSError):
                    if not os.path.islink(path):
                        os.chmod(path, 0o700)
        shutil.rmtree(folder, ignore_errors=True)


def remove_at_last(folder: str | os.PathLike) -> None:
    """Removes a folder into which what is just ending may still write."""
    for _ in range(20):
        remove(folder)
        if not os.path.exists(folder):
            break
        time.sleep(0.05)
