"""Small files."""

import pytest

from assay.reading.batches import ReadOptions
from assay.reading.files import read_table
from assay.specs.dataset import CsvDialect, DataFormat


@pytest.fixture
def read(tmp_path):
    """Return a function that writes bytes to a file and reads it as a table; further keys are the dialect."""

    def read_bytes(content, name="rows.csv", data_format=DataFormat.AUTO, **dialect):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, ReadOptions(data_format, CsvDialect(**dialect)), name=name)

    return read_bytes
