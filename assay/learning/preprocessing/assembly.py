"""The unfitted preprocessing of a pipeline: automatic by role, explicit where a step names the column."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from assay.data.schema import TableSchema
from assay.learning.preprocessing.steps import StepContext, explicit_steps
from assay.specs.dataset import ColumnRole
from assay.specs.learning import DEFAULT_SEED, PreprocessingSpec

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

_Block: TypeAlias = tuple[str, Any, list[str]]


def build_preprocessor(
    features: TableSchema,
    preparation: PreprocessingSpec,
    encoding: Literal["one_hot", "ordinal"],
    *,
    seed: int = DEFAULT_SEED,
    dense: bool = False,
) -> "ColumnTransformer":
    """Build the preprocessing of a feature frame.

    Columns with no value, or with one value only, keep their place in the result.

    Args:
        features: columns and roles of the frame that it will take.
        preparation: explicit steps, whose columns are taken out of the automatic ones, and bounds.
        encoding: `one_hot` imputes (with a missing indicator), scales and one-hot encodes; `ordinal` leaves numbers
            as they are, NaN included, and gives categories a code, for trees. Either way missing is a category of
            its own; a category that was not there at fit has no column, or the code -1.
        seed: seed of every step that draws.
        dense: never return a sparse matrix.

    Returns:
        Unfitted transformer: frame of shape (rows, features) to float64 of shape (rows, outputs).

    Raises:
        SpecError: a step is unknown, refuses its parameters, or shares a column with another.
        MissingColumnError: a step names a column that is no feature.
    """
    from sklearn.compose import ColumnTransformer

    context = StepContext(encoding, preparation.max_categories, preparation.text_features, seed)
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
        return CalendarFeatures()
    return make_pipeline(CalendarFeatures(), context.imputer("median", add_indicator=False), StandardScaler())
