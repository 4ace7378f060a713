"""The frozen schema of a version of a pipeline's data: columns, dialect and classes, in one YAML file for review."""

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationError

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import SchemaDriftError, SpecError, did_you_mean
from assay.specs.base import Spec
from assay.specs.complaints import explain
from assay.specs.dataset import ColumnRole, ColumnSpec, CsvDialect, DatasetSpec
from assay.specs.yaml_text import read_yaml

ClassLabel: TypeAlias = str | bool | int | float
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HEAD = """\
# The columns of {pipeline}, schema version {version}, as the first data had them.
# Later data must match this file: lossless conversion only, and no further classes, else a rejection that names the
# column. `role` is as inferred; one that the pipeline file declares takes precedence, as long as it is declared there.
# `row_identity`: the columns by whose values a row is held out or trained on, unless the pipeline file declares a key.
# Review it and keep it in version control. For what changes on purpose raise dataset.schema_version.
"""
_HEAD_OF_STEPS = """\
# `steps`: a digest of the steps that made these columns; other steps write the file anew, with the same row identity.
# What the target is computed from is `ignored`: to use such a column, declare its role in dataset.columns.
"""


class FrozenColumn(Spec):
    """One column of the reviewed file."""

    name: str
    dtype: str
    """Arrow's name of the type; `null` takes any type that fits the role."""
    role: ColumnRole
    """As inferred from the first data; it holds unless the pipeline file declares another."""
    declared: ColumnRole | None = None
    """What the pipeline file declared instead at that time; it does not outlive the declaration."""


class FrozenSchema(Spec):
    """The columns of one schema version, in order, the classes, and the dialect that was detected with them."""

    version: int
    dialect: CsvDialect | None = None
    """The detected dialect, where the pipeline asks for detection."""
    classes: tuple[ClassLabel, ...] | None = None
    """The labels of a classification, in order; None where any label is taken: in files of earlier versions, and where
    the first data had fewer than two."""
    row_identity: tuple[str, ...] | None = None
    """The columns that identify a row where the pipeline file declares no key: the side of the split follows from their
    values. Taken over from the version before, so that a further column moves no row; None in files of earlier
    versions."""
    steps: str | None = Field(default=None, exclude_if=lambda steps: steps is None)
    """Of a feature set: the digest of the steps that made it."""
    columns: tuple[FrozenColumn, ...]

    def continuing(self, before: Sequence[str]) -> "FrozenSchema":
        """Return the same with the row identity of the version before, of which removed columns are left out."""
        kept = tuple(name for name in before if name in self.dtypes)
        return self.model_copy(update={"row_identity": kept}) if kept else self

    def table_schema(self, declared: Mapping[str, ColumnSpec]) -> TableSchema:
        """Return the columns as a table's schema; a declared role takes precedence over the frozen one."""
        columns = [
            ColumnSchema(name=item.name, dtype=item.dtype, role=declared_role(item.name, declared) or item.role)
            for item in self.columns
        ]
        return TableSchema(version=self.version, columns=tuple(columns), row_identity=self.row_identity or ())

    def without_classes(self) -> "FrozenSchema":
        """Return the same for a regression, whose target has no classes."""
        return self.model_copy(update={"classes": None})

    def undeclared_roles(self, declared: Mapping[str, ColumnSpec]) -> dict[str, str]:
        """Return what to say of each column whose role was declared once and is no longer."""
        found = {}
        for item in self.columns:
            if declared_role(item.name, declared) is not None:
                continue
            if item.declared is not None:
                found[item.name] = f"{item.role} as inferred from the first data, no longer {item.declared} as declared"
            elif item.role is ColumnRole.IGNORED:  # never inferred: declared before version 0.2, or edited in the file
                found[item.name] = (
                    "ignored by the frozen schema alone; to use it, declare its role in dataset.columns or edit the "
                    "schema file"
                )
        return found

    @property
    def dtypes(self) -> dict[str, str]:
        """Recorded dtype by column."""
        return {column.name: column.dtype for column in self.columns}


def declared_role(name: str, declared: Mapping[str, ColumnSpec]) -> ColumnRole | None:
    """Return the role that the pipeline file declares for a column; None where it declares none."""
    return declared[name].role if name in declared else None


def freeze(
    schema: TableSchema,
    dialect: CsvDialect | None,
    *,
    inferred: Mapping[str, ColumnRole] = MappingProxyType({}),
    classes: tuple[ClassLabel, ...] | None = None,
    row_identity: tuple[str, ...] | None = None,
) -> FrozenSchema:
    """Return the frozen schema of a version, from what its first data have.

    `inferred` is the role that the values suggest, of columns whose role is declared.
    """
    columns = []
    for item in schema.columns:
        role = inferred.get(item.name, item.role)
        declared = item.role if role is not item.role else None
        columns.append(FrozenColumn(name=item.name, dtype=item.dtype, role=role, declared=declared))
    return FrozenSchema(
        version=schema.version, dialect=dialect, classes=classes, row_identity=row_identity, columns=tuple(columns)
    )


def to_yaml(frozen: FrozenSchema, pipeline: str) -> str:
    """Return the text of the reviewed file, one line for each column."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    values = json.loads(frozen.model_dump_json(exclude_defaults=True))
    document = {"version": values["version"]}
    if frozen.dialect is not None:
        document["dialect"] = _on_one_line(values["dialect"])
    if frozen.classes is not None:
        document["classes"] = _on_one_line(frozen.classes)
    if frozen.row_identity is not None:
        document["row_identity"] = _on_one_line(frozen.row_identity)
    if frozen.steps is not None:
        document["steps"] = frozen.steps
    document["columns"] = [_on_one_line(column) for column in values["columns"]]
    text = io.StringIO()
    yaml.dump(document, text)
    head = _HEAD.format(pipeline=pipeline, version=frozen.version) + (_HEAD_OF_STEPS if frozen.steps else "")
    return head + text.getvalue()


def _on_one_line(values: dict[str, Any] | Sequence[ClassLabel]) -> Any:
    """Return a mapping or sequence that is written on one line, with all texts quoted but words of a mapping.

    The writer leaves some texts plain that its own reader refuses, such as `?0`.
    """
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

    line: CommentedMap | CommentedSeq
    if isinstance(values, dict):
        is_plain = {key: not isinstance(value, str) or _WORD.fullmatch(value) for key, value in values.items()}
        line = CommentedMap({key: value if is_plain[key] else Quoted(value) for key, value in values.items()})
    else:
        line = CommentedSeq([Quoted(value) if isinstance(value, str) else value for value in values])
    line.fa.set_flow_style()
    return line


SCHEMAS = "schemas"
"""The folder of reviewed files beside the pipeline files, unless the deployment sets another."""


def reviewed_file(folder: Path, pipeline: str, version: int) -> Path:
    """Return the path of a version's reviewed file."""
    return folder / f"{pipeline}.v{version}.yaml"


def feature_schema_name(pipeline: str) -> str:
    """Return under which name the schema of a pipeline's feature set is kept, beside the source's."""
    return f"{pipeline}.features"


def joined_schema_name(pipeline: str, table: str) -> str:
    """Return under which name the schema of another source is kept, beside the source's."""
    return f"{pipeline}.{table}"


def reviewed_schema(folder: Path, pipeline: str, version: int) -> FrozenSchema | None:
    """Return a version's schema as its reviewed file has it; None where there is no file.

    Raises:
        SpecError: the file is not acceptable.
    """
    path = reviewed_file(folder, pipeline, version)
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError("the frozen schema cannot be read", where=str(path), found=str(error)) from error
    return from_yaml(text, where=str(path))


@lru_cache(maxsize=64)  # all partitions of a range share one text
def from_yaml(text: str, *, where: str) -> FrozenSchema:
    """Read a reviewed file.

    Raises:
        SpecError: the text is not a frozen schema.
    """
    document = read_yaml(text, where)
    try:
        return FrozenSchema.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what, found, expected, _ = explain(first, FrozenSchema)
        raise SpecError(
            f"the frozen schema is not acceptable: {what}",
            where=f"{where} ({'.'.join(str(part) for part in first['loc'])})",
            found=found,
            expected=expected,
            remedy="correct the file, or delete it to have it written again",
        ) from error


_FEWEST, _MOST = 2, 1000
_SHOWN = 5


def classes_of(column: pa.ChunkedArray) -> tuple[ClassLabel, ...] | None:
    """Return the distinct labels of a target in order; None where there are too few or too many to be all classes."""
    labels = sorted(_labels(column), key=lambda label: (str(type(label)), label))
    return tuple(labels) if _FEWEST <= len(labels) <= _MOST else None


def require_frozen_classes(table: pa.Table, classes: Sequence[ClassLabel], spec: DatasetSpec, *, where: str) -> None:
    """Refuse labels that are not among the frozen classes; a class without rows is accepted.

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
