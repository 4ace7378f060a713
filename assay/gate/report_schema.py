"""The JSON Schema of the gate's report, so that other programs can rely on it."""

import sys
from pathlib import Path
from typing import Any

from assay.gate.report import GateReport
from assay.specs.json_schema import write_schema


def report_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a stored report; every field that is written is required."""
    schema = GateReport.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Assay gate report"}


if __name__ == "__main__":
    write_schema(report_json_schema(), Path(sys.argv[1]))
