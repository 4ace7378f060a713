"""The steps that have a name: one entry each, by which pipeline files are checked without importing anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import SpecError, did_you_mean
from assay.specs.preprocessing import WITHOUT_FIT

_OWN = "assay.learning.preprocessing.transformers"
_ENCODERS = "assay.learning.preprocessing.encoders"


@dataclass(frozen=True, slots=True)
class KnownStep:
    """A step that has a name.

    Attributes:
        path: import path of its class.
        parameters: what the constructor takes.
        fills: whether no value is missing behind it.
        needs_values: whether it refuses missing values: `every` family's, or only in `one_hot` preparation, where no
            value may be missing in the end.
    """

    path: str
    parameters: tuple[str, ...]
    fills: bool = False
    needs_values: str = ""

    def wants_filled(self, encoding: str) -> bool:
        """Return whether missing values are filled before it."""
        return self.needs_values in {"every", encoding}


def _step(path: str, parameters: str, *, fills: bool = False, needs_values: str = "") -> KnownStep:
    return KnownStep(path, tuple(parameters.split()), fills, needs_values)


KNOWN_STEPS = {
    # scale
    "standard_scaler": _step("sklearn.preprocessing:StandardScaler", "copy with_mean with_std", needs_values="one_hot"),
    "min_max_scaler": _step("sklearn.preprocessing:MinMaxScaler", "feature_range copy clip", needs_values="one_hot"),
    "max_abs_scaler": _step("sklearn.preprocessing:MaxAbsScaler", "copy clip", needs_values="one_hot"),
    "robust_scaler": _step(
        "sklearn.preprocessing:RobustScaler",
        "with_centering with_scaling quantile_range copy unit_variance",
        needs_values="one_hot",
    ),
    "quantile_transformer": _step(
        "sklearn.preprocessing:QuantileTransformer",
        "n_quantiles output_distribution ignore_implicit_zeros subsample random_state copy",
        needs_values="one_hot",
    ),
    "power_transformer": _step(
        "sklearn.preprocessing:PowerTransformer", "method standardize copy", needs_values="one_hot"
    ),
    # fill
    "impute": _step(
        "sklearn.impute:SimpleImputer",
        "missing_values strategy fill_value copy add_indicator keep_empty_features",
        fills=True,
    ),
    "knn_impute": _step(
        "sklearn.impute:KNNImputer",
        "missing_values n_neighbors weights metric copy add_indicator keep_empty_features",
        fills=True,
    ),
    "iterative_impute": _step(
        "sklearn.impute._iterative:IterativeImputer",
        "estimator missing_values sample_posterior max_iter tol n_nearest_features initial_strategy fill_value "
        "imputation_order skip_complete min_value max_value verbose random_state add_indicator keep_empty_features",
        fills=True,
    ),
    "group_impute": _step(f"{_ENCODERS}:GroupImputer", "by strategy", fills=True),
    # combine
    "binning": _step(
        "sklearn.preprocessing:KBinsDiscretizer",
        "n_bins encode strategy quantile_method dtype subsample random_state",
        needs_values="every",
    ),
    "polynomial": _step(
        "sklearn.preprocessing:PolynomialFeatures",
        "degree interaction_only include_bias order",
        needs_values="every",
    ),
    "spline": _step(
        "sklearn.preprocessing:SplineTransformer",
        "n_knots degree knots extrapolation include_bias order handle_missing sparse_output",
        needs_values="every",
    ),
    "pca": _step(
        "sklearn.decomposition:PCA",
        "n_components copy whiten svd_solver tol iterated_power n_oversamples power_iteration_normalizer random_state",
        needs_values="every",
    ),
    "truncated_svd": _step(
        "sklearn.decomposition:TruncatedSVD",
        "n_components algorithm n_iter n_oversamples power_iteration_normalizer random_state tol",
        needs_values="every",
    ),
    # encode
    "one_hot_encoder": _step(
        "sklearn.preprocessing:OneHotEncoder",
        "categories drop sparse_output dtype handle_unknown min_frequency max_categories feature_name_combiner",
    ),
    "ordinal_encoder": _step(
        "sklearn.preprocessing:OrdinalEncoder",
        "categories dtype handle_unknown unknown_value encoded_missing_value min_frequency max_categories",
    ),
    "target_encoder": _step(
        "sklearn.preprocessing:TargetEncoder", "categories target_type smooth cv shuffle random_state"
    ),
    "frequency_encoder": _step(f"{_ENCODERS}:FrequencyEncoder", ""),
    "hashing_encoder": _step(f"{_ENCODERS}:HashingEncoder", "n_features"),
    "calendar": _step(f"{_OWN}:CalendarFeatures", "clock"),
    "tfidf": _step(f"{_OWN}:TextFeatures", "max_features components seed"),
}
STEP_NAMES = (*KNOWN_STEPS, *WITHOUT_FIT)
"""Names of all steps."""


def require_step(name: str, where: str = "") -> None:
    """Refuse a name that is no step.

    Raises:
        SpecError: it is none.
    """
    if name not in STEP_NAMES:
        raise SpecError(
            f"there is no preprocessing step '{name}'{did_you_mean(name, STEP_NAMES)}",
            where=where,
            expected=f"one of {', '.join(STEP_NAMES)}, or package.module:Class",
            remedy="correct the name",
        )


def unknown_argument(step: str, name: str, known: Sequence[str]) -> SpecError:
    """Return the error of a parameter that a step does not take."""
    return SpecError(
        f"the step '{step}' takes no parameter '{name}'{did_you_mean(name, known)}",
        expected=f"one of {', '.join(known)}" if known else "no parameters",
        remedy="correct or remove it",
    )


def used_twice(column: str, first: int, *, where: str = "") -> SpecError:
    """Return the error of a column that two steps take.

    Args:
        column: its name.
        first: number of the step that took it.
        where: the other step.
    """
    return SpecError(
        f"column '{column}' is used by two steps",
        where=where,
        found=f"also used by preprocessing.steps[{first}]",
        remedy="name it in one step only, whose `step` may be a list: step: [impute, quantile_transformer]",
    )
