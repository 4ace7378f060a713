"""What a file may unfold to, counted while it is read."""

from dataclasses import dataclass

from assay.reading.defects import Defect, malformed
from assay.reading.delimited.header import MAX_COLUMNS

MAX_VALUES = 1_000_000_000
"""Rows times columns; run lengths let a file of kilobytes claim any number."""
MAX_DECODED_BYTES = 16 << 30
MAX_DECODED_RATIO = 2000
_LEAST_DECODED_BYTES = 256 << 20


@dataclass(slots=True)
class Unfolded:
    """A count of what was read so far, which refuses to go on past the bounds.

    Attributes:
        name: the file, for messages.
        size: its bytes, as it lies there; None where only values are counted.
    """

    name: str
    size: int | None = None
    rows: int = 0
    decoded: int = 0

    def add(self, rows: int, columns: int, decoded: int = 0) -> None:
        """Count rows and their bytes in memory.

        Raises:
            MalformedDataError: more than 10^9 values, 5,000 columns, 16 GiB, or 2,000 times the file's size and
                256 MiB.
        """
        require_few_columns(columns, self.name)
        self.rows += rows
        self.decoded += decoded
        if self.rows * columns > MAX_VALUES:
            self._refuse(f"{self.rows:,} rows x {columns:,} columns", f"at most {MAX_VALUES:,} values")
        if self.size is not None and self.decoded > self.most_bytes:
            self._refuse(f"over {self.most_bytes:,} bytes", f"at most {MAX_DECODED_RATIO:,} times the file's size")

    @property
    def most_bytes(self) -> int:
        """How much the file's values may take."""
        return min(MAX_DECODED_BYTES, MAX_DECODED_RATIO * (self.size or 0) + _LEAST_DECODED_BYTES)

    def _refuse(self, found: str, expected: str) -> None:
        raise malformed(
            Defect.TOO_LARGE,
            "the file holds more than is allowed",
            self.name,
            found=found,
            expected=expected,
            remedy="cut the data into partitions",
        )


def require_few_columns(columns: int, name: str) -> None:
    """Refuse what no model is for.

    Raises:
        MalformedDataError: more than 5,000 columns.
    """
    if columns > MAX_COLUMNS:
        raise malformed(
            Defect.TOO_MANY_COLUMNS,
            "there are too many columns",
            name,
            found=f"{columns:,}",
            expected=f"at most {MAX_COLUMNS:,}",
        )
