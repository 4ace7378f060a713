"""One Parquet file, decoded in bounded memory.

Does not belong here: folders of them (`parquet`), and the artifact store's own Parquet (`resources`).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import MalformedDataError
from assay.ingestion.archives import encrypted
from assay.ingestion.batches import BatchStream
from assay.ingestion.bounds import Unfolded, require_few_columns
from assay.ingestion.decoding import BATCH_BYTES, BATCH_ROWS, arrow_errors, checked, fixed_bytes, value_lengths
from assay.ingestion.defects import Defect, malformed

_FORMAT = "Parquet"
_ENCRYPTED_MARK = b"PARE"


def file_stream(path: Path, name: str, count: Unfolded) -> BatchStream:
    """Read one Parquet file, verifying page checksums where the file has them.

    Args:
        path: the file.
        name: how it is called in messages; rows are counted from 1.
        count: of what was read so far; it refuses what unfolds to more than a file may.

    Raises:
        MalformedDataError: not Parquet, truncated, encrypted, a page's checksum is wrong, or too much inside.
    """
    _require_readable(path, name)
    with arrow_errors(name, _FORMAT), _opened(path) as file:
        _require_bounded(file.metadata, name, count)
        return BatchStream(file.schema_arrow, _batches(path, name, count))


def _opened(path: Path, texts: list[str] | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True, memory_map=True, read_dictionary=texts)


def _batches(path: Path, name: str, count: Unfolded) -> Iterator[pa.RecordBatch]:
    with arrow_errors(name, _FORMAT), _opened(path) as file:
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        fixed = sum(fixed_bytes(dtype) for dtype in file.schema_arrow.types)
        row = 1
        with _opened(path, texts) as encoded:
            for group in range(file.num_row_groups):
                most = fixed + _longest_encoded(encoded, group, texts)
                rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, most)))
                for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                    yield from checked(batch, name, count, row=row)
                    row += batch.num_rows
                _require_no_more_values(file, group, name)
        if row - 1 != file.metadata.num_rows:
            raise _lying(name, f"{row - 1:,} rows where {file.metadata.num_rows:,} are declared")


def _longest_encoded(encoded: pq.ParquetFile, group: int, texts: list[str]) -> int:
    """Return how many bytes a row may take that stands for entries of dictionaries."""
    if not texts:
        return 0
    for batch in encoded.iter_batches(batch_size=1, row_groups=[group], columns=texts):
        lengths = [value_lengths(values.dictionary) for values in batch.columns if pa.types.is_dictionary(values.type)]
        return sum(int(each.max(initial=0)) for each in lengths if each is not None)
    return 0


def _is_text(dtype: pa.DataType) -> bool:
    return any(
        is_kind(dtype)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _require_readable(path: Path, name: str) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_ENCRYPTED_MARK)))
        if file.read() == _ENCRYPTED_MARK:
            raise encrypted(name, "an encrypted Parquet footer")


def _require_bounded(metadata: pq.FileMetaData, name: str, count: Unfolded) -> None:
    require_few_columns(metadata.num_columns, name)
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    # what is claimed is refused before it is decoded; what is found is counted as well
    claimed = Unfolded(name, count.size)
    claimed.add(metadata.num_rows, metadata.num_columns, sum(group.total_byte_size for group in groups))
    rows = sum(group.num_rows for group in groups)
    if rows != metadata.num_rows:
        raise _lying(name, f"row groups of {rows:,} rows where {metadata.num_rows:,} are declared")


def _require_no_more_values(file: pq.ParquetFile, group: int, name: str) -> None:
    """Refuse values beyond the row group's rows; to be called when the group was decoded.

    Before that the columns' metadata may be damaged, which ends the process instead of raising.
    """
    declared = file.metadata.row_group(group)
    for place in range(declared.num_columns):
        repeats = file.metadata.schema.column(place).max_repetition_level > 0
        values = declared.column(place).num_values
        if not repeats and values != declared.num_rows:
            raise _lying(name, f"a column of {values:,} values in a row group of {declared.num_rows:,} rows")


def _lying(name: str, found: str) -> MalformedDataError:
    return malformed(
        Defect.UNREADABLE,
        "the file does not hold the rows that it declares",
        name,
        found=found,
        expected="an undamaged Parquet file",
        remedy="fetch it again",
    )
