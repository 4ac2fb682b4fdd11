"""Rules for every pytest run: notebooks as tests, one Chromium at a time, no silent skip in CI.

A test names the real servers that it needs by a mark, `engines("redis")`, and a notebook in its
metadata, `{"statelab": {"engines": ["redis"]}}`. Where one is missing it skips, and says why.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import notebook_kernels
import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests kill servers: of their own, never one that somebody runs.
for name in ("STATELAB_REDIS_URL", "STATELAB_ZOOKEEPER_HOSTS", "STATELAB_POSTGRES_URL"):
    os.environ.pop(name, None)

# Their code is that of the English ones, of which all are run with each change.
KOREAN = ("00_start_here", "05_many_servers")
IN_CI = os.environ.get("STATELAB_CI") == "1"


def pytest_configure(config):
    if config.option.nbval and sys.version_info[:2] != notebook_kernels.REFERENCE_PYTHON:
        config.option.nbval, config.option.nbval_lax = False, True
    notebook_kernels.patch_nbval()
    config.option.loadscopereorder = False


def pytest_unconfigure():
    notebook_kernels.remove_sockets()


def pytest_report_header(config):
    skips = "a skip is a failure" if IN_CI else "tests skip for what is missing here"
    if config.option.nbval_lax:
        python = "{}.{}".format(*notebook_kernels.REFERENCE_PYTHON)
        return [f"statelab: {skips}; notebooks only run (outputs are compared on Python {python})"]
    return [f"statelab: {skips}; notebooks' outputs are compared exactly"]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.notebooks)
            item.add_marker(pytest.mark.engines(*engines_of(item.path)))
            if item.path.parent.name == "ko" and item.path.stem not in KOREAN:
                item.add_marker(pytest.mark.soak)
        elif "browser" in item.path.name:
            item.add_marker(pytest.mark.browser)
    # The browser's worker has the most to do, and nobody else may do it: so it begins at once.
    items.sort(key=lambda item: "browser" not in item.path.name)


@functools.cache
def engines_of(path):
    """Return the engines that a notebook's metadata names."""
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    return metadata.get("statelab", {}).get("engines", [])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for mark in item.iter_markers("engines"):
        for name in mark.args:
            from statelab.engines import ENGINES  # not before a test asks for it

            if name not in ENGINES:
                pytest.fail(f"no engine is named {name!r}; there are: {', '.join(ENGINES)}")
            if why := ENGINES[name].missing():
                pytest.skip(why)


class OneWorkerPerFile(LoadScopeScheduling):
    """Keeps a file's tests on one worker: a notebook's cells share a kernel; files share fixtures.

    All files with "browser" in their name count as one, so that one Chromium runs at a time. Not
    by xdist's own groups: xdist 3.8 ignores them under pytest 9.2, without a word.
    """

    def _split_scope(self, nodeid):
        path = nodeid.split("::", 1)[0]
        return "browser" if "browser" in path.rsplit("/", 1)[-1] else path


def pytest_xdist_make_scheduler(config, log):
    return OneWorkerPerFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return failed_if_skipped((yield))


def failed_if_skipped(report):
    """In CI, make the report of a skipped test one of a failed test; expected failures stay."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: a skip is a failure in CI. {reason}"
    return report


def chromium():
    """Return the path of the Chromium to test with, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("STATELAB_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def chromium_path():
    """The path of an installed Chromium; skips where there is none, or nothing to drive it."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium found: install one, or set STATELAB_CHROMIUM to its path")
    if why := no_driver():
        pytest.skip(why)
    return path


def no_driver():
    """Return why Playwright's own Node.js, which drives the browser, does not run here, or None."""
    import playwright

    folder = Path(playwright.__file__).parent / "driver"
    command = [shutil.which("node", path=folder) or folder / "node", "--version"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as wrong:
        why = (getattr(wrong, "stderr", "") or str(wrong)).strip()
        return f"Playwright does not run here ({why}): a bare Debian lacks libatomic1, install it"
    return None
