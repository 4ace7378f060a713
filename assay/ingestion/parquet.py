"""Parquet files.

Does not belong here: the artifact store's own Parquet (`resources`).
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import MalformedDataError


def read_parquet(path: Path, name: str) -> pa.Table:
    """Read a Parquet file, verifying page checksums where the file has them.

    Raises:
        MalformedDataError: not Parquet, truncated, or a page's checksum is wrong.
    """
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise MalformedDataError(
            "the file is not readable as Parquet",
            where=name,
            found=str(error).splitlines()[0][:300],
            expected="an undamaged Parquet file",
            remedy="fetch it again, or mend dataset.format",
        ) from error
