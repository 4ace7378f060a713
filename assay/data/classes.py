"""The classes of a target: which labels a column holds, and the refusal of those that the schema does not have."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.frozen_schema import ClassLabel
from assay.errors import SchemaDriftError, did_you_mean
from assay.specs.dataset import DatasetSpec

_FEWEST, _MOST = 2, 1000
_SHOWN = 5


def classes_of(column: pa.ChunkedArray) -> tuple[ClassLabel, ...] | None:
    """Return the distinct labels of a target in order; None where they are too few or too many to be all classes."""
    labels = sorted(_labels(column), key=lambda label: (str(type(label)), label))
    return tuple(labels) if _FEWEST <= len(labels) <= _MOST else None


def require_frozen_classes(table: pa.Table, classes: Sequence[ClassLabel], spec: DatasetSpec, *, where: str) -> None:
    """Refuse labels that are not among the frozen classes; a class without a row is no difference.

    Raises:
        SchemaDriftError: names the labels and their rows, unless the target is marked `pii`.
    """
    found = _labels(table.column(spec.target))
    other = [label for label in found if label not in classes]
    if not other:
        return
    declared = spec.columns.get(spec.target)
    hidden = declared is not None and declared.pii
    listed = ", ".join(f"{label!r} in {found[label]:,} rows" for label in sorted(other, key=str)[:_SHOWN])
    more = f", and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    nearest = "" if hidden else did_you_mean(str(other[0]), [str(label) for label in classes])
    raise SchemaDriftError(
        f"the target '{spec.target}' holds classes that are new since the schema was frozen{nearest}",
        where=where,
        found=f"{len(other)} other classes" if hidden else listed + more,
        expected=f"the {len(classes)} frozen classes" if hidden else f"{', '.join(map(repr, classes))}, as frozen",
        remedy="correct the labels; if the new classes are intended, raise dataset.schema_version (or the run "
        "parameter input_schema_version), or add them to `classes` in the reviewed schema file",
    )


def _labels(column: pa.ChunkedArray) -> Counter[ClassLabel]:
    """Return the rows of each label; whole numbers stay numbers, and what is neither number nor boolean is text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_floating(kind):
        column = column.filter(pc.is_finite(column))
    elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
        try:
            column = column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # no labels: the gate refuses such a target
            return Counter()
    counted = pc.value_counts(column.drop_null()).to_pylist()
    return Counter({pair["values"]: pair["counts"] for pair in counted})
