import datetime as dt
import io
import json
import re
import zipfile

import numpy as np
import pytest

from assay.errors import ArtifactNotFoundError, DigestMismatchError, UntrustedModelError
from assay.learning.estimators.family import family_names
from assay.learning.persistence import (
    MANIFEST_FILE,
    MODEL_FILE,
    allowed_types,
    estimator_bytes,
    load_model,
    save_model,
    trusted_types,
)
from assay.learning.training import train
from assay.results.bundle import bundle_digest, files_digest
from assay.results.provenance import CodeState, Provenance
from assay.specs import Task

CASES = [(task, name) for task in Task for name in family_names(task)]


@pytest.fixture
def fitted(make_spec, make_split, make_best):
    def fit(task="binary_classification", family="logistic_regression", **parts):
        split, spec = make_split(task), make_spec(task, **parts)
        tree = {"hist_gradient_boosting": "max_iter", "catboost": "iterations"}.get(family, "n_estimators")
        few = {tree: 4} if any(part in family for part in ("forest", "trees", "boost", "lightgbm")) else {}
        return train(split, make_best(family, **few), spec), split.holdout.features

    return fit


def _said(model, features):
    estimator = model.estimator
    return estimator.predict_proba(features) if model.manifest.classes else estimator.predict(features)


@pytest.mark.parametrize(
    ("task", "family"),
    # an estimator is stored alike whatever it classifies
    [pytest.param(*each, marks=[pytest.mark.full] if each[0] is Task.MULTICLASS else []) for each in CASES],
)
def test_a_loaded_model_predicts_the_same_bits(task, family, fitted, tmp_path):
    model, features = fitted(task, family)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(_said(loaded, features), _said(model, features))
    np.testing.assert_array_equal(loaded.estimator.predict(features), model.estimator.predict(features))
    assert loaded.manifest == model.manifest
    assert loaded.input_example.dtypes.equals(model.input_example.dtypes)
    assert loaded.input_example.equals(model.input_example)


@pytest.mark.parametrize(
    "step",
    ["target_encoder", "one_hot_encoder", "ordinal_encoder", "passthrough_noise", "quantile_transformer"],
)
@pytest.mark.filterwarnings("ignore:n_quantiles")  # there are fewer rows
def test_models_with_explicit_steps_are_trusted(step, fitted, tmp_path):
    name, column = ("passthrough", "flag") if step == "passthrough_noise" else (step, "colour")
    column = "flag" if step == "quantile_transformer" else column
    parts = {"preprocessing": {"steps": [{"step": name, "columns": [column]}]}}
    model, features = fitted("binary_classification", "lightgbm", **parts)
    save_model(model, tmp_path)
    np.testing.assert_array_equal(_said(load_model(tmp_path), features), _said(model, features))


@pytest.mark.parametrize("family", ["logistic_regression", pytest.param("lightgbm", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "step",
    [
        {"step": ["impute", "quantile_transformer", "pca"], "columns": ["signal", "noise"]},
        {"step": ["knn_impute", "power_transformer", "polynomial"], "columns": ["signal", "noise"]},
        {"step": ["iterative_impute", "spline"], "columns": ["noise", "signal"]},
        {"step": "binning", "columns": ["noise"]},
        {"step": ["group_impute", "standard_scaler"], "columns": ["noise"], "by": ["colour"]},
        {"step": "frequency_encoder", "columns": ["colour"]},
        {"step": ["hashing_encoder", "truncated_svd"], "columns": ["colour"]},
        {"step": ["impute", "target_encoder"], "columns": ["colour"]},
        {"step": ["calendar", "sklearn.cluster:KMeans"], "columns": ["when"]},
    ],
    ids=lambda step: str(step["step"]),
)
@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_models_with_lists_of_steps_predict_the_same_bits(step, family, fitted, tmp_path):
    model, features = fitted("binary_classification", family, preprocessing={"steps": [step]})
    save_model(model, tmp_path)
    np.testing.assert_array_equal(_said(load_model(tmp_path), features), _said(model, features))


@pytest.mark.parametrize(
    ("family", "encoding"),
    [
        *((family, "native") for family in ("lightgbm", "catboost")),
        *(pytest.param(family, "native", marks=pytest.mark.full) for family in ("hist_gradient_boosting", "xgboost")),
        *(pytest.param("lightgbm", encoding, marks=pytest.mark.full) for encoding in ("one_hot", "target")),
        ("lightgbm", "hashing"),
        *(("logistic_regression", encoding) for encoding in ("ordinal", "target")),
    ],
)
def test_models_of_every_encoding_of_categories_come_back_to_the_same_bytes(family, encoding, fitted, tmp_path):
    # at most two categories are few, so that there is a column of many where the encoding is `hashing`
    most = {"max_categories": 2} if encoding == "hashing" else {}
    parts = {"preprocessing": {"categories": encoding, **most}}
    (model, features), (again, _) = (fitted("binary_classification", family, **parts) for _ in range(2))
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(_said(loaded, features), _said(model, features))
    assert estimator_bytes(model.estimator) == estimator_bytes(again.estimator) == estimator_bytes(loaded.estimator)
    prepared = loaded.estimator.named_steps["preprocessing"].transform(features)
    assert hasattr(prepared, "dtypes") is (encoding == "native")


@pytest.mark.parametrize("family", ["logistic_regression", "hist_gradient_boosting", "lightgbm"])
def test_the_same_fit_gives_the_same_bytes(family, fitted):
    # two live models share no memory address
    (first, _), (second, _) = fitted(family=family), fitted(family=family)
    assert estimator_bytes(first.estimator) == estimator_bytes(second.estimator)


def test_no_memory_address_and_no_time_is_written(fitted):
    model, _ = fitted()
    with zipfile.ZipFile(io.BytesIO(estimator_bytes(model.estimator))) as saved:
        schema = saved.read("schema.json").decode()
        assert {entry.date_time for entry in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert "_stop_words_id" in schema
    assert not re.findall(r"\d{12,}", schema.replace(str(2**63), ""))


def _with_type(folder, module, name):
    """Rename the type of the outermost object in a saved model."""
    with zipfile.ZipFile(folder / MODEL_FILE) as saved:
        parts = {entry: saved.read(entry) for entry in saved.namelist()}
    schema = json.loads(parts["schema.json"])
    schema["__module__"], schema["__class__"] = module, name
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as tampered:
        for entry, data in {**parts, "schema.json": json.dumps(schema)}.items():
            tampered.writestr(entry, data)
    (folder / MODEL_FILE).write_bytes(buffer.getvalue())


@pytest.mark.parametrize(("module", "name"), [("subprocess", "Popen"), ("os", "system"), ("builtins", "eval")])
def test_a_tampered_file_with_a_foreign_type_is_refused_by_name(module, name, fitted, tmp_path):
    model, _ = fitted()
    save_model(model, tmp_path)
    _with_type(tmp_path, module, name)
    with pytest.raises(UntrustedModelError) as refused:
        load_model(tmp_path)
    assert f"{module}.{name}" in refused.value.found


def test_a_manifest_cannot_make_a_class_trusted_that_is_no_estimator(fitted, tmp_path):
    model, _ = fitted()
    save_model(model, tmp_path)
    _with_type(tmp_path, "subprocess", "Popen")
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    (tmp_path / MANIFEST_FILE).write_text(json.dumps({**manifest, "own_classes": ["subprocess:Popen"]}))
    with pytest.raises(UntrustedModelError, match="no estimator"):
        load_model(tmp_path)


OWN = """
from sklearn.linear_model import LogisticRegression

class Custom(LogisticRegression):
    pass

class Hoarder(LogisticRegression):
    def fit(self, X, y):
        self.kept_ = Custom()
        return super().fit(X, y)
"""


@pytest.mark.filterwarnings("ignore:'n_jobs' has no effect")  # which the user's class has all the same
def test_the_users_own_class_is_trusted_and_what_it_holds_is_not(fitted, tmp_path, monkeypatch):
    (tmp_path / "own_model_module.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    model, features = fitted(family="own_model_module:Custom")
    save_model(model, tmp_path / "own")
    np.testing.assert_array_equal(_said(load_model(tmp_path / "own"), features), _said(model, features))
    with pytest.raises(UntrustedModelError, match="could not be stored after the search"):
        fitted(family="own_model_module:Hoarder")
    monkeypatch.setattr("assay.learning.training.rehearse", lambda *_: None)  # what only a full fit would show
    hoarder, _ = fitted(family="own_model_module:Hoarder")
    with pytest.raises(UntrustedModelError, match="the model holds types that are not allowed"):
        save_model(hoarder, tmp_path / "hoarder")
    assert not (tmp_path / "hoarder").exists()


@pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE, "input_example.parquet"])
def test_damaged_and_missing_files_are_distinguished(name, fitted, tmp_path):
    model, _ = fitted()
    save_model(model, tmp_path)
    (tmp_path / name).write_bytes(b"{ not it")
    with pytest.raises(DigestMismatchError):
        load_model(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactNotFoundError):
        load_model(tmp_path)


def test_trusted_types_are_those_of_the_allow_list_that_the_model_needs(fitted, tmp_path):
    model, _ = fitted("binary_classification", "lightgbm")
    save_model(model, tmp_path)
    named = trusted_types(tmp_path)
    assert "lightgbm.basic.Booster" in named
    assert set(named) <= allowed_types()


def test_a_continued_forest_gives_the_same_bytes_whatever_was_in_memory(make_spec, make_split, make_best, tmp_path):
    """The records of a new tree keep bytes between their fields as they were in memory."""
    best, spec = make_best("random_forest", n_estimators=5), make_spec(training={"scenario": "incremental"})
    save_model(train(make_split(), best, make_spec()), tmp_path)
    split, saved = make_split(seed=2), []
    for filler in (b"\x01", b"\xfe"):
        held = [filler * (64 * size) for size in range(1, 400) for _ in range(5)]
        del held
        saved.append(estimator_bytes(train(split, best, spec, load_model(tmp_path)).estimator))
    assert saved[0] == saved[1]


def test_the_digest_of_a_bundle_covers_its_content_and_not_its_evidence(fitted, tmp_path):
    model, moment = fitted()[0], dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    variants = {
        "one": model.annotated(mlflow_run_id="1").made(Provenance(trained_at=moment, fit_seconds=1)),
        "other": model.annotated(mlflow_run_id="2").made(
            Provenance(trained_at=moment + dt.timedelta(1), fit_seconds=2, code=CodeState(git_sha="f"))
        ),
    }
    for name, variant in variants.items():
        save_model(variant, tmp_path / name)
    assert bundle_digest(tmp_path / "one") == bundle_digest(tmp_path / "other")
    assert files_digest(tmp_path / "one") != files_digest(tmp_path / "other")
    manifest = tmp_path / "other" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": ', '"seed": 1'))
    assert bundle_digest(tmp_path / "one") != bundle_digest(tmp_path / "other")


def test_a_manifest_of_an_earlier_version_keeps_its_digest(fitted, tmp_path):
    save_model(fitted()[0].annotated(mlflow_run_id="1"), tmp_path)
    assert "provenance" not in json.loads((tmp_path / "manifest.json").read_text())
    assert bundle_digest(tmp_path) == files_digest(tmp_path)
    assert load_model(tmp_path).manifest.provenance is None
