"""Settings of all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

from assay.importing import confine_imports

# a busy machine is no failure: time is measured in benchmarks, never asserted
settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared_machine")

# tests run side by side: threads of each would wait for those of the others
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _imports_are_not_confined():
    """Forget what a code location of another test confines."""
    yield
    confine_imports(None)
