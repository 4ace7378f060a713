"""Golden predictions: recorded at training, and compared to 1e-9 with what a model predicts elsewhere."""

import pytest
from prediction_cases import fitted

from assay.errors import GoldenReplayError
from assay.learning.persistence import load_model, save_model
from assay.prediction.golden import require_golden, require_repeated, with_golden
from assay.prediction.predictor import Predictor


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def model(request):
    return fitted(steps=request.param)


def again(model):
    return Predictor(model).table(list(model.manifest.intake.example)).to_pylist()


def test_a_stored_model_repeats_what_it_predicted_at_training(model, tmp_path):
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.manifest.golden == model.manifest.golden
    assert len(loaded.manifest.golden.predictions) == 5
    require_golden(loaded, "here")
    require_repeated(loaded, again(loaded), "here")


@pytest.mark.parametrize("by", [1e-8, -1e-3])
def test_a_number_that_differs_is_named(model, by):
    found = again(model)
    found[2]["probability_True"] += by
    with pytest.raises(GoldenReplayError, match="probability_True of row 3"):
        require_repeated(model, found, "here")


def test_noise_of_the_last_digit_is_no_difference(model):
    found = again(model)
    found[0]["probability_True"] += 1e-12
    require_repeated(model, found, "here")


def test_another_label_another_column_and_fewer_rows_are_differences(model):
    found = again(model)
    for other in (
        [{**found[0], "prediction": not found[0]["prediction"]}, *found[1:]],
        [{"prediction": found[0]["prediction"]}, *found[1:]],
        found[1:],
    ):
        with pytest.raises(GoldenReplayError):
            require_repeated(model, other, "here")


def test_numbers_beyond_one_differ_relative_to_their_size():
    model = fitted("regression", "ridge", steps=False)
    found = again(model)
    assert found[0]["prediction"] > 10
    require_repeated(model, [{"prediction": row["prediction"] * (1 + 5e-10)} for row in found], "here")
    with pytest.raises(GoldenReplayError, match="prediction of row 1"):
        require_repeated(model, [{"prediction": row["prediction"] * (1 + 5e-9)} for row in found], "here")


def test_a_model_of_an_earlier_version_has_nothing_to_repeat(model):
    with pytest.raises(GoldenReplayError, match=r"earlier version[\s\S]*ASSAY_SERVE_WITHOUT_GOLDEN"):
        require_golden(model.repeating(None), "here")


def test_why_there_are_none_is_recorded(model):
    intake = model.manifest.intake
    bad = tuple({**row, "rooms": "many"} for row in intake.example)
    for example, reason in ((bad, "cannot be predicted"), ((), "no example rows")):
        made = with_golden(model.taking(intake.model_copy(update={"example": example})))
        with pytest.raises(GoldenReplayError, match=reason):
            require_golden(made, "here")
