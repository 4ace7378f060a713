"""What the endpoint says of itself: the model, its rows as JSON Schema, and both in OpenAPI."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from assay.data.schema import ColumnSchema
from assay.prediction.golden import has_golden
from serving.arms import Arms
from serving.keys import HEADER
from serving.request_bodies import ARROW, COLUMNS, INTERVAL, JSON, PROBABILITIES, ROWS
from serving.versions import ServedVersion

_TYPES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("int", {"type": "integer"}),
    ("uint", {"type": "integer"}),
    ("bool", {"type": "boolean"}),
    ("timestamp", {"type": "string", "format": "date-time"}),
    ("date", {"type": "string", "format": "date"}),
    ("string", {"type": "string"}),
    ("float", {"type": "number"}),
    ("halffloat", {"type": "number"}),
    ("double", {"type": "number"}),
    ("decimal", {"type": "number"}),
)
_OPTIONS: dict[str, dict[str, Any]] = {
    PROBABILITIES: {
        "type": "boolean",
        "default": True,
        "description": "Whether each class's probability is given.",
    },
    INTERVAL: {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Of a regression: the share of targets that `lower` to `upper` is to hold.",
    },
}
_OF_ARROW = "For an Arrow stream; JSON has it in the body."
_OUTPUTS = {bool: "boolean", int: "integer", float: "number", str: "string"}


def row_schema(arms: Arms) -> dict[str, Any]:
    """Return the JSON Schema of a row; every value may be missing, and further names are ignored."""
    intake = arms.champion.predictor.intake
    sent = {name: {"description": "logged with the prediction"} for name in arms.sent_columns}
    return {
        "type": "object",
        "properties": sent | {column.name: _property(column) for column in intake.columns},
        "required": list(intake.required),
        "additionalProperties": True,
        "examples": list(intake.example),
    }


def _property(column: ColumnSchema) -> dict[str, Any]:
    found = next((dict(shown) for prefix, shown in _TYPES if column.dtype.startswith(prefix)), {})
    if "type" in found:
        found["type"] = [found["type"], "null"]
    return found | {"description": f"{column.role}{', personal' if column.pii else ''} ({column.dtype})"}


def prediction_schema(version: ServedVersion) -> dict[str, Any]:
    """Return the JSON Schema of a row's prediction."""
    facts = version.predictor.model.manifest
    empty = version.predictor.table({name: [] for name in version.columns})
    columns: dict[str, dict[str, Any]] = {name: {"type": "number"} for name in empty.column_names}
    kinds = {_OUTPUTS[type(label)] for label in facts.classes} or {"number"}
    columns["prediction"] = {"type": sorted(kinds) if len(kinds) > 1 else kinds.pop()}
    if facts.classes:
        columns["prediction"]["enum"] = list(facts.classes)
    return {"type": "object", "properties": columns, "required": ["prediction"]}


def model_page(arms: Arms) -> dict[str, Any]:
    """Return what is known of the version that answers."""
    version = arms.champion
    entry, facts = version.entry, version.predictor.model.manifest
    made = facts.provenance
    return {
        "name": entry.registered_name,
        "version": entry.version,
        "pipeline": facts.pipeline,
        "task": str(facts.task),
        "target": facts.target,
        "classes": list(facts.classes),
        "family": facts.family,
        "digest": entry.digest,
        "champion_since": None if version.is_fixed else entry.created_at.isoformat(),
        "trained_at": made.trained_at.isoformat() if made else None,
        "golden_replay": len(facts.golden.predictions) if has_golden(version.predictor.model) and facts.golden else 0,
        "warning": version.warning,
        "row": row_schema(arms),
        "prediction": prediction_schema(version),
        "card": version.card,
    }


def openapi_of(app: FastAPI, arms: Arms | None) -> dict[str, Any]:
    """Return the description of the endpoint, with the rows of the version that answers."""
    version = arms.champion if arms is not None else None
    found = get_openapi(title=app.title, version=version.entry.version if version else "none", routes=app.routes,
                        description=app.description)  # fmt: skip
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas["Row"] = row_schema(arms) if arms else {"type": "object"}
    schemas["Prediction"] = prediction_schema(version) if version else {"type": "object"}
    schemas |= {
        "PredictionRequest": _request_schema(arms),
        "PredictionResponse": _response_schema(),
        "Error": _error_schema(),
    }
    operation = found["paths"]["/predict"]["post"]
    operation["parameters"] = [
        {"name": name, "in": "query", "schema": schema, "description": f"{schema['description']} {_OF_ARROW}"}
        for name, schema in _OPTIONS.items()
    ]
    operation["requestBody"] = {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/PredictionRequest"}},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
    refused = {"description": "Refused", "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    operation["responses"] = {
        "200": {
            "description": "Predictions",
            "content": {
                JSON: {"schema": {"$ref": "#/components/schemas/PredictionResponse"}},
                ARROW: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    } | {str(status): refused for status in (400, 401, 408, 413, 415, 422, 503)}
    found["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": HEADER}}
    found["security"] = [{"key": []}]
    return found


def _request_schema(arms: Arms | None) -> dict[str, Any]:
    names = row_schema(arms)["properties"] if arms else {}
    arrays = {name: {"type": "array", "items": schema} for name, schema in names.items()}
    return {
        "type": "object",
        "properties": {
            ROWS: {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
            COLUMNS: {"type": "object", "properties": arrays},
            **_OPTIONS,
        },
        "oneOf": [{"required": [ROWS]}, {"required": [COLUMNS]}],
        "additionalProperties": False,
    }


def _response_schema() -> dict[str, Any]:
    predictions = {
        "description": "An array of objects for rows, an object of arrays for columns.",
        "oneOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}, {"type": "object"}],
    }
    texts: dict[str, Any] = {name: {"type": "string"} for name in ("model", "version", "arm", "request_id")}
    of_rows = {"type": "array", "items": {"type": "string"}, "description": "Of each row, where two versions answered."}
    texts |= {"versions": of_rows, "arms": of_rows}
    return {"type": "object", "properties": texts | {"predictions": predictions}}


def _error_schema() -> dict[str, Any]:
    texts = ("code", "what", "where", "found", "expected", "remedy", "column")
    error: dict[str, Any] = {name: {"type": "string"} for name in texts}
    properties = {"error": {"type": "object", "properties": error | {"row": {"type": "integer"}}},
                  "request_id": {"type": "string"}}  # fmt: skip
    return {"type": "object", "properties": properties}
