"""File names to formats.

Does not belong here: reading.
"""

from pathlib import Path

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
    ".xlsx": DataFormat.XLSX,
    ".xlsm": DataFormat.XLSX,
    ".xls": DataFormat.XLSX,  # its reader says what to do with the old format
    ".feather": DataFormat.FEATHER,
    ".arrow": DataFormat.FEATHER,
}
COMPRESSED = (".gz", ".zst", ".zip")


def detect_format(name: str, path: Path | None = None, *, where: str = "") -> DataFormat:
    """Return the format that a file's name tells; a compression's ending is looked through.

    Args:
        name: file name or URI.
        path: where the file lies; a folder that holds Parquet files is Parquet whatever its name.
        where: how the source is called in messages; the name unless given.

    Raises:
        UnsupportedFormatError: the ending is unknown.
    """
    known = _by_ending(name)
    if known is not None:
        return known
    if path is not None and path.is_dir() and any(_by_ending(part.name) is DataFormat.PARQUET for part in _files(path)):
        return DataFormat.PARQUET
    raise UnsupportedFormatError(
        "the format cannot be told from the name",
        where=where or name,
        expected=f"a name ending in {', '.join(_BY_ENDING)}, or one of these with {' or '.join(COMPRESSED)}",
        remedy="set dataset.format (or the run parameter data_format)",
    )


def is_known(name: str) -> bool:
    """Return whether a name tells a format."""
    return _by_ending(name) is not None


def _by_ending(name: str) -> DataFormat | None:
    plain = name.lower().rstrip("/")
    for ending in COMPRESSED:
        plain = plain.removesuffix(ending)
    return next((data_format for ending, data_format in _BY_ENDING.items() if plain.endswith(ending)), None)


def _files(folder: Path) -> list[Path]:
    return [part for part in folder.rglob("*") if part.is_file()]
