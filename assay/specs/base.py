"""What all specs share: frozen, closed to unknown keys, strict about types, digestible."""

import hashlib
import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Location: TypeAlias = tuple[str | int, ...]
"""Of a field of a pipeline file, from the top."""


class _NamesColumn:
    """Annotation of a text that names a column of the data."""


ColumnName: TypeAlias = Annotated[str, _NamesColumn()]
"""A column of the data; `columns_of` finds every one in a spec."""


def _described(schema: dict[str, Any], spec: type[BaseModel]) -> None:
    """Describe the fields of a JSON Schema by the strings below them, which are read for this alone."""
    from assay.specs.descriptions import describe_fields

    describe_fields(schema, spec)


class Spec(BaseModel):
    """A part of a pipeline file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        json_schema_extra=_described,
        protected_namespaces=(),
        # a renamed field keeps its stored name as alias
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def identity(self) -> dict[str, Any]:
        """Return what makes two values equal, as JSON-able values; subclasses leave out what only describes them."""
        return self.model_dump(mode="json")


def invalid(message: str, *location: str | int, value: Any = None) -> ValidationError:
    """Return an error for a validator of several fields to raise, located at one of them."""
    # the message is a value of the template, since it may contain braces
    kind = PydanticCustomError("value_error", "{message}", {"message": message})
    return ValidationError.from_exception_data("Spec", [InitErrorDetails(type=kind, loc=location, input=value)])


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 hex digest of JSON-able values or specs, independent of key order."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def columns_of(spec: Spec) -> Iterator[tuple[Location, str]]:
    """Yield every column that a spec names, with its location."""
    for name, field in type(spec).model_fields.items():
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        yield from _columns_in(annotation, getattr(spec, name), (name,))


def _columns_in(annotation: Any, value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    arguments = get_args(annotation)
    if isinstance(value, Spec):
        yield from (((*location, *below), name) for below, name in columns_of(value))
    elif get_origin(annotation) is Annotated:
        if isinstance(value, str) and any(isinstance(each, _NamesColumn) for each in annotation.__metadata__):
            yield location, value
        else:
            yield from _columns_in(arguments[0], value, location)
    elif isinstance(value, dict) and get_origin(annotation) is dict:
        for key, each in value.items():
            yield from _columns_in(arguments[0], key, (*location, key))
            yield from _columns_in(arguments[1], each, (*location, key))
    elif isinstance(value, tuple) and get_origin(annotation) is tuple:
        for number, each in enumerate(value):
            yield from _columns_in(arguments[0], each, (*location, number))
    elif get_origin(annotation) in {Union, UnionType}:
        for each in arguments:
            yield from _columns_in(each, value, location)
