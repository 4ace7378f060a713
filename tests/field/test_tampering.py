"""Somebody who may write to MLflow replaces files there: what is served is what the artifact store vouches for."""

import shutil

import pytest
from mlflow import MlflowClient
from platform_fixtures import add_bank
from small_platform import failure

from assay.errors import DigestMismatchError
from assay.results.bundle import bundle_digest
from resources.mlflow.flavour import CODE
from resources.mlflow.models import DIGEST_TAG

UP_TO_EVALUATION = [
    f"bank/{name}"
    for name in ("raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model", "evaluation_report")
]


def _evaluate(prepared):
    add_bank(prepared)
    result = prepared.materialize(*UP_TO_EVALUATION, parameters={"tuning": {"enabled": False}})
    assert result.success, failure(result)


@pytest.fixture
def bank(copied):
    with copied("evaluated_bank", _evaluate) as prepared:
        yield prepared


@pytest.fixture
def client(bank):
    return client_of(bank)


def client_of(platform):
    return MlflowClient(f"sqlite:///{platform.settings.home}/mlflow/mlflow.db")


def the_logged_model(client):
    experiment = client.get_experiment_by_name("assay/bank")
    (logged,) = client.search_logged_models([experiment.experiment_id])
    return logged


def promote(bank):
    return bank.materialize("bank/champion_model", parameters={"tuning": {"enabled": False}})


@pytest.mark.parametrize("file", [CODE, "MLmodel", "requirements.txt", "bundle/model.skops"])
def test_a_file_of_the_served_version_that_was_replaced_is_noticed(promoted, file, tmp_path):
    """A file beside the bundle was replaced and served without notice; every file of the version counts."""
    path = tmp_path / the_logged_model(client_of(promoted)).artifact_location / file
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DigestMismatchError) as refused:
        promoted.resources["model_registry"].current_champion("bank")
    assert "by the artifact store" in refused.value.expected


def test_bundle_and_tag_replaced_together_do_not_become_champion(bank, client, tmp_path):
    """The tag beside the files agreed with the replaced bundle; the commit of the store knows the right digest."""
    logged = the_logged_model(client)
    bundle = tmp_path / logged.artifact_location / "bundle"
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed"', '"seed" '))
    client.set_logged_model_tags(logged.model_id, {DIGEST_TAG: bundle_digest(bundle)})
    refused = promote(bank)
    assert not refused.success
    assert "[digest_mismatch] the registered model's files are not those that were registered" in failure(refused)
    assert bank.resources["model_registry"].champion("bank") is None
    assert f"delete the logged model {logged.model_id} in MLflow" in failure(refused)
    client.delete_logged_model(logged.model_id)
    assert promote(bank).success


def test_a_model_that_assay_did_not_log_does_not_become_champion(bank, client, tmp_path):
    """Another logged model in the run, with the right bundle and tag: without a record of the store it is nothing."""
    logged = the_logged_model(client)
    foreign = client.create_logged_model(logged.experiment_id, source_run_id=logged.source_run_id, tags=logged.tags)
    copy = shutil.copytree(tmp_path / logged.artifact_location, tmp_path / "copy")
    (copy / "requirements.txt").write_text("a-package-of-somebody-else\n")
    client.log_model_artifacts(foreign.model_id, str(copy))
    client.finalize_logged_model(foreign.model_id, "READY")
    assert promote(bank).success
    (version,) = client.search_model_versions("name = 'bank'")
    assert version.source == logged.artifact_location
