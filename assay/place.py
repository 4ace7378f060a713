"""A place in a file.

Does not belong here: files, defects.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file the defect is; what is not known is not told.

    Attributes:
        row: 1-based line of a text file, or row of another format, the header counted.
        column: the column's name, or its 1-based number where it has none.
        byte: 0-based offset into the unpacked file.
    """

    row: int | None = None
    column: str = ""
    byte: int | None = None

    def __str__(self) -> str:
        parts = [
            f"row {self.row}" if self.row is not None else "",
            f"column '{self.column}'" if self.column else "",
            f"byte {self.byte}" if self.byte is not None else "",
        ]
        return ", ".join(part for part in parts if part)


NOWHERE = Place()
