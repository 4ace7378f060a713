"""Small learning problems that several test modules share."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from in_process import without_children  # noqa: F401 - a fixture

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows, Split
from assay.results.learned_rows import LearnedRows
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole

_ROLES = {
    "signal": ColumnRole.NUMERIC,
    "noise": ColumnRole.NUMERIC,
    "colour": ColumnRole.CATEGORICAL,
    "flag": ColumnRole.BOOLEAN,
    "when": ColumnRole.DATETIME,
    "words": ColumnRole.TEXT,
}


def _features(rows, seed):
    random = np.random.default_rng(seed)
    colour = random.choice(np.array(["red", "green", None], dtype=object), rows)
    noise = random.normal(size=rows)
    noise[::7] = np.nan
    return pd.DataFrame(
        {
            "signal": random.normal(size=rows),
            "noise": noise,
            "colour": colour,
            "flag": random.integers(0, 2, rows).astype(np.float64),
            "when": (np.datetime64("2024-01-01") + np.arange(rows) * np.timedelta64(5, "h")).astype("datetime64[us]"),
            "words": random.choice(np.array(["a fine day", "rain again", ""], dtype=object), rows),
        }
    )


def _target(features, task, seed):
    noise = np.random.default_rng(seed + 1).normal(size=len(features))
    value = 2 * features["signal"].to_numpy() + 0.7 * noise
    if task == "regression":
        return pd.Series(value, name="y")
    if task == "binary_classification":
        return pd.Series(np.where(value > 0, "yes", "no").astype(object), name="y")
    return pd.Series(np.array(["high", "low", "mid"], dtype=object)[np.digitize(value, [-1, 1])], name="y")


@pytest.fixture
def make_spec():
    """Return a function that builds a pipeline spec for a task; further keys are parts of the YAML."""

    def build(task="binary_classification", **parts):
        dataset = {"source": "rows.csv", "target": "y", **parts.pop("dataset", {})}
        document = {"name": "demo", "task": task, "dataset": dataset, **parts}
        return PipelineSpec.model_validate_json(json.dumps(document))

    return build


@pytest.fixture
def make_split():
    """Return a function that builds a split of rows in which `signal` decides and the rest is noise."""

    def build(task="binary_classification", *, train=240, holdout=160, seed=0, columns=tuple(_ROLES)):
        rows = train + holdout
        features = _features(rows, seed)
        target = _target(features, task, seed)
        schema = tuple(ColumnSchema(name=name, dtype="any", role=_ROLES[name]) for name in columns)
        frame = features[list(columns)]
        return Split(
            train=LabelledRows(frame[:train].reset_index(drop=True), target[:train].reset_index(drop=True)),
            holdout=LabelledRows(frame[train:].reset_index(drop=True), target[train:].reset_index(drop=True)),
            features=TableSchema(version=1, columns=schema),
            unused_columns={"row_id": "identifier"},
            train_groups=None,
            data_digests={"": "d" * 64},
            holdout_table=pa.Table.from_pandas(frame[train:].assign(y=target[train:]), preserve_index=False),
            holdout_partitions=np.full(holdout, "", dtype=object),
            holdout_digest="h" * 64,
            learned=LearnedRows(partitions=("earlier rows",)),
            classes=() if task == "regression" else tuple(sorted(set(target.tolist()))),
        )

    return build


@pytest.fixture
def make_best():
    """Return a function that builds the result of a search that was not run."""

    def build(family, **parameters):
        return BestHyperparameters(
            family=family,
            parameters=parameters,
            metric="roc_auc",
            direction="maximize",
            searched=False,
            stopped_by="disabled",
            seed=1,
        )

    return build
