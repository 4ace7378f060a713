"""`assay reproduce`: a registered version is rebuilt from what is recorded, or the first difference is named."""

import json
from functools import partial

import mlflow
import pytest
from small_platform import bank_rows, failure, write_csv

from assay.errors import SpecError
from assay.learning import reproduction
from assay.learning.training import training_digest
from assay.results.trained_model import TrainedModel
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.reproduce import reproduced
from ml_assets.pipeline.code_version import OWN_CODE
from resources.checkout import Checkout
from resources.mlflow.models import PublishedModel


def again(platform, version="1"):
    return reproduced(Deployment(platform.settings), "bank", version)


def words(found):
    return "\n".join(reproduction.in_words(found, "bank version 1"))


def edit(platform, old, new):
    path = platform.settings.pipelines_dir / "bank.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_version_is_rebuilt_bit_by_bit_although_source_and_pipeline_file_have_changed(trained_bank, tmp_path):
    write_csv(tmp_path / "data" / "bank.csv", bank_rows()[:80])
    edit(trained_bank, "tuning: {n_trials: 3", "training: {seed: 7}\ntuning: {n_trials: 5")
    edit(trained_bank, "test_size: 0.25", "test_size: 0.4")
    assert trained_bank.materialize("bank/*").success
    found = again(trained_bank)
    assert found.is_identical
    assert found.rows == len(bank_rows())
    assert found.digest == found.rebuilt_digest
    assert "bit-identical" in words(found)


def test_the_bundle_has_the_same_digest_in_another_mlflow_run_at_another_time(trained_bank):
    first = trained_bank.artifacts.newest(("bank", "trained_model"), None)
    client = mlflow.MlflowClient(trained_bank.settings.tracking_uri)
    [experiment] = [each for each in client.search_experiments() if each.name == "assay/bank"]
    for run in client.search_runs([experiment.experiment_id]):
        client.delete_run(run.info.run_id)
    assert trained_bank.materialize("bank/trained_model").success
    second = trained_bank.artifacts.newest(("bank", "trained_model"), None)
    one, other = (trained_bank.artifacts.read(each, TrainedModel).manifest for each in (first, second))
    assert one.annotations["mlflow_run_id"] != other.annotations["mlflow_run_id"]
    assert one.provenance.trained_at < other.provenance.trained_at
    assert first.data_version == second.data_version


@pytest.mark.full
def test_a_continued_version_is_rebuilt_from_its_parent(bank):
    edit(bank, "[logistic_regression]", "[random_forest], hyperparameters: {n_estimators: 5}")
    edit(bank, "n_trials: 3, folds: 2", "enabled: false")
    assert bank.materialize("bank/*").success
    edit(bank, "tuning:", "training: {scenario: incremental}\ntuning:")
    result = bank.materialize("bank/*")
    assert result.success, failure(result)
    model = bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    parent = model.manifest.provenance.parent
    first = bank.artifacts.log.read(("bank", "trained_model"), None, 1)
    assert (parent.version, parent.digest) == ("1", first.data_version)
    registry = Deployment(bank.settings).resources["model_registry"]
    newest = bank.artifacts.newest(("bank", "trained_model"), None)
    published = PublishedModel(model, newest.data_version, partial(bank.artifacts.write_files, newest))
    version = registry.register("bank", published, "card").version
    found = again(bank, version)
    assert found.is_identical
    assert found.digest == found.rebuilt_digest


def _without_rows(platform, _monkeypatch):
    commit = platform.artifacts.newest(("bank", "validated_dataset"), None)
    for item in commit.objects:
        platform.artifacts.store.delete(item.key)


def _other_library(_platform, monkeypatch):
    real = reproduction.library_versions
    monkeypatch.setattr(reproduction, "library_versions", lambda name: real(name) | {"scikit-learn": "9.9"})
    _other_predictions(monkeypatch)


def _other_code(platform, monkeypatch):
    platform.settings = platform.settings.model_copy(update={"git_sha": "fffff"})
    _other_predictions(monkeypatch)


def _other_own_code(_platform, monkeypatch):
    monkeypatch.setattr("ml_assets.commands.reproduce.changed_parts", lambda *_: {OWN_CODE})
    _other_predictions(monkeypatch)


def _other_spec(platform, monkeypatch):
    monkeypatch.setattr("ml_assets.commands.reproduce.recorded_spec", lambda _, file: file)
    edit(platform, "test_size: 0.25", "test_size: 0.4")


def _other_seed(platform, monkeypatch):
    monkeypatch.setattr("ml_assets.commands.reproduce.recorded_spec", lambda _, file: file)
    monkeypatch.setattr(
        reproduction,
        "training_digest",
        lambda spec: training_digest(
            spec.model_copy(update={"training": spec.training.model_copy(update={"seed": 42})})
        ),
    )
    edit(platform, "tuning:", "training: {seed: 7}\ntuning:")
    _other_predictions(monkeypatch)


def _other_predictions(monkeypatch):
    monkeypatch.setattr("ml_assets.commands.reproduce.different_predictions", lambda *_: 3)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (_without_rows, "data: "),
        (_other_library, "lock: scikit-learn"),
        (_other_code, "code: commit abc123 then, fffff now"),
        (_other_own_code, "code: modules of your own"),
        (_other_spec, "spec: "),
        (_other_seed, "seed: 42 then, 7 now"),
    ],
)
def test_the_first_difference_is_named(change, first, trained_bank, monkeypatch):
    change(trained_bank, monkeypatch)
    found = again(trained_bank)
    assert not found.is_identical
    assert f"first difference: {first}" in words(found)


def test_changes_without_effect_are_named_and_are_no_failure(trained_bank):
    trained_bank.settings = trained_bank.settings.model_copy(update={"git_sha": "fffff-dirty"})
    found = again(trained_bank)
    assert found.is_identical
    assert "without effect on predictions: code: commit abc123 then, fffff, with changes" in words(found)


def test_a_manifest_of_an_earlier_version_is_rebuilt_by_the_file_and_its_own_seed(trained_bank):
    model = trained_bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    facts = json.loads(model.manifest.model_dump_json(exclude={"provenance"}))
    earlier = type(model.manifest).model_validate_json(json.dumps(facts))
    file = Deployment(trained_bank.settings).pipeline("bank")
    other_seed = file.model_copy(update={"training": file.training.model_copy(update={"seed": 7})})
    assert earlier.provenance is None
    assert reproduction.recorded_spec(earlier, other_seed) == file


def test_a_recorded_pipeline_that_cannot_be_read_is_an_error_and_not_replaced_by_the_file(trained_bank):
    model = trained_bank.artifacts.load(("bank", "trained_model"), None, TrainedModel)
    facts = json.loads(model.manifest.model_dump_json())
    facts["provenance"]["spec"]["split"]["holdout_for"] = "3 months"
    later = type(model.manifest).model_validate_json(json.dumps(facts))
    with pytest.raises(SpecError, match="records its pipeline, but this version of assay does not take it") as caught:
        reproduction.recorded_spec(later, Deployment(trained_bank.settings).pipeline("bank"))
    assert "split" in caught.value.where
    assert "holdout_for" in caught.value.where


def test_a_checkout_says_commit_and_dirty_flag_and_outside_of_one_they_are_unknown(tmp_path):
    stated = Checkout("1f2e3d-dirty", tmp_path).state()
    assert (stated.git_sha, stated.git_dirty, stated.lock_digest) == ("1f2e3d", True, "")
    assert len(stated.installed_digest) == 64
    nothing = Checkout(root=tmp_path).state()
    assert (nothing.git_sha, nothing.git_dirty) == ("unknown", None)
