"""Values read without a run, as a notebook does by `load_asset_value`."""

import importlib

import pandas as pd
import pyarrow as pa
import pytest
from small_platform import ASSETS, MONTHLY, monthly_rows, write_csv

from assay.data.dataset import Dataset, ValidatedDataset
from assay.errors import ArtifactNotFoundError, StorageError
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.loading import parse_pipeline
from ml_assets.stages import STAGES

EVERYTHING = """\
scoring: {source: new.csv}
monitoring: {performance: {max_loss: 0.1}, drift: {}}
promotion: {on_regression: rollback}
features: {steps: [{filter: x > 0}]}
serving: {labels: {source: labels.csv, delay: 7d}}
"""


def test_each_asset_is_given_as_its_own_type(promoted):
    definitions = promoted.definitions
    values = {name: definitions.load_asset_value(["bank", name]) for name in ASSETS}
    assert {name: type(value).__name__ for name, value in values.items()} == {
        "raw_dataset": "Dataset",
        "validated_dataset": "ValidatedDataset",
        "best_hyperparameters": "BestHyperparameters",
        "trained_model": "TrainedModel",
        "evaluation_report": "EvaluationReport",
        "champion_model": "ChampionRecord",
    }
    frame = definitions.load_asset_value(["bank", "validated_dataset"], python_type=pd.DataFrame)
    assert frame.equals(values["validated_dataset"].table.to_pandas())


def test_a_partition_or_a_range_is_given(platform):
    platform.pipeline(MONTHLY, write_csv(platform.settings.pipelines_dir.parent / "monthly.csv", monthly_rows()))
    for month in ("2020-12", "2021-01"):
        assert platform.materialize("monthly/raw_dataset", partition=month).success
    load = platform.definitions.load_asset_value
    assert load(["monthly", "raw_dataset"], python_type=pa.Table, partition_key="2021-01")["x"].to_pylist() == [
        *range(40)
    ]
    with pytest.raises(StorageError, match="give partition_key"):
        load(["monthly", "raw_dataset"])
    with pytest.raises(ArtifactNotFoundError, match="--partition 2021-02"):
        load(["monthly", "raw_dataset"], partition_key="2021-02")


def test_every_asset_of_a_pipeline_says_of_which_type_its_values_are():
    spec = parse_pipeline(MONTHLY.format(source="x.csv") + EVERYTHING, where="monthly.yaml")
    kinds = {}
    for stage in STAGES:
        assert stage.wanted(spec), stage.name
        (declared,) = stage.build(spec, stage).specs
        said = declared.metadata["value type"]
        kinds[stage.name] = getattr(importlib.import_module(said.module), said.name)
    assert (kinds["feature_set"], kinds["validated_dataset"]) == (Dataset, ValidatedDataset)
    assert all(kind in {Dataset, ValidatedDataset, TrainedModel} or issubclass(kind, Spec) for kind in kinds.values())
