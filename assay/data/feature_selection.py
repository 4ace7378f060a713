"""Which columns of a table are features, and why the others are not."""

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DataContractError, MissingColumnError, did_you_mean
from assay.specs.dataset import ColumnRole, DatasetSpec
from assay.specs.pipeline import PipelineSpec

_NO_FEATURE = {
    ColumnRole.IDENTIFIER: "identifier: it names the row and says nothing about others",
    ColumnRole.IGNORED: "ignored",
}


def select_features(schema: TableSchema, spec: PipelineSpec) -> tuple[TableSchema, dict[str, str]]:
    """Separate the features from the rest.

    Returns:
        The features in the table's order, and every other column but the target with the reason why it is no feature.
        A column from which the target is computed, and whatever else is computed from that column, is never a
        feature, since it would reveal the target.

    Raises:
        MissingColumnError: the table lacks the target.
        DataContractError: no feature is left.
    """
    target = spec.dataset.target
    if target not in schema.names:
        raise MissingColumnError(
            f"the table has no target column '{target}'{did_you_mean(target, schema.names)}",
            where=f"{spec.name}, dataset.target",
            found=", ".join(schema.names),
        )
    unused = unused_columns(schema, spec)
    features = tuple(name for name in schema.names if name not in unused and name != target)
    if not features:
        raise DataContractError(
            "no column is left to learn from",
            where=spec.name,
            found="; ".join(f"{name}: {reason}" for name, reason in unused.items()) or "only the target",
            remedy="give a column another role in dataset.columns",
        )
    return schema.project(features), unused


def unused_columns(schema: TableSchema, spec: PipelineSpec) -> dict[str, str]:
    """Return the columns that are neither a feature nor the target, each with the reason."""
    leaks = revealing_columns(spec.dataset)
    reasons = {column.name: _reason(column, leaks, spec) for column in schema.columns}
    return {name: reason for name, reason in reasons.items() if reason and name != spec.dataset.target}


def _reason(column: ColumnSchema, leaks: dict[str, str], spec: PipelineSpec) -> str:
    if column.name in leaks:
        return leaks[column.name]
    if column.name == spec.training.sample_weight:
        return "weight of the rows (training.sample_weight)"
    if column.name == spec.split.group and not _role_is_declared(column, spec.dataset):
        return "group of the split; declare its role to use it as a feature"
    return _NO_FEATURE.get(column.role, "")


def _role_is_declared(column: ColumnSchema, dataset: DatasetSpec) -> bool:
    declared = dataset.columns.get(column.name)
    return declared is not None and declared.role is not None


def revealing_columns(dataset: DatasetSpec) -> dict[str, str]:
    """Return the columns that reveal the target by a derivation, each with the reason."""
    leaks: dict[str, str] = {}
    name = dataset.target
    while name in dataset.derive and dataset.derive[name].column not in leaks:
        source = dataset.derive[name].column
        leaks[source] = f"the target is computed from it (dataset.derive.{name})"
        name = source
    while siblings := _computed_from({dataset.target, *leaks}, dataset):
        leaks |= {column: f"computed from '{source}', which reveals the target" for column, source in siblings}
    return leaks


def _computed_from(sources: set[str], dataset: DatasetSpec) -> list[tuple[str, str]]:
    return [
        (name, rule.column) for name, rule in dataset.derive.items() if rule.column in sources and name not in sources
    ]
