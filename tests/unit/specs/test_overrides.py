"""Run parameters laid over a pipeline file."""

import pytest

from assay.errors import SpecError
from assay.specs import RunOverrides, apply_overrides
from assay.specs.loading import parse_pipeline

SPEC = parse_pipeline(
    """\
name: bank
task: binary_classification
dataset: {source: bank.csv, target: y}
validation: {min_rows: 100, max_missing: 0.5}
model: {candidates: [ridge_like.module:Model, logistic_regression], hyperparameters: {C: 1.0}}
tuning: {n_trials: 7, timeout: 60}
""",
    where="bank.yaml",
)


def test_every_parameter_reaches_its_place():
    run = apply_overrides(
        SPEC,
        RunOverrides(
            data_source="other.parquet",
            data_format="parquet",
            input_schema_version=2,
            target_column="age",
            data_validation={"max_missing": 0.1, "drop_null_rows": True},
            model_name="logistic_regression",
            model_version="2",
            hyperparameters={"solver": "liblinear"},
            tuning={"n_trials": 40, "search_space": {"C": {"type": "float", "low": 0.001, "high": 10, "log": True}}},
            training_scenario="incremental",
            test_size=0.15,
            random_state=123,
            target_output_path="s3://bucket/out",
        ),
    )
    assert run.dataset.source == "other.parquet"
    assert run.dataset.format == "parquet"
    assert run.dataset.schema_version == 2
    assert run.dataset.target == "age"
    assert run.validation.max_missing == 0.1
    assert run.validation.min_rows == 100
    assert run.validation.drop_null_rows is True
    assert run.model.candidates == ("logistic_regression",)
    assert run.model.version == "2"
    assert run.model.hyperparameters == {"C": 1.0, "solver": "liblinear"}
    assert run.tuning.n_trials == 40
    assert run.tuning.timeout == 60
    assert run.tuning.search_space["C"].log
    assert run.training.scenario == "incremental"
    assert run.split.test_size == 0.15
    assert (run.split.seed, run.training.seed) == (123, 123)
    assert run.training.target_output_path == "s3://bucket/out"


def test_no_parameter_changes_nothing():
    assert apply_overrides(SPEC, RunOverrides()) == SPEC


def test_changed_rules_change_the_rules_digest():
    run = apply_overrides(SPEC, RunOverrides(target_column="age"))
    assert run.rules_digest != SPEC.rules_digest


@pytest.mark.parametrize(
    ("overrides", "hint"),
    [
        (RunOverrides(tuning={"n_trails": 3}), "did you mean 'n_trials'?"),
        (RunOverrides(data_validation={"max_mising": 0.1}), "did you mean 'max_missing'?"),
        (RunOverrides(test_size=2.0), "less than 1"),
        (RunOverrides(training_scenario="half"), "incremental"),
        (RunOverrides(data_format="pickle"), "parquet"),
    ],
)
def test_an_unacceptable_parameter_is_refused_with_place_and_hint(overrides, hint):
    with pytest.raises(SpecError) as caught:
        apply_overrides(SPEC, overrides)
    assert "run config of pipeline bank" in caught.value.where
    assert hint in str(caught.value)
