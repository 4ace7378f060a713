"""What a model needs to take rows as its source has them: their columns, derived columns, the steps of `features`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import pyarrow as pa
from pydantic import Field, JsonValue

from assay.data.frozen_schema import FrozenSchema
from assay.data.schema import ColumnSchema
from assay.specs.base import Spec
from assay.specs.dataset import DatasetSpec
from assay.specs.features import FeaturesSpec


class Intake(Spec):
    """From the source's rows to the model's features; without it a model takes rows of its features."""

    format_version: Literal[1] = 1
    dataset: DatasetSpec
    """How the source's rows are read; it holds no address."""
    columns: tuple[ColumnSchema, ...]
    """The source's columns that predictions may need, in order, as the schema version froze them; not the target."""
    required: tuple[str, ...]
    """Those of them that rows must have; their values may be missing."""
    features: FeaturesSpec | None = Field(default=None, exclude_if=lambda features: features is None)
    """The steps, with the addresses of joined sources left out. Joins of rows that change with time are left out too,
    and so are windows over earlier rows: the rows to predict have their columns."""
    tables: dict[str, str] = Field(default={}, exclude_if=lambda tables: not tables)
    """The rows of each other joined source by its name, as a Parquet file in base64."""
    feature_set: FrozenSchema | None = Field(default=None, exclude_if=lambda schema: schema is None)
    """The frozen schema of the feature set, where there are steps."""
    example: tuple[dict[str, JsonValue], ...] = ()
    """Some rows as the source has them; values of columns marked `pii` are missing."""
    show_values: bool = True
    """Whether errors may quote values."""

    @property
    def optional(self) -> tuple[str, ...]:
        """Columns that rows may lack."""
        return tuple(column.name for column in self.columns if column.name not in self.required)


EXAMPLE_CHOICE = 100
"""Rows from which the example is chosen."""


@dataclass(frozen=True, slots=True)
class SourceSchemas:
    """The frozen schemas of a pipeline with steps.

    Attributes:
        source: of the source's rows.
        feature_set: of the rows after the steps.
        rows: some rows of the source, as an example; None for no example.
        joined: the frozen schema of each joined source by its name.
        tables: the rows of joined sources whose rows do not change with time, by name.
    """

    source: FrozenSchema
    feature_set: FrozenSchema
    rows: pa.Table | None = None
    joined: Mapping[str, FrozenSchema] = field(default_factory=lambda: MappingProxyType({}))
    tables: Mapping[str, pa.Table] = field(default_factory=lambda: MappingProxyType({}))
