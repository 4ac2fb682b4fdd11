"""Rules for every pytest run: notebooks as tests, one Chromium at a time, no silent skip in CI."""

import os
import shutil
import sys

import notebook_kernels
import pytest

IN_CI = os.environ.get("STATELAB_CI") == "1"


def pytest_configure(config):
    if config.option.nbval and sys.version_info[:2] != notebook_kernels.REFERENCE_PYTHON:
        config.option.nbval, config.option.nbval_lax = False, True
    notebook_kernels.patch_nbval()


def pytest_unconfigure():
    notebook_kernels.remove_sockets()


def pytest_report_header(config):
    skips = "a skip is a failure" if IN_CI else "tests skip for what is missing here"
    if config.option.nbval_lax:
        python = "{}.{}".format(*notebook_kernels.REFERENCE_PYTHON)
        return [f"statelab: {skips}; notebooks only run (outputs are compared on Python {python})"]
    return [f"statelab: {skips}; notebooks' outputs are compared exactly"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.suffix == ".ipynb":
            # One kernel runs all the cells of a notebook, so one worker must.
            item.add_marker(pytest.mark.notebooks)
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


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
    """The path of an installed Chromium; skips where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium found: install one, or set STATELAB_CHROMIUM to its path")
    return path
