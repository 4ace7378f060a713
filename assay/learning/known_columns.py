"""Columns in a pipeline that cannot be right: the frozen schema lacks them, or their role is not what is needed."""

from collections.abc import Iterator

from assay.data.feature_selection import unused_columns
from assay.data.frozen_schema import FrozenSchema
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import AssayError, SpecError, did_you_mean
from assay.learning.estimators.constraints import monotone_errors
from assay.learning.preprocessing.fitted_columns import is_target_of_outliers, unfit_columns
from assay.specs.base import Location, columns_of
from assay.specs.pipeline import PipelineSpec

_NEEDS_FEATURE = (
    ("features", "steps"),
    ("preprocessing", "steps"),
    ("evaluation", "slices"),
    ("monitoring", "drift"),
    ("training", "constraints"),
)
"""Locations of columns that must be features."""


def column_errors(spec: PipelineSpec, frozen: FrozenSchema | None) -> Iterator[tuple[Location, AssayError]]:
    """Yield columns that the reviewed schema lacks, and those that must be features and are none."""
    roles = {name: each.role for name, each in spec.dataset.columns.items() if each.role is not None}
    declared = [ColumnSchema(name=name, dtype="null", role=role) for name, role in roles.items()]
    schema = (
        TableSchema(version=spec.dataset.schema_version, columns=tuple(declared))
        if frozen is None
        else frozen.table_schema(spec.dataset.columns)
    )
    no_features = unused_columns(schema, spec) | {spec.dataset.target: "it is the target"}
    for location, name in spec.named_columns:
        if frozen is not None and name not in schema.names:
            yield location, _not_frozen(name, schema)
        elif location[:2] in _NEEDS_FEATURE and name in no_features and not is_target_of_outliers(spec, location):
            yield (
                location,
                SpecError(
                    f"'{name}' is no feature",
                    found=no_features[name],
                    expected="a feature",
                    remedy="name another column, or give this one a role that makes it a feature",
                ),
            )
    yield from unfit_columns(spec, schema)
    known = {
        column.name: column.role
        for column in schema.columns
        if column.name not in no_features and (frozen is not None or column.name in roles)
    }
    for name, error in monotone_errors(known, spec):
        yield ("training", "constraints", "monotone", name), error


def raw_column_errors(spec: PipelineSpec, source: FrozenSchema | None) -> Iterator[tuple[Location, AssayError]]:
    """Yield columns that rules of the source's rows name, and the reviewed schema lacks."""
    if spec.validation.raw is None or source is None:
        return
    for location, name in columns_of(spec.validation.raw):
        if name not in source.dtypes:
            yield ("validation", "raw", *location), _not_frozen(name, source.table_schema({}))


def served_column_errors(spec: PipelineSpec, source: FrozenSchema | None) -> Iterator[tuple[Location, AssayError]]:
    """Yield a key of the arms that the reviewed schema of the source lacks and the file does not declare."""
    key = spec.serving.key if spec.serving is not None else None
    if key is None or source is None or spec.serving is None:
        return
    unique = (name for names in spec.validation.unique for name in names)
    group = () if spec.split.group is None else (spec.split.group,)
    declared = {*spec.serving.columns, *spec.dataset.columns, *spec.split.key, *group, *unique}
    if key not in source.dtypes and key not in declared:
        near = did_you_mean(key, {*source.dtypes, *declared})
        yield (
            ("serving", "challenger", "by"),
            SpecError(
                f"'{key}' is neither a column of the data nor declared{near}",
                expected=f"one of {', '.join(source.dtypes)}, or a column of serving.columns",
                remedy="correct the name, or add it to serving.columns if clients send it with the rows",
            ),
        )


def _not_frozen(name: str, schema: TableSchema) -> AssayError:
    return SpecError(
        f"the frozen schema has no column '{name}'{did_you_mean(name, schema.names)}",
        expected=f"one of {', '.join(schema.names)}, as of schema version {schema.version}",
        remedy="correct the name; for data with other columns raise dataset.schema_version",
    )
