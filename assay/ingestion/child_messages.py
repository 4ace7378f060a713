"""What the parent asks of the reading child, and what it answers, as JSON.

Nothing that the child says is executed: an error comes back as the code of its class and as texts.
Does not belong here: processes (`isolation`, `child`), limits (`confinement`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assay.errors import AssayError, MalformedDataError
from assay.ingestion.batches import ReadOptions
from assay.ingestion.confinement import Confinement
from assay.ingestion.sink import Layout
from assay.place import Place
from assay.specs.dataset import CsvDialect, DataFormat
from assay.tables.contract import arrow_type
from assay.tables.schema import dtype_name

_TEXTS = ("what", "where", "found", "expected", "remedy")


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read.

    Attributes:
        path: the file, absolute.
        target: the file to write, absolute.
        name: how the file is called in messages.
        layout: what to write.
        options: how to read.
        confinement: what the child may use.
        parent: process id of who asks.
    """

    path: Path
    target: Path
    name: str
    layout: Layout
    options: ReadOptions
    confinement: Confinement
    parent: int

    def to_json(self) -> str:
        """Return the request as ASCII, whatever bytes a path or a column's name holds."""
        options = self.options
        return json.dumps(
            {
                "path": str(self.path),
                "target": str(self.target),
                "name": self.name,
                "layout": self.layout,
                "format": options.data_format.value,
                "dialect": options.dialect.model_dump(mode="json"),
                "member": options.member,
                "sheet": options.sheet,
                "frozen": {column: dtype_name(dtype) for column, dtype in options.frozen.items()},
                "confinement": self.confinement.to_plain(),
                "parent": self.parent,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the request that `to_json` wrote."""
        told = json.loads(text)
        # a dtype that columns are not converted to cannot be asked for: such a column stays inferred
        frozen = {name: arrow_type(recorded) for name, recorded in told["frozen"].items()}
        options = ReadOptions(
            data_format=DataFormat(told["format"]),
            dialect=CsvDialect.model_validate_json(json.dumps(told["dialect"])),
            member=told["member"],
            sheet=told["sheet"],
            frozen={name: dtype for name, dtype in frozen.items() if dtype is not None},
        )
        return cls(
            path=Path(told["path"]),
            target=Path(told["target"]),
            name=told["name"],
            layout=told["layout"],
            options=options,
            confinement=Confinement(**told["confinement"]),
            parent=told["parent"],
        )


def error_told(error: AssayError) -> dict[str, Any]:
    """Return a typed error as JSON-able values."""
    told: dict[str, Any] = {"code": error.code, **{text: getattr(error, text) for text in _TEXTS}}
    if isinstance(error, MalformedDataError):
        place = error.place
        told |= {"defect": error.defect, "place": {"row": place.row, "column": place.column, "byte": place.byte}}
    return told


def error_rebuilt(told: dict[str, Any]) -> AssayError:
    """Return the typed error that `error_told` took apart.

    Raises:
        KeyError: the code is no error's.
        TypeError: the values are not those of an error.
    """
    kind = {known.code: known for known in _kinds(AssayError)}[told["code"]]
    texts = {text: told[text] for text in _TEXTS}
    if issubclass(kind, MalformedDataError):
        return kind(**texts, defect=told["defect"], place=Place(**told["place"]))
    return kind(**texts)


def _kinds(kind: type[AssayError]) -> Iterator[type[AssayError]]:
    # a subclass without a code of its own comes back as the class that gave it the code
    for below in kind.__subclasses__():
        yield from _kinds(below)
    if "code" in vars(kind):
        yield kind
