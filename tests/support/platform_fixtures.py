"""The fixtures of a platform in a temporary folder, for the `conftest` modules that need one."""

import pytest
from small_platform import Templates, opened

from resources.mlflow.connection import initialise_local_stores


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    # the parent of a worker's folder belongs to the whole session
    return Templates((base.parent if "popen-gw" in base.name else base) / "templates")


def _empty(folder):
    (folder / "home" / "mlflow").mkdir(parents=True)
    initialise_local_stores(f"sqlite:///{folder}/home/mlflow/mlflow.db")
    with opened(folder):
        pass


@pytest.fixture(scope="session")
def fresh(templates):
    """Return a function that opens an empty platform in a folder."""

    def in_folder(folder):
        templates.copied("empty", folder, _empty)
        return opened(folder)

    return in_folder


@pytest.fixture
def platform(fresh, tmp_path):
    """A platform without pipelines; the test's working directory is its folder."""
    with fresh(tmp_path) as platform:
        yield platform
