"""Print the allow-list of stored types for the installed scikit-learn, as `assay.learning.allow_list` holds it.

    python -m tests.support.make_allow_list

The list is what scikit-learn's own estimators keep in their attributes: helpers that are no public estimators, which
skops trusts by itself. It is found by walking the modules that define such helpers, never by what a stored file names.
"""

import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import Any

# modules whose classes hold numbers alone, and what a class there is derived from, by the end of its name
HELPERS: dict[str, str] = {
    "sklearn._loss.link": "BaseLink",
    "sklearn._loss.loss": "BaseLoss",
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": "Kernel",
    "sklearn.impute._iterative": "_ImputerTriplet",
    "sklearn.metrics._dist_metrics": "DistanceMetric64 DistanceMetric32",
    "sklearn.metrics._scorer": "_BaseScorer _PassthroughScorer",
    "sklearn.model_selection._split": "BaseCrossValidator BaseShuffleSplit _UnsupportedGroupCVMixin",
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.neighbors._ball_tree": "BallTree64 BallTree32 BallTree",
    "sklearn.neighbors._kd_tree": "KDTree64 KDTree32 KDTree",
    "sklearn.neural_network._stochastic_optimizers": "BaseOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}
EXECUTES = {"PyFuncDistance64", "PyFuncDistance32"}
"""Classes there that call a function which the stored file chooses."""
FUNCTIONS = (
    "sklearn.cluster._kmeans:_kmeans_single_lloyd sklearn.cluster._kmeans:_kmeans_single_elkan "
    "sklearn.feature_selection:f_classif sklearn.feature_selection:f_regression sklearn.feature_selection:chi2 "
    "sklearn.feature_selection:r_regression sklearn.feature_selection:mutual_info_classif "
    "sklearn.feature_selection:mutual_info_regression"
)
"""Functions of numbers that scikit-learn's estimators take as arguments or keep."""
OTHERS = (
    "numpy.dtype numpy.mean scipy._lib.array_api_compat.numpy._aliases.asarray scipy.interpolate._bsplines.BSpline "
    "scipy.sparse._csr.csr_matrix sklearn.impute._iterative.IterativeImputer "
    "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV "
    "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV"
)
"""Of numpy and scipy, found by storing every estimator; and estimators that skops sees only once they are enabled."""


def helper_classes() -> Iterator[type]:
    """Yield the classes of `HELPERS`."""
    for name, roots in HELPERS.items():
        module = importlib.import_module(name)
        bases = tuple(getattr(module, root) for root in roots.split() if hasattr(module, root))
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, bases) and each.__module__ == name:
                yield each


def pure_functions() -> Iterator[Callable[..., Any]]:
    """Yield the functions of `FUNCTIONS`, and those of scikit-learn's scorers."""
    from sklearn.metrics import get_scorer, get_scorer_names

    for path in FUNCTIONS.split():
        module, _, name = path.partition(":")
        yield getattr(importlib.import_module(module), name)
    yield from (get_scorer(name)._score_func for name in get_scorer_names())


def _is_base(found: Any) -> bool:
    return inspect.isabstract(found) or found.__name__.removeprefix("_").startswith(("Base", "Unsupported"))


def allow_list() -> list[str]:
    """Return the full names, in order, without those that skops trusts by itself."""
    from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES

    found = [*helper_classes(), *pure_functions()]
    safe = [each for each in found if each.__name__ not in EXECUTES and not _is_base(each)]
    assert all(isinstance(each, type | types.FunctionType) for each in safe), "only classes and plain functions"
    names = {f"{each.__module__}.{each.__name__}" for each in safe}
    return sorted((names - set(SKLEARN_ESTIMATOR_TYPE_NAMES)) | set(OTHERS.split()))


def written() -> str:
    """Return the list as the module holds it: a line for each defining module, long ones in several."""
    modules: dict[str, list[str]] = {}
    for name in allow_list():
        module, _, attribute = name.rpartition(".")
        modules.setdefault(module, []).append(attribute)
    lines = ((module, wrap(" ".join(names), 110 - len(module))) for module, names in modules.items())
    return "\n".join(f"{module}: {part}" for module, parts in lines for part in parts)


if __name__ == "__main__":
    print(written())  # noqa: T201
