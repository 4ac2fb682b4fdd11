"""What tests share: how hypothesis draws, how many seeds, and which one failed."""

import os

import hypothesis
import pytest

_seed = pytest.StashKey()

# Derandomized: a run that was green stays green until the code changes. The soak looks further.
hypothesis.settings.register_profile("tests", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("soak", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.register_profile("fuzz", max_examples=10_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("STATELAB_DRAWS", "tests"))


@pytest.fixture
def seeds(request):
    """A function: `for seed in seeds(100)` draws 100, the soak more; a failure names its seed."""

    def draw(usual):
        for seed in range(max(usual, int(os.environ.get("STATELAB_SEEDS", 0)))):
            request.node.stash[_seed] = seed
            yield seed
        del request.node.stash[_seed]

    return draw


@pytest.fixture
def kernel_kills():
    """How many kernels to kill: one, the soak more."""
    return int(os.environ.get("STATELAB_KERNEL_KILLS", 1))


@pytest.fixture(scope="module")
def stems():
    """The processes that the trials of one file's checks are forks of."""
    import forked

    yield forked
    forked.end()


@pytest.fixture
def quick(stems, monkeypatch):
    """Checks whose trials need not start Python each; how they do is tested without it."""
    from statelab.lab.trials import process

    monkeypatch.setattr(process, "subprocess", stems.subprocess_that_forks())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and _seed in item.stash:
        report.sections.append(("seed", f"failed with seed {item.stash[_seed]}"))
    return report
