r"""A query and its parameters, with one syntax for every SQL source: `:name`, `::type` for a cast, `\:` for a colon."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.errors import SourceError, SourceNotFoundError, did_you_mean
from assay.specs.dataset import DatasetSpec, Scalar

NAME_IN_QUERY = "name the columns in the query: select a.id as a_id, b.id as b_id"
"""Remedy for two columns of the same name."""
_PLACEHOLDER = "{partition}"
_NAME = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")  # as sqlalchemy.text reads it
_ESCAPED = re.compile(r"\\(:\w*)(?![:\w])")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a SQL source.

    Attributes:
        text: one statement that returns rows.
        parameters: values by name, of the text and of the watermark.
        watermark: one statement whose single value changes with the rows; None where new rows are not detected.
    """

    text: str
    parameters: Mapping[str, Scalar]
    watermark: str | None = None

    def __post_init__(self) -> None:
        statements = [text for text in (self.text, self.watermark) if text is not None]
        for text in statements:
            _require_one_statement(text)
        used = {name for text in statements for name in names_in(text)}
        for name in sorted(used - self.parameters.keys()) + sorted(self.parameters.keys() - used):
            raise _mismatch(name, used, self.parameters)

    def values_of(self, text: str) -> dict[str, Scalar]:
        """Return the values of the parameters that a statement uses."""
        return {name: self.parameters[name] for name in names_in(text)}

    def version(self, marks: Sequence[Sequence[object]], *, where: str) -> str:
        """Return a digest of the query and the watermark's value.

        Raises:
            SourceError: they are not one row of one column.
        """
        if len(marks) != 1 or len(marks[0]) != 1:
            raise SourceError(
                "the watermark is not one value",
                where=where,
                found=f"{len(marks[0])} columns" if len(marks) == 1 else "several rows" if marks else "no row",
                expected="one row of one column, e.g. select max(updated_at) from t",
                remedy="correct dataset.watermark",
            )
        mark = marks[0][0]
        identity = [self.text, dict(self.parameters), self.watermark, type(mark).__name__, str(mark)]
        return "sha256-" + hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def without_values(self, message: str) -> str:
        """Replace the parameters' values in a database's message by their names."""
        for name, value in self.parameters.items():
            found = re.escape(str(value))
            if len(str(value)) < 4:  # noqa: PLR2004 - a short value may be part of a word
                found = rf"(?<!\w){found}(?!\w)"
            message = re.sub(found, f":{name}", message) if str(value) else message
        return message


def query_of(spec: DatasetSpec, partition_key: str | None) -> Query | None:
    """Return a dataset's query, with the partition in place of `{partition}` in text values; None without one.

    Raises:
        SourceError: several statements, or parameters that do not match the names in them.
    """
    if spec.query is None:
        return None
    query = Query(spec.query, spec.parameters, spec.watermark)
    if partition_key is None:
        return query
    filled = {
        name: value.replace(_PLACEHOLDER, partition_key) if isinstance(value, str) else value
        for name, value in spec.parameters.items()
    }
    return replace(query, parameters=filled)


def names_in(text: str) -> list[str]:
    """Return the names of the parameters in a statement, each once."""
    return list(dict.fromkeys(_NAME.findall(text)))


def with_dollars(text: str) -> str:
    """Return a statement with DuckDB's `$name` for `:name`."""
    return _ESCAPED.sub(r"\1", _NAME.sub(r"$\1", text))


def trimmed(text: str) -> str:
    """Return a statement without its final semicolon."""
    return text.strip().removesuffix(";").rstrip()


def past_deadline(where: str) -> SourceError:
    """Return the error for a query that takes too long."""
    return SourceError(
        "the query takes longer than allowed",
        where=where,
        remedy="narrow the query, add an index, or raise ASSAY_QUERY_SECONDS",
    )


def past_limit(resource: str, where: str, *, found: str, expected: str) -> SourceError:
    """Return the error for a query that takes too much of a resource other than time."""
    return SourceError(
        f"the query takes more {resource} than it may",
        where=where,
        found=found,
        expected=expected,
        remedy="narrow the query, or raise ASSAY_QUERY_MEMORY_MB",
    )


def require_rows(where: str, *, returned: bool) -> None:
    """Refuse a statement that is no SELECT.

    Raises:
        SourceError: says so.
    """
    if not returned:
        what = "the query returns no rows"
        raise SourceError(what, where=where, expected="one SELECT", remedy="correct dataset.query")


def require_file(path: Path, address: str) -> Path:
    """Return the absolute path of a database file.

    Raises:
        SourceNotFoundError: the file does not exist.
    """
    if path.is_file():
        return path.absolute()
    scheme = address.partition(":")[0]
    raise SourceNotFoundError(
        "the source does not exist",
        where=address,
        found=f"no file {path.absolute()}",
        remedy=f"correct the address; an absolute path has four slashes, {scheme}:////data/rows.db",
    )


def _require_one_statement(text: str) -> None:
    # quoting rules differ between databases, so no semicolon inside is safe
    if ";" in trimmed(text) or not trimmed(text):
        raise SourceError(
            "a query must be one statement",
            where="dataset.query or dataset.watermark",
            found="a semicolon inside" if ";" in text else "no text",
            expected="one SELECT, with ';' at its end only",
            remedy="pass a value that holds ';' by dataset.parameters",
        )


def _mismatch(name: str, used: set[str], given: Mapping[str, Scalar]) -> SourceError:
    if name in used:
        return SourceError(
            f"the query uses a parameter that is not given: ':{name}'{did_you_mean(name, given)}",
            where="dataset.parameters",
            found=", ".join(sorted(given)) or "no parameters",
            remedy="add it to dataset.parameters; write '\\:' for a literal colon",
        )
    return SourceError(
        f"the query does not use a parameter: '{name}'{did_you_mean(name, used)}",
        where=f"dataset.parameters.{name}",
        found=", ".join(f":{other}" for other in sorted(used)) or "a query without parameters",
        remedy=f"write ':{name}' in the query, or remove the parameter",
    )
