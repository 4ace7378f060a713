"""The JSON Schema of pipeline files, so that editors complete and check them."""

import json
import sys
from pathlib import Path
from typing import Any

from assay.specs.pipeline import PipelineSpec


def pipeline_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a pipeline file."""
    schema = PipelineSpec.model_json_schema(mode="validation")
    schema["patternProperties"] = {"^x-": {"description": "A place for shared YAML anchors; not read."}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Assay pipeline", **schema}


def write_schema(schema: dict[str, Any], path: Path) -> None:
    """Write a schema as indented JSON."""
    path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema(pipeline_json_schema(), Path(sys.argv[1]))
