"""Constraints by column hold in the predictions of every family that takes them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import LearningError
from assay.learning.estimators.assembly import preprocessor_for
from assay.learning.estimators.constraints import monotone_errors
from assay.learning.estimators.family import FAMILIES, family
from assay.learning.preprocessing.output_sources import output_sources
from assay.learning.splitting import LabelledRows
from assay.learning.training import fitted
from assay.learning.tuning.search import find_best_hyperparameters
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

# a column of moments and one of many categories change the order of the model's inputs
ROLES = {
    "when": ColumnRole.DATETIME,
    "town": ColumnRole.CATEGORICAL,
    "kind": ColumnRole.CATEGORICAL,
    "flag": ColumnRole.BOOLEAN,
    "other": ColumnRole.NUMERIC,
    "size": ColumnRole.NUMERIC,
    "extra": ColumnRole.NUMERIC,
}
FEATURES = TableSchema(version=1, columns=tuple(ColumnSchema(name=n, dtype="any", role=r) for n, r in ROLES.items()))
MONOTONE = sorted(name for name, card in FAMILIES.items() if card.monotone is not None)
APART = sorted(name for name, card in FAMILIES.items() if card.interactions is not None)
ROUNDS = {
    "catboost": {"iterations": 25, "depth": 4},
    "hist_gradient_boosting": {"max_iter": 25, "early_stopping": False},
}


def frame(rows=240, seed=0):
    draw = np.random.default_rng(seed)
    towns = np.array([f"town {n}" for n in range(80)], dtype=object)
    return pd.DataFrame(
        {
            "when": (np.datetime64("2024-01-01") + draw.integers(0, 900, rows) * np.timedelta64(7, "h")).astype("datetime64[us]"),
            "town": draw.choice(towns, rows),
            "kind": draw.choice(np.array(["a", "b", None], dtype=object), rows),
            "flag": draw.integers(0, 2, rows).astype(float),
            "other": draw.normal(size=rows),
            "extra": draw.normal(size=rows),
            "size": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(size=rows)),
        }
    )  # fmt: skip


def rows_of(task):
    features = frame()
    size = features["size"].fillna(0.0)
    # against the constraint for half of the range, and with an interaction
    number = np.sin(3 * size) + features["other"] * features["flag"] + (features["kind"] == "a") + features["extra"]
    if task == "regression":
        return LabelledRows(features, number.rename("y"))
    return LabelledRows(features, pd.Series(np.where(number > number.median(), "yes", "no").astype(object), name="y"))


def fit(name, task, constraints, make_spec, make_best, categories="ordinal"):
    spec = make_spec(task, training={"constraints": constraints}, model={"candidates": [name]})
    parameters = {**ROUNDS.get(name, {"n_estimators": 25}), "preprocessing.categories": categories}
    return fitted(rows_of(task), FEATURES, make_best(name, **parameters), spec)


def score(model, features, task):
    return model.predict(features) if task == "regression" else model.predict_proba(features)[:, 1]


@pytest.mark.parametrize(("task", "categories"), [("regression", "ordinal"), ("binary_classification", "native")])
@pytest.mark.parametrize("name", MONOTONE)
def test_predictions_only_rise_or_fall_by_a_monotone_column(name, task, categories, make_spec, make_best):
    asked = {"monotone": {"size": "increasing", "flag": "decreasing"}}
    free = fit(name, task, {"monotone": {"other": "increasing"}}, make_spec, make_best, categories)
    bound = fit(name, task, asked, make_spec, make_best, categories)

    def steps(model, column, values, others):
        swept = pd.concat([others] * len(values), ignore_index=True)
        swept[column] = np.repeat(values, len(others))
        return np.diff(score(model, swept, task).reshape(len(values), len(others)), axis=0)

    @settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
    @given(st.integers(0, 10_000), st.lists(st.floats(-4, 4), min_size=2, max_size=8, unique=True))
    def holds(seed, values):
        others = frame(12, seed)
        assert (steps(bound, "size", sorted(values), others) >= -1e-9).all()
        assert (steps(bound, "flag", [0.0, 1.0], others) <= 1e-9).all()

    holds()
    assert (steps(free, "size", np.linspace(-3, 3, 30), frame(12, 1)) < 0).any(), "without the constraint they do not"


def test_each_output_is_made_of_the_column_that_is_named(make_spec):
    rows, spec = rows_of("regression"), make_spec("regression")
    preprocessing = preprocessor_for(family("lightgbm", Task.REGRESSION), {}, FEATURES, spec)
    preprocessing.fit(rows.features, rows.target)
    sources = np.array(output_sources(preprocessing))
    before = preprocessing.transform(rows.features)
    assert len(sources) == before.shape[1]
    for name in ROLES:
        mixed = rows.features.assign(**{name: rows.features[name].to_numpy()[::-1]})
        changed = ~np.isclose(preprocessing.transform(mixed), before, equal_nan=True).all(axis=0)
        assert changed.any(), name
        assert set(sources[changed]) == {name}


@pytest.mark.parametrize("categories", ["ordinal", "native"])
@pytest.mark.parametrize("name", APART)
def test_columns_of_different_groups_do_not_interact(name, categories, make_spec, make_best):
    """Without interactions the difference by one column is the same whatever the other's value."""
    free = fit(name, "regression", {"monotone": {"size": "increasing"}}, make_spec, make_best, categories)
    groups = [["other", "size"], ["flag", "kind"]]
    apart = fit(name, "regression", {"interactions": groups}, make_spec, make_best, categories)

    def difference(model, other):
        base = frame(60, 3).assign(other=other)
        return model.predict(base.assign(flag=1.0)) - model.predict(base.assign(flag=0.0))

    assert np.abs(difference(free, -1.0) - difference(free, 1.0)).max() > 0.1
    np.testing.assert_allclose(difference(apart, -1.0), difference(apart, 1.0), atol=1e-5)
    by_size = [apart.predict(frame(60, 3).assign(size=size)) for size in (-0.5, 0.5)]
    assert not np.allclose(*by_size), "grouped columns are used"
    by_extra = [apart.predict(frame(60, 3).assign(extra=value)) for value in (-1.0, 1.0)]
    assert not np.allclose(*by_extra), "those of no group too"


def test_a_search_is_constrained_too(make_spec):
    rows = rows_of("regression")
    spec = make_spec(
        "regression",
        training={"constraints": {"monotone": {"size": "increasing"}}},
        model={"candidates": ["lightgbm"]},
        tuning={"n_trials": 1, "folds": 2},
    )
    asked = {"features": FEATURES, "groups": None, "classes": ()}
    bound = find_best_hyperparameters(rows, spec, **asked)
    free = find_best_hyperparameters(
        rows, spec.model_copy(update={"training": make_spec("regression").training}), **asked
    )
    assert bound.trials[0].state == "complete"
    assert bound.value > free.value + 0.02, "the sine cannot be followed"


def test_the_average_of_constrained_families_is_monotone(make_spec, make_best):
    constraints = {"monotone": {"size": "increasing"}}
    spec = make_spec(
        "regression", training={"constraints": constraints}, model={"vote": ["lightgbm", "hist_gradient_boosting"]}
    )
    parameters = {"lightgbm.n_estimators": 20, "hist_gradient_boosting.max_iter": 20}
    model = fitted(rows_of("regression"), FEATURES, make_best("vote", **parameters), spec)
    swept = pd.concat([frame(1, 2)] * 50, ignore_index=True).assign(size=np.linspace(-3, 3, 50))
    assert (np.diff(model.predict(swept)) >= -1e-9).all()


def test_a_monotone_category_is_refused(make_spec, make_best):
    spec = make_spec(training={"constraints": {"monotone": {"kind": "increasing"}}})
    with pytest.raises(LearningError, match="'kind' has no order"):
        fit("lightgbm", "regression", {"monotone": {"kind": "increasing"}}, make_spec, make_best)
    assert [name for name, _ in monotone_errors({"kind": ColumnRole.CATEGORICAL}, spec)] == ["kind"]
    assert not list(monotone_errors({"kind": ColumnRole.NUMERIC}, spec))
