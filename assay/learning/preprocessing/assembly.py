"""The unfitted preprocessing of a pipeline: automatic by role, explicit where a step names the column."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from assay.data.schema import TableSchema
from assay.errors import MissingColumnError, SpecError, did_you_mean
from assay.learning.preprocessing.chains import build_chain
from assay.learning.preprocessing.known_steps import used_twice
from assay.learning.preprocessing.step_context import StepContext, TargetType
from assay.specs.dataset import ColumnRole
from assay.specs.learning import DEFAULT_SEED
from assay.specs.preprocessing import PreprocessingSpec, PreprocessingStep

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

_Block: TypeAlias = tuple[str, Any, list[str]]
"""Name, unfitted transformer and columns, as a `ColumnTransformer` takes them."""


def _explicit(features: TableSchema, context: StepContext) -> list[_Block]:
    built: list[_Block] = []
    for number, place, first in context.preparation.collisions():
        step = context.preparation.steps[number]
        raise used_twice(step.columns[place], first, where=_place_of(number, step))
    for number, step in enumerate(context.preparation.steps):
        where = _place_of(number, step)
        for column in (*step.columns, *step.by):
            _require_feature(column, features, where)
        # a text transformer takes one column, so each column gets its own
        groups = [[name] for name in step.columns] if step.chain[0].step == "tfidf" else [list(step.columns)]
        for part, columns in enumerate(groups):
            name = f"step{number}_{part}" if part else f"step{number}"
            built.append((name, build_chain(step, features, context, where), [*columns, *step.by]))
    dropped = all(transformer == "drop" for _, transformer, _ in built)
    taken = {column for step in context.preparation.steps for column in step.columns}
    if built and len(taken) == len(features.names) and dropped:
        raise SpecError("every feature is dropped", where="preprocessing.steps", remedy="keep at least one column")
    return built


def _place_of(number: int, step: PreprocessingStep) -> str:
    return f"preprocessing.steps[{number}] ({', '.join(each.step for each in step.chain)})"


def _require_feature(column: str, features: TableSchema, where: str) -> None:
    if column not in features.names:
        raise MissingColumnError(
            f"there is no feature '{column}'{did_you_mean(column, features.names)}",
            where=where,
            expected=f"one of {', '.join(features.names)}",
            remedy="correct the name, or give the column a role that makes it a feature",
        )


def build_preprocessor(
    features: TableSchema,
    preparation: PreprocessingSpec,
    encoding: Literal["one_hot", "ordinal"],
    *,
    seed: int = DEFAULT_SEED,
    dense: bool = False,
    target_type: TargetType | None = None,
    native_bound: bool = True,
) -> "ColumnTransformer":
    """Build the preprocessing of a feature frame.

    Columns without a value or with a single value are kept in the result.

    Args:
        features: columns and roles of the frame that it will take.
        preparation: explicit steps, whose columns get no automatic ones, how categories are encoded, and bounds.
        encoding: `one_hot` imputes (with a missing indicator), scales and one-hot encodes; `ordinal` leaves numbers
            as they are, NaN included, and gives categories a code, for trees. Either way missing is a category of
            its own; a category unknown at fit has no column, or the code of the rare ones.
        seed: seed of every step that draws.
        dense: never return a sparse matrix.
        target_type: of the target by whose out-of-fold means columns of more than `max_categories` are encoded; None
            pools their rarer categories.
        native_bound: whether native columns have a bounded number of categories.

    Returns:
        Unfitted transformer: frame of shape (rows, features) to float64 of shape (rows, outputs); to a frame with
        columns of pandas' `category` where categories are native.

    Raises:
        SpecError: a step is unknown, refuses its parameters, or makes of a column what another makes.
        MissingColumnError: a step names a column that is no feature.
    """
    context = StepContext(encoding, preparation, seed, target_type, dense, native_bound)
    steps = _explicit(features, context)
    taken = {column for step in preparation.steps for column in step.columns}
    free = features.project(tuple(name for name in features.names if name not in taken))
    native = context.category_encoding == "native" and bool(free.with_role(ColumnRole.CATEGORICAL))
    blocks = [*_automatic(free, context), *steps]
    if native:
        from assay.learning.preprocessing.native_columns import NativeColumns

        return NativeColumns(blocks, sparse_threshold=0.0)
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer(blocks, sparse_threshold=0.0 if dense else 0.3)


def _automatic(features: TableSchema, context: StepContext) -> list[_Block]:
    blocks = [
        ("numeric", context.numbers("median"), features.with_role(ColumnRole.NUMERIC)),
        ("boolean", context.numbers("most_frequent"), features.with_role(ColumnRole.BOOLEAN)),
        ("datetime", context.moments(), features.with_role(ColumnRole.DATETIME)),
        ("categorical", context.categories(), features.with_role(ColumnRole.CATEGORICAL)),
        *((f"text_{name}", context.known("tfidf"), (name,)) for name in features.with_role(ColumnRole.TEXT)),
    ]
    return [(name, transformer, list(columns)) for name, transformer, columns in blocks if columns]
