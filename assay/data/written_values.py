"""Moments and grouped numbers written as text in ways that Arrow does not parse."""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import dtype_name
from assay.errors import DataContractError, Remedy
from assay.specs.dataset import ColumnRole, CsvDialect, DatasetSpec

_CLOCK = re.compile(r"%[HIMSfpXcsT]")
_EXACT_UP_TO = 2**53


def with_values_read(table: pa.Table, spec: DatasetSpec, frozen: Mapping[str, str]) -> pa.Table:
    """Convert text columns whose values are all moments or grouped numbers; what is frozen as text stays text.

    Raises:
        DataContractError: a column declared as datetime holds other text.
    """
    for number, name in enumerate(table.column_names):
        values = table.column(name)
        if dtype_name(values.type) != "string" or values.null_count == len(values):
            continue
        values = _without(values, spec.dialect.null_words)
        declared = spec.columns[name].role if name in spec.columns else None
        if declared is ColumnRole.DATETIME:
            table = table.set_column(number, name, _required_moments(values, name, spec.dialect))
        elif declared is None and frozen.get(name) != "string":
            read = None if name == spec.target else _moments(values, spec.dialect)
            read = _numbers(values, spec.dialect) if read is None else read
            table = table if read is None else table.set_column(number, name, read)
    return table


def parsed_moments(texts: Collection[str], form: str) -> dict[str, dt.datetime] | None:
    """Return the moment of each text in a `strptime` format; None where a text does not match."""
    try:
        return {text: dt.datetime.strptime(text.strip(), form) for text in texts}  # noqa: DTZ007 - as written
    except ValueError:
        return None


def _without(texts: pa.ChunkedArray, words: Sequence[str]) -> pa.ChunkedArray:
    """Return the texts without the words for missing values, unless no other text is left."""
    if not words:
        return texts
    shown = pc.if_else(pc.is_in(texts, pa.array(words, texts.type)), pa.scalar(None, texts.type), texts)
    return texts if shown.null_count == len(shown) else shown


def _required_moments(values: pa.ChunkedArray, name: str, dialect: CsvDialect) -> pa.ChunkedArray:
    moments = _moments(values, dialect)
    if moments is not None:
        return moments
    iso = "ISO 8601, such as 2013-01-31T18:00:00, all with a zone or all without"
    raise DataContractError(
        f"column '{name}' is declared as datetime, but holds other text",
        where=f"dataset.columns.{name}",
        found=f"dtype {values.type}",
        expected=f"{iso}; or all in the format {dialect.date_format}" if dialect.date_format else iso,
        remedy=Remedy("correct the values, set {}, or declare another role", "dataset.dialect.date_format"),
    )


def _moments(texts: pa.ChunkedArray, dialect: CsvDialect) -> pa.ChunkedArray | None:
    for dtype in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return texts.cast(pa.string()).cast(dtype)
        except pa.ArrowInvalid:
            continue
    return _formatted(texts, dialect.date_format) if dialect.date_format else None


def _formatted(texts: pa.ChunkedArray, form: str) -> pa.ChunkedArray | None:
    """Return the moments of texts in a format. Arrow's own `strptime` reads 31 February as a day in March."""
    encoded = texts.combine_chunks().dictionary_encode()
    known = encoded.dictionary.to_pylist()
    moments = parsed_moments(known, form)
    if moments is None:
        return None
    zoned = {moment.tzinfo is not None for moment in moments.values()}
    if len(zoned) > 1:
        return None
    if zoned == {True}:  # Arrow ignores a datetime's own zone once pandas is loaded
        moments = {text: moment.astimezone(dt.UTC) for text, moment in moments.items()}
    dtype = pa.timestamp("us", "UTC" if zoned == {True} else None) if _CLOCK.search(form) else pa.date32()
    return pa.chunked_array([pa.array([moments[text] for text in known], dtype).take(encoded.indices)])


def _numbers(texts: pa.ChunkedArray, dialect: CsvDialect) -> pa.ChunkedArray | None:
    """Return the numbers whose digits stand in groups of three; None where a text is no number."""
    if dialect.thousands is None:
        return None
    mark, decimal = re.escape(dialect.thousands), re.escape(dialect.decimal)
    fraction = rf"({decimal}[0-9]+)?"
    pattern = rf"^[+-]?([1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+|0|[1-9][0-9]*){fraction}$"
    if not pc.all(pc.match_substring_regex(texts, pattern)).as_py():
        return None
    plain = pc.replace_substring(pc.replace_substring(texts, dialect.thousands, ""), dialect.decimal, ".")
    fractions = pc.any(pc.match_substring(plain, ".")).as_py()
    try:
        numbers = plain.cast(pa.float64() if fractions else pa.int64())
    except pa.ArrowInvalid:  # beyond 64 bits: only the text holds it
        return None
    return None if fractions and pc.max(pc.abs(numbers)).as_py() >= _EXACT_UP_TO else numbers
