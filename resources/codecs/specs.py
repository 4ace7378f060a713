"""Frozen specs (reports, hyperparameters, decisions) as JSON.

Does not belong here: tables and models.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assay.errors import StorageError
from assay.specs.base import Spec, digest_of
from resources.codecs.interface import ArtifactReader, Codec, Encoded

_FILE = "value.json"


class SpecCodec(Codec):
    """Every subclass of `Spec`; the type asked for validates what is read."""

    name = "spec"

    def takes(self, kind: type[Any]) -> bool:
        """Take every spec."""
        return isinstance(kind, type) and issubclass(kind, Spec)

    def encode(self, value: Spec, folder: Path) -> Encoded:
        """Write indented JSON."""
        path = folder / _FILE
        path.write_text(value.model_dump_json(indent=2), encoding="utf-8")
        return Encoded(files={_FILE: path}, data_version=digest_of(value.identity()))

    def decode(self, reader: ArtifactReader, kind: type[Any], columns: Sequence[str] | None) -> Spec:  # noqa: ARG002 - no columns here
        """Read and validate."""
        data = reader.verified_bytes(_FILE)
        try:
            value: Spec = kind.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                "the stored value is of another kind, or was written by another version of the code",
                where=reader.place,
                found=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
                expected=kind.__name__,
                remedy="materialise the asset again",
            ) from error
        return value
