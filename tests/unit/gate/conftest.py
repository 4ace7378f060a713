import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.gate.gate import GateVerdict, run_gate
from assay.gate.report import RuleResult
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole


def _dataset(table: pa.Table, pii: tuple[str, ...] = ()) -> Dataset:
    columns = tuple(
        ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ColumnRole.CATEGORICAL, pii=field.name in pii)
        for field in table.schema
    )
    return Dataset(table, TableSchema(version=1, columns=columns), fingerprint(table))


def _spec(target: str = "y", task: str = "binary_classification", **rules: Any) -> PipelineSpec:
    document = {
        "name": "loans",
        "task": task,
        "dataset": {"source": "loans.csv", "target": target},
        "validation": {"min_rows": 1, **rules},
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    return _dataset


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., PipelineSpec]:
    return _spec


@pytest.fixture(scope="session")
def gate() -> Callable[..., GateVerdict]:
    """Judge columns: `gate({"x": [...]}, ranges=...)`; a target with two balanced classes is added unless given."""

    def judge(
        columns: dict[str, Any] | pa.Table,
        *,
        pii: tuple[str, ...] = (),
        task: str = "binary_classification",
        **rules: Any,
    ) -> GateVerdict:
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        if "y" not in table.column_names:
            table = table.append_column("y", pa.array([row % 2 for row in range(table.num_rows)]))
        return run_gate(_dataset(table, pii), _spec(task=task, **rules), where="loans/validated_dataset")

    return judge


@pytest.fixture(scope="session")
def rule(gate) -> Callable[..., RuleResult]:
    """Judge columns and return one rule's result."""

    def judge(name: str, columns: Any, **given: Any) -> RuleResult:
        return next(result for result in gate(columns, **given).report.rules if result.name == name)

    return judge
