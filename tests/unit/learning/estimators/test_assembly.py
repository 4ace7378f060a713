import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_info

from assay.learning.estimators.assembly import build_pipeline, limited_threads
from assay.learning.estimators.family import family, family_names
from assay.specs.pipeline import Task

LABELS = {Task.BINARY: (False, True), Task.MULTICLASS: ("high", "low", "mid"), Task.REGRESSION: None}
SMALL = {"n_estimators": 5, "max_iter": 20, "iterations": 20, "learning_rate_init": 0.05}
OWN = {True: "sklearn.neighbors:KNeighborsClassifier", False: "sklearn.neighbors:KNeighborsRegressor"}
BY_TASK = [(name, task) for task in Task for name in (*family_names(task), OWN[task.is_classification])]


@pytest.mark.parametrize(("name", "task"), BY_TASK)
def test_every_family_fits_labels_as_they_are_and_repeats_itself(name, task, make_spec, make_rows, features):
    rows, chosen = make_rows(LABELS[task]), family(name, task)
    small = {key: value for key, value in SMALL.items() if key in chosen.parameter_names()}
    first, again = (
        build_pipeline(chosen, small, features, make_spec(task)).fit(rows.features, rows.target) for _ in range(2)
    )
    predicted = first.predict(rows.features)
    np.testing.assert_array_equal(predicted, again.predict(rows.features))
    if task.is_classification:
        assert tuple(first.classes_.tolist()) == tuple(sorted(LABELS[task]))
        assert set(predicted.tolist()) <= set(LABELS[task])
        assert np.mean(predicted == rows.target) > (0.3 if name == "dummy" else 0.5)
    elif name == "dummy":
        np.testing.assert_allclose(predicted, rows.target.mean())
    else:
        assert np.corrcoef(predicted, rows.target)[0, 1] > 0.5


def test_the_pipeline_is_unfitted_and_its_steps_have_fixed_names(make_spec, features):
    pipeline = build_pipeline(family("lightgbm", Task.BINARY), {}, features, make_spec())
    assert list(pipeline.named_steps) == ["preprocessing", "model"]
    with pytest.raises(NotFittedError):
        check_is_fitted(pipeline)


def test_threads_are_bound_inside_the_block_only():
    before = [library["num_threads"] for library in threadpool_info()]
    with limited_threads(1):
        assert {library["num_threads"] for library in threadpool_info()} == {1}
    assert [library["num_threads"] for library in threadpool_info()] == before
