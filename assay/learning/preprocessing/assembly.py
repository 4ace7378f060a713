"""The unfitted preprocessing of a pipeline: automatic by role, explicit where a step names the column."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from assay.data.schema import TableSchema
from assay.errors import MissingColumnError, SpecError, did_you_mean
from assay.importing import import_object, import_users_object, is_import_path
from assay.specs.dataset import ColumnRole
from assay.specs.learning import DEFAULT_SEED, PreprocessingSpec, PreprocessingStep

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

TargetType: TypeAlias = Literal["binary", "multiclass", "continuous"]
_TOPICS = 32


@dataclass(frozen=True, slots=True)
class KnownStep:
    """A step that has a name: the import path of its class, and what its constructor takes."""

    path: str
    parameters: tuple[str, ...]


_TRANSFORMERS = "assay.learning.preprocessing.transformers"
KNOWN_STEPS = {
    "standard_scaler": KnownStep("sklearn.preprocessing:StandardScaler", ("copy", "with_mean", "with_std")),
    "min_max_scaler": KnownStep("sklearn.preprocessing:MinMaxScaler", ("feature_range", "copy", "clip")),
    "robust_scaler": KnownStep(
        "sklearn.preprocessing:RobustScaler",
        ("with_centering", "with_scaling", "quantile_range", "copy", "unit_variance"),
    ),
    "quantile_transformer": KnownStep(
        "sklearn.preprocessing:QuantileTransformer",
        ("n_quantiles", "output_distribution", "ignore_implicit_zeros", "subsample", "random_state", "copy"),
    ),
    "one_hot_encoder": KnownStep(
        "sklearn.preprocessing:OneHotEncoder",
        ("categories", "drop", "sparse_output", "dtype", "handle_unknown", "min_frequency", "max_categories",
         "feature_name_combiner"),
    ),
    "ordinal_encoder": KnownStep(
        "sklearn.preprocessing:OrdinalEncoder",
        ("categories", "dtype", "handle_unknown", "unknown_value", "encoded_missing_value", "min_frequency",
         "max_categories"),
    ),
    "target_encoder": KnownStep(
        "sklearn.preprocessing:TargetEncoder",
        ("categories", "target_type", "smooth", "cv", "shuffle", "random_state"),
    ),
    "calendar": KnownStep(f"{_TRANSFORMERS}:CalendarFeatures", ("clock",)),
    "tfidf": KnownStep(f"{_TRANSFORMERS}:TextFeatures", ("max_features", "components", "seed")),
}  # fmt: skip
_AUTOMATIC = {
    "raw_numbers": f"{_TRANSFORMERS}:RawNumbers",
    "categories": f"{_TRANSFORMERS}:Categories",
    "ordinal_categories": f"{_TRANSFORMERS}:OrdinalCategories",
}
_WITHOUT_FIT = ("passthrough", "drop")
STEP_NAMES = (*KNOWN_STEPS, *_WITHOUT_FIT)
"""Names of all steps."""
_UNKNOWN = {"handle_unknown", "unknown_value"}
"""Parameters by which a step says itself what becomes of unknown categories."""
_SCALERS = ("standard_scaler", "min_max_scaler", "robust_scaler", "quantile_transformer")


_Block: TypeAlias = tuple[str, Any, list[str]]
"""Name, unfitted transformer and columns, as a `ColumnTransformer` takes them."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What all steps of one preprocessor share; the attributes are arguments of `build_preprocessor`."""

    encoding: Literal["one_hot", "ordinal"]
    preparation: PreprocessingSpec
    seed: int
    target_type: TargetType | None = None

    def numbers(self, strategy: str) -> Any:
        """Take numbers as they are for trees, else fill and scale them."""
        if self.encoding == "ordinal":
            return _imported("raw_numbers")()
        return self.imputed(strategy, _imported("standard_scaler")())

    def imputed(self, strategy: str, scaler: Any) -> Any:
        """Fill missing values and add an indicator, then scale; a column without any value is filled with 0."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        return make_pipeline(SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True), scaler)

    def moments(self) -> Any:
        """Take the calendar parts of moments; trees get no clock that grows without end."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        if self.encoding == "ordinal":
            return _imported("calendar")(clock=False)
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        return make_pipeline(_imported("calendar")(), imputer, _imported("standard_scaler")())

    def categories(self) -> Any:
        """Encode categories: few by themselves, more than `max_categories` by the target's out-of-fold means."""
        from sklearn.pipeline import make_pipeline

        one_hot = self.encoding == "one_hot"
        few = self.known("one_hot_encoder") if one_hot else self.pooling(self.known("ordinal_encoder"))
        if self.target_type is None:
            return few
        means = self.known("target_encoder", target_type=self.target_type)
        many = make_pipeline(means, _imported("standard_scaler")()) if one_hot else means
        return _imported("categories")(few, many, self.preparation.max_categories)

    def pooling(self, encoder: Any) -> Any:
        """Give unseen categories the code of rare ones; the encoder alone has none that a row has at fit."""
        return _imported("ordinal_categories")(encoder, self.seed)

    def known(self, name: str, **arguments: Any) -> Any:
        """Build a known step with its defaults."""
        return _imported(name)(**self.defaults(name), **arguments)

    def defaults(self, name: str) -> dict[str, Any]:
        """Return the constructor arguments of a known step before the user's."""
        most = {"max_categories": self.preparation.max_categories}
        if name == "one_hot_encoder":
            return {"handle_unknown": "infrequent_if_exist"} | most
        if name == "ordinal_encoder":
            return {"handle_unknown": "use_encoded_value", "unknown_value": -1} | most
        if name == "target_encoder":
            from sklearn.model_selection import KFold

            return {"cv": KFold(5, shuffle=True, random_state=self.seed)}
        if name == "tfidf":
            # condensed for trees, which handle sparse columns badly
            components = _TOPICS if self.encoding == "ordinal" else None
            return {"max_features": self.preparation.text_features, "components": components, "seed": self.seed}
        return {}


def _explicit(features: TableSchema, context: StepContext) -> list[_Block]:
    built: list[_Block] = []
    taken: dict[str, int] = {}
    for number, step in enumerate(context.preparation.steps):
        where = f"preprocessing.steps[{number}] ({step.step})"
        for column in step.columns:
            _require_free(column, features, taken, where)
            taken[column] = number
        # a text transformer takes one column, so each column gets its own
        groups = [[name] for name in step.columns] if step.step == "tfidf" else [list(step.columns)]
        for part, columns in enumerate(groups):
            built.append((f"step{number}_{part}" if part else f"step{number}", _build(step, context, where), columns))
    if built and len(taken) == len(features.names) and all(transformer == "drop" for _, transformer, _ in built):
        raise SpecError("every feature is dropped", where="preprocessing.steps", remedy="keep at least one column")
    return built


def _require_free(column: str, features: TableSchema, taken: Mapping[str, int], where: str) -> None:
    if column not in features.names:
        raise MissingColumnError(
            f"there is no feature '{column}'{did_you_mean(column, features.names)}",
            where=where,
            expected=f"one of {', '.join(features.names)}",
            remedy="correct the name, or give the column a role that makes it a feature",
        )
    if column in taken:
        raise used_twice(column, taken[column], where=where)


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
        remedy="name it in one step only; chain transformers in a class of your own",
    )


def _build(step: PreprocessingStep, context: StepContext, where: str) -> Any:
    if step.step in _WITHOUT_FIT:
        if step.parameters:
            raise SpecError(f"'{step.step}' takes no parameters", where=where, found=", ".join(step.parameters))
        return step.step
    cls = _transformer_class(step.step, where)
    arguments = context.defaults(step.step) | _seed_argument(cls, context.seed) | step.parameters
    transformer = _constructed(cls, arguments, where)
    if step.step == "ordinal_encoder" and not _UNKNOWN & step.parameters.keys():
        return context.pooling(transformer)
    impute = step.step in _SCALERS and context.encoding == "one_hot"
    return context.imputed("median", transformer) if impute else transformer


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


def _transformer_class(name: str, where: str) -> Any:
    if not is_import_path(name):
        require_step(name, where)
        return _imported(name)
    cls = import_users_object(name, where=where)
    missing = [method for method in ("fit", "transform", "get_params") if not callable(getattr(cls, method, None))]
    if missing:
        raise SpecError(f"'{name}' is no transformer", where=where, found=f"missing: {', '.join(missing)}")
    return cls


def _imported(name: str) -> Any:
    path = KNOWN_STEPS[name].path if name in KNOWN_STEPS else _AUTOMATIC[name]
    return import_object(path, where="preprocessing")


def _seed_argument(cls: Any, seed: int) -> dict[str, int]:
    # TargetEncoder still accepts the argument and warns; its seed is in `cv`
    known = inspect.signature(cls).parameters
    return {"random_state": seed} if "random_state" in known and "cv" not in known else {}


def _constructed(cls: Any, arguments: Mapping[str, Any], where: str) -> Any:
    try:
        transformer = cls(**arguments)
        if hasattr(transformer, "_parameter_constraints"):  # scikit-learn itself checks at fit only
            transformer._validate_params()
    except Exception as error:  # a constructor of the user's own may raise anything
        known = [name for name in inspect.signature(cls).parameters if name not in {"args", "kwargs"}]
        strays = [name for name in arguments if name not in known]
        hint = did_you_mean(strays[0], known) if strays else ""
        raise SpecError(
            f"the step refuses its parameters{hint}",
            where=where,
            found=str(error),
            expected=f"parameters among {', '.join(known)}" if strays else "",
        ) from error
    return transformer


def build_preprocessor(
    features: TableSchema,
    preparation: PreprocessingSpec,
    encoding: Literal["one_hot", "ordinal"],
    *,
    seed: int = DEFAULT_SEED,
    dense: bool = False,
    target_type: TargetType | None = None,
) -> "ColumnTransformer":
    """Build the preprocessing of a feature frame.

    Columns without a value or with a single value are kept in the result.

    Args:
        features: columns and roles of the frame that it will take.
        preparation: explicit steps, whose columns get no automatic ones, and bounds.
        encoding: `one_hot` imputes (with a missing indicator), scales and one-hot encodes; `ordinal` leaves numbers
            as they are, NaN included, and gives categories a code, for trees. Either way missing is a category of
            its own; a category unknown at fit has no column, or the code of the rare ones.
        seed: seed of every step that draws.
        dense: never return a sparse matrix.
        target_type: of the target by whose out-of-fold means columns of more than `max_categories` are encoded; None
            pools their rarer categories.

    Returns:
        Unfitted transformer: frame of shape (rows, features) to float64 of shape (rows, outputs).

    Raises:
        SpecError: a step is unknown, refuses its parameters, or shares a column with another.
        MissingColumnError: a step names a column that is no feature.
    """
    from sklearn.compose import ColumnTransformer

    context = StepContext(encoding, preparation, seed, target_type)
    steps = _explicit(features, context)
    taken = {column for _, _, columns in steps for column in columns}
    free = features.project(tuple(name for name in features.names if name not in taken))
    return ColumnTransformer([*_automatic(free, context), *steps], sparse_threshold=0.0 if dense else 0.3)


def _automatic(features: TableSchema, context: StepContext) -> list[_Block]:
    blocks = [
        ("numeric", context.numbers("median"), features.with_role(ColumnRole.NUMERIC)),
        ("boolean", context.numbers("most_frequent"), features.with_role(ColumnRole.BOOLEAN)),
        ("datetime", context.moments(), features.with_role(ColumnRole.DATETIME)),
        ("categorical", context.categories(), features.with_role(ColumnRole.CATEGORICAL)),
        *((f"text_{name}", context.known("tfidf"), (name,)) for name in features.with_role(ColumnRole.TEXT)),
    ]
    return [(name, transformer, list(columns)) for name, transformer, columns in blocks if columns]
