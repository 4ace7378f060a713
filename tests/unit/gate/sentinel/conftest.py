import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from sentinel_rules import configured_sentinel

from assay.data.schema import infer_schema
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.specs import PipelineSpec

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"


def _alarms(
    columns: dict[str, Any] | pd.DataFrame | pa.Table, task: str, *, as_of: Any = None, **parts: Any
) -> dict[str, Outcome]:
    if isinstance(columns, pd.DataFrame):
        columns = pa.Table.from_pandas(columns, preserve_index=False)
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    dataset = {"source": "rows.csv", "target": "y", **parts.pop("dataset", {})}
    sentinel = parts.pop("sentinel", {})
    document = {"name": "loans", "task": task, "dataset": dataset, "validation": {"sentinel": sentinel}, **parts}
    spec = PipelineSpec.model_validate_json(json.dumps(document))
    checked = CheckedTable(table, infer_schema(table, spec.dataset), as_of=as_of)
    found = {name: check(checked, spec) for name, check in configured_sentinel(spec).items()}
    return {name: outcome for name, outcome in found.items() if outcome.failures}


@pytest.fixture(scope="session")
def alarms() -> Callable[..., dict[str, Outcome]]:
    """Check rows by every rule of the sentinel and return the outcomes of those that fail; the target is `y`."""
    return _alarms


@pytest.fixture(scope="session")
def found(alarms) -> Callable[..., dict[str, str]]:
    """Check rows by every rule, and return what one of them says, by column."""

    def judge(rule: str, columns: Any, task: str, **given: Any) -> dict[str, str]:
        failing = alarms(columns, task, **given)
        return {row.column: row.found for row in failing[rule].failures} if rule in failing else {}

    return judge


_AS_IMPORTED: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _same_draws(request):
    """Let each test draw what it draws alone, whatever ran before it."""
    draws = getattr(request.module, "RNG", None)
    if draws is not None:
        generator = draws.bit_generator
        generator.state = _AS_IMPORTED.setdefault(request.module.__name__, generator.state)
