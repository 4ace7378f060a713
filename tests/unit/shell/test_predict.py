"""`assay predict`: the table of input classes, output, refusals, and rows in several batches."""

import pandas as pd
import pytest
from prediction_cases import ANSWERS, Refused, fitted, user_rows

import assay
from assay.learning.persistence import save_model
from assay.prediction.predictor import Predictor
from assay.reading.files import transcribe
from assay.shell import main, predict

IN_FILES = [case for case in ANSWERS if case.in_files]


@pytest.fixture(autouse=True)
def read_here(monkeypatch):
    def transcribe_here(path, options, target, *, name, layout, limits):
        transcribe(path, options, target, name=name, layout=layout)

    monkeypatch.setattr(predict, "transcribe_in_child", transcribe_here)


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def bundle(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    save_model(fitted(steps=request.param), folder / "model")
    return folder / "model"


def predicted(bundle, rows, folder, name="out.parquet"):
    """Run the command on rows as a CSV file; returns its exit code and its output."""
    rows.to_csv(folder / "rows.csv", index=False)
    code = main.main(
        ["predict", "--model-uri", str(bundle), "--dataset-path", str(folder / "rows.csv"),
         "--output-uri", str(folder / name)]
    )  # fmt: skip
    target = folder / name
    read = pd.read_csv if name.endswith(".csv") else pd.read_parquet
    return code, read(target) if target.exists() else None


@pytest.mark.parametrize("case", IN_FILES, ids=lambda case: case.name)
def test_rows_of_a_user(bundle, case, tmp_path, capsys):
    rows = user_rows()
    code, found = predicted(bundle, case.change(rows), tmp_path)
    if isinstance(case.answer, Refused):
        assert code == 2
        assert found is None
        text = capsys.readouterr().err
        assert f"'{case.answer.column}'" in text
        assert case.answer.row is None or f"row {case.answer.row}" in text
        return
    assert code == 0, capsys.readouterr().err
    expected = case.answer.rows(assay.load(str(bundle)).predict(rows))
    if expected is None:
        assert len(found) == len(rows)
        return
    pd.testing.assert_frame_equal(found.drop(columns="id", errors="ignore"), expected.reset_index(drop=True))


def test_keys_stand_beside_predictions_also_as_csv(bundle, tmp_path):
    code, found = predicted(bundle, user_rows(), tmp_path, "out.csv")
    assert code == 0
    assert list(found.columns) == ["id", "prediction", "probability_False", "probability_True"]
    assert found.id.tolist() == user_rows().id.tolist()


def test_rows_are_predicted_in_batches(bundle, tmp_path, monkeypatch, capsys):
    whole = predicted(bundle, user_rows(), tmp_path)[1]
    monkeypatch.setattr(predict, "_BATCH_ROWS", 7)
    again = predicted(bundle, user_rows(), tmp_path)[1]
    pd.testing.assert_frame_equal(again, whole, rtol=1e-12, atol=1e-12)
    rows = user_rows()
    rows["area"] = rows.area.where(rows.index != 50, None)
    rows["seen"] = rows.seen.where(rows.index != 50, "yesterday")
    assert predicted(bundle, rows, tmp_path, "other.parquet")[0] == 2
    assert "'seen', row 51" in capsys.readouterr().err


def test_predictions_beyond_reason_are_refused_and_nothing_is_written(tmp_path, capsys):
    save_model(fitted("regression", "ridge", steps=False), tmp_path / "model")
    rows = user_rows().assign(size=99_999_999.0)
    code, found = predicted(tmp_path / "model", rows, tmp_path)
    assert (code, found) == (2, None)
    assert "predictions_in_range" in capsys.readouterr().err


def test_three_lines_of_python(bundle):
    model = assay.load(str(bundle))
    assert isinstance(model, Predictor)
    assert model.predict(user_rows().to_dict("records")).equals(model.predict(user_rows()))


@pytest.mark.parametrize("uri", ["models:/flats", "models:/@champion", "models:/flats@"])
def test_an_address_that_names_no_version_is_refused(uri, capsys, tmp_path):
    code = main.main(["predict", "--model-uri", uri, "--dataset-path", "x.csv", "--output-uri", str(tmp_path / "o")])
    assert code == 2
    assert "names no version" in capsys.readouterr().err


def test_texts_of_digits_stay_texts(bundle, tmp_path):
    rows = user_rows().assign(id=[f"{number:05d}" for number in range(len(user_rows()))], area="7")
    code, found = predicted(bundle, rows, tmp_path)
    assert code == 0
    assert found.id.tolist() == rows.id.tolist()
