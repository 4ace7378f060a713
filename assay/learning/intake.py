"""How a fitted model takes rows as its source has them: which of the source's columns predictions need."""

import base64
import datetime as dt
import math
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from assay.data.contract import arrow_type
from assay.data.frozen_schema import FrozenSchema
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.features.compiling import ROW
from assay.features.first_failure import engine_connection
from assay.features.lineage import SOURCE, lineage_of
from assay.features.parsing import StepProblem, parsed_selects, parsed_steps
from assay.features.plan import compiled
from assay.features.running import features_of
from assay.learning.splitting import Split
from assay.results.intake import EXAMPLE_CHOICE, Intake, SourceSchemas
from assay.specs.dataset import ColumnRole, ColumnSpec, DatasetSpec
from assay.specs.features import FeaturesSpec, FeatureStep
from assay.specs.other_sources import Join
from assay.specs.pipeline import PipelineSpec

_ADDRESS = "rows"
_EXAMPLE_ROWS = 5
_LARGEST_TABLE = 4 << 20
"""Characters of a joined source that a manifest holds; rows to predict have the columns of larger ones."""
_READ = ("dialect", "limits", "schema_version", "partitions", "target", "columns", "derive")
"""What of a dataset still matters when rows are handed over."""


def intake_of(split: Split, spec: PipelineSpec, schemas: SourceSchemas | None) -> Intake | None:
    """Return how a model of a split takes rows.

    Args:
        split: the rows that it learns from.
        spec: the pipeline.
        schemas: where steps make the rows; without them such a model takes rows of its features.
    """
    if spec.features is None:
        return _of_rows(split, spec)
    return _of_steps(split, spec, schemas) if schemas is not None else None


def _of_rows(split: Split, spec: PipelineSpec) -> Intake:
    """Return the intake where the source's columns are features, or derived columns' sources."""
    derived = spec.dataset.derive
    needed = [name for name in split.features.names if name not in derived]
    needed += [derived[name].column for name in split.features.names if name in derived]
    named = {spec.dataset.target, *derived}
    identifiers = [name for name in split.unused_columns if _is_identifier(name, split)]
    columns = tuple(
        _column(field, split.features, spec, identifiers)
        for field in split.holdout_table.schema
        if field.name not in named and field.name in {*needed, *identifiers}
    )
    required = tuple(column.name for column in columns if column.name in needed)
    dataset = _without_address(spec.dataset, [*(column.name for column in columns), *named])
    return Intake(
        dataset=dataset,
        columns=columns,
        required=required,
        example=_example(split.holdout_table, columns),
        show_values=spec.validation.show_values,
    )


def _is_identifier(name: str, split: Split) -> bool:
    return split.unused_columns[name].startswith(str(ColumnRole.IDENTIFIER))


def _column(field: pa.Field, features: TableSchema, spec: PipelineSpec, identifiers: Collection[str]) -> ColumnSchema:
    if field.name in features.names:
        return features[field.name]
    declared = spec.dataset.columns.get(field.name, ColumnSpec())
    role = ColumnRole.IDENTIFIER if field.name in identifiers else declared.role or ColumnRole.IGNORED
    return ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=role, pii=declared.pii)


def _of_steps(split: Split, spec: PipelineSpec, schemas: SourceSchemas) -> Intake | None:
    tables = {name: text for name, table in schemas.tables.items() if len(text := _packed(table)) <= _LARGEST_TABLE}
    if not {*features_of(spec).table_names} <= {*tables}:
        return None  # what a SELECT makes of rows that the model does not carry cannot be made elsewhere
    found = _with_columns_given(features_of(spec), schemas, tables, spec.dataset.target)
    if found is None:
        return None
    steps, given = found
    known = (*schemas.source.table_schema(spec.dataset.columns).columns, *given)
    serving = _serving_the_target(spec, [column.name for column in known])
    others = [column for column in known if column.name != spec.dataset.target]
    required = _required(split, spec, steps, others, serving)
    personal = {name for name, column in spec.dataset.columns.items() if column.pii}
    columns = tuple(
        column.model_copy(update={"pii": column.name in personal})
        for column in others
        if column.name in required or column.name not in serving
    )
    return Intake(
        dataset=_without_address(spec.dataset, [*(column.name for column in known), *schemas.feature_set.dtypes]),
        columns=columns,
        required=required,
        features=steps if steps.steps else None,
        tables=tables,
        feature_set=schemas.feature_set,
        example=_example(schemas.rows, columns) if schemas.rows is not None else (),
        show_values=spec.validation.show_values,
    )


def _with_columns_given(
    features: FeaturesSpec, schemas: SourceSchemas, tables: Collection[str], target: str
) -> tuple[FeaturesSpec, list[ColumnSchema]] | None:
    """Return the steps without those whose rows the model does not carry, and the columns that these add.

    They are the joins of what changes with time, and windows: a model has no earlier rows, and another value than in
    training must not stand in for theirs. None where the rows cannot have such a column, as a step before makes it too
    or computes with whole rows; such a model takes rows of its features.
    """
    steps: list[FeatureStep] = []
    given: list[ColumnSchema] = []
    local: dict[str, Any] = {"source": _ADDRESS, "query": None, "parameters": {}}
    for number, step in enumerate(features.steps):
        join = step.join
        if step.aggregate is not None and step.aggregate.time is not None:
            columns = _of_window(features, number, step.aggregate.columns, schemas, target)
            if columns is None:
                return None
            given += columns
            steps = [_keeping(each, [column.name for column in columns]) for each in steps]
        elif join is None:
            steps.append(step)
        elif join.table in tables:
            steps.append(step.model_copy(update={"join": join.model_copy(update=local)}))
        else:
            columns = list(_added(join, schemas.joined[join.table]))
            given += columns
            steps = [_keeping(each, [column.name for column in columns]) for each in steps]
    read = tuple(each.model_copy(update=local) for each in features.tables)
    return features.model_copy(update={"steps": tuple(steps), "tables": read}), given


def _added(join: Join, other: FrozenSchema) -> Iterator[ColumnSchema]:
    """Yield the columns that a join adds, under their new names."""
    used = {*join.keys.values(), *([join.as_of.right] if join.as_of is not None else [])}
    chosen = join.columns or tuple(name for name in other.dtypes if name not in used)
    names = chosen if isinstance(chosen, dict) else {name: name for name in chosen}
    for column in other.columns:
        if column.name in names:
            yield ColumnSchema(name=names[column.name], dtype=column.dtype, role=column.role)


def _of_window(
    features: FeaturesSpec, number: int, names: Collection[str], schemas: SourceSchemas, target: str
) -> list[ColumnSchema] | None:
    """Return the columns of a window as the rows to predict have them; None where they cannot."""
    before = features.steps[:number]
    if any(step.kind in {"sql", "python"} or (step.aggregate and step.aggregate.time is None) for step in before):
        return None
    source = [(name, arrow_type(dtype) or pa.null()) for name, dtype in schemas.source.dtypes.items()]
    joined = {
        name: pa.schema([(each, arrow_type(dtype) or pa.null()) for each, dtype in other.dtypes.items()])
        for name, other in schemas.joined.items()
    }
    with engine_connection() as connection:
        rows = pa.schema([*source, (ROW, pa.int64())])
        there = compiled(connection, features, rows, target, numbers=range(number), tables=joined).columns
        if {name.lower() for name in names} & {name.lower() for name in (*there, *schemas.source.dtypes)}:
            return None
        compiled(connection, features, rows, target, numbers=range(number + 1), tables=joined)
        made = connection.sql("SELECT * FROM current_rows").to_arrow_table().schema
    roles = {column.name: column.role for column in schemas.feature_set.columns}
    return [
        ColumnSchema(name=name, dtype=dtype_name(made.field(name).type), role=roles.get(name, ColumnRole.NUMERIC))
        for name in names
    ]


def _keeping(step: FeatureStep, names: Collection[str]) -> FeatureStep:
    """Return a step that does not drop some columns, which come later where the feature set is made."""
    if not isinstance(step.select, tuple):
        return step
    return step.model_copy(update={"select": (*step.select, *names)})


def _packed(table: pa.Table) -> str:
    """Return a table as a Parquet file in base64."""
    file = pa.BufferOutputStream()
    pq.write_table(table, file, compression="zstd")
    return base64.b64encode(file.getvalue()).decode()


def _serving_the_target(spec: PipelineSpec, names: Collection[str]) -> set[str]:
    """Return the source's columns from which the target is computed, alone or with others."""
    features = features_of(spec)
    steps = features.steps
    with engine_connection() as connection:
        queries = parsed_selects(connection, features)
        lineage = lineage_of(steps, parsed_steps(connection, steps), spec.dataset.target, queries)
    serving = lineage.revealing | lineage.ingredients
    return {name for name in names if (SOURCE, name.lower()) in serving}


def _required(
    split: Split, spec: PipelineSpec, features: FeaturesSpec, columns: Sequence[ColumnSchema], serving: Collection[str]
) -> tuple[str, ...]:
    """Return the columns without which a step fails or a feature is not made.

    Steps that see whole rows or other ones are taken to need every column that does not serve the target.
    """
    names = [column.name for column in columns]
    if features.needs_row_numbers:
        return tuple(name for name in names if name not in serving or name in split.features.names)
    needed = set(names)
    for name in names:
        kept = [column for column in columns if column.name in needed - {name}]
        made = _columns_made(features, spec.dataset.target, kept)
        if made is not None and set(split.features.names) <= made:
            needed.discard(name)
    return tuple(name for name in names if name in needed)


def _columns_made(features: FeaturesSpec, target: str, columns: Sequence[ColumnSchema]) -> set[str] | None:
    """Return what steps make of rows that are only predicted; None where they do not fit the columns."""
    schema = pa.schema([(column.name, arrow_type(column.dtype) or pa.null()) for column in columns])
    if not features.steps:
        return set(schema.names)
    if not schema.names:
        return None
    try:
        with engine_connection() as connection:
            return set(compiled(connection, features, schema, target, labelled=False).columns)
    except StepProblem:
        return None


def _example(table: pa.Table, columns: Sequence[ColumnSchema]) -> tuple[dict[str, JsonValue], ...]:
    """Return some of the first rows as JSON has them, those with the fewest missing values.

    Columns of joined sources are missing.

    MLflow makes False of a missing boolean when it reads an example.
    """
    shown = [column for column in columns if column.name in table.column_names]
    first = table.select([column.name for column in shown]).slice(0, EXAMPLE_CHOICE).to_pylist()
    plain = [{name: _json(value) for name, value in row.items()} for row in first]
    rows = sorted(plain, key=lambda row: list(row.values()).count(None))[:_EXAMPLE_ROWS]
    return tuple({each.name: None if each.pii else row.get(each.name) for each in columns} for row in rows)


def _json(value: Any) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dt.date):  # a moment is a date
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _without_address(dataset: DatasetSpec, names: Collection[str]) -> DatasetSpec:
    """Return how rows are read without where they come from: an address may hold credentials."""
    kept = {name: getattr(dataset, name) for name in _READ}
    kept["columns"] = {name: column for name, column in dataset.columns.items() if name in names}
    return DatasetSpec(source=_ADDRESS, **kept)
