"""One day of the prediction log as a table: each prediction once, sent columns in the types of the data, and counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.contract import arrow_type
from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.serving.prediction_log import (
    ARM,
    EXPERIMENT,
    FEATURES,
    IDENTITY,
    LATENCY,
    SHADOW,
    TIME,
    VERSION,
    is_own,
    sent_columns,
    without_repetitions,
)
from assay.serving.sample_ratio import SampleRatio, sample_ratios
from assay.specs.dataset import ColumnRole

ANSWERED, SHADOWED = "answered", "in the shadow"


@dataclass(frozen=True, slots=True)
class DailyLog:
    """The predictions of a day.

    Attributes:
        dataset: each prediction once, by time.
        repeated: rows that were left out, as their request was repeated.
        reused: rows among these whose features differ from those of the row that stays: their client gave one request
            id to different requests.
        ratios: what the arms got.
    """

    dataset: Dataset
    repeated: int
    reused: int
    ratios: tuple[SampleRatio, ...]

    @property
    def counts(self) -> list[dict[str, Any]]:
        """Rows and median latency by version and arm, for people."""
        return counts_of(self.dataset.table)


def daily_log(rows: pa.Table, types: Mapping[str, str], version: int) -> DailyLog:
    """Return the log of a day.

    Args:
        rows: of all its objects.
        types: frozen dtypes of the source's columns by name; sent columns that all can be read as these are.
        version: of the schema.
    """
    table, repeated = without_repetitions(rows)
    ratios = tuple(sample_ratios(table))
    reused = _reused(rows) if repeated else 0
    table = _in_types(table, types)
    columns = tuple(ColumnSchema(name=name, dtype=dtype_name(table.schema.field(name).type), role=_role(name))
                    for name in table.column_names)  # fmt: skip
    schema = TableSchema(version=version, columns=columns)
    notes = {"rows": str(table.num_rows), "repeated": str(repeated)}
    return DailyLog(Dataset(table, schema, fingerprint(table), notes), repeated, reused, ratios)


def _role(name: str) -> ColumnRole:
    return ColumnRole.IGNORED if is_own(name) else ColumnRole.IDENTIFIER


def _reused(rows: pa.Table) -> int:
    """Return how many rows have the identity of another one, and other features."""
    different = rows.group_by([*IDENTITY, FEATURES]).aggregate([])
    return int(different.num_rows - different.group_by(list(IDENTITY)).aggregate([]).num_rows)


def _in_types(table: pa.Table, types: Mapping[str, str]) -> pa.Table:
    """Return the table with sent texts in the types that the data have, where each value can be read so."""
    plain = pa.schema([field.with_nullable(True) for field in table.schema])
    table = table.cast(plain)
    for name in sent_columns(table):
        target = arrow_type(types[name]) if name in types else None
        if target is None or table.column(name).type == target:
            continue
        try:
            read = table.column(name).cast(target)
        except (pa.ArrowException, ValueError):  # it stays text
            continue
        table = table.set_column(table.column_names.index(name), pa.field(name, target), read)
    return table


def counts_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows and median latency by version and arm, for people."""
    groups = table.group_by([VERSION, ARM, SHADOW, EXPERIMENT]).aggregate(
        [(TIME, "count"), (LATENCY, "approximate_median")]
    )
    rows = groups.sort_by([(VERSION, "ascending"), (ARM, "ascending"), (SHADOW, "ascending")]).to_pylist()
    return [
        {
            "version": each[VERSION],
            "arm": each[ARM],
            "experiment": each[EXPERIMENT],
            "predictions": SHADOWED if each[SHADOW] else ANSWERED,
            "rows": each[f"{TIME}_count"],
            "median latency (ms)": each[f"{LATENCY}_approximate_median"],
        }
        for each in rows
    ]


def arms_plot(table: pa.Table, title: str) -> bytes:
    """Return a PNG: answered rows of each hour by version and arm."""
    from assay.learning.evaluation.drawing import PALETTE, draw

    answered = table.filter(pc.invert(table.column(SHADOW)))
    hours = pc.hour(answered.column(TIME))
    counts = (
        pa.table({"hour": hours, "version": answered.column(VERSION), "arm": answered.column(ARM)})
        .group_by(["version", "arm", "hour"])
        .aggregate([([], "count_all")])
        .to_pylist()
    )
    series: dict[str, list[int]] = {}
    for each in sorted(counts, key=lambda each: (each["arm"], each["version"])):
        series.setdefault(f"{each['arm']}, version {each['version']}", [0] * 24)[each["hour"]] = each["count_all"]

    def paint(axes: Any) -> None:
        below = [0] * 24
        for number, (name, heights) in enumerate(series.items()):
            axes.bar(range(24), heights, bottom=below, width=0.9, color=PALETTE[number % len(PALETTE)], label=name)
            below = [lower + height for lower, height in zip(below, heights, strict=True)]
        axes.set_xticks(range(0, 24, 3))

    return draw(title, "hour (UTC)", "answered rows", paint)
