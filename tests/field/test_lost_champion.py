"""A champion that cannot be used any more: each error names what happened and a job that goes on, and the job works."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from small_platform import BANK, bank_rows, failure, write_csv

FAST = {"tuning": {"enabled": False}}


def client_of(platform):
    return MlflowClient(f"sqlite:///{platform.settings.home}/mlflow/mlflow.db")


def champion(platform):
    return platform.resources["model_registry"].champion("bank")


def alias(platform):
    found = client_of(platform).get_registered_model("bank").aliases.get("champion")
    return None if found is None else str(found)


def replace_champion(platform, **config):
    job = platform.definitions.resolve_job_def("champion_rollback_job")
    return job.execute_in_process(
        instance=platform.instance,
        run_config={"ops": {"roll_back_champion": {"config": {"pipeline": "bank", **config}}}},
        raise_on_error=False,
    )


def compare(platform, **parameters):
    return platform.materialize("bank/champion_model", parameters=FAST | parameters)


def train_another(platform):
    names = [
        f"bank/{name}" for name in ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")
    ]
    return platform.materialize(*names, parameters=FAST | {"hyperparameters": {"C": 0.01}})


def delete_files(platform, version="1"):
    shutil.rmtree(client_of(platform).get_model_version("bank", version).source)


@pytest.mark.parametrize("lost", ["whole", pytest.param("bundle", marks=pytest.mark.full)])
def test_files_that_are_gone_name_the_job_and_the_model_is_promoted_again_from_the_artifact_store(promoted, lost):
    source = Path(client_of(promoted).get_model_version("bank", "1").source)
    shutil.rmtree(source if lost == "whole" else source / "bundle")
    refused = failure(compare(promoted))
    assert "gone" in refused or "[digest_mismatch]" in refused
    assert "champion_rollback_job" in refused
    assert "withdraw: true" in refused
    shutil.rmtree(source, ignore_errors=True)
    withdrawn = replace_champion(promoted, withdraw=True, reason="files lost")
    assert withdrawn.success, failure(withdrawn)
    assert (champion(promoted), alias(promoted)) == (None, None)
    again = compare(promoted)
    assert again.success, failure(again)
    assert (champion(promoted).version, alias(promoted)) == ("2", "2")
    promoted.resources["model_registry"].current_champion("bank")  # verifies all files


@pytest.mark.full
def test_the_champion_before_is_brought_back_where_the_files_of_the_newest_are_gone(promoted, monkeypatch):
    from ml_assets.assets import champion_model

    decide = champion_model.decide
    monkeypatch.setattr(
        champion_model, "decide", lambda *given: decide(*given).model_copy(update={"verdict": "promoted"})
    )
    another = train_another(promoted)
    assert another.success, failure(another)
    assert champion(promoted).version == "2"
    delete_files(promoted, "2")
    assert "champion_rollback_job" in failure(compare(promoted))
    assert replace_champion(promoted).output_for_node("roll_back_champion") == "1"
    assert (champion(promoted).version, alias(promoted)) == ("1", "1")


def test_a_version_without_files_is_no_champion_to_go_back_to(promoted):
    delete_files(promoted)
    assert replace_champion(promoted, withdraw=True).success
    refused = failure(replace_champion(promoted, version="1"))
    assert "the files of a registered version are gone" in refused
    assert champion(promoted) is None


def test_a_withdrawn_champion_can_be_brought_back(promoted):
    assert replace_champion(promoted, withdraw=True).success
    assert "there is no champion to withdraw" in failure(replace_champion(promoted, withdraw=True))
    assert replace_champion(promoted, version="1").success
    assert (champion(promoted).version, alias(promoted)) == ("1", "1")
    assert "exclude each other" in failure(replace_champion(promoted, version="1", withdraw=True))


@pytest.fixture
def foreign(platform, tmp_path):
    """A trained `bank` before its first promotion; somebody registered a version under its name, with the alias."""
    platform.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    client = client_of(platform)
    client.create_registered_model("bank")
    client.create_model_version("bank", source=str(tmp_path))
    client.set_registered_model_alias("bank", "champion", "1")
    return platform


@pytest.mark.full
def test_an_alias_on_a_foreign_version_names_the_job_that_goes_on(foreign):
    refused = foreign.materialize("bank/*", parameters=FAST)
    assert "the alias of the champion is on a version that Assay did not log" in failure(refused)
    assert "withdraw: true" in failure(refused)
    assert replace_champion(foreign, withdraw=True).success
    assert alias(foreign) is None
    promoted = compare(foreign)
    assert promoted.success, failure(promoted)
    assert (champion(foreign).version, alias(foreign)) == ("2", "2")


def test_an_alias_that_was_moved_to_a_foreign_version_later_is_set_again(promoted, tmp_path):
    client = client_of(promoted)
    client.create_model_version("bank", source=str(tmp_path))
    client.set_registered_model_alias("bank", "champion", "2")
    assert compare(promoted).success
    assert (champion(promoted).version, alias(promoted)) == ("1", "1")


def test_a_champion_of_another_pipeline_is_named_where_it_cannot_be_used(promoted):
    """Two pipelines share the registered model, and the champion predicts something else."""
    text = BANK.replace("name: bank", "name: loans").replace("target: y", "target: loan")
    text = text.replace("model: {{candidates", "scoring: {{columns: [id]}}\nmodel: {{name: bank, candidates")
    promoted.pipeline(text, Path("data/bank.csv"))
    result = promoted.materialize("loans/raw_dataset", "loans/validated_dataset", "loans/batch_predictions")
    refused = failure(result)
    assert "the champion predicts something else than this pipeline" in refused
    assert "loans/champion_model" in refused
