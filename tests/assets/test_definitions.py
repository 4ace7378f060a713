"""What the code location holds."""

import gc
import importlib
import json
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from small_platform import BANK, MONTHLY

import definitions
from assay.errors import SerialisedError, SpecError
from assay.specs import PipelineSpec, RunOverrides
from assay.specs.operations import ASSET_NAMES
from assay.specs.overrides import RUN_PARAMETERS
from definitions import build_definitions, defs
from ml_assets import code_location, resource_wiring
from ml_assets.factory import TRIGGERS, pipeline_definitions
from ml_assets.pipeline.asset import Phase, Stage, pipeline_asset
from ml_assets.pipeline.jobs import Trigger
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.resource_wiring import executor_for, resources_for
from ml_assets.stages import STAGES, alarm_checks, training_checks
from resources.run_policy import RunPolicy
from resources.settings import Settings


def test_dg_finds_the_definitions_where_pyproject_says():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert importlib.import_module(project["code_location_target_module"]).defs is defs
    assert importlib.import_module(project["root_module"]).__name__ == project["defs_module"]


def test_the_assets_of_a_pipeline_in_order(bank):
    graph = bank.definitions.resolve_asset_graph()
    assert [key.to_user_string() for key in graph.toposorted_asset_keys] == [
        "bank/raw_dataset",
        "bank/validated_dataset",
        "bank/best_hyperparameters",
        "bank/trained_model",
        "bank/evaluation_report",
        "bank/champion_model",
    ]


def test_the_assets_that_a_file_may_name_are_those_that_there_can_be(platform):
    beyond = "scoring: {{}}\nmonitoring: {{performance: {{max_loss: 1}}}}\npromotion: {{on_regression: propose}}\n"
    beyond += "features: {{steps: [{{filter: x > 0}}]}}\n"
    beyond += "serving: {{labels: {{source: labels.csv, delay: 7d}}}}\n"
    platform.pipeline(MONTHLY + beyond, "x.csv")
    made = {key.path[-1] for key in platform.definitions.resolve_asset_graph().executable_asset_keys}
    assert made == set(ASSET_NAMES)


def gate_checks(platform):
    graph = platform.definitions.resolve_asset_graph()
    return {
        key.name: graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
        if key.asset_key.path[-1] == "validated_dataset"
    }


def test_the_rules_that_a_pipeline_configures_are_checks_that_block_or_warn_as_the_rules_do(bank):
    found = gate_checks(bank)

    blocking = {"row_count_in_range", "columns_present", "no_missing_target", "target_learnable", "no_target_leakage"}
    blocking |= {
        "target_not_reconstructible",
        "numbers_not_read_as_text",
        "rows_unique_by_key",
        "values_in_range",
        "values_allowed",
        "run_parameter_rules_hold",
    }
    assert {name for name, blocks in found.items() if blocks} == blocking
    assert set(found) - blocking == {
        "no_suspected_leakage",
        "no_future_timestamps",
        "no_identifier_features",
        "rows_not_repeated",
        "groups_not_split",
        "features_vary",
        "features_finite",
        "texts_written_consistently",
        "classes_large_enough",
        "categories_few_enough",
    }


def test_a_sentinel_that_is_off_or_does_not_apply_has_no_check(monthly):
    assert not {"groups_not_split", "rows_not_repeated", "classes_large_enough"} & set(gate_checks(monthly))
    off = MONTHLY.replace("min_rows: 10,", "min_rows: 10, sentinel: {{enabled: false}},")
    monthly.pipeline(off, "x.csv")
    assert set(gate_checks(monthly)) == {
        "row_count_in_range",
        "columns_present",
        "no_missing_target",
        "target_learnable",
        "values_in_range",
        "run_parameter_rules_hold",
    }


def test_a_new_rule_is_declared_once_and_its_function_registered_once(bank, monkeypatch):
    from assay.gate.outcome import CHECKS, failing_column, outcome
    from assay.gate.report import GateReport, report_json_schema
    from assay.specs.json_schema import pipeline_json_schema
    from assay.specs.loading import parse_pipeline
    from assay.specs.rules import RULES, Rule

    def few_columns(table, spec):
        found = (
            [failing_column("", expected="few", found=f"{len(table.names)} columns")] if len(table.names) > 2 else []
        )
        return outcome(found, observed="few columns", expected="few")

    monkeypatch.setitem(RULES, "columns_few", Rule("columns_few", "There are few columns.", severity="WARN"))
    monkeypatch.setitem(CHECKS, "columns_few", few_columns)

    assert gate_checks(bank)["columns_few"] is False
    result = bank.materialize("bank/raw_dataset", "bank/validated_dataset")
    [check] = [each for each in result.get_asset_check_evaluations() if each.check_name == "columns_few"]
    assert (check.passed, check.severity, "8 columns" in check.description) == (False, dg.AssetCheckSeverity.WARN, True)
    report = bank.artifacts.load(("bank", "validation_report"), None, GateReport)
    assert report.warned_rules[-1] == "columns_few"
    assert '"columns_few"' in json.dumps(pipeline_json_schema())
    assert '"columns_few"' in json.dumps(report_json_schema())
    text = (bank.settings.pipelines_dir / "bank.yaml").read_text()
    assert parse_pipeline(text.replace("unique:", "block: [columns_few]\n  unique:"), where="").validation.block
    with pytest.raises(SpecError, match="did you mean 'columns_few'"):
        parse_pipeline(text.replace("unique:", "block: [column_few]\n  unique:"), where="")


def test_every_run_parameter_is_in_the_run_config():
    fields = {name: field.description for name, field in RunParameters.model_fields.items()}
    assert fields.pop("space").startswith("Where results live")
    assert fields == {name: parameter.help for name, parameter in RUN_PARAMETERS.items()}


def test_a_run_can_be_parameterised_fully(bank, tmp_path):
    from assay.results.evaluation_report import EvaluationReport
    from assay.results.trained_model import TrainedModel

    parameters = {
        "data_source": str(tmp_path / "data" / "bank.csv"),
        "data_format": "csv",
        "ingestion_config": {"columns": {"loan": {"description": "whether there is a loan"}}},
        "dialect": {"encoding": "utf-8"},
        "columns": {"age": {"description": "years"}},
        "task": "binary_classification",
        "split": {"by": "stratified"},
        "input_schema_version": 3,
        "target_column": "loan",
        "data_validation": {"min_row_count": 10, "max_missing": 0.5, "drop_null_rows": True},
        "model_name": "random_forest",
        "model_version": "9",
        "hyperparameters": {"n_estimators": 7},
        "tuning": {
            "enabled": True,
            "n_trials": 2,
            "timeout": 60,
            "default_space": False,
            "search_space": {"max_depth": {"type": "int", "low": 2, "high": 6, "step": 2}},
        },
        "training_scenario": "full_train",
        "test_size": 0.5,
        "random_state": 123,
        "target_output_path": str(tmp_path / "out"),
    }
    assert set(parameters) == set(RunOverrides.model_fields)
    assert bank.materialize("bank/*", parameters=parameters).success
    facts = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel).manifest
    report = bank.artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    assert (facts.target, facts.family, facts.seed, facts.model_version) == ("loan", "random_forest", 123, "9")
    assert facts.parameters["n_estimators"] == 7
    assert facts.parameters["max_depth"] in {2, 4, 6}
    assert report.holdout_rows == 93  # half of 200, up to the noise of the hash
    assert sorted(path.name for path in (tmp_path / "out" / "bank_v9").iterdir()) == [
        "evaluated.skops",
        "input_example.parquet",
        "manifest.json",
        "model.skops",
    ]


def test_a_code_version_follows_the_slice_that_its_asset_reads(bank):
    from assay.specs.loading import parse_pipeline

    plain = parse_pipeline(BANK.format(source="a.csv"), where="x")
    tuned = parse_pipeline(BANK.format(source="a.csv").replace("n_trials: 3", "n_trials: 4"), where="x")
    changed = {stage.name for stage in STAGES if stage.code_version(plain) != stage.code_version(tuned)}
    assert changed == {"best_hyperparameters"}


def toy(spec, stage):
    @pipeline_asset(spec, stage, description="Says which seed the run has.")
    def toy_report(context: dg.AssetExecutionContext, run_spec: PipelineSpec) -> dg.Output[int]:
        return dg.Output(run_spec.training.seed)

    return toy_report


def test_an_entry_declares_an_asset(bank):
    from assay.specs.loading import parse_pipeline

    stage = Stage(
        "toy_report", toy, "toys", frozenset({"pandas"}), ("tuning",), Phase.LEARNING, pooled=True, alarm="toy"
    )
    text = BANK.format(source="a.csv") + "automation: {schedule: '0 6 * * 0'}\n"
    key = dg.AssetKey(["bank", "toy_report"])

    def graph_of(text):
        pipeline = pipeline_definitions(parse_pipeline(text, where="x"), (*STAGES, stage))
        definitions = dg.Definitions.merge(pipeline, dg.Definitions(resources=resources_for(bank.settings)))
        return definitions.resolve_asset_graph(), definitions

    graph, definitions = graph_of(text)
    assert graph.get(key).tags["stage"] == "toys"
    job = definitions.resolve_job_def("bank_retrain_job")
    assert key in job.asset_layer.selected_asset_keys
    assert graph.get(key).pools == {"training"}
    changed, _ = graph_of(text.replace("n_trials: 3", "n_trials: 4"))
    assert graph.get(key).code_version != changed.get(key).code_version
    assert alarm_checks((stage,)) == {"toy": ("toy_report", "no_toy_alarm_begins")}
    assert training_checks((stage,)) == {"toy": ("toy_report", "no_training_due_by_toy")}


def test_a_pipeline_that_nothing_starts_has_a_job_of_its_priority(bank):
    path = bank.settings.pipelines_dir / "bank.yaml"
    text = path.read_text()
    assert "automation" not in text
    jobs = {each.name: each for each in bank.definitions.jobs}
    assert "dagster/priority" not in jobs["bank_retrain_job"].tags
    path.write_text(text + "execution: {priority: -3}\n")
    jobs = {each.name: each for each in bank.definitions.jobs}
    assert jobs["bank_retrain_job"].tags == {"pipeline": "bank", "dagster/priority": "-3"}
    assert "bank_ingest_job" not in jobs

    fewer = build_definitions(bank.settings.model_copy(update={"jobs": "started"}))
    assert "bank_retrain_job" not in {each.name for each in fewer.jobs}
    path.write_text(text + "automation: {schedule: '0 6 * * 0'}\n")
    fewer = build_definitions(bank.settings.model_copy(update={"jobs": "started"}))
    assert "bank_retrain_job" in {each.name for each in fewer.jobs}


def test_errors_of_a_deployment_link_to_its_documentation(bank, monkeypatch):
    monkeypatch.setattr(SerialisedError, "site", "")
    build_definitions(bank.settings.model_copy(update={"docs_url": "https://docs.example.org"}))
    assert "  help: https://docs.example.org/reference/errors/#spec_invalid" in str(SpecError("x is wrong"))


def test_an_entry_declares_a_trigger(bank):
    from assay.specs.loading import parse_pipeline

    def toy_schedule(spec, job):
        return dg.ScheduleDefinition(f"{spec.name}_toy_schedule", job=job, cron_schedule="0 0 1 1 *")

    spec = parse_pipeline(BANK.format(source="a.csv") + "automation: {schedule: '0 6 * * 0'}\n", where="x")
    definitions = pipeline_definitions(spec, triggers=(*TRIGGERS, Trigger("toy", lambda _: True, toy_schedule)))
    assert {each.name: each.job_name for each in definitions.schedules} == dict.fromkeys(
        ["bank_retrain_schedule", "bank_toy_schedule"], "bank_retrain_job"
    )


def test_the_body_receives_the_pipeline_with_the_parameters_of_the_run(bank):
    from assay.specs.loading import parse_pipeline

    stage = Stage("toy_report", toy, "toys", frozenset(), ())
    asset = toy(parse_pipeline(BANK.format(source="a.csv"), where="x"), stage)
    for parameters, seed in (({}, 42), ({"random_state": 7}, 7)):
        resources = {
            "run_parameters": RunParameters(**parameters),
            "run_policy": RunPolicy(),
            "artifact_io_manager": dg.InMemoryIOManager(),
        }
        result = dg.materialize([asset], resources=resources)
        assert result.output_for_node("bank__toy_report") == seed


@pytest.fixture
def not_loaded():
    """A process that has not loaded the code location."""
    code_location.deployment_definitions.cache_clear()
    yield
    code_location.deployment_definitions.cache_clear()


def test_the_code_location_is_built_once_in_a_process(not_loaded, bank, monkeypatch):
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(bank.settings.pipelines_dir))
    built = []
    monkeypatch.setattr(
        code_location, "build_definitions", lambda given: built.append(given) or build_definitions(given)
    )
    for _ in range(3):
        repository = ReconstructableRepository.for_file(definitions.__file__, "defs")
        assert repository.get_definition().assets_defs_by_key
    gc.unfreeze()

    assert len(built) == 1


def test_loading_collects_no_garbage_and_collection_is_on_again_after_it(not_loaded, bank, monkeypatch):
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(bank.settings.pipelines_dir))
    collected: list[str] = []

    def count(phase, _info):
        collected.append(phase)

    first, *others = gc.get_threshold()
    gc.set_threshold(50, *others)
    gc.callbacks.append(count)
    try:
        before = len(collected)
        defs()
        during_loading = collected[before:]
    finally:
        gc.callbacks.remove(count)
        gc.set_threshold(first, *others)
        gc.unfreeze()

    assert len(during_loading) <= 4, "collections start before and after loading alone"
    assert gc.isenabled()


def test_collection_is_on_again_after_a_load_that_failed(not_loaded, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(tmp_path / "missing"))
    with pytest.raises(SpecError):
        defs()
    gc.unfreeze()

    assert gc.isenabled()


def test_the_executor_follows_the_setting():
    assert executor_for(Settings()).name == "in_process"
    assert executor_for(Settings(executor="forkserver")).name == "forkserver"
    assert executor_for(Settings(executor="multiprocess")).name == "multiprocess"


def test_supervision_that_ends_processes_can_be_off(bank, monkeypatch):
    supervised = []
    monkeypatch.setattr(resource_wiring, "supervised_executor", lambda stock: supervised.append(stock) or stock)
    settings = bank.settings.model_copy(update={"supervision": "off"})
    made = {on: build_definitions(each) for on, each in ((True, bank.settings), (False, settings))}
    for on, each_made in made.items():
        assert ("stalled_run_sensor" in {each.name for each in each_made.sensors}) is on
    assert [resources_for(each)["artifact_io_manager"].ends_processes for each in (bank.settings, settings)] == [
        True,
        False,
    ]
    assert [each.name for each in supervised] == [dg.in_process_executor.name]
    executor_for(settings)
    assert len(supervised) == 1


def launchpad_of(definitions: dg.Definitions) -> str:
    """Return the run config with which Dagster's interface fills the Launchpad's editor."""
    job = definitions.resolve_implicit_global_asset_job_def().get_job_snapshot()
    schema = job.config_schema_snapshot
    return default_values_yaml_from_type_snap(schema, schema.get_config_snap(job.mode_def_snaps[0].root_config_key))


def test_the_launchpad_begins_with_the_run_parameters_and_no_setting_of_the_deployment(bank):
    assert "\n  run_parameters:\n    config:\n      columns: {}\n      data_validation: {}\n" in launchpad_of(
        bank.definitions
    )
    assert "query_seconds" not in launchpad_of(bank.definitions)
    allowed = bank.settings.model_copy(update={"run_code": "on"})
    assert "query_seconds" in launchpad_of(build_definitions(allowed))


def test_what_the_launchpad_begins_with_can_be_launched(bank):
    run_config = yaml.safe_load(launchpad_of(bank.definitions))
    job = bank.definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(
        run_config, bank.instance, asset_selection=[dg.AssetKey(["bank", "raw_dataset"])]
    ).success


def test_the_page_of_a_resource_shows_its_values(bank):
    shown = RepositorySnap.from_def(bank.definitions.get_repository_def()).resources
    (sources,) = [each for each in shown if each.name == "data_sources"]
    assert sources.resource_type.endswith("DataSources")
    assert '"query_seconds": 600.0' in json.dumps(
        {each.name: json.loads(each.default_value_as_json_str) for each in sources.config_field_snaps}
    )


def test_no_secret_is_in_the_definitions(bank, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    snapshot = dg.Definitions.get_repository_def(bank.definitions)
    assert "hunter2" not in str(snapshot.get_top_level_resources())


def test_dagster_shows_no_password_of_the_tracker_and_its_resources_have_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_MLFLOW_TRACKING_URI", "")  # what is set meanwhile is undone at the end
    uri = "https://ann:swordfish@mlflow.example.org"
    definitions = build_definitions(Settings(home=tmp_path, pipelines_dir=tmp_path, mlflow_tracking_uri=uri))
    shown = dg.serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))
    assert "ASSAY_MLFLOW_TRACKING_URI" in shown
    assert "swordfish" not in shown
    names = ("experiment_tracker", "model_registry")
    with dg.build_resources({name: definitions.resources[name] for name in names}) as made:
        assert {made.experiment_tracker.tracking_uri, made.model_registry.tracking_uri} == {uri}
