"""The rows of stored tables for which a SQL expression is true, and the rows that stay without them."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.errors import DataContractError, MissingColumnError, did_you_mean
from assay.expressions.language import locked_connection, nan_as_null, parsed, truth_of
from resources.artifacts.store import ArtifactStore
from resources.store.commit_record import Commit, described

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class HeldRows:
    """The rows of one version of a table that are to be forgotten.

    Attributes:
        commit: the version.
        standing: the commit whose files hold it: itself, or its remainder after earlier rows were forgotten.
        is_held: for each row of it whether it is one of them.
        rows: these rows.
    """

    commit: Commit
    standing: Commit
    is_held: pa.ChunkedArray = field(repr=False)
    rows: pa.Table = field(repr=False)


@dataclass(frozen=True)
class RowSearch:
    """Searches tables with the language of the gate's expressions.

    Attributes:
        artifacts: the store.
        where: a SQL expression over columns.
    """

    artifacts: ArtifactStore
    where: str

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the expression names.

        Raises:
            DataContractError: it is no expression over columns.
        """
        with closing(locked_connection()) as connection:
            columns = parsed(connection, self.where).columns
        if not columns:
            raise DataContractError(
                "the expression names no column, so it is true for every row or for none",
                where=self.where,
                expected="such as customer_id = 17",
            )
        return columns

    def has_columns(self, commit: Commit) -> bool:
        """Whether a table has the columns that the expression names."""
        return commit.fingerprint is not None and set(self.columns) <= set(commit.fingerprint.columns)

    def held(self, tables: Iterable[tuple[Commit, Commit]]) -> Iterator[HeldRows]:
        """Yield the versions of tables in which it is true for some rows; each content is searched once.

        Args:
            tables: versions, and the commit whose files stand for each.

        Raises:
            DataContractError: it cannot be evaluated over a table.
        """
        masks: dict[str, pa.ChunkedArray] = {}
        with closing(locked_connection()) as connection:
            for commit, standing in tables:
                content = standing.data_version
                if content not in masks:
                    table = self.artifacts.read(standing, Dataset, self.columns).table
                    masks[content] = self._true(connection, table, described(commit))
                if pc.any(masks[content]).as_py():
                    rows = self.artifacts.read(standing, Dataset).table.filter(masks[content])
                    yield HeldRows(commit, standing, masks[content], rows)

    def truth(self, table: pa.Table, where: str) -> pa.ChunkedArray:
        """Return for each row of a table whether it is to be forgotten.

        Raises:
            DataContractError: the expression cannot be evaluated over the table.
        """
        with closing(locked_connection()) as connection:
            return self._true(connection, table, where)

    def _true(self, connection: "duckdb.DuckDBPyConnection", table: pa.Table, where: str) -> pa.ChunkedArray:
        """Return for each row whether it is to be forgotten; where SQL answers NULL, it is not."""
        import duckdb

        rows = pa.table({name: _plain(table.column(name)) for name in self.columns})
        try:
            return pc.fill_null(truth_of(connection, rows, self.where), False)
        except duckdb.Error as error:
            # DuckDB's text may quote values of others
            raise DataContractError(
                "the expression cannot be evaluated over the stored rows",
                where=where,
                found=f"{type(error).__name__} for {', '.join(f'{each.name}: {each.type}' for each in rows.schema)}",
                expected="columns compared with constants of their types",
                remedy="correct the expression, or name one pipeline",
            ) from error

    def kept(self, held: HeldRows) -> Dataset | ValidatedDataset:
        """Return the rows that stay; the gate's verdict stands for them, and its receipt counts the others."""
        standing = held.standing
        value: Dataset | ValidatedDataset = (
            self.artifacts.read(standing, ValidatedDataset)
            if standing.receipt
            else self.artifacts.read(standing, Dataset)
        )
        table = value.table.filter(pc.invert(held.is_held))
        found = fingerprint(table)
        if isinstance(value, Dataset):
            return replace(value, table=table, fingerprint=found)
        receipt = value.receipt.model_copy(
            update={
                "data_digest": found.digest,
                "rows": table.num_rows,
                "forgotten_rows": value.receipt.forgotten_rows + held.rows.num_rows,
            }
        )
        return replace(value, table=table, fingerprint=found, receipt=receipt)

    def without_columns(self, tables: Iterable[Commit], where: str) -> MissingColumnError:
        """Return the error for tables of which none has the columns."""
        known = {name for table in tables if table.fingerprint for name in table.fingerprint.columns}
        guess = next((hint for name in self.columns if name not in known if (hint := did_you_mean(name, known))), "")
        return MissingColumnError(
            "no stored table has the columns of the expression",
            where=where,
            found=f"{', '.join(self.columns)}{guess}",
            expected=f"columns of one table, of {', '.join(sorted(known))}" if known else "a stored table",
        )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as expressions expect it: no dictionary, and NaN as null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return nan_as_null(column)
