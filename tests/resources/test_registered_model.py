"""A logged model as MLflow loads it: from its folder alone, with our code, allow-list and signature."""

import importlib.metadata
import json
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from prediction_cases import ANSWERS, Refused, fitted, user_rows

from assay.errors import AssayError, DigestMismatchError, UntrustedModelError
from assay.learning.persistence import MODEL_FILE, save_model
from assay.prediction.predictor import Predictor
from assay.results.bundle import MANIFEST_FILE, bundle_digest
from resources.mlflow.flavour import CODE, save_flavour
from resources.mlflow.logged_models import BUNDLE


def saved(model, folder):
    """Write a logged model's files, as the registry does."""
    bundle = folder / "written"
    save_model(model, bundle)
    save_flavour(model, folder / "model", bundle)
    bundle.rename(folder / "model" / BUNDLE)
    return folder / "model"


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def logged(request, tmp_path_factory):
    """The files of a logged model, and the model."""
    model = fitted(steps=request.param)
    return saved(model, tmp_path_factory.mktemp("logged")), model


@pytest.fixture(scope="module")
def loaded(logged):
    import mlflow

    return mlflow.pyfunc.load_model(str(logged[0]))


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_rows_of_a_user(logged, loaded, case):
    rows, predictor = user_rows(), Predictor(logged[1])
    if isinstance(case.answer, Refused):
        with pytest.raises(AssayError) as refused:
            loaded.predict(case.change(rows))
        assert f"'{case.answer.column}'" in str(refused.value)
        assert case.answer.row is None or f"row {case.answer.row}" in str(refused.value)
        return
    found, expected = loaded.predict(case.change(rows)), case.answer.rows(predictor.predict(rows))
    if expected is not None:
        pd.testing.assert_frame_equal(found, expected, check_index_type=False)
    else:
        assert found.notna().all(axis=None)


def test_a_loaded_model_hides_no_entry_point_of_the_platform(loaded):
    """MLflow puts the model's code first on the path; of two distributions of one name only the first one counts."""
    assert any("assay_runtime" in path for path in sys.path)
    assert {entry.name for entry in importlib.metadata.entry_points(group="assay.storage")} >= {"s3", "variables"}


def test_the_signature_says_what_the_source_has(loaded):
    inputs = {
        each.name: (str(each.type).rpartition(".")[2], each.required) for each in loaded.metadata.signature.inputs
    }
    optional = {name for name, (_, required) in inputs.items() if not required}
    assert inputs["size"] == ("double", True)
    assert inputs["rooms"] == ("long", True)
    assert inputs["balcony"] == ("boolean", True)
    assert inputs["seen"][0] == "datetime" or inputs["seen"][0] == "string"
    assert "id" in optional
    assert "dear" not in inputs
    outputs = [each.name for each in loaded.metadata.signature.outputs]
    assert outputs == ["prediction", "probability_False", "probability_True"]


def test_the_parameters_decide_about_probabilities(loaded):
    labels = loaded.predict(user_rows(), params={"probabilities": False})
    assert list(labels.columns) == ["prediction"]
    with pytest.raises(MlflowException):
        loaded.predict(user_rows(), params={"probabilities": "perhaps"})


def test_the_input_examples_predict(logged, loaded):
    served = json.loads((logged[0] / "serving_input_example.json").read_text())["inputs"]
    assert len(served) == 5
    pd.testing.assert_frame_equal(loaded.predict(loaded.input_example), loaded.predict(served))


def test_a_regression_has_no_probabilities(tmp_path):
    import mlflow

    loaded = mlflow.pyfunc.load_model(str(saved(fitted("regression", "ridge", steps=False), tmp_path)))
    found = loaded.predict(user_rows())
    assert list(found.columns) == ["prediction"]
    assert found.prediction.dtype == float
    with_interval = loaded.predict(user_rows(), params={"interval": 0.8})
    assert list(with_interval.columns) == ["prediction", "lower", "upper"]
    assert with_interval.prediction.equals(found.prediction)
    inside = user_rows().rent.between(with_interval.lower, with_interval.upper)
    assert 0.6 < inside.mean() < 0.95


def test_nothing_is_pickled_and_the_code_is_what_predicts(logged):
    files = {path.relative_to(logged[0]).as_posix() for path in logged[0].rglob("*") if path.is_file()}
    assert CODE in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib", ".cloudpickle"))]
    with zipfile.ZipFile(logged[0] / CODE) as wheel:
        rooms = {name.split("/")[1] for name in wheel.namelist() if name.startswith("assay/")}
    assert "prediction" in rooms
    assert not rooms & {"shell", "gate", "monitoring", "promotion", "backtesting", "serving", "scaffolding"}
    assert (logged[0] / CODE).stat().st_size < 500_000


def test_the_requirements_are_what_predictions_need(logged):
    lines = (logged[0] / "requirements.txt").read_text().split()
    names = {line.partition("==")[0] for line in lines}
    assert all("==" in line for line in lines)
    assert {"scikit-learn", "skops", "pyarrow", "pandas", "mlflow"} <= names
    assert not names & {"assay", "dagster", "optuna", "matplotlib", "pandera", "boto3"}
    assert ("duckdb" in names) == (logged[1].manifest.intake.features is not None)


def test_changed_files_are_refused(logged, tmp_path):
    import mlflow

    folder = saved(logged[1], tmp_path)
    manifest = folder / BUNDLE / MANIFEST_FILE
    manifest.write_text(manifest.read_text().replace('"flats"', '"other"'))
    with pytest.raises(DigestMismatchError, match="not those that were registered"):
        mlflow.pyfunc.load_model(str(folder))


def test_a_caller_may_state_the_digest(logged):
    import mlflow

    digest = bundle_digest(logged[0] / BUNDLE)
    assert mlflow.pyfunc.load_model(str(logged[0]), model_config={"bundle_digest": digest})
    with pytest.raises(DigestMismatchError):
        mlflow.pyfunc.load_model(str(logged[0]), model_config={"bundle_digest": "0" * 64})


def test_the_allow_list_is_ours_whatever_the_mlmodel_says(logged, tmp_path):
    import mlflow
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    folder = saved(logged[1], tmp_path)
    skops.io.dump(FunctionTransformer(Path.unlink), folder / BUNDLE / MODEL_FILE)
    described = yaml.safe_load((folder / "MLmodel").read_text())
    own = described["flavors"]["python_function"]
    own["config"]["bundle_digest"] = bundle_digest(folder / BUNDLE)
    own["skops_trusted_types"] = ["pathlib.Path.unlink"]
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    with pytest.raises(UntrustedModelError, match="unlink"):
        mlflow.pyfunc.load_model(str(folder))


def test_code_of_the_users_own_is_carried(tmp_path, monkeypatch):
    from assay.importing import ImportPolicy, confined_imports

    own = tmp_path / "own"
    own.mkdir()
    (own / "own_steps.py").write_text("def twice(table):\n    return table\n")
    model = fitted(steps=True)
    intake = model.manifest.intake
    step = intake.features.steps[0].model_copy(update={"derive": None, "python": "own_steps:twice"})
    features = intake.features.model_copy(update={"steps": (step,)})
    carried = model.taking(intake.model_copy(update={"features": features}))
    with confined_imports(ImportPolicy(own)):
        folder = saved(carried, tmp_path)
    with zipfile.ZipFile(folder / CODE) as wheel:
        assert wheel.read("own_steps.py").startswith(b"def twice")


def test_loading_by_mlflow_changes_no_digest(logged, tmp_path):
    """MLflow writes a note into a local artifact folder when it loads a registered model from it."""
    from resources.mlflow.logged_models import LoggedFiles

    folder = saved(logged[1], tmp_path)
    before = LoggedFiles.of(folder)
    (folder / "registered_model_meta").write_text("model_name: flats\nmodel_version: '1'\n")
    assert LoggedFiles.of(folder) == before
    (folder / CODE).write_bytes(b"other")
    assert LoggedFiles.of(folder).files != before.files


def test_the_input_example_has_values_where_mlflow_reads_no_missing_ones(logged, tmp_path):
    import mlflow

    intake = logged[1].manifest.intake
    rows = [row | {"rooms": None, "balcony": None} for row in intake.example]
    rows[3]["balcony"] = True
    gaps = logged[1].taking(intake.model_copy(update={"example": tuple(rows)}))
    loaded = mlflow.pyfunc.load_model(str(saved(gaps, tmp_path)))
    assert loaded.input_example.rooms.tolist() == [0] * 5
    assert loaded.input_example.balcony.tolist() == [True] * 5
    assert len(loaded.predict(loaded.input_example.assign(rooms=1))) == 5
