"""Where fields and rows of a block begin and end, for saying the place of a defect.

Does not belong here: parsing (`conversion`), finding what is wrong (`scrutiny`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NEWLINE, _RETURN = b"\n\r"


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of some rows whose quotes are in order; blank lines are no rows.

    Attributes:
        starts: 0-based byte at which each begins, quotes included, shape (fields,).
        lengths: bytes of each, quotes included, shape (fields,).
        columns: 0-based column of each, shape (fields,).
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    def start_of_row(self, number: int) -> int:
        """Return the byte at which a 0-based row begins."""
        return int(self.starts[self.columns == 0][number])

    def first_row_without(self, width: int) -> tuple[int, int]:
        """Return byte and number of fields of the first row that has not `width` of them; -1 where all have."""
        begins = np.flatnonzero(self.columns == 0)
        widths = np.diff(np.append(begins, self.columns.size))
        others = np.flatnonzero(widths != width)
        return (int(self.starts[begins[others[0]]]), int(widths[others[0]])) if others.size else (-1, width)

    def first_longer_than(self, size: int) -> tuple[int, int] | None:
        """Return byte and column of the first field of more bytes than `size`; None where none is."""
        longer = np.flatnonzero(self.lengths > size)
        return (int(self.starts[longer[0]]), int(self.columns[longer[0]])) if longer.size else None


def fields_of(data: bytes, separator: str, quote: str) -> Fields:
    """Find the fields of whole rows.

    Args:
        data: the rows; the last may be cut off.
        separator: between fields.
        quote: around fields; what is between two is one field's.
    """
    codes = np.frombuffer(data, np.uint8)
    ends = (codes == _NEWLINE) | (codes == _RETURN) | (codes == ord(separator))
    if quote.encode() in data:
        ends &= ~np.logical_xor.accumulate(codes == ord(quote))
    places = np.flatnonzero(ends)
    closes_row = np.isin(codes[places], (_NEWLINE, _RETURN))
    if not closes_row.size or not closes_row[-1] or places[-1] < len(data) - 1:
        places, closes_row = np.append(places, len(data)), np.append(closes_row, True)
    starts = np.append(0, places[:-1] + 1)
    begins_row = np.append(True, closes_row[:-1])
    first = np.maximum.accumulate(np.where(begins_row, np.arange(starts.size), 0))
    lengths = places - starts
    is_field = ~(begins_row & closes_row & (lengths == 0))
    return Fields(starts[is_field], lengths[is_field], (np.arange(starts.size) - first)[is_field])
