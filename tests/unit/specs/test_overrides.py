"""Run parameters change a pipeline for one run."""

import pytest

from assay.errors import SpecError
from assay.specs import RunOverrides, apply_overrides
from assay.specs.loading import parse_pipeline
from assay.specs.overrides import RUN_PARAMETERS, parameter_at, parse_overrides, space_of_run
from assay.specs.space import PRODUCTION

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


def test_every_parameter_replaces_its_fields():
    run = apply_overrides(
        SPEC,
        RunOverrides(
            data_source="other.parquet",
            data_format="parquet",
            ingestion_config={
                "member": "rows.csv",
                "dialect": {"delimiter": ";"},
                "columns": {"id": {"role": "ignored"}},
            },
            dialect={"decimal": ","},
            columns={"age": {"pii": True}},
            task="regression",
            split={"by": "group", "group": "customer"},
            input_schema_version=2,
            target_column="age",
            data_validation={"max_missing": 0.1, "drop_null_rows": True},
            model_name="ridge",
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
    assert (run.dataset.member, run.dataset.dialect.delimiter, run.dataset.dialect.decimal) == ("rows.csv", ";", ",")
    assert run.dataset.columns["id"].role == "ignored"
    assert run.dataset.columns["age"].pii
    assert (run.task, run.split.by, run.split.group) == ("regression", "group", "customer")
    assert run.model.candidates == ("ridge",)
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
    ("overrides", "where", "hint"),
    [
        (RunOverrides(tuning={"n_trails": 3}), "tuning.n_trails", "did you mean 'n_trials'?"),
        (
            RunOverrides(data_validation={"max_mising": 0.1}),
            "data_validation.max_mising",
            "did you mean 'max_missing'?",
        ),
        (RunOverrides(test_size=2.0), "test_size", "less than 1"),
        (RunOverrides(training_scenario="half"), "training_scenario", "incremental"),
        (RunOverrides(data_format="pickle"), "data_format", "parquet"),
    ],
)
def test_an_unacceptable_parameter_is_refused_by_name_with_a_hint(overrides, where, hint):
    with pytest.raises(SpecError) as caught:
        apply_overrides(SPEC, overrides)
    assert caught.value.where == f"run config of pipeline bank, {where}"
    assert hint in str(caught.value)


def test_values_of_a_wrong_type_or_name_are_refused():
    with pytest.raises(SpecError, match="did you mean 'test_size'") as caught:
        parse_overrides({"tset_size": 0.1}, where="here")
    assert caught.value.where == "here, tset_size"
    with pytest.raises(SpecError, match="test_size"):
        parse_overrides({"test_size": "0.1"}, where="here")


def test_a_parameter_takes_choices_bounds_and_default_from_the_field_that_it_replaces():
    assert (RUN_PARAMETERS["test_size"].type, RUN_PARAMETERS["test_size"].default) == (float, 0.2)
    assert RUN_PARAMETERS["test_size"].help == "Share of the rows in the holdout. Above 0, below 1."
    assert RUN_PARAMETERS["training_scenario"].choices == ("full", "incremental")
    assert RUN_PARAMETERS["tuning"].type is dict
    assert all(parameter.description for parameter in RUN_PARAMETERS.values())


def test_a_field_of_the_pipeline_leads_back_to_its_parameter():
    assert parameter_at(("training", "seed")) == (RUN_PARAMETERS["random_state"], "")
    assert parameter_at(("tuning", "search_space", "C")) == (RUN_PARAMETERS["tuning"], "search_space.C")
    assert parameter_at(("dataset", "partitions")) is None


def test_columns_keep_what_a_run_does_not_say_of_them():
    spec = apply_overrides(SPEC, RunOverrides(columns={"ssn": {"pii": True, "description": "personal"}}))
    run = apply_overrides(spec, RunOverrides(ingestion_config={"columns": {"ssn": {"role": "ignored"}}}))
    assert (run.dataset.columns["ssn"].pii, run.dataset.columns["ssn"].role) == (True, "ignored")


def test_of_two_parameters_for_one_field_the_more_specific_one_wins():
    general = {"ingestion_config": {"format": "json", "member": "a"}, "split": {"test_size": 0.5}}
    run = apply_overrides(SPEC, parse_overrides({**general, "data_format": "csv", "test_size": 0.3}, where="a test"))
    assert (run.dataset.format, run.dataset.member, run.split.test_size) == ("csv", "a", 0.3)


def test_the_parameter_of_a_field_is_the_most_specific_one():
    assert parameter_at(("dataset", "dialect", "delimiter")) == (RUN_PARAMETERS["dialect"], "delimiter")
    assert parameter_at(("dataset", "member")) == (RUN_PARAMETERS["ingestion_config"], "member")
    assert parameter_at(("split", "test_size")) == (RUN_PARAMETERS["test_size"], "")
    assert parameter_at(("split", "group")) == (RUN_PARAMETERS["split"], "group")


@pytest.mark.parametrize(
    ("parameters", "shared"),
    [
        ({"test_size": 0.3}, True),
        ({"hyperparameters": {"C": 2}}, True),
        ({"split": {"by": "group", "group": "g"}}, False),
        ({"task": "regression"}, False),
        ({"columns": {"a": {"role": "ignored"}}}, False),
        ({"ingestion_config": {"member": "a.csv"}}, False),
    ],
)
def test_an_experiment_shares_validated_rows_only_where_the_gate_judges_the_same(parameters, shared):
    assert space_of_run(PRODUCTION, parameters).shares_rows is shared
