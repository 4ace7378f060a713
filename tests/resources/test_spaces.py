"""The artifact store of a space: what is written stays in it, and what it lacks is read from below."""

from types import SimpleNamespace

import pytest
from object_stores import object_store_at

from assay.data.dataset import Dataset
from assay.errors import ArtifactNotFoundError
from resources.artifacts.store import ArtifactStore, Attempt
from resources.settings import Settings
from resources.store.commit_log import collect_garbage
from resources.store.local import LocalStore
from resources.store.overlay import OverlayStore

ROWS = ("bank", "raw_dataset")


@pytest.fixture
def production(tmp_path):
    return ArtifactStore(LocalStore(tmp_path / "store"))


@pytest.fixture
def space(tmp_path, production):
    """Return a function that opens the store of a space over production's."""

    def opened(*, shares_rows):
        above = LocalStore(tmp_path / "store" / "@spaces" / "x")
        return ArtifactStore(OverlayStore(above, production.store), shares_rows=shares_rows)

    return opened


def attempt(name):
    return Attempt(run_id=name, attempt_id=name)


def test_what_a_space_publishes_is_not_seen_below(space, production, make_dataset):
    production.publish(ROWS, None, make_dataset(x=list(range(3))), attempt("a"))
    assert space(shares_rows=True).publish(ROWS, None, make_dataset(x=list(range(5))), attempt("b")).number == 1
    assert production.load(ROWS, None, Dataset).table.num_rows == 3
    assert space(shares_rows=True).load(ROWS, None, Dataset).table.num_rows == 5
    assert production.log.newest_number(ROWS, None) == 1


def test_rows_from_below_are_read_if_they_are_shared(space, production, make_dataset):
    made = production.publish(ROWS, "2021-01", make_dataset(x=list(range(3))), attempt("a"))
    assert space(shares_rows=True).load(ROWS, "2021-01", Dataset).table.num_rows == 3
    with pytest.raises(ArtifactNotFoundError, match="nothing is published for 1 partition"):
        space(shares_rows=False).load(ROWS, "2021-01", Dataset)
    # a champion's training rows are found by their content, in every space
    assert space(shares_rows=False).of_data(ROWS, "2021-01", made.data_version) == made


def test_later_rows_below_do_not_hide_those_of_the_space(space, production, make_dataset):
    space(shares_rows=True).publish(ROWS, None, make_dataset(x=list(range(5))), attempt("a"))
    for rows in (3, 4):
        production.publish(ROWS, None, make_dataset(x=list(range(rows))), attempt(f"p{rows}"))
    assert space(shares_rows=True).load(ROWS, None, Dataset).table.num_rows == 5


def test_production_does_not_take_objects_of_a_space_for_its_own(space, production, make_dataset):
    space(shares_rows=True).publish(ROWS, None, make_dataset(x=list(range(5))), attempt("a"))
    assert collect_garbage(production.store, older_than_seconds=-60) == []
    assert space(shares_rows=True).load(ROWS, None, Dataset).table.num_rows == 5


def test_production_maintains_every_space_and_a_branch_its_own(tmp_path, space, make_dataset):
    space(shares_rows=True).publish(ROWS, None, make_dataset(x=list(range(5))), attempt("a"))
    stores = object_store_at(tmp_path / "store")
    assert stores.space_names() == ["x"]
    uris = [each.uri("") for each in stores.maintained().values()]
    assert uris == [str(tmp_path / "store"), str(tmp_path / "store/@spaces/x")]
    branch = stores.model_copy(update={"branch": "y"})
    assert [each.uri("") for each in branch.maintained().values()] == [str(tmp_path / "store/@spaces/y")]


def test_an_experiment_of_a_branch_reads_the_rows_of_the_branch(tmp_path, make_dataset):
    """Not production's, which another code may have made."""
    stores = object_store_at(tmp_path / "store").model_copy(update={"branch": "y"})
    ArtifactStore(stores.production()).publish(ROWS, None, make_dataset(x=list(range(3))), attempt("a"))
    config = {"resources": {"run_parameters": {"config": {"model_name": "ridge"}}}}
    experiment = stores.model_copy()
    experiment.setup_for_execution(SimpleNamespace(run=SimpleNamespace(run_config=config)))

    def rows():
        return ArtifactStore(experiment.open(), shares_rows=True).load(ROWS, None, Dataset).table.num_rows

    with pytest.raises(ArtifactNotFoundError):
        rows()
    ArtifactStore(stores.open()).publish(ROWS, None, make_dataset(x=list(range(5))), attempt("b"))
    assert rows() == 5


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, ""),
        ({"ASSAY_BRANCH": "main"}, ""),
        ({"ASSAY_BRANCH": "main", "ASSAY_PRODUCTION_BRANCH": "release"}, "main"),
        ({"ASSAY_BRANCH": "wider-search"}, "wider-search"),
        ({"DAGSTER_CLOUD_GIT_BRANCH": "wider-search", "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "1"}, "wider-search"),
        ({"DAGSTER_CLOUD_GIT_BRANCH": "wider-search"}, ""),
    ],
)
def test_the_branch_of_a_deployment_gives_its_space(variables, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no .env
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert Settings().space.name == name
