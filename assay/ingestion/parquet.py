"""Parquet files.

Does not belong here: the artifact store's own Parquet (`resources`).
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import MalformedDataError

MAX_VALUES = 1_000_000_000
"""Rows times columns; run lengths let a file of kilobytes claim any number."""


def read_parquet(path: Path, name: str) -> pa.Table:
    """Read a Parquet file, verifying page checksums where the file has them.

    Raises:
        MalformedDataError: not Parquet, truncated, a page's checksum is wrong, or more than 10^9 values.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _require_bounded(file.metadata, name)
            return file.read()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise MalformedDataError(
            "the file is not readable as Parquet",
            where=name,
            found=str(error).splitlines()[0][:300],
            expected="an undamaged Parquet file",
            remedy="fetch it again, or mend dataset.format",
        ) from error


def _require_bounded(metadata: pq.FileMetaData, name: str) -> None:
    values = metadata.num_rows * metadata.num_columns
    if values > MAX_VALUES:
        raise MalformedDataError(
            "the file holds more than is allowed",
            where=name,
            found=f"{metadata.num_rows:,} rows x {metadata.num_columns:,} columns",
            expected=f"at most {MAX_VALUES:,} values",
            remedy="cut the data into partitions",
        )
