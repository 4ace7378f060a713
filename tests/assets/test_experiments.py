"""Runs with parameters, and deployments of another branch: what they do stays out of production."""

import dagster as dg
import pytest
from mlflow import MlflowClient
from small_platform import BANK, bank_rows, failure, write_csv

from assay.data.dataset import ValidatedDataset
from assay.promotion.champion import ChampionRecord
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import source_rows
from ml_assets.notifications.sensor import notifications_of
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.automation import champion_changes_key
from ml_assets.planning import Planner
from ml_assets.stages import names_in
from resources.mlflow.registry import MlflowModelRegistry
from resources.settings import Settings

FOREST = {"model_name": "random_forest", "tuning": {"enabled": False}, "hyperparameters": {"n_estimators": 20}}
OTHER_TARGET = {"target_column": "loan", "input_schema_version": 2, "data_validation": {"min_rows": 10_000}}


def objects_of(platform, *, spaces=False):
    """Return the keys in production's store, or in all spaces."""
    store = platform.resources["object_store"].production()
    return {item.key for item in store.list_objects("") if spaces or not item.key.startswith("@spaces/")}


def observations(platform, asset):
    records = platform.instance.fetch_observations(dg.AssetKey(asset.split("/")), limit=9).records
    return [record.asset_observation.metadata for record in records]


def fits(platform):
    """Return the metadata of trained models; the evaluation, with a report, is another observation of the same asset."""
    found = observations(platform, "bank/trained_model")
    return [each for each in found if "scenario" in each and "report" not in each]


def materializations(platform, asset):
    records = platform.instance.fetch_materializations(dg.AssetKey(asset.split("/")), limit=9).records
    return [record.run_id for record in records]


def check_outcomes(platform, asset="bank/validated_dataset"):
    """Return the newest outcome of each check, as automation conditions see them."""
    keys = platform.definitions.resolve_asset_graph().get_check_keys_for_assets([dg.AssetKey(asset.split("/"))])
    found = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key([*keys])
    return {
        key.name: (record.status.value, record.evaluation.target_materialization_data) for key, record in found.items()
    }


def champion(platform, name="bank"):
    registry: MlflowModelRegistry = platform.resources["model_registry"]
    return registry.journal(name).current()


def test_a_run_with_parameters_makes_a_model_and_changes_nothing_in_production(trained_bank):
    before, made = objects_of(trained_bank), materializations(trained_bank, "bank/validated_dataset")
    outcomes = check_outcomes(trained_bank)

    result = trained_bank.materialize("bank/*", parameters=FOREST, experiment=True)

    assert result.success, failure(result)
    assert objects_of(trained_bank) == before
    assert materializations(trained_bank, "bank/validated_dataset") == made
    assert champion(trained_bank).version == "1"
    assert check_outcomes(trained_bank) == outcomes
    (space,) = trained_bank.resources["object_store"].space_names()
    (seen,) = observations(trained_bank, "bank/champion_model")
    assert space.startswith("experiment-")
    assert seen["experiment"].value == seen["space"].value == space
    assert seen["registered model"].value == f"bank-{space}"
    assert seen["production champion version"].value == "1"
    assert seen["against production"].value.startswith(("promoted", "rejected", "kept_champion"))
    assert "better_model_is_champion" in str(seen["checks"].value)
    (trained,) = fits(trained_bank)
    assert trained["family"].value == "random_forest"
    tracker = trained_bank.resources["experiment_tracker"]
    client = MlflowClient(tracker.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("assay/bank-experiments").experiment_id])
    assert [run.data.tags["assay.space"] for run in runs] == [space]
    assert client.get_model_version_by_alias(f"bank-{space}", "champion").version == 1
    assert notifications_of(trained_bank.instance, result.run_id, failed=False, ui_url="http://ui") == []


@pytest.mark.full
def test_a_refused_run_with_another_target_leaves_the_pipeline_as_it_is(trained_bank):
    refused = trained_bank.materialize("bank/*", parameters=OTHER_TARGET, experiment=True)
    assert "the data-quality gate rejected this data" in failure(refused)
    (seen,) = observations(trained_bank, "bank/validated_dataset")
    assert "failed (error)" in str(seen["checks"].value)

    assert [path.name for path in trained_bank.settings.pipelines_dir.glob("schemas/*")] == ["bank.v1.yaml"]

    learned = trained_bank.materialize("bank/best_hyperparameters", "bank/trained_model")

    assert learned.success, failure(learned)
    assert trained_bank.artifacts.load(("bank", "validated_dataset"), None, ValidatedDataset).fingerprint.rows == 200


def changed(platform, **settings):
    platform.settings = Settings(**platform.settings.model_dump() | settings)
    return platform


def spaces_of(platform):
    return platform.resources["object_store"].space_names()


def requested(platform, cursor=None):
    """Return the assets that the automation conditions request, and the cursor."""
    result = dg.evaluate_automation_conditions(defs=platform.definitions, instance=platform.instance, cursor=cursor)
    return sorted(one.key.path[-1] for one in result.results if not one.true_subset.is_empty), result.cursor


@pytest.mark.parametrize(
    "parameters",
    [OTHER_TARGET, pytest.param({"data_source": "data/absent.csv"}, marks=pytest.mark.full)],
    ids=["refused", "stopped before the gate"],
)
def test_automation_follows_production_alone(platform, parameters):
    platform.pipeline(
        BANK + "scoring: {{columns: [id]}}\n", write_csv(platform.settings.home / "../bank.csv", bank_rows())
    )
    assert platform.materialize("bank/*").success
    outcomes = check_outcomes(platform)
    _, cursor = requested(platform)

    assert platform.materialize("bank/*", parameters=FOREST, experiment=True).success
    assert not platform.materialize("bank/*", parameters=parameters, experiment=True).success
    assert check_outcomes(platform) == outcomes
    names, cursor = requested(platform, cursor)
    assert names == []

    # rows of production have passed, whatever an experiment found: predictions follow a roll-back
    platform.instance.report_runless_asset_event(dg.AssetMaterialization(champion_changes_key("bank")))
    assert requested(platform, cursor)[0] == ["batch_predictions"]


@pytest.mark.full
def test_a_warning_that_failed_is_not_reported_again_since_it_would_be_a_new_alarm(trained_bank):
    key = dg.AssetCheckKey(dg.AssetKey(["bank", "validated_dataset"]), "values_in_range")
    path = trained_bank.settings.pipelines_dir / "bank.yaml"
    text = path.read_text().replace("min: 17", "min: 40")
    path.write_text(text.replace("min_rows: 50", "min_rows: 50\n  warn: [values_in_range]"))
    warned = trained_bank.materialize("bank/validated_dataset")
    assert warned.success, failure(warned)
    history = trained_bank.instance.event_log_storage.get_asset_check_execution_history
    assert history(key, limit=1)[0].status.value == "FAILED"
    assert trained_bank.materialize("bank/*", parameters=FOREST, experiment=True).success
    assert history(key, limit=1)[0].status.value == "PLANNED"


def test_an_experiment_reads_rows_of_production_where_it_changes_none(gated_months):
    learning = [f"monthly/{name}" for name in names_in(Phase.LEARNING)]
    parameters = {"model_name": "linear_regression"}
    done = gated_months.materialize(*learning, partition="2021-02", parameters=parameters, experiment=True)
    assert done.success, failure(done)
    [record] = gated_months.instance.fetch_observations(dg.AssetKey(["monthly", "trained_model"]), limit=9).records
    assert record.partition_key == "2021-02"
    assert not materializations(gated_months, "monthly/trained_model")

    for parameters, missing in (
        ({"data_source": "data/monthly.csv"}, "monthly/validated_dataset"),
        ({"random_state": 3}, ""),
    ):
        names = learning if missing else learning[1:]
        done = gated_months.materialize(*names, partition="2021-02", parameters=parameters, experiment=True)
        assert "nothing is published" in failure(done)
        assert (missing or "monthly/best_hyperparameters") in failure(done)


@pytest.mark.full
def test_a_range_of_an_experiment_is_observed_by_partition(gated_months):
    made = gated_months.instance.get_materialized_partitions(dg.AssetKey(["monthly", "validated_dataset"]))
    options = {"first": "2021-01", "last": "2021-03", "experiment": True}
    done = gated_months.materialize_range("monthly/*", parameters={"test_size": 0.5}, **options)
    assert done.success, failure(done)
    records = gated_months.instance.fetch_observations(dg.AssetKey(["monthly", "champion_model"]), limit=9).records
    assert sorted(record.partition_key for record in records) == ["2021-02", "2021-03"]
    (curve,) = observations(gated_months, "monthly/backtest_report")
    assert "2021-03" in str([entry.value for entry in curve.values()])
    assert gated_months.instance.get_materialized_partitions(dg.AssetKey(["monthly", "validated_dataset"])) == made
    assert not materializations(gated_months, "monthly/champion_model")


@pytest.mark.full
def test_a_blocking_check_ends_an_experiment(trained_bank):
    text = BANK.replace("tuning:", "evaluation: {{minimum: {{roc_auc: 0.999}}}}\ntuning:")
    trained_bank.pipeline(text, "data/bank.csv")
    done = trained_bank.materialize("bank/*", parameters=FOREST, experiment=True)
    assert "[checks_failed] blocking checks failed" in failure(done)
    assert "primary_metric_above_minimum" in failure(done)
    assert not observations(trained_bank, "bank/champion_model")


@pytest.mark.full
def test_an_incremental_experiment_continues_from_the_champion_of_production(trained_bank):
    done = trained_bank.materialize("bank/*", parameters={"training_scenario": "incremental"}, experiment=True)
    assert done.success, failure(done)
    (trained,) = fits(trained_bank)
    assert trained["scenario"].value == "incremental"


def test_production_is_asked_for_and_allowed_by_the_deployment(trained_bank):
    changed(trained_bank, run_production="off")
    refused = trained_bank.materialize("bank/*", parameters=FOREST)
    assert "may not change production" in failure(refused)
    assert "ASSAY_RUN_PRODUCTION=on" in failure(refused)
    assert not spaces_of(trained_bank)
    assert trained_bank.materialize("bank/trained_model", parameters={"space": "production"}).success


def test_a_bundle_is_exported_under_the_name_that_the_run_asks_for(trained_bank, tmp_path):
    trained_bank.pipeline(BANK + "training: {{target_output_path: models}}\n", "data/bank.csv")
    assert trained_bank.materialize("bank/trained_model", parameters={"random_state": 42}).success
    learned = ("bank/best_hyperparameters", "bank/trained_model")
    assert trained_bank.materialize(*learned, parameters=FOREST, experiment=True).success
    asked = FOREST | {"target_output_path": "mine"}
    assert trained_bank.materialize(*learned, parameters=asked, experiment=True).success
    first = next(name for name in spaces_of(trained_bank) if (tmp_path / f"models/bank-{name}_v1").exists())
    assert {path.name for path in (tmp_path / "models").glob("bank*")} == {"bank_v1", f"bank-{first}_v1"}
    assert [path.name for path in (tmp_path / "mine").glob("bank*")] == ["bank_v1"]


def test_a_branch_has_materializations_and_a_champion_of_its_own(trained_bank):
    before = objects_of(trained_bank)
    changed(trained_bank, branch="wider-search", run_production="off")
    done = trained_bank.materialize("bank/*")
    assert done.success, failure(done)
    record = trained_bank.instance.fetch_materializations(dg.AssetKey(["bank", "champion_model"]), limit=1).records[0]
    metadata = record.asset_materialization.metadata
    assert metadata["space"].value == "wider-search"
    assert metadata["registered model"].value == "bank-wider-search"
    assert metadata["production champion version"].value == "1"
    assert objects_of(trained_bank) == before
    assert champion(trained_bank, "bank-wider-search").version == "1"
    asked = trained_bank.materialize("bank/raw_dataset", parameters={"space": "production"})
    assert "may not change production" in failure(asked)
    client = MlflowClient(trained_bank.resources["experiment_tracker"].tracking_uri)
    assert client.get_experiment_by_name("assay/bank-wider-search")


def run_job(platform, name, config=None):
    job = platform.definitions.resolve_job_def(name)
    return job.execute_in_process(instance=platform.instance, run_config=config or {}, raise_on_error=False)


def test_maintenance_sees_spaces_and_a_space_can_be_removed(trained_bank):
    before = objects_of(trained_bank, spaces=True)
    assert trained_bank.materialize("bank/*", parameters=FOREST, experiment=True).success
    (space,) = spaces_of(trained_bank)
    client = MlflowClient(trained_bank.resources["experiment_tracker"].tracking_uri)
    client.delete_registered_model_alias(f"bank-{space}", "champion")
    janitor = run_job(trained_bank, "artifact_janitor_job")
    assert janitor.output_for_node("repair_aliases") == 1
    assert janitor.output_for_node("remove_leftovers") == 0
    assert client.get_model_version_by_alias(f"bank-{space}", "champion").version == 1

    removal = {"ops": {"remove_space": {"config": {"space": space}}}}
    assert run_job(trained_bank, "space_removal_job", removal).success
    assert objects_of(trained_bank, spaces=True) == before
    assert [model.name for model in client.search_registered_models()] == ["bank"]
    experiment = client.get_experiment_by_name("assay/bank-experiments").experiment_id
    assert client.search_runs([experiment]) == []
    assert "there is no such space" in failure(run_job(trained_bank, "space_removal_job", removal))


@pytest.mark.full
def test_a_plan_does_not_see_experiments(trained_bank):
    newest = trained_bank.artifacts.log.newest(("bank", "champion_model"), None)
    assert trained_bank.materialize("bank/*", parameters=FOREST, experiment=True).success
    assert trained_bank.artifacts.log.newest(("bank", "champion_model"), None) == newest
    record = trained_bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert (record.space, record.against_production) == ("", None)
    deployment = Deployment(trained_bank.settings)
    spec = deployment.pipeline("bank")
    plan = Planner(spec, deployment.artifacts, source_rows(deployment, spec)).plan(None)
    assert {each.action for each in plan} == {"unchanged"}
