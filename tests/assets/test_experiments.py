"""Runs with parameters, and deployments of another branch: what they do stays out of production."""

import dagster as dg
from small_platform import failure

from assay.data.dataset import ValidatedDataset
from resources.mlflow.registry import MlflowModelRegistry

FOREST = {"model_name": "random_forest", "tuning": {"enabled": False}, "hyperparameters": {"n_estimators": 20}}
OTHER_TARGET = {"target_column": "loan", "input_schema_version": 2, "data_validation": {"min_rows": 10_000}}


def objects_of(platform, *, spaces=False):
    """Return the keys in production's store, or in all spaces."""
    store = platform.definitions.resources["object_store"].production()
    return {item.key for item in store.list_objects("") if spaces or not item.key.startswith("@spaces/")}


def observations(platform, asset):
    records = platform.instance.fetch_observations(dg.AssetKey(asset.split("/")), limit=9).records
    return [record.asset_observation.metadata for record in records]


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
    registry: MlflowModelRegistry = platform.definitions.resources["model_registry"]
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
    (space,) = trained_bank.definitions.resources["object_store"].space_names()
    (seen,) = observations(trained_bank, "bank/champion_model")
    assert space.startswith("experiment-")
    assert seen["experiment"].value == seen["space"].value == space
    assert seen["registered model"].value == f"bank-{space}"
    assert seen["production champion version"].value == "1"
    assert seen["against production"].value.startswith(("promoted", "rejected", "kept_champion"))
    assert "beats_champion" in str(seen["checks"].value)
    (trained,) = observations(trained_bank, "bank/trained_model")
    assert trained["family"].value == "random_forest"
    tracker = trained_bank.definitions.resources["experiment_tracker"]
    from mlflow import MlflowClient

    client = MlflowClient(tracker.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("assay/bank-experiments").experiment_id])
    assert [run.data.tags["assay.space"] for run in runs] == [space]
    assert client.get_model_version_by_alias(f"bank-{space}", "champion").version == 1


def test_a_refused_run_with_another_target_leaves_the_pipeline_as_it_is(trained_bank):
    refused = trained_bank.materialize("bank/*", parameters=OTHER_TARGET, experiment=True)
    assert "the data-quality gate rejected this data" in failure(refused)
    (seen,) = observations(trained_bank, "bank/validated_dataset")
    assert "failed (error)" in str(seen["checks"].value)

    assert [path.name for path in trained_bank.settings.pipelines_dir.glob("schemas/*")] == ["bank.v1.yaml"]

    learned = trained_bank.materialize("bank/best_hyperparameters", "bank/trained_model")

    assert learned.success, failure(learned)
    assert trained_bank.artifacts.load(("bank", "validated_dataset"), None, ValidatedDataset).fingerprint.rows == 200
