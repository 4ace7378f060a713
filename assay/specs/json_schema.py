"""The JSON Schema of pipeline files, so that editors complete and check them."""

import json
import sys
from pathlib import Path
from typing import Any

from assay.specs.pipeline import PipelineSpec
from assay.specs.variants import PARTIAL, FileLayout


def pipeline_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a pipeline file."""
    schema = PipelineSpec.model_json_schema(mode="validation")
    schema["patternProperties"] = {"^x-": {"description": "A place for shared YAML anchors; not read."}}
    whole = {"type": "object", "required": schema.pop("required")}
    schema["$defs"] |= {f"Partial{name}": _partial(part) for name, part in schema["$defs"].items()}
    fields = {key: schema[key] for key in ("type", "properties", "additionalProperties")}
    schema["$defs"]["PartialPipeline"] = _partial(fields)
    layout = _with_pipelines(FileLayout.model_json_schema(mode="validation"))
    schema["properties"] |= layout["properties"]
    schema["$defs"] |= layout["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Assay pipeline",
        # what a file lacks may stand in the one that it extends
        "anyOf": [whole, {"type": "object", "required": ["extends"]}],
    }


def _with_pipelines(schema: Any) -> Any:
    """Return the schema of a file's layout with references to the part of a pipeline."""
    if schema == PARTIAL:
        return {"$ref": "#/$defs/PartialPipeline"}
    if isinstance(schema, dict):
        return {key: _with_pipelines(value) for key, value in schema.items()}
    return [_with_pipelines(each) for each in schema] if isinstance(schema, list) else schema


def _partial(schema: Any) -> Any:
    """Return a schema that requires no field, of which all parts are partial too."""
    if isinstance(schema, list):
        return [_partial(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _partial(value) for key, value in schema.items() if key != "required" or isinstance(value, dict)}
    if isinstance(reference := schema.get("$ref"), str):
        found["$ref"] = reference.replace("#/$defs/", "#/$defs/Partial")
    return found


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as indented JSON."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def write_schema(schema: dict[str, Any], path: Path) -> None:
    """Write a schema as indented JSON."""
    path.write_text(schema_text(schema), encoding="utf-8")


if __name__ == "__main__":
    write_schema(pipeline_json_schema(), Path(sys.argv[1]))
