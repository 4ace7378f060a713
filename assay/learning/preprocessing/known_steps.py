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
        aliases: other names that people write; the error of one names the step.
    """

    path: str
    parameters: tuple[str, ...]
    fills: bool = False
    needs_values: str = ""
    aliases: tuple[str, ...] = ()

    def wants_filled(self, encoding: str) -> bool:
        """Return whether missing values are filled before it."""
        return self.needs_values in {"every", encoding}


def _step(path: str, parameters: str, aliases: str = "", *, fills: bool = False, needs_values: str = "") -> KnownStep:
    return KnownStep(path, tuple(parameters.split()), fills, needs_values, tuple(aliases.split()))


KNOWN_STEPS = {
    # scale
    "standard_scaler": _step(
        "sklearn.preprocessing:StandardScaler",
        "copy with_mean with_std",
        "standard standardize standardise standardization zscore scaler scale normalize",
        needs_values="one_hot",
    ),
    "min_max_scaler": _step(
        "sklearn.preprocessing:MinMaxScaler", "feature_range copy clip", "minmax", needs_values="one_hot"
    ),
    "max_abs_scaler": _step("sklearn.preprocessing:MaxAbsScaler", "copy clip", "maxabs", needs_values="one_hot"),
    "robust_scaler": _step(
        "sklearn.preprocessing:RobustScaler",
        "with_centering with_scaling quantile_range copy unit_variance",
        "robust",
        needs_values="one_hot",
    ),
    "quantile_transformer": _step(
        "sklearn.preprocessing:QuantileTransformer",
        "n_quantiles output_distribution ignore_implicit_zeros subsample random_state copy",
        "quantile quantiles rank",
        needs_values="one_hot",
    ),
    "power_transformer": _step(
        "sklearn.preprocessing:PowerTransformer",
        "method standardize copy",
        "power yeojohnson boxcox",
        needs_values="one_hot",
    ),
    # fill
    "impute": _step(
        "sklearn.impute:SimpleImputer",
        "missing_values strategy fill_value copy add_indicator keep_empty_features",
        "imputer simpleimputer fillna fill median mean",
        fills=True,
    ),
    "knn_impute": _step(
        "sklearn.impute:KNNImputer",
        "missing_values n_neighbors weights metric copy add_indicator keep_empty_features",
        "knnimputer knn",
        fills=True,
    ),
    "iterative_impute": _step(
        "sklearn.impute._iterative:IterativeImputer",
        "estimator missing_values sample_posterior max_iter tol n_nearest_features initial_strategy fill_value "
        "imputation_order skip_complete min_value max_value verbose random_state add_indicator keep_empty_features",
        "iterativeimputer mice",
        fills=True,
    ),
    "group_impute": _step(f"{_ENCODERS}:GroupImputer", "by strategy", "groupimputer", fills=True),
    # combine
    "binning": _step(
        "sklearn.preprocessing:KBinsDiscretizer",
        "n_bins encode strategy quantile_method dtype subsample random_state",
        "bins bin kbins kbinsdiscretizer discretize discretizer buckets",
        needs_values="every",
    ),
    "polynomial": _step(
        "sklearn.preprocessing:PolynomialFeatures",
        "degree interaction_only include_bias order",
        "poly polynomialfeatures interactions interaction",
        needs_values="every",
    ),
    "spline": _step(
        "sklearn.preprocessing:SplineTransformer",
        "n_knots degree knots extrapolation include_bias order handle_missing sparse_output",
        "splines splinetransformer bspline",
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
        "svd lsa",
        needs_values="every",
    ),
    # encode
    "one_hot_encoder": _step(
        "sklearn.preprocessing:OneHotEncoder",
        "categories drop sparse_output dtype handle_unknown min_frequency max_categories feature_name_combiner",
        "onehot ohe dummies dummy getdummies",
    ),
    "ordinal_encoder": _step(
        "sklearn.preprocessing:OrdinalEncoder",
        "categories dtype handle_unknown unknown_value encoded_missing_value min_frequency max_categories",
        "ordinal label labelencoder codes",
    ),
    "target_encoder": _step(
        "sklearn.preprocessing:TargetEncoder",
        "categories target_type smooth cv shuffle random_state",
        "target targetmean mean_target meanencoder targetencoding",
    ),
    "frequency_encoder": _step(f"{_ENCODERS}:FrequencyEncoder", "", "frequency count countencoder counts"),
    "hashing_encoder": _step(f"{_ENCODERS}:HashingEncoder", "n_features", "hashing hash featurehasher"),
    "calendar": _step(f"{_OWN}:CalendarFeatures", "clock", "date dates datetime dateparts"),
    "tfidf": _step(f"{_OWN}:TextFeatures", "max_features components seed", "text tfidfvectorizer bagofwords"),
}
STEP_NAMES = (*KNOWN_STEPS, *WITHOUT_FIT)
"""Names of all steps."""


def require_step(name: str, where: str = "") -> None:
    """Refuse a name that is no step.

    Raises:
        SpecError: no step has that name.
    """
    if name not in STEP_NAMES:
        known = next((each for each, step in KNOWN_STEPS.items() if _plain(name) in map(_plain, step.aliases)), None)
        hint = did_you_mean(name, STEP_NAMES) if known is None else did_you_mean(known, [known])
        raise SpecError(
            f"there is no preprocessing step '{name}'{hint}",
            where=where,
            expected=f"one of {', '.join(STEP_NAMES)}, or package.module:Class",
            remedy="correct the name",
        )


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def unknown_argument(step: str, name: str, known: Sequence[str]) -> SpecError:
    """Return the error of a parameter that a step does not take."""
    return SpecError(
        f"the step '{step}' takes no parameter '{name}'{did_you_mean(name, known)}",
        expected=f"one of {', '.join(known)}" if known else "no parameters",
        remedy="correct or remove it",
    )


def used_twice(column: str, first: int, *, where: str = "") -> SpecError:
    """Return the error of a column of which two steps make the same.

    Args:
        column: its name.
        first: number of the step that took it.
        where: the other step.
    """
    return SpecError(
        f"column '{column}' is used by two steps that make the same of it, or drop it",
        where=where,
        found=f"also used by preprocessing.steps[{first}]",
        expected="steps that make different things of it, such as binning and quantile_transformer",
        remedy="name it in one of them only, whose `step` may be a list: step: [impute, quantile_transformer]",
    )
