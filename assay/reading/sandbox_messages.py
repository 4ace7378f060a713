"""What parent and child of the sandbox say to each other, as JSON, and the limits of the child.

Nothing that the child says is executed: an error comes back as the code of its class and as texts.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from assay.data.contract import arrow_type
from assay.data.schema import dtype_name
from assay.reading.batches import Layout, ReadOptions
from assay.specs.dataset import CsvDialect, DataFormat, ReadLimits

MIB = 1 << 20
_BYTES_PER_SECOND = MIB
_LEAST_WRITTEN = 1024 * MIB
_WRITTEN_PER_READ = 64


@dataclass(frozen=True, slots=True)
class Confinement:
    """Limits of the child process.

    Attributes:
        memory_bytes: of data: heap, stacks and private mappings.
        cpu_seconds: processor time over all threads.
        file_bytes: size of any file that it writes.
    """

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int

    @classmethod
    def of(cls, limits: ReadLimits, size: int) -> "Confinement":
        """Return the limits for a file.

        Args:
            limits: what the pipeline allows.
            size: bytes of the file on disk.
        """
        return cls(
            memory_bytes=limits.memory_mb * MIB,
            cpu_seconds=math.ceil(limits.seconds + size / _BYTES_PER_SECOND),
            file_bytes=max(_LEAST_WRITTEN, _WRITTEN_PER_READ * size),
        )

    @property
    def wall_seconds(self) -> float:
        """How long the parent waits: a busy machine slows the child, and waiting uses no processor time."""
        return 3.0 * self.cpu_seconds + 30.0

    def to_plain(self) -> dict[str, Any]:
        """Return the limits as JSON values."""
        return asdict(self)


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
    def from_values(cls, values: dict[str, Any]) -> Self:
        """Return the request of the values that `to_json` wrote."""
        # a column of a dtype that nothing is converted to stays inferred
        frozen = {name: arrow_type(recorded) for name, recorded in values["frozen"].items()}
        options = ReadOptions(
            data_format=DataFormat(values["format"]),
            dialect=CsvDialect.model_validate_json(json.dumps(values["dialect"])),
            member=values["member"],
            sheet=values["sheet"],
            frozen={name: dtype for name, dtype in frozen.items() if dtype is not None},
        )
        return cls(
            path=Path(values["path"]),
            target=Path(values["target"]),
            name=values["name"],
            layout=values["layout"],
            options=options,
            confinement=Confinement(**values["confinement"]),
            parent=values["parent"],
        )
