"""Reports on `assay train` that continues a model: later files were read as if there were no model."""

import pytest

from assay.learning.persistence import load_model
from assay.shell.main import Exit, main

FLAGS = [
    *("train", "--target-column", "y", "--model-name", "logistic_regression", "--task", "binary_classification"),
    *("--validation-config", '{"sentinel": {"trusted": ["code"]}}'),
]


def train(path, version, *more):
    return main(
        [*FLAGS, "--train-data-path", str(path), "--target-output-path", "m", "--model-version", version, *more]
    )


def rows(path, codes, note="n"):
    """Rows of their own identifiers, whose label follows the code."""
    lines = [
        f"{code},{n},{note}{n}{place},{int(code in {'7.00', '1A'})}"
        for n in range(40)
        for place, code in enumerate(codes)
    ]
    path.write_text("\n".join(["code,x,id,y", *lines, ""]))
    return path


@pytest.fixture
def first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(rows(tmp_path / "first.csv", ["7.00", "8.00", "10", "1A"]), "1") == Exit.DONE
    return "m/logistic_regression/1"


def test_later_rows_have_the_dtypes_and_roles_of_the_model(first, tmp_path):
    """`7.00` and `8.00` alone are numbers; every code was unknown to the continued model."""
    more = ["--training-scenario", "incremental", "--base-model-uri", first]
    assert train(rows(tmp_path / "later.csv", ["7.00", "8.00"]), "2", *more) == Exit.DONE
    model = load_model(tmp_path / "m/logistic_regression/2")
    assert model.manifest.features["code"].dtype == "string"
    assert model.manifest.features.names == load_model(tmp_path / first).manifest.features.names
    example = model.input_example.iloc[[0, 0]].assign(code=["7.00", "8.00"])
    assert model.estimator.predict(example).tolist() == [1, 0]


def test_rows_that_are_not_of_the_models_kind_are_refused(first, tmp_path, capsys):
    later = rows(tmp_path / "later.csv", ["7.00", "8.00"])
    later.write_text(later.read_text().replace("7.00,0,", "7.00,zero,"))
    assert train(later, "2", "--training-scenario", "incremental", "--base-model-uri", first) == Exit.REFUSED
    assert "column 'x' changed its dtype since the model was fitted" in capsys.readouterr().err
    later.write_text(later.read_text().replace("code,x", "code,z"))
    assert train(later, "2", "--training-scenario", "incremental", "--base-model-uri", first) == Exit.REFUSED
    assert "column 'x' is missing" in capsys.readouterr().err


def test_a_column_that_the_model_does_not_use_stays_unused(first, tmp_path):
    """Identifiers that are texts in the first file were numbers in a later one, and so a feature."""
    later = rows(tmp_path / "later.csv", ["7.00", "8.00"], note="1")
    assert train(later, "2", "--training-scenario", "incremental", "--base-model-uri", first) == Exit.DONE
    models = [load_model(tmp_path / f"m/logistic_regression/{version}").manifest for version in (1, 2)]
    assert models[0].features.names == models[1].features.names
    assert "id" not in models[0].features.names
