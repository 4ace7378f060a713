"""The strings below the fields of a spec, which are the descriptions of its JSON Schema.

`use_attribute_docstrings` of pydantic reads them from the source when the class is made: at each start of each process.
"""

import ast
import inspect
import itertools
import textwrap
from typing import Any

from pydantic import BaseModel


def describe_fields(schema: dict[str, Any], spec: type[BaseModel]) -> None:
    """Add the descriptions of a spec's fields to its JSON Schema, except of those that have one."""
    properties = schema.get("properties", {})
    for name, text in field_descriptions(spec).items():
        field = spec.model_fields[name]
        for key in {name, field.alias, field.serialization_alias} & properties.keys():
            properties[key].setdefault("description", text)


def field_descriptions(spec: type[BaseModel]) -> dict[str, str]:
    """Return the string below each field of a spec, those of its bases included."""
    found: dict[str, str] = {}
    for each in reversed(spec.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _below_fields(each)
    return {name: text for name, text in found.items() if name in spec.model_fields}


def _below_fields(spec: type[BaseModel]) -> dict[str, str]:
    [made] = ast.parse(textwrap.dedent(inspect.getsource(spec))).body
    parts = made.body if isinstance(made, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in itertools.pairwise(parts)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
