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

_CLASSES = {
    "standard_scaler": "sklearn.preprocessing:StandardScaler",
    "min_max_scaler": "sklearn.preprocessing:MinMaxScaler",
    "robust_scaler": "sklearn.preprocessing:RobustScaler",
    "quantile_transformer": "sklearn.preprocessing:QuantileTransformer",
    "one_hot_encoder": "sklearn.preprocessing:OneHotEncoder",
    "ordinal_encoder": "sklearn.preprocessing:OrdinalEncoder",
    "target_encoder": "sklearn.preprocessing:TargetEncoder",
    "calendar": "assay.learning.preprocessing.transformers:CalendarFeatures",
    "tfidf": "assay.learning.preprocessing.transformers:TextFeatures",
}
_WITHOUT_FIT = ("passthrough", "drop")
STEP_NAMES = (*_CLASSES, *_WITHOUT_FIT)
"""Names of all steps."""
_SCALERS = ("standard_scaler", "min_max_scaler", "robust_scaler", "quantile_transformer")


@dataclass(frozen=True, slots=True)
class StepContext:
    """What all steps of one preprocessor share.

    Attributes:
        encoding: `one_hot` for models that need complete, scaled columns, `ordinal` for trees.
        max_categories: bound on the categories of one column.
        vocabulary: bound on the words of one text column.
        seed: seed of steps that draw.
        target_type: of the target by whose means many categories are encoded; None pools them.
    """

    encoding: Literal["one_hot", "ordinal"]
    max_categories: int
    vocabulary: int
    seed: int
    target_type: TargetType | None = None

    def imputer(self, strategy: str, *, add_indicator: bool = True) -> Any:
        """Fill missing values and add an indicator; a column without any value is filled with 0."""
        from sklearn.impute import SimpleImputer

        return SimpleImputer(strategy=strategy, add_indicator=add_indicator, keep_empty_features=True)

    def category_encoder(self) -> Any:
        """Encode categories: few by themselves, more than `max_categories` by the target's out-of-fold means."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from assay.learning.preprocessing.transformers import Categories

        name = "one_hot_encoder" if self.encoding == "one_hot" else "ordinal_encoder"
        few = _imported(name)(**self.defaults(name))
        if self.target_type is None:
            return few
        means = _imported("target_encoder")(**self.defaults("target_encoder"), target_type=self.target_type)
        many = make_pipeline(means, StandardScaler()) if self.encoding == "one_hot" else means
        return Categories(few, many, self.max_categories)

    def text_features(self) -> Any:
        """Encode one text column; condensed for trees, which handle sparse columns badly."""
        return _imported("tfidf")(**self.defaults("tfidf"))

    def defaults(self, name: str) -> dict[str, Any]:
        """Return the constructor arguments of a known step before the user's."""
        if name == "one_hot_encoder":
            return {"handle_unknown": "infrequent_if_exist", "max_categories": self.max_categories}
        if name == "ordinal_encoder":
            unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
            return unknown | {"max_categories": self.max_categories}
        if name == "target_encoder":
            from sklearn.model_selection import KFold

            return {"cv": KFold(5, shuffle=True, random_state=self.seed)}
        if name == "tfidf":
            components = _TOPICS if self.encoding == "ordinal" else None
            return {"max_features": self.vocabulary, "components": components, "seed": self.seed}
        return {}


def explicit_steps(
    steps: tuple[PreprocessingStep, ...], features: TableSchema, context: StepContext
) -> list[tuple[str, Any, list[str]]]:
    """Build the named steps.

    Args:
        steps: as the pipeline names them.
        features: the columns there are.
        context: encoding, bounds and seed.

    Returns:
        Name, unfitted transformer and columns of each, as a `ColumnTransformer` takes them.

    Raises:
        SpecError: a step is unknown, refuses its parameters, or shares a column with another.
        MissingColumnError: a step names a column that is no feature.
    """
    built: list[tuple[str, Any, list[str]]] = []
    taken: dict[str, int] = {}
    for number, step in enumerate(steps):
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
        raise SpecError(
            f"column '{column}' is used by two steps",
            where=where,
            found=f"also used by preprocessing.steps[{taken[column]}]",
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
    if step.step in _SCALERS and context.encoding == "one_hot":
        from sklearn.pipeline import make_pipeline

        return make_pipeline(context.imputer("median"), transformer)
    return transformer


def _transformer_class(name: str, where: str) -> Any:
    if name in _CLASSES:
        return _imported(name)
    if not is_import_path(name):
        known = [*_CLASSES, *_WITHOUT_FIT]
        raise SpecError(
            f"there is no preprocessing step '{name}'{did_you_mean(name, known)}",
            where=where,
            expected=f"one of {', '.join(known)}, or package.module:Class",
        )
    cls = import_users_object(name, where=where)
    missing = [method for method in ("fit", "transform", "get_params") if not callable(getattr(cls, method, None))]
    if missing:
        raise SpecError(f"'{name}' is no transformer", where=where, found=f"missing: {', '.join(missing)}")
    return cls


def _imported(name: str) -> Any:
    return import_object(_CLASSES[name], where="preprocessing")


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


_Block: TypeAlias = tuple[str, Any, list[str]]


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
            its own; a category unknown at fit has no column, or the code -1.
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

    context = StepContext(encoding, preparation.max_categories, preparation.text_features, seed, target_type)
    steps = explicit_steps(preparation.steps, features, context)
    taken = {column for _, _, columns in steps for column in columns}
    free = features.project(tuple(name for name in features.names if name not in taken))
    return ColumnTransformer([*_automatic(free, context), *steps], sparse_threshold=0.0 if dense else 0.3)


def _automatic(features: TableSchema, context: StepContext) -> list[_Block]:
    blocks = [
        ("numeric", _numeric(context, "median"), features.with_role(ColumnRole.NUMERIC)),
        ("boolean", _numeric(context, "most_frequent"), features.with_role(ColumnRole.BOOLEAN)),
        ("datetime", _datetime(context), features.with_role(ColumnRole.DATETIME)),
        ("categorical", context.category_encoder(), features.with_role(ColumnRole.CATEGORICAL)),
        *((f"text_{name}", context.text_features(), (name,)) for name in features.with_role(ColumnRole.TEXT)),
    ]
    return [(name, transformer, list(columns)) for name, transformer, columns in blocks if columns]


def _numeric(context: StepContext, strategy: str) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from assay.learning.preprocessing.transformers import RawNumbers

    if context.encoding == "ordinal":
        return RawNumbers()
    return make_pipeline(context.imputer(strategy), StandardScaler())


def _datetime(context: StepContext) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from assay.learning.preprocessing.transformers import CalendarFeatures

    if context.encoding == "ordinal":
        return CalendarFeatures(clock=False)
    return make_pipeline(CalendarFeatures(), context.imputer("median", add_indicator=False), StandardScaler())
