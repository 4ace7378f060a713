"""The child that reads one file and may die of it (`python -m assay.reading.sandbox_child`), and what it is asked.

It imports little, since every file pays for its start.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from assay.reading.batches import Layout, ReadOptions
from assay.reading.confined import Confinement, serve
from assay.reading.files import transcribe
from assay.specs.dataset import CsvDialect, DataFormat, JsonOrient


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is asked to do: read one file.

    Attributes:
        path: the file, absolute.
        target: the file to write, absolute.
        name: how the file is called in messages.
        layout: of the target.
        options: how to read.
        confinement: what the child may use.
        parent: process id of the parent.
    """

    path: Path
    target: Path
    name: str
    layout: Layout
    options: ReadOptions
    confinement: Confinement
    parent: int

    def to_json(self) -> str:
        """Return the request in ASCII, whatever bytes a path or a column's name holds."""
        values = asdict(self)
        values["options"]["texts"] = sorted(self.options.texts)
        values["options"]["dialect"] = self.options.dialect.model_dump(mode="json")
        return json.dumps(values, default=str)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """Return the request of the values that `to_json` wrote."""
        read = values["options"]
        data_format, texts = DataFormat(read["data_format"]), frozenset(read["texts"])
        orient = JsonOrient(read["orient"]) if read["orient"] is not None else None
        dialect = CsvDialect.model_validate_json(json.dumps(read["dialect"]))
        return cls(
            path=Path(values["path"]),
            target=Path(values["target"]),
            name=values["name"],
            layout=values["layout"],
            options=ReadOptions(data_format, dialect, read["member"], read["sheet"], orient, texts),
            confinement=Confinement(**values["confinement"]),
            parent=values["parent"],
        )


def _transcribed(values: dict[str, Any]) -> dict[str, Any]:
    request = Request.from_values(values)
    transcribe(request.path, request.options, request.target, name=request.name, layout=request.layout)
    return {"ok": True}


if __name__ == "__main__":
    serve(_transcribed)
