"""A champion that needs no fit, and rows for it: what monitoring's simulations compare."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.monitoring.drift import evaluate_drift
from assay.monitoring.performance import evaluate_performance
from assay.monitoring.reference import KnownRows, MonitoredWindow, Reference
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole

_ROLE = {"category": ColumnRole.CATEGORICAL, "flag": ColumnRole.BOOLEAN, "text": ColumnRole.TEXT}


def pipeline(task="binary_classification", **parts):
    """A pipeline that is monitored; further keys are parts of its file."""
    document = {"name": "demo", "task": task, "dataset": {"source": "rows.csv", "target": "y"}, "monitoring": {}}
    return PipelineSpec.model_validate_json(json.dumps(document | parts))


class Logistic:
    """Predicts with the probability 1 / (1 + exp(-2 x)), which `rows` draws the target from."""

    classes_ = (0, 1)

    def predict(self, features):
        return (features["x"].to_numpy() > 0).astype(np.int64)

    def predict_proba(self, features):
        positive = 1 / (1 + np.exp(-2 * features["x"].to_numpy()))
        return np.column_stack([1 - positive, positive])


class Linear:
    """Predicts 3 x; the error that `numbers` draws grows with |x|."""

    def predict(self, features):
        return 3 * features["x"].to_numpy()


def rows(draw, count, *, shift=0.0, reversed_from=None):
    """Labelled rows of the logistic champion; what it knows is reversed for x above a value."""
    x = draw.normal(size=count) + shift
    meaning = x if reversed_from is None else np.where(x > reversed_from, -x, x)
    y = (draw.random(count) < 1 / (1 + np.exp(-2 * meaning))).astype(np.int64)
    return LabelledRows(pd.DataFrame({"x": x}), pd.Series(y, name="y"))


def numbers(draw, count, *, shift=0.0, bias=0.0):
    """Labelled rows of the linear champion."""
    x = draw.normal(size=count) + shift
    y = 3 * x + bias + draw.normal(size=count) * (0.5 + np.abs(x))
    return LabelledRows(pd.DataFrame({"x": x}), pd.Series(y, name="y"))


def schema(frame, **roles):
    """Columns of a frame; numeric unless a role is given, or the name begins with one."""
    kinds = {name: roles.get(name) or _ROLE.get(name.rstrip("0123456789"), ColumnRole.NUMERIC) for name in frame}
    return TableSchema(
        version=1, columns=tuple(ColumnSchema(name=name, dtype="any", role=role) for name, role in kinds.items())
    )


def reference(spec, train, holdout=None, *, value=None, version="1", **roles):
    """A champion with its rows."""
    classes = (0, 1) if spec.task.is_classification else ()
    manifest = SimpleNamespace(
        features=schema(train.features, **roles), classes=classes, task=spec.task, target="y", holdout_rows=0
    )
    model = SimpleNamespace(manifest=manifest, estimator=Logistic() if classes else Linear())
    model.evaluated = model
    return Reference(version, model, value, train, holdout, spec)


def unlabelled(frame):
    """Rows whose target is of no interest."""
    return LabelledRows(frame, pd.Series(np.zeros(len(frame)), name="y"))


def window(labelled, partition="", *, season=None, unknown=False, trained_on=False):
    """A window of rows; `unknown`: the target is not known."""
    known = None if unknown else KnownRows(partition, labelled, trained_on)
    before = None if season is None else KnownRows("season", season)
    return MonitoredWindow(partition, labelled.features, trained_on, known, known, before)


def drifts(spec, reference, windows):
    """Reports of successive windows."""
    made = []
    for each in windows:
        made.append(evaluate_drift(each, reference, made, spec))
    return made


def performances(spec, reference, windows):
    """Reports of successive windows."""
    made = []
    for each in windows:
        made.append(evaluate_performance(each, reference, made, spec))
    return made


def loss_reports(seed, count, windows, max_loss, **change):
    """Reports on windows of a champion whose holdout has as many rows."""
    spec = pipeline(monitoring={"performance": {"max_loss": max_loss, "estimate": False}})
    draw = np.random.default_rng(seed)
    holdout = rows(draw, count)
    truth, x = holdout.target.to_numpy(), holdout.features["x"].to_numpy()
    value = float((x[truth == 1][:, None] > x[truth == 0]).mean())
    champion = reference(spec, rows(draw, count), holdout, value=value)
    return performances(spec, champion, [window(rows(draw, count, **change)) for _ in range(windows)])
