"""Settings of all tests."""

import gc
import logging
import os

import pytest
from hypothesis import HealthCheck, settings

from assay.importing import confine_imports

# a busy machine is no failure: time is measured in benchmarks, never asserted
settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared_machine")

# tests run side by side: threads of each would wait for those of the others
os.environ.setdefault("OMP_NUM_THREADS", "1")

# collecting 8,000 tests makes little garbage and many objects, which each collection would visit
gc.set_threshold(500_000)

if "PYTEST_XDIST_WORKER" in os.environ:
    # skops asks all loaded modules in their order for SciPy's functions: the later these come, the longer it takes
    import scipy.special  # noqa: F401


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Let every worker begin with its share of the integration tests, so that none waits for a long test at the end.

    `--dist worksteal` gives each worker a stretch of the tests and moves what is left of the longest stretch.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and not config.pluginmanager.hasplugin("randomly"):
        items[:] = _long_ones_first(items, workers)


def pytest_collection_finish():
    """Collect garbage seldom, and leave the libraries and tests out, which stay: it is a sixth of the tests' time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    """Let the interpreter's end collect everything."""
    gc.unfreeze()


def _long_ones_first(items, workers):
    long = [item for item in items if "integration" in item.path.parts]
    others = [item for item in items if "integration" not in item.path.parts]
    ordered = []
    for number in range(workers):
        share = long[number::workers]
        size = (len(items) - len(ordered)) // (workers - number)
        rest = max(0, size - len(share))
        ordered += [*share, *others[:rest]]
        others = others[rest:]
    return [*ordered, *others]


@pytest.fixture(autouse=True)
def _imports_are_not_confined():
    """Forget what a code location of another test confines."""
    yield
    confine_imports(None)


@pytest.fixture(autouse=True)
def _no_command_keeps_the_log():
    """Take the shell's log back from a command, which sends it to a stream that is closed after its test."""
    log = logging.getLogger("assay.shell")
    handlers, level, propagates = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.propagate = handlers, propagates
    log.setLevel(level)
