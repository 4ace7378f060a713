import pyarrow as pa
import pytest

from assay.errors import SpecError
from assay.shell.pipeline_flags import inferred_task
from assay.specs.pipeline import Task


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no", None], Task.BINARY),
        (["a", "b", "c"], Task.MULTICLASS),
        ([True, False], Task.BINARY),
        ([0, 1, None, 1], Task.BINARY),
        (list(range(20)), Task.MULTICLASS),
        (list(range(21)), Task.REGRESSION),
        ([0.0, 1.0], Task.REGRESSION),
    ],
)
def test_the_task_follows_from_the_targets_values(values, task):
    assert inferred_task(pa.chunked_array([values]), "y", None)[0] is task


@pytest.mark.parametrize(
    ("values", "model", "task"),
    [
        (list(range(20)), "logistic_regression", Task.MULTICLASS),
        (["a", "b"], "logistic_regression", Task.BINARY),
        (list(range(9)), "ridge", Task.REGRESSION),
        ([0.0, 1.0], "ridge", Task.REGRESSION),
        (list(range(90)), "random_forest", Task.REGRESSION),
        (list(range(90)), "my_models:Mine", Task.REGRESSION),
    ],
)
def test_a_family_of_one_kind_decides(values, model, task):
    assert inferred_task(pa.chunked_array([values]), "y", model)[0] is task


@pytest.mark.parametrize(
    ("values", "model", "found", "family", "remedy"),
    [
        (
            list(range(90)),
            "logistic_regression",
            "age: 90 distinct whole numbers",
            "linear_regression",
            "--task multiclass",
        ),
        ([0.5, 1.5], "logistic_regression", "age: numbers with fractions", "ridge", "--task binary_classification"),
        (
            ["a", "b", "c"],
            "linear_regression",
            "age: 3 distinct values of type string",
            "logistic_regression",
            "families",
        ),
        ([True], "ridge", "age: 1 distinct value of type bool", "random_forest_classifier", "families"),
    ],
)
def test_a_family_that_cannot_predict_the_target_is_refused_with_those_that_can(values, model, found, family, remedy):
    with pytest.raises(
        SpecError, match=f"{model} predicts .*, and the target 'age' does not look like that"
    ) as refused:
        inferred_task(pa.chunked_array([values]), "age", model)
    error = refused.value
    assert error.found == found
    assert f", {family}," in error.expected
    assert model not in error.expected
    assert remedy in error.remedy


def test_texts_may_be_dictionaries():
    assert inferred_task(pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()]), "y", None)[0] is Task.BINARY
