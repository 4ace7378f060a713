"""What all specs share: frozen, closed to unknown keys, strict about types, digestible."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


class Spec(BaseModel):
    """A part of a pipeline file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        # a renamed field keeps its stored name as alias
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def identity(self) -> dict[str, Any]:
        """Return what makes two values equal, as JSON-able values; subclasses leave out what only describes them."""
        return self.model_dump(mode="json")


def invalid(message: str, *location: str, value: Any = None) -> ValidationError:
    """Return an error for a validator of several fields to raise, located at one of them.

    Args:
        message: what would be valid.
        location: path of the field below the spec that is validated.
        value: what the field holds.
    """
    # the message is a value of the template, since it may contain braces
    kind = PydanticCustomError("value_error", "{message}", {"message": message})
    return ValidationError.from_exception_data("Spec", [InitErrorDetails(type=kind, loc=location, input=value)])


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 hex digest of JSON-able values or specs, independent of key order.

    Args:
        parts: specs or JSON-able values; their order counts.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
