"""The rules of every run, in conftest.py: tried on a small project that breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]
RULES = ("conftest.py", "pyproject.toml", "tests/helpers/notebook_kernels.py")
SERVERS = [f"STATELAB_{name}" for name in ("REDIS_URL", "ZOOKEEPER_HOSTS", "POSTGRES_URL")]
NO_JAVA = """
from pathlib import Path
from xml.etree import ElementTree
from statelab.engines import zookeeper

zookeeper.JAR = Path("nowhere.jar")
"""
BROKEN = {
    "test_skips.py": "import pytest\n\ndef test_engine(): pytest.skip('no engine here')\n",
    "test_module.py": "import pytest\n\npytest.skip('no such module', allow_module_level=True)\n",
    "test_marked.py": "import pytest\n\n@pytest.mark.engines('zookeeper')\ndef test_it(): pass\n",
    "test_unknown.py": "import pytest\n\n@pytest.mark.engines('zokeeper')\ndef test_it(): pass\n",
    "test_driver.py": (
        "import playwright\n\nplaywright.__file__ = __file__\n\ndef test_it(chromium_path): pass\n"
    ),
    "test_servers.py": f"import os\n\ndef test_it(): assert not os.environ.keys() & {SERVERS}\n",
}


def run(folder, *arguments, **variables):
    """Runs pytest in a project; returns {file: what became of its tests}, and all that was said.

    One run tries many rules: most of its time is what a notebook's libraries take to be imported.
    """
    variables = {**os.environ, "STATELAB_CI": "", **variables}
    for name in [name for name in variables if name.startswith("PYTEST_")]:
        del variables[name]  # this run's own worker
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # others take longer than all the rest
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments]
    command += ["-p", "nbval.plugin", "-p", "xdist.plugin"]
    done = subprocess.run(
        [*command, "--junitxml=ends.xml"], cwd=folder, env=variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ends = {}
    for case in ElementTree.parse(folder / "ends.xml").iter("testcase"):
        where = (
            (case.get("classname") or case.get("name")).removesuffix(".ipynb").rpartition(".")[2]
        )
        said = {part.tag for part in case if part.tag in ("skipped", "failure", "error")}
        ends.setdefault(where, set()).update(said or {"passed"})
    return ends, done.stdout


def project(folder, tests):
    """A project with the rules of this one."""
    for name in RULES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "notebooks").mkdir()
    for name, text in tests.items():
        (folder / "tests" / name).write_text(text)
    return folder


def write_notebook(path, printed, **metadata):
    cells = [
        new_code_cell("count = 41", execution_count=1),
        new_code_cell(
            "print(count + 1)", execution_count=2, outputs=[new_output("stream", text=printed)]
        ),
    ]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A project that breaks every rule, on a machine without Java."""
    folder = project(tmp_path_factory.mktemp("broken"), BROKEN)
    (folder / "tests" / "conftest.py").write_text(NO_JAVA)
    write_notebook(folder / "notebooks" / "other.ipynb", "43\n")
    engines = {"engines": ["zookeeper"]}
    write_notebook(folder / "notebooks" / "engine.ipynb", "42\n", statelab=engines)
    return folder


@pytest.fixture(scope="module")
def at_home(broken):
    """What became of it at somebody's, who runs servers."""
    return run(broken, STATELAB_CHROMIUM="chromium", **dict.fromkeys(SERVERS, "somewhere"))


@pytest.fixture(scope="module")
def in_ci(broken):
    """What became of it in CI."""
    left_out = "--ignore=notebooks/other.ipynb"  # which would take a kernel, and skips nowhere
    return run(broken, "--continue-on-collection-errors", left_out, STATELAB_CI="1")


def test_a_test_or_notebook_without_its_engines_skips_as_a_whole_and_says_why(at_home):
    ends, said = at_home
    assert ends["test_marked"] == ends["engine"] == {"skipped"}
    assert "sudo apt install libzookeeper-java" in said


def test_in_ci_a_skip_of_a_test_a_module_or_a_notebook_fails_and_says_why(at_home, in_ci):
    for name, why in {
        "test_skips": "no engine here",
        "test_module": "no such module",
        "engine": "there is no ZooKeeper here",
    }.items():
        assert at_home[0][name] == {"skipped"}
        assert in_ci[0][name] <= {"failure", "error"}
        assert f"a skip is a failure in CI. Skipped: {why}" in in_ci[1]


def test_a_browser_that_nothing_can_drive_here_is_skipped_with_the_remedy(at_home):
    assert at_home[0]["test_driver"] == {"skipped"}
    assert "Playwright does not run here" in at_home[1]
    assert "libatomic1, install it" in at_home[1]


def test_a_mark_that_names_no_engine_is_an_error(at_home):
    assert at_home[0]["test_unknown"] <= {"failure", "error"}
    assert "no engine is named 'zokeeper'" in at_home[1]


def test_no_test_touches_a_server_that_somebody_runs(at_home):
    assert at_home[0]["test_servers"] == {"passed"}


@pytest.mark.notebooks
def test_a_notebook_with_another_output_fails_on_the_reference_python(at_home, pytestconfig):
    compared = not pytestconfig.option.nbval_lax
    assert ("failure" in at_home[0]["other"]) == compared
    assert ("Cell outputs differ" in at_home[1]) == compared


@pytest.mark.notebooks
def test_cells_of_a_notebook_share_a_kernel_and_browser_tests_a_worker(tmp_path):
    """And a test whose engines are there runs, and most Korean notebooks are for the soak."""
    worker = "def test_worker(worker_id): print('worker', worker_id)\n"
    tests = {f"test_browser_{name}.py": worker for name in ("a", "b")}
    folder = project(tmp_path, {**tests, "test_marked.py": BROKEN["test_marked.py"]})
    here = NO_JAVA.replace("nowhere.jar", __file__) + "zookeeper.shutil.which = str\n"
    (folder / "tests" / "conftest.py").write_text(here)
    (folder / "notebooks" / "ko").mkdir()
    for name in ("a", "b", "ko/00_start_here", "ko/04_authentication"):
        write_notebook(folder / "notebooks" / f"{name}.ipynb", "42\n")
    ends, said = run(folder, "-n", "2", "-m", "not soak")
    assert set().union(*ends.values()) == {"passed"}, said
    assert "9 passed" in said  # and two cells of a Korean notebook are for the soak
    assert len({line for line in said.splitlines() if line.startswith("worker ")}) == 1
