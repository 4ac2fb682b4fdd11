"""Nothing of an engine outlives the kernel: no process, no file, no shared memory, no user."""

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import folder_of, wait_until, wait_until_over, warden_of

from statelab.engines import Postgres
from statelab.live.world import LiveWorld

pytestmark = pytest.mark.live

PATHS = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "helpers")]
# Another interpreter that holds a live world with engines, some of them paused.
KERNEL = """
import time
from processes import folder_of, warden_of
from statelab.engines import Postgres, Redis, ZooKeeper
from statelab.live import LiveWorld

world = LiveWorld()
{lines}
warden = warden_of(world)
pids = [p.pid for p in warden.children(recursive=True)]
print(warden.pid, *pids, folder_of(world), flush=True)
time.sleep(1000)
"""
ENGINES = {
    "redis": """
world.start("redis", Redis, append_only=True)
world.start("copy", Redis, replica_of="redis")
world.pause("redis")
""",
    "postgres": """
world.start("primary", Postgres, synchronous_standby="standby")
world.start("standby", Postgres, standby_of="primary")
world.pause("primary")
""",
    "zookeeper": """
names = ["zk-1", "zk-2"]
for name in names:
    world.start(name, ZooKeeper, ensemble=names)
world.pause("zk-1")
""",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.engines(name)) for name in ENGINES]
)
def test_kill_9_of_the_kernel_leaves_nothing_of_an_engine_that_is_paused(name, kernel_kills):
    users = {user.pw_name for user in pwd.getpwall()}
    for _ in range(kernel_kills):
        process = subprocess.Popen(
            [sys.executable, "-c", KERNEL.format(lines=ENGINES[name])],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        )  # fmt: skip
        *pids, folder = process.stdout.readline().split()
        pids = [int(pid) for pid in pids]
        # A server of PostgreSQL has processes that come and go; the warden and most are there.
        assert psutil.pid_exists(pids[0])
        assert sum(map(psutil.pid_exists, pids)) > len(pids) / 2
        assert len(pids) >= 3  # the warden and two servers
        segments = {number for number, maker in shared_memory().items() if maker in pids}
        assert segments or name != "postgres" or not sys.platform.startswith("linux")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until_over(pids, Path(folder), 20)
        assert {user.pw_name for user in pwd.getpwall()} == users
        assert not segments & set(shared_memory())


@pytest.mark.engines("postgres")
@pytest.mark.parametrize("seen", [True, False])
def test_kill_9_of_the_warden_leaves_no_shared_memory(seen):
    with LiveWorld() as world:
        world.start("pg", Postgres)
        pids, folder = [p.pid for p in warden_of(world).children(recursive=True)], folder_of(world)
        segments = {number for number, maker in shared_memory().items() if maker in pids}
        assert segments or not sys.platform.startswith("linux")
        warden_of(world).kill()
        if seen:
            wait_until(lambda: "pg dead" in repr(world))
    wait_until_over(pids, folder)
    assert not segments & set(shared_memory())


def shared_memory():
    """Each System V segment's number, and the process that made it."""
    table = Path("/proc/sysvipc/shm")
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return {line.split()[1]: int(line.split()[4]) for line in lines}
