"""A pipeline from source to promotion, as a user sees it."""

import json
import re
from pathlib import Path

import mlflow
import pytest
from small_platform import ASSETS, BANK, bank_rows, failure, write_csv

from assay.gate.report import GateReport
from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel


@pytest.fixture(scope="module")
def done(fresh, tmp_path_factory):
    """A platform on which every asset was materialised, and the run; tests change nothing."""
    with fresh(tmp_path_factory.mktemp("done")) as platform:
        platform.pipeline(BANK, write_csv(Path("data/bank.csv"), bank_rows()))
        result = platform.materialize("bank/*")
        assert result.success, failure(result)
        yield platform, result


def test_everything_is_published_and_registered(done):
    bank, _ = done
    report = bank.artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    best = bank.artifacts.load(("bank", "best_hyperparameters"), None, BestHyperparameters)
    model = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    champion = bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    gate = bank.artifacts.load(("bank", "validation_report"), None, GateReport)

    assert report.metrics["roc_auc"] > 0.75 > report.baseline["roc_auc"]
    assert report.holdout_rows == 46  # a quarter of 200, up to the noise of the hash
    assert (best.searched, len(best.trials)) == (True, 3)
    assert champion.version == "1"
    assert gate.passed
    roles = {column.name: str(column.role) for column in model.manifest.features.columns}
    assert roles == {
        "age": "numeric",
        "job": "categorical",
        "loan": "boolean",
        "since": "datetime",
        "note": "text",
        "secret": "categorical",
    }
    assert set(model.manifest.unused_columns) == {"id"}
    assert "identifier" in model.manifest.unused_columns["id"]


def test_lineage_names_every_version_that_was_read(done):
    bank, _ = done
    commit = bank.artifacts.newest(("bank", "champion_model"), None)
    assert set(commit.inputs) == {"bank/validated_dataset", "bank/trained_model", "bank/evaluation_report"}
    validated = bank.artifacts.newest(("bank", "validated_dataset"), None)
    assert commit.inputs["bank/validated_dataset"] == f"1:{validated.data_version}"


def test_the_ui_gets_metadata_checks_and_plots(done):
    _, result = done
    shown = {
        event.asset_key.path[-1]: event.materialization.metadata for event in result.get_asset_materialization_events()
    }
    assert tuple(shown) == ASSETS
    assert shown["raw_dataset"]["dagster/row_count"].value == 200
    assert "swordfish" not in str(shown)
    assert any(name.startswith("plot/") for name in shown["evaluation_report"])
    assert "plot/tuning_history" in shown["best_hyperparameters"]
    assert "# " in shown["champion_model"]["model card"].value
    assert "; baseline 0.5)" in shown["champion_model"]["challenger on its holdout"].value
    assert "; baseline 0.5)" in shown["evaluation_report"]["holdout"].value
    search = shown["best_hyperparameters"]["validation roc_auc"].value
    assert shown["trained_model"]["validation roc_auc"].value == search > 0.5
    assert shown["trained_model"]["holdout metrics"].asset_key.path == ["bank", "evaluation_report"]
    columns = {column.name for column in shown["evaluation_report"]["metrics"].schema.columns}
    assert {"holdout", "from (95 %)", "to (95 %)", "baseline"} <= columns
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert all(checks.values())
    assert {
        "rows_unique_by_key",
        "primary_metric_above_minimum",
        "better_than_baseline",
        "better_model_is_champion",
    } <= set(checks)


def test_one_mlflow_run_holds_the_training_and_its_judgement(done):
    bank, result = done
    client = mlflow.MlflowClient(bank.settings.tracking_uri)
    [experiment] = [found for found in client.search_experiments() if found.name == "assay/bank"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["asset_key"] == "bank/trained_model"
    assert run.data.tags["git_sha"] == "abc123"
    assert len(run.data.tags["data_digest"]) == len(run.data.tags["spec_digest"]) == 64
    logged = run.data.metrics
    assert logged["holdout_roc_auc"] > 0.75
    assert logged["holdout_roc_auc_low"] < logged["holdout_roc_auc"] < logged["holdout_roc_auc_high"]
    assert logged["baseline_roc_auc"] == 0.5
    assert run.data.params["family"] == "logistic_regression"
    version = client.get_model_version_by_alias("bank", "champion")
    assert version.run_id == run.info.run_id
    assert "# " in version.description


def test_mlflow_compares_models_and_knows_their_rows(done):
    bank, _ = done
    client = mlflow.MlflowClient(bank.settings.tracking_uri)
    version = client.get_model_version_by_alias("bank", "champion")
    run = client.get_run(version.run_id)
    report = bank.artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    manifest = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel).manifest

    rows = {each.tags[0].value: each.dataset for each in run.inputs.dataset_inputs}
    assert set(rows) == {"training", "evaluation"}
    assert rows["training"].digest == run.data.tags["data_digest"][:36]
    assert json.loads(rows["training"].profile) == {"num_rows": 200, "digests": manifest.data_digests}
    assert json.loads(rows["training"].source) == {"uri": "data/bank.csv"}
    assert rows["evaluation"].digest == report.holdout_digest[:36]
    columns = {each["name"] for each in json.loads(rows["training"].schema)["mlflow_colspec"]}
    assert {"age", "job"} <= columns

    [logged] = client.search_logged_models([run.info.experiment_id])
    measured = {each.key: each for each in logged.metrics}
    assert measured["holdout_roc_auc"].value == report.metrics["roc_auc"]
    assert measured["holdout_roc_auc"].dataset_digest == report.holdout_digest[:36]
    assert (
        measured["holdout_roc_auc"].dataset_name == "bank holdout"
    )  # of all models, so that a chart has them together
    assert logged.params["family"] == "logistic_regression"
    assert logged.name == "bank"
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "bank", "version": "1"}]
    assert run.data.params["data_source"] == "data/bank.csv"
    assert run.data.metrics["train_rows"] == manifest.train_rows
    assert run.data.metrics["fit_seconds"] == manifest.provenance.fit_seconds


def test_mlflow_run_version_and_registered_model_say_what_they_are_and_link_back(done):
    bank, result = done
    client = mlflow.MlflowClient(bank.settings.tracking_uri)
    version = client.get_model_version_by_alias("bank", "champion")
    tags, page = client.get_run(version.run_id).data.tags, version.tags["assay.report"]
    assert f"[Dagster run](http://localhost:3000/runs/{result.run_id})" in tags["mlflow.note.content"]
    assert f"[Report]({tags['assay.report']})" in tags["mlflow.note.content"]
    assert (tags["mlflow.source.name"], tags["mlflow.source.git.commit"]) == ("bank/trained_model", "abc123")
    assert re.match(rf"Promoted [^\n]*\. Its report: {re.escape(page)}\n\n# ", version.description)
    model = client.get_registered_model("bank")
    assert "Predicts y (binary classification) of the rows of data/bank.csv. Pipeline bank." in model.description
    assert (model.tags["pipeline"], model.tags["task"]) == ("bank", "binary_classification")
    shown = result.asset_materializations_for_node("bank__champion_model")[0].metadata
    assert shown["in MLflow"].value.endswith("/models/bank/versions/1?workflowType=machine_learning")


def test_running_again_changes_nothing_but_the_version(trained_bank):
    bank = trained_bank
    again = bank.materialize("bank/*")
    assert again.success
    for asset in ("raw_dataset", "validated_dataset", "best_hyperparameters"):
        first, second = bank.artifacts.log.history(("bank", asset), None)
        assert first.data_version == second.data_version
    record = bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert record.version == "1"
    assert record.decision.verdict == "kept_champion"


def test_an_incremental_training_goes_on_from_the_champion(trained_bank):
    bank = trained_bank
    result = bank.materialize("bank/*", parameters={"training_scenario": "incremental"})
    assert result.success, failure(result)
    model = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    assert model.manifest.scenario_applied == "incremental"


def test_the_training_ends_failed_in_mlflow_when_the_fit_fails(bank):
    assert bank.materialize("bank/raw_dataset", "bank/validated_dataset").success
    assert bank.materialize("bank/best_hyperparameters", parameters={"tuning": {"enabled": False}}).success
    bank.settings = bank.settings.model_copy(update={"run_roots": "ftp://nowhere"})
    result = bank.materialize("bank/trained_model", parameters={"target_output_path": "ftp://nowhere"})
    assert not result.success
    assert "there is no store behind this URI" in failure(result)
    client = mlflow.MlflowClient(bank.settings.tracking_uri)
    [experiment] = [found for found in client.search_experiments() if found.name == "assay/bank"]
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_a_minimum_that_is_missed_blocks_promotion(bank, tmp_path):
    bank.pipeline(BANK + "evaluation: {{minimum: {{roc_auc: 0.999}}}}\n", tmp_path / "data" / "bank.csv")
    result = bank.materialize("bank/*")
    assert not result.success
    [check] = [c for c in result.get_asset_check_evaluations() if c.check_name == "primary_metric_above_minimum"]
    assert not check.passed
    assert "0.999" in check.description
    alone = bank.materialize("bank/champion_model")
    record = bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert alone.success
    assert (record.version, record.decision.verdict) == (None, "rejected_below_minimum")


def test_changed_columns_are_refused_until_the_schema_version_is_raised(bank, tmp_path):
    assert bank.materialize("bank/raw_dataset").success
    write_csv(tmp_path / "data" / "bank.csv", [row | {"extra": 1} for row in bank_rows()])
    refused = bank.materialize("bank/raw_dataset")
    assert "[schema_drift] column 'extra' is new" in failure(refused)
    assert bank.materialize("bank/raw_dataset", parameters={"input_schema_version": 2}).success


def test_the_input_example_holds_no_personal_data(done):
    bank, _ = done
    model = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    assert len(model.input_example) == 5
    assert model.input_example["secret"].isna().all()
    assert model.input_example["job"].notna().all()
    assert len(model.estimator.predict(model.input_example)) == 5
