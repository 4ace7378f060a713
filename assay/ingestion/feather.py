"""Feather files, which are Arrow IPC files.

They have no checksums, so that every batch is validated in full.
Does not belong here: Arrow files that Assay writes itself (`sink`).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from assay.ingestion.batches import BatchStream, ReadOptions
from assay.ingestion.bounds import Unfolded, require_few_columns
from assay.ingestion.decoding import arrow_errors, checked
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.feather_claims import require_honest_claims

_FORMAT = "Feather"
_VERSION_1 = b"FEA1"
_STREAM = b"\xff\xff\xff\xff"


def feather_stream(path: Path, _: ReadOptions, name: str) -> BatchStream:
    """Read a Feather (version 2) or Arrow IPC file, compressed or not.

    Args:
        path: the file.
        name: how it is called in messages; rows are counted from 1.

    Raises:
        MalformedDataError: no such file, truncated, not what its metadata says, or too much inside.
    """
    _require_file_layout(path, name)
    count = Unfolded(name, path.stat().st_size)
    with arrow_errors(name, _FORMAT), pa.memory_map(str(path)) as source:
        schema = pa.ipc.open_file(source).schema
        require_few_columns(len(schema), name)
        require_honest_claims(path, name, count)
        for column in schema.names:  # names that are no UTF-8 fail here, and not later
            column.encode()
        return BatchStream(schema, _batches(path, name, count))


def _batches(path: Path, name: str, count: Unfolded) -> Iterator[pa.RecordBatch]:
    with arrow_errors(name, _FORMAT), pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        row = 1
        for place in range(reader.num_record_batches):
            batch = reader.get_batch(place)
            yield from checked(batch, name, count, row=row)
            row += batch.num_rows


def _require_file_layout(path: Path, name: str) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    others = {_VERSION_1: "Feather version 1", _STREAM: "an Arrow stream, which does not tell whether it is whole"}
    if start in others:
        raise malformed(
            Defect.UNREADABLE,
            "the file is not readable as Feather",
            name,
            byte=0,
            found=others[start],
            expected="Feather version 2 (an Arrow IPC file)",
            remedy="write it again as Feather version 2, or as Parquet",
        )
