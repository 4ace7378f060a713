"""Reported: trips that end after midnight alarmed every month; fractions as classes and bytes as text passed the gate."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.errors import MalformedDataError
from assay.gate.gate import run_gate
from assay.gate.report import RuleResult
from assay.reading.batches import ReadOptions
from assay.reading.files import read_table
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole, DataFormat

ROWS = 4000
LATE = dt.datetime(2024, 2, 1, 0, 20)  # noqa: DTZ001 - a column without a zone


def checked(columns: dict[str, list[object]], rule: str, **validation: object) -> RuleResult:
    """The gate's result for one rule, on a partition of January 2024."""
    table = pa.table(columns)
    roles = {
        name: ColumnRole.DATETIME if pa.types.is_timestamp(table.schema.field(name).type) else None for name in columns
    }
    schema = TableSchema(
        version=1,
        columns=tuple(
            ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=roles[field.name] or ColumnRole.NUMERIC)
            for field in table.schema
        ),
    )
    spec = PipelineSpec.model_validate_json(
        PipelineSpec.model_validate(
            {
                "name": "taxi",
                "task": "binary_classification",
                "dataset": {
                    "source": "t.csv",
                    "target": "y",
                    "partitions": {"by": "month", "column": "pickup", "start": "2024-01"},
                },
                "validation": validation,
            },
            strict=False,
        ).model_dump_json()
    )
    verdict = run_gate(
        Dataset(table, schema, fingerprint(table)), spec, where="taxi", as_of=dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
    )
    return next(result for result in verdict.report.rules if result.name == rule)


def trips(late: int, rows: int = ROWS) -> dict[str, list[object]]:
    pickup = [dt.datetime(2024, 1, 1 + n % 31, 12) for n in range(rows)]  # noqa: DTZ001
    dropoff: list[object] = [moment + dt.timedelta(minutes=20) for moment in pickup]
    dropoff[:late] = [LATE] * late
    return {"pickup": list(pickup), "dropoff": dropoff, "y": [n % 2 for n in range(rows)]}


@pytest.mark.parametrize(
    ("late", "settings", "passes"),
    [
        (1, {}, True),
        (4, {}, True),
        (5, {}, False),
        (400, {"future_delay_hours": 2}, True),
        (1, {"max_future_share": 0.0}, False),
    ],
)
def test_a_few_trips_may_end_after_their_month(late, settings, passes):
    assert checked(trips(late), "no_future_timestamps", sentinel=settings).passed is passes


def test_the_new_bounds_leave_the_digest_of_rules_that_do_not_set_them():
    spec = {"name": "a", "task": "regression", "dataset": {"source": "a.csv", "target": "y"}}
    plain = PipelineSpec.model_validate(spec, strict=False)
    assert "max_future_share" not in plain.validation.model_dump_json()
    bounded = PipelineSpec.model_validate(spec | {"validation": {"sentinel": {"max_future_share": 0.01}}}, strict=False)
    assert bounded.rules_digest != plain.rules_digest


def test_a_fraction_is_no_class_for_the_gate():
    result = checked({"x": [1.0] * 20, "y": [0.5, 1.5] * 10}, "target_learnable")

    assert not result.passed
    assert "fractions" in result.observed
    assert checked({"x": [1.0] * 20, "y": [0.0, 1.0] * 10}, "target_learnable").passed


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_bytes_that_are_no_utf8_are_refused_when_the_file_is_read(tmp_path, kind):
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"], pa.binary()).buffers())
    path = tmp_path / f"rows.{kind}"
    table = pa.table({"s": bad, "x": [1, 2]})
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as out:
            out.write_table(table)
    with pytest.raises(MalformedDataError, match="UTF-8") as refused:
        read_table(path, ReadOptions(DataFormat.AUTO))
    assert refused.value.defect == "wrong_encoding"
