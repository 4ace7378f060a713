"""Which days of the prediction log are measured."""

import datetime as dt

import pytest
from served_rows import START, served

from assay.specs import PipelineSpec
from ml_assets.pipeline.served_log import served_log
from resources.artifacts.store import ArtifactStore
from resources.prediction_log import LogObject, write_object
from resources.store.local import LocalStore

SPEC = PipelineSpec.model_validate_json(
    '{"name": "loans", "task": "regression", "dataset": {"source": "x.csv", "target": "y"}, "serving": {}}'
)


@pytest.fixture
def days(tmp_path):
    """Return a function that gives the newest days of a log with one row for each day, by their experiments."""

    def read(experiments, newest):
        store = LocalStore(tmp_path)
        for number, experiment in enumerate(experiments):
            time = START + dt.timedelta(days=number)
            rows = served([str(number)], time=time, experiment=experiment)
            write_object(store, "loans", LogObject(time, "process", number + 1), rows)
        return "".join(served_log(ArtifactStore(store), SPEC, newest).column("log_request_id").to_pylist())

    return read


@pytest.mark.parametrize(
    ("experiments", "newest", "found"),
    [
        (["", "", "", "", ""], 2, "34"),
        (["1:2", "1:3", "1:3", "1:3", ""], 2, "1234"),
        (["1:3", "1:2", "1:3", "1:3", "1:3"], 2, "234"),
        (["1:3"] * 5, 9, "01234"),
        ([], 2, ""),
    ],
    ids=["newest", "whole experiment", "without a gap", "fewer", "nothing"],
)
def test_newest_days_and_the_whole_experiment_are_measured(days, experiments, newest, found):
    assert days(experiments, newest) == found
