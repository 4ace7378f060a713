"""File names to formats.

Does not belong here: reading.
"""

from assay.errors import UnsupportedFormatError
from assay.specs.dataset import DataFormat

_BY_ENDING = {
    ".csv": DataFormat.CSV,
    ".tsv": DataFormat.TSV,
    ".tab": DataFormat.TSV,
    ".parquet": DataFormat.PARQUET,
    ".pq": DataFormat.PARQUET,
    ".json": DataFormat.JSON,
    ".jsonl": DataFormat.JSONL,
    ".ndjson": DataFormat.JSONL,
}
COMPRESSED = (".gz", ".zip")


def detect_format(name: str) -> DataFormat:
    """Return the format that a file's name tells; a compression's ending is looked through.

    Args:
        name: file name or URI.

    Raises:
        UnsupportedFormatError: the ending is unknown.
    """
    plain = name.lower()
    for ending in COMPRESSED:
        plain = plain.removesuffix(ending)
    for ending, data_format in _BY_ENDING.items():
        if plain.endswith(ending):
            return data_format
    raise UnsupportedFormatError(
        "the format cannot be told from the name",
        where=name,
        expected=f"a name ending in {', '.join(_BY_ENDING)}, or one of these with {' or '.join(COMPRESSED)}",
        remedy="set dataset.format (or the run parameter data_format)",
    )
