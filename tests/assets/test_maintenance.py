"""The maintenance jobs remove leftovers and restore earlier versions."""

import os
import time

import dagster as dg
import pytest
from mlflow import MlflowClient
from small_platform import BANK, bank_rows, failure, write_csv

from assay.data.dataset import Dataset
from assay.errors import ArtifactExpiredError
from assay.results.trained_model import TrainedModel
from resources.settings import Settings


def run_job(platform, name, config):
    job = platform.definitions.resolve_job_def(name)
    return job.execute_in_process(instance=platform.instance, run_config=config)


def test_an_earlier_version_is_brought_back(bank, tmp_path):
    assert bank.materialize("bank/raw_dataset").success
    write_csv(tmp_path / "data" / "bank.csv", bank_rows(rows=150))
    assert bank.materialize("bank/raw_dataset").success
    config = {"ops": {"restore_version": {"config": {"asset": "bank/raw_dataset", "version": 1}}}}
    result = run_job(bank, "artifact_restore_job", config)
    assert result.output_for_node("restore_version") == 3
    assert bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table.num_rows == 200


def test_leftovers_go_and_history_stays(bank, tmp_path):
    assert bank.materialize("bank/raw_dataset").success
    leftover = tmp_path / "leftover"
    leftover.write_bytes(b"x")
    key = "bank/raw_dataset/@whole/data/some-attempt/0123456789abcdef-data.parquet"
    bank.artifacts.store.put_file(key, leftover)
    config = {"ops": {"remove_leftovers": {"config": {"older_than_hours": 1}}}}
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 0
    os.utime(bank.artifacts.store.uri(key), (time.time() - 7200,) * 2)
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 1
    assert bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table.num_rows == 200


def test_the_janitor_removes_copies_of_refused_files_by_the_settings(platform, tmp_path):
    source = tmp_path / "bad.csv"
    source.write_text("age,y\n1,yes\n2\n")
    platform.pipeline(BANK, source)
    assert not platform.materialize("bank/raw_dataset").success
    kept = [item.key for item in platform.artifacts.store.list_objects("bank/@quarantine/")]
    assert len(kept) == 2
    assert run_job(platform, "artifact_janitor_job", {}).output_for_node("expire_quarantine") == 0
    platform.settings = Settings(**platform.settings.model_dump() | {"quarantine_megabytes": 1e-6})
    assert run_job(platform, "artifact_janitor_job", {}).output_for_node("expire_quarantine") == 1
    assert not list(platform.artifacts.store.list_objects("bank/@quarantine/"))


@pytest.fixture
def tracking(trained_bank):
    """Return what MLflow holds: versions of `bank`, ended runs and logged models."""
    client = MlflowClient(f"sqlite:///{trained_bank.settings.home}/mlflow/mlflow.db")

    def held():
        experiment = client.get_experiment_by_name("assay/bank").experiment_id
        return (
            sorted(int(each.version) for each in client.search_model_versions("name = 'bank'")),
            len(client.search_runs([experiment])),
            len(client.search_logged_models([experiment])),
        )

    return held


def _retain(platform, **config):
    platform.settings = Settings(**platform.settings.model_dump() | {"retention_versions": 1})
    job = run_job(platform, "artifact_janitor_job", {"ops": {"expire_versions": {"config": config}}})
    [event] = [each for each in job.all_events if each.is_successful_output and each.step_key == "expire_versions"]
    return job.output_for_node("expire_versions"), event.event_specific_data.metadata


def test_the_janitor_applies_the_retention_policy_and_reports_what_went(trained_bank, tracking):
    names = ("trained_model", "evaluation_report", "champion_model")
    for seed in (11, 12):
        assert trained_bank.materialize(*[f"bank/{name}" for name in names], parameters={"random_state": seed}).success
    models = trained_bank.artifacts.log.history(("bank", "trained_model"), None)
    champion = trained_bank.resources["model_registry"].current_champion("bank")
    assert (len(models), champion.version, tracking()[1:]) == (3, "1", (3, 3))
    count, metadata = _retain(trained_bank, superseded_hours=0, dry_run=True)
    going = metadata["would be removed"].value
    assert ("bank/trained_model, version 2" in going, "bank/trained_model, version 1" in going) == (True, False)
    assert (len(going), tracking()[1:]) == (count, (3, 3))
    assert _retain(trained_bank)[0] == 0  # all of it was replaced a moment ago
    again, metadata = _retain(trained_bank, superseded_hours=0)
    assert (again, metadata["removed"].value) == (count, going)
    # the run of the champion and the run of the newest model
    assert tracking()[1:] == (2, 2)
    trained_bank.artifacts.read(models[0], TrainedModel)
    with pytest.raises(ArtifactExpiredError):
        trained_bank.artifacts.read(models[1], TrainedModel)
    assert trained_bank.resources["model_registry"].current_champion("bank").version == "1"
    assert trained_bank.materialize("bank/champion_model", parameters={"random_state": 12}).success
    # the decision is made anew, and with it the report of the model that it is about
    again, metadata = _retain(trained_bank, superseded_hours=0)
    assert (again, "bank/model_report, version" in metadata["removed"].value[0]) == (1, True)


@pytest.mark.full
def test_without_bounds_the_janitor_keeps_every_version(trained_bank):
    for seed in (11, 12):  # the first of the two is neither the newest nor a champion
        assert trained_bank.materialize("bank/trained_model", parameters={"random_state": seed}).success
    result = run_job(
        trained_bank, "artifact_janitor_job", {"ops": {"expire_versions": {"config": {"superseded_hours": 0}}}}
    )
    assert result.output_for_node("expire_versions") == 0


def test_a_removed_version_is_not_brought_back(bank):
    for _ in range(2):
        assert bank.materialize("bank/raw_dataset").success
    assert _retain(bank, superseded_hours=0)[0] == 1
    job = bank.definitions.resolve_job_def("artifact_restore_job")
    config = {"ops": {"restore_version": {"config": {"asset": "bank/raw_dataset", "version": 1}}}}
    result = job.execute_in_process(instance=bank.instance, run_config=config, raise_on_error=False)
    assert "[artifact_expired]" in failure(result)


def test_the_janitor_runs_nightly_only_where_a_bound_is_set(platform):
    def status():
        [schedule] = [one for one in platform.definitions.schedules if one.name == "artifact_janitor_schedule"]
        return schedule.default_status

    assert status() is dg.DefaultScheduleStatus.STOPPED
    unbounded = platform.settings.model_dump()
    for bound in ("quarantine_days", "retention_days", "retention_versions"):
        platform.settings = Settings(**unbounded | {bound: 30})
        assert status() is dg.DefaultScheduleStatus.RUNNING
