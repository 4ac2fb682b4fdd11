"""What Binder would build from binder/, read from the Dockerfile that repo2docker writes for it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dockerfile():
    """The Dockerfile of this checkout, written without a container engine."""
    # By its command: the module looks at the working directory when it is imported.
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def test_binder_installs_the_requirements_and_this_checkout(dockerfile):
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    lines = (ROOT / "binder/requirements.txt").read_text().splitlines()
    assert {"-c ../requirements.lock", "-r ../requirements.txt", "-e ."} <= set(lines)


def test_binder_has_the_python_that_outputs_are_recorded_with(dockerfile):
    assert "conda environment for python=3.11" in dockerfile


def test_what_binder_installs_is_there():
    for line in (ROOT / "binder/requirements.txt").read_text().splitlines():
        if line.startswith(("-c", "-r")):
            assert (ROOT / "binder" / line.split()[1]).is_file()
    assert (ROOT / "pyproject.toml").is_file(), "`-e .` needs it"
