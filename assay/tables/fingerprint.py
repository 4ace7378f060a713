"""Identity of a table: all rows, all names, all dtypes, whatever the chunking.

Does not belong here: digests of files.
"""

import pyarrow as pa

from assay.specs.base import Spec, digest_of


class TableFingerprint(Spec):
    """Digest of a table, column by column, so that a projection can be verified too."""

    rows: int
    columns: dict[str, str]
    """SHA-256 by column name, over dtype name, validity and values of every row."""

    @property
    def digest(self) -> str:
        """Digest of the whole table; depends on the order of columns and of rows."""
        return digest_of(self.rows, list(self.columns.items()))


def fingerprint(table: pa.Table) -> TableFingerprint:
    """Compute the fingerprint of a table."""
    raise NotImplementedError(table)
