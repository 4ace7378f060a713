import pyarrow as pa
import pytest

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
    assert inferred_task(pa.chunked_array([values]), None)[0] is task


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ("logistic_regression", Task.MULTICLASS),
        ("ridge", Task.REGRESSION),
        ("random_forest", Task.REGRESSION),
        ("my_models:Mine", Task.REGRESSION),
    ],
)
def test_a_family_of_one_kind_decides(model, task):
    assert inferred_task(pa.chunked_array([list(range(90))]), model)[0] is task


def test_texts_may_be_dictionaries():
    assert inferred_task(pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()]), None)[0] is Task.BINARY
