"""The frozen schema of a version of a pipeline's data: one YAML file beside the pipeline, for review."""

import io
import json
import re
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import SpecError
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole, CsvDialect
from assay.specs.loading import explain
from assay.specs.yaml_text import read_yaml

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HEAD = """\
# The columns of {pipeline}, schema version {version}, as the first data had them.
# Later data must match this file: lossless conversion only, else a rejection that names the column.
# Review it and keep it in version control. For columns that change on purpose raise dataset.schema_version.
"""


class FrozenColumn(Spec):
    """One column of the reviewed file."""

    name: str
    dtype: str
    """Arrow's name of the type; `null` takes any type that fits the role."""
    role: ColumnRole


class FrozenSchema(Spec):
    """The columns of one schema version, in order, and the dialect that was detected with them."""

    version: int
    dialect: CsvDialect | None = None
    """The detected dialect, where the pipeline asks for detection."""
    columns: tuple[FrozenColumn, ...]

    @property
    def table_schema(self) -> TableSchema:
        """The columns as a table's schema."""
        columns = [ColumnSchema(name=item.name, dtype=item.dtype, role=item.role) for item in self.columns]
        return TableSchema(version=self.version, columns=tuple(columns))

    @property
    def dtypes(self) -> dict[str, str]:
        """Recorded dtype by column."""
        return {column.name: column.dtype for column in self.columns}


def freeze(schema: TableSchema, dialect: CsvDialect | None) -> FrozenSchema:
    """Return the frozen schema of a version, from its first data.

    Args:
        schema: of the first data.
        dialect: as detected; None where the pipeline gives it.
    """
    columns = [FrozenColumn(name=item.name, dtype=item.dtype, role=item.role) for item in schema.columns]
    return FrozenSchema(version=schema.version, dialect=dialect, columns=tuple(columns))


def to_yaml(frozen: FrozenSchema, pipeline: str) -> str:
    """Return the text of the reviewed file, one line for each column."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    values = json.loads(frozen.model_dump_json(exclude_defaults=True))
    document = {"version": values["version"]}
    if frozen.dialect is not None:
        document["dialect"] = _on_one_line(values["dialect"])
    document["columns"] = [_on_one_line(column) for column in values["columns"]]
    text = io.StringIO()
    yaml.dump(document, text)
    return _HEAD.format(pipeline=pipeline, version=frozen.version) + text.getvalue()


def _on_one_line(values: dict[str, Any]) -> Any:
    """Return a mapping that is written on one line, with all texts quoted but words.

    The writer leaves some texts plain that its own reader refuses, such as `?0`.
    """
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    line = CommentedMap(
        {key: value if not isinstance(value, str) or _WORD.fullmatch(value) else DoubleQuotedScalarString(value)
         for key, value in values.items()}
    )  # fmt: skip
    line.fa.set_flow_style()
    return line


@lru_cache(maxsize=64)  # all partitions of a range share one text
def from_yaml(text: str, *, where: str) -> FrozenSchema:
    """Read a reviewed file.

    Args:
        text: its content.
        where: its path, for messages.

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
