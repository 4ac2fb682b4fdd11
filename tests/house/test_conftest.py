"""The rules of every run, in conftest.py: tried on a small project that breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]
SKIPS = "import pytest\n\ndef test_engine(): pytest.skip('no engine here')\n"
SKIPPED_MODULE = "import pytest\n\npytest.skip('no engine here', allow_module_level=True)\n"
WORKER = "def test_worker(worker_id): print('worker', worker_id)\n"


@pytest.fixture
def project(tmp_path):
    """A project with the rules of this one, and a way to run pytest in it."""
    for name in ("conftest.py", "pyproject.toml", "tests/helpers/notebook_kernels.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()

    def run(*arguments, **variables):
        variables = {**os.environ, "STATELAB_CI": "", **variables}
        for name in [name for name in variables if name.startswith("PYTEST_")]:
            del variables[name]  # this run's own worker
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    run.folder = tmp_path
    return run


def write_notebook(path, printed, **metadata):
    cells = [
        new_code_cell("count = 41", execution_count=1),
        new_code_cell(
            "print(count + 1)", execution_count=2, outputs=[new_output("stream", text=printed)]
        ),
    ]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


def test_in_ci_a_skipped_test_and_a_skipped_module_fail_and_say_why(project):
    (project.folder / "tests" / "test_it.py").write_text(SKIPS)
    (project.folder / "tests" / "test_module.py").write_text(SKIPPED_MODULE)
    code, printed = project("--continue-on-collection-errors", "tests", STATELAB_CI="1")
    assert code == 1
    assert printed.count("a skip is a failure in CI. Skipped: no engine here") >= 2
    assert "1 failed, 1 error" in printed


@pytest.mark.notebooks
def test_cells_of_a_notebook_share_a_kernel_and_browser_tests_a_worker(project):
    for name in ("a", "b"):
        write_notebook(project.folder / "notebooks" / f"{name}.ipynb", "42\n")
        (project.folder / "tests" / f"test_browser_{name}.py").write_text(WORKER)
    code, printed = project("-n", "2")
    assert code == 0, printed
    assert "6 passed" in printed
    workers = {line for line in printed.splitlines() if line.startswith("worker ")}
    assert len(workers) == 1


@pytest.mark.notebooks
@pytest.mark.skipif(
    "config.option.nbval_lax", reason="outputs are compared on the reference Python only"
)
def test_a_notebook_with_another_output_fails(project):
    write_notebook(project.folder / "notebooks" / "a.ipynb", "43\n")
    code, printed = project()
    assert code == 1
    assert "Cell outputs differ" in printed


NO_JAVA = """
from pathlib import Path
from statelab.engines import zookeeper

zookeeper.JAR = Path("nowhere.jar")
"""


@pytest.mark.notebooks
def test_a_notebook_without_its_engines_skips_as_a_whole_and_says_why(project):
    write_notebook(
        project.folder / "notebooks" / "a.ipynb", "43\n", statelab={"engines": ["zookeeper"]}
    )
    (project.folder / "tests" / "conftest.py").write_text(NO_JAVA)
    code, printed = project("notebooks", "tests/conftest.py")
    assert "2 skipped" in printed
    assert "sudo apt install libzookeeper-java" in printed
    code, printed = project("notebooks", "tests/conftest.py", STATELAB_CI="1")
    assert code == 1
    assert printed.count("a skip is a failure in CI. Skipped: there is no ZooKeeper here") >= 2


def test_a_test_without_its_engines_skips_and_with_them_runs(project):
    marked = "import pytest\n\n@pytest.mark.engines('zookeeper')\ndef test_it(): pass\n"
    (project.folder / "tests" / "test_it.py").write_text(marked)
    (project.folder / "tests" / "conftest.py").write_text(NO_JAVA)
    assert "1 skipped" in project("tests")[1]
    here = NO_JAVA.replace("nowhere.jar", __file__) + "zookeeper.shutil.which = str\n"
    (project.folder / "tests" / "conftest.py").write_text(here)
    assert "1 passed" in project("tests")[1]


def test_a_mark_or_notebook_that_names_no_engine_is_an_error(project):
    marked = "import pytest\n\n@pytest.mark.engines('zokeeper')\ndef test_it(): pass\n"
    (project.folder / "tests" / "test_it.py").write_text(marked)
    code, printed = project("tests")
    assert code == 1
    assert "no engine is named 'zokeeper'" in printed


def test_no_test_touches_a_server_that_somebody_runs(project):
    names = [f"STATELAB_{name}" for name in ("REDIS_URL", "ZOOKEEPER_HOSTS", "POSTGRES_URL")]
    code = f"import os\n\ndef test_it(): assert not os.environ.keys() & {set(names)}\n"
    (project.folder / "tests" / "test_it.py").write_text(code)
    assert "1 passed" in project("tests", **dict.fromkeys(names, "somewhere"))[1]
