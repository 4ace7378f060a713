"""The fixtures of a platform in a temporary folder, for the `conftest` modules that need one."""

import os
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from small_platform import BANK, Templates, bank_rows, failure, opened, write_csv
from sqlalchemy import Engine, event

from ml_assets.assets import trained_model

DRAWING = tuple(
    f"assay.{module}.draw" for module in ("learning.evaluation.plots", "backtesting.walk_forward", "live.plots")
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def blank_plots(request, monkeypatch):
    """Leave plots blank where they are not the matter: drawing them is a third of a run."""
    if request.node.get_closest_marker("drawn"):
        return
    for target in DRAWING:
        monkeypatch.setattr(target, lambda *_, **__: PNG)
    monkeypatch.setattr(FigureCanvasAgg, "print_png", lambda _, file, **__: file.write(PNG))


@pytest.fixture(autouse=True)
def unsynced_files(monkeypatch):
    """Leave writes of the store to the operating system: no test loses power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True, scope="module")
def unsynced_databases():
    """Let SQLite leave writes to the operating system as well.

    Not for the whole session: where a database cannot be read, MLflow repeats the connection for two minutes.
    """

    def leave(connection, _record):
        if type(connection).__module__ == "sqlite3":
            connection.execute("pragma synchronous = off")

    event.listen(Engine, "connect", leave)
    yield
    event.remove(Engine, "connect", leave)


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    # the parent of a worker's folder belongs to the whole session
    return Templates((base.parent if "popen-gw" in base.name else base) / "templates")


@pytest.fixture(scope="session")
def fresh(templates):
    """Return a function that opens an empty platform in a folder."""

    def make(folder):
        templates.empty_mlflow(folder / "home" / "mlflow")
        with opened(folder):
            pass

    def in_folder(folder):
        templates.copied("empty", folder, make)
        return opened(folder)

    return in_folder


@pytest.fixture
def platform(fresh, tmp_path):
    """A platform without pipelines; the test's working directory is its folder."""
    with fresh(tmp_path) as platform:
        yield platform


@pytest.fixture
def copied(templates, fresh, tmp_path):
    """Return a function that opens, in this test's folder, a platform on which something was done before."""

    def done(name, act):
        def make(folder):
            with fresh(folder) as prepared:
                act(prepared)

        templates.copied(name, tmp_path, make)
        return opened(tmp_path)

    return done


def add_bank(prepared):
    prepared.pipeline(BANK, write_csv(Path("data/bank.csv"), bank_rows()))


@pytest.fixture
def bank(platform):
    """A platform with the pipeline `bank` and good data."""
    add_bank(platform)
    return platform


def _promote(prepared):
    add_bank(prepared)
    result = prepared.materialize("bank/*", parameters={"tuning": {"enabled": False}})
    assert result.success, failure(result)


@pytest.fixture
def promoted(copied):
    """A platform with a champion of `bank`, version 1, which was not searched for."""
    with copied("promoted_bank", _promote) as prepared:
        yield prepared


@pytest.fixture
def fits(monkeypatch):
    """What each fit of this process was given."""
    made, train = [], trained_model.recorded_fit

    def counted(*given):
        made.append(given)
        return train(*given)

    monkeypatch.setattr(trained_model, "recorded_fit", counted)
    return made
