"""The rows of a model in MLflow."""

from types import SimpleNamespace

import pytest

from resources.mlflow import datasets


@pytest.mark.parametrize(
    ("partition", "profile"),
    [("2024-06", {"num_rows": 3, "digest": "d", "partition": "2024-06"}), ("", {"num_rows": 3, "digest": "d"})],
)
def test_holdouts_of_a_pipeline_have_one_name(partition, profile, monkeypatch):
    monkeypatch.setattr(datasets, "_rows", lambda _, name, digest, context, counts: (name, digest, context, counts))
    report = SimpleNamespace(partition=partition, holdout_rows=3, holdout_digest="d")
    found = datasets.holdout_rows(SimpleNamespace(pipeline="flats"), report)
    assert found == ("flats holdout", "d", "evaluation", profile)
