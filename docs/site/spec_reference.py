"""The reference page of pipeline files, made from their JSON Schema."""

import json
import re
from collections import deque
from typing import Any

from reference_tables import reference_table

from assay.specs.json_schema import pipeline_json_schema

Schema = dict[str, Any]
_ITEM = "[]"
_HEAD = """# Pipeline file

Every key of a pipeline file, made from its [JSON Schema](../pipeline.schema.json). Unknown keys are refused. `[]`
stands for each entry of a list, `<name>` for a key of your own.
"""
_COLUMNS = "Key", "Type", "Default", "Meaning"


def pipeline_file_page() -> str:
    """Return the page, as Markdown."""
    schema = pipeline_json_schema()
    writer = _Sections(schema["$defs"])
    return "\n".join([_HEAD, *writer.sections(schema)])


class _Sections:
    """A section for each object of the schema, under the first path at which a file has it.

    Attributes:
        paths: the path of each definition that has a section.
    """

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._waiting = deque[tuple[str, Schema]]()
        self.paths: dict[str, str] = {"PartialPipeline": ""}

    def sections(self, schema: Schema) -> list[str]:
        """Return the section of the file itself, and of all objects that it holds."""
        made = {"": self._table("", schema)}
        while self._waiting:
            path, each = self._waiting.popleft()
            made[path] = f"## `{path}`\n\n{each.get('description', '')}\n\n{self._table(path, each)}"
        return [made[path] for path in sorted(made)]

    def _table(self, path: str, schema: Schema) -> str:
        required = schema.get("required", ["name", "task", "dataset"] if not path else [])
        rows = (
            self._row(f"{path}.{key}" if path else key, key, each, needed=key in required)
            for key, each in sorted(schema["properties"].items())
        )
        return reference_table(_COLUMNS, rows)

    def _row(self, path: str, key: str, schema: Schema, *, needed: bool) -> tuple[str, ...]:
        text = schema.get("description") or self._described(schema)
        default = "required" if needed else self._default(schema)
        return f"`{key}`", self._type(path, schema), default, text

    def _described(self, schema: Schema) -> str:
        referenced = self._definitions.get(schema.get("$ref", "").rpartition("/")[2], {})
        return str(referenced.get("description", ""))

    def _default(self, schema: Schema) -> str:
        default = schema.get("default")
        # those of an object stand in its own section
        return f"`{json.dumps(default)}`" if default not in (None, [], "") and not isinstance(default, dict) else ""

    def _type(self, path: str, schema: Schema) -> str:
        """Return what a value may be, and queue the objects that it holds."""
        if "$ref" in schema:
            return self._reference(path, schema["$ref"].rpartition("/")[2])
        if options := schema.get("anyOf") or schema.get("oneOf"):
            kinds = dict.fromkeys(self._type(path, each) for each in options if each != {"type": "null"})
            return " or ".join(kinds)
        if "enum" in schema or "const" in schema:
            return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
        return self._container(path, schema) or _bounded(schema)

    def _container(self, path: str, schema: Schema) -> str:
        """Return the type of a list, or of a mapping with keys of the user's own; empty for another type."""
        if isinstance(items := schema.get("items"), dict):
            return f"list of {self._type(path + _ITEM, items)}"
        of_names = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        if isinstance(of_names, dict):
            return f"mapping of names to {self._type(f'{path}.<name>', of_names)}"
        return ""

    def _reference(self, path: str, name: str) -> str:
        definition = self._definitions[name]
        if "properties" not in definition:
            return self._type(path, definition)
        if name not in self.paths:
            self.paths[name] = path
            self._waiting.append((path, definition))
        path = self.paths[name]
        return f"[`{path}`](#{_anchor(path)})" if path else "parts of a pipeline"


def _anchor(path: str) -> str:
    """Return the anchor that renderers of Markdown give to a heading."""
    return re.sub(r"[^\w-]", "", path)


def _bounded(schema: Schema) -> str:
    """Return a plain type with its bounds."""
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
    kind = {"string": "text", "boolean": "true or false", "object": "mapping", "array": "list"}
    declared = str(schema.get("type", "any value"))
    name = kind.get(declared, declared)
    return " ".join([name, " and ".join(limits)]).strip()
