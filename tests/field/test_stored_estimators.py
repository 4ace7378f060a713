"""Every estimator and transformer of scikit-learn is stored and loaded by the allow-list alone."""

import importlib
import types
import warnings

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y

from assay.learning.allow_list import NOT_STORED, SKLEARN_LISTS, sklearn_types
from assay.learning.persistence import estimator_bytes
from tests.support.make_allow_list import allow_list

ROWS = 30
TEXTS = ["a red car", "the blue sea", "a green leaf"] * 10
RECORDS = [{"x": 1.0, "y": 2.0}, {"x": 3.0}] * 15
INPUTS = {
    "CountVectorizer": (TEXTS,),
    "DictVectorizer": (RECORDS,),
    "FeatureHasher": (RECORDS,),
    "HashingVectorizer": (TEXTS,),
    "LabelBinarizer": (np.arange(ROWS) % 3,),
    "LabelEncoder": (np.arange(ROWS) % 3,),
    "MultiLabelBinarizer": ([[number % 3, 4] for number in range(ROWS)],),
    "PatchExtractor": (np.random.default_rng(0).uniform(size=(2, 8, 8)),),
    "SparseCoder": (np.random.default_rng(0).uniform(size=(ROWS, 3)),),
    "TfidfVectorizer": (TEXTS,),
}
FEW = {"max_iter": 5, "n_estimators": 3, "cv": 2, "random_state": 0}
SLOW = {
    "FeatureHasher": {"n_features": 8},
    "HalvingGridSearchCV": {"min_resources": ROWS},
    "HalvingRandomSearchCV": {"min_resources": ROWS},
    "HashingVectorizer": {"n_features": 8},
    "MLPClassifier": {"max_iter": 20},
    "MLPRegressor": {"max_iter": 20},
    "PatchExtractor": {"patch_size": (2, 2)},
    "RANSACRegressor": {"min_samples": 10, "residual_threshold": 10},
    "TSNE": {"max_iter": 250},
    "TunedThresholdClassifierCV": {"thresholds": 3},
}
CLASSES = dict(all_estimators())
CLASSES.pop("FrozenEstimator")  # it is the estimator that it holds


def _instance(name):
    estimator = clone(next(iter(_construct_instances(CLASSES[name]))))
    known = estimator.get_params(deep=False)
    few = {key: value for key, value in FEW.items() if key in known and (key == "random_state" or "Hist" in name)}
    return estimator.set_params(**(few | SLOW.get(name, {})))


def _rows():
    rows = np.random.default_rng(0).uniform(size=(ROWS, 4))
    return rows, (rows[:, 0] > 0.5).astype(int)


def _inputs(name, estimator):
    if name in INPUTS:
        return INPUTS[name]
    rows, labels = _rows()
    return _enforce_estimator_tags_X(estimator, rows), _enforce_estimator_tags_y(estimator, labels)


def _said(estimator, rows):
    method = next((each for each in ("predict_proba", "predict", "transform") if hasattr(estimator, each)), None)
    said = getattr(estimator, method)(rows) if method else np.empty(0)
    said = said[0] if isinstance(said, tuple) else said
    return np.asarray(said.toarray() if hasattr(said, "toarray") else said)


def _reloaded(estimator):
    return skops.io.loads(estimator_bytes(estimator), trusted=sorted(sklearn_types()))


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in NOT_STORED])
def test_it_is_stored_and_loaded_by_the_list(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated estimators, and models that have not converged
        estimator = _instance(name)
        inputs = _inputs(name, estimator)
        estimator.fit(*inputs)
        before, after = (_said(each, inputs[0]) for each in (estimator, _reloaded(estimator)))
    if before.dtype.kind == "f":
        np.testing.assert_allclose(after, before, rtol=1e-9)
    else:
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", NOT_STORED)
def test_what_is_said_not_to_be_stored_is_not(name):
    estimator = _instance(name)
    with pytest.raises(Exception, match="not supported"):
        _reloaded(estimator.fit(*_inputs(name, estimator)))


def test_the_list_is_the_one_that_is_generated_for_the_installed_version():
    """If it is not: python -m tests.support.make_allow_list prints the text of the list."""
    import sklearn

    minor = ".".join(sklearn.__version__.split(".")[:2])
    assert minor in SKLEARN_LISTS
    assert sklearn_types() >= set(allow_list())
    assert len(SKLEARN_LISTS) > 1 or sklearn_types() == set(allow_list())


def test_nothing_on_the_list_runs_code_that_a_file_chooses():
    for full in sklearn_types():
        module, _, name = full.rpartition(".")
        assert module.partition(".")[0] in {"sklearn", "numpy", "scipy"}, full
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, type | types.FunctionType) or full == "numpy.mean", full
        assert "PyFunc" not in name
        assert not {"eval", "exec", "compile", "system", "load", "import_module"} & {name}


def test_a_distance_that_calls_a_function_is_refused():
    from scipy.spatial.distance import cityblock
    from sklearn.neighbors import KNeighborsClassifier

    rows, labels = _rows()
    fitted = KNeighborsClassifier(metric=cityblock, algorithm="ball_tree").fit(rows, labels)
    with pytest.raises(Exception, match=r"(?i)untrusted.*(cityblock|PyFunc)"):
        _reloaded(fitted)
