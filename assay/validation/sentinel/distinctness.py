"""How many of a column's values are different, from a sample where there are many rows.

Does not belong here: what follows from it (`identifiers`, `readiness`).
"""

import numpy as np
import pyarrow.compute as pc

from assay.validation.judged_table import JudgedTable
from assay.validation.sentinel.judged_features import MIN_ROWS, Array, values_of


def distinct_share(table: JudgedTable, name: str, rows: Array | None) -> float:
    """Return the number of different values per present value.

    A sample repeats less than the whole. The pairs of equal values in it tell how often each value stands in the whole,
    as if all stood there equally often; what repeats rarely is judged right, and the rest as far below as it is.

    Args:
        table: the rows.
        name: a column of texts or whole numbers.
        rows: the sample; None for all rows.

    Returns:
        The share; 0 where fewer than 50 values are there.
    """
    present = values_of(table, name, rows).drop_null()
    seen = len(present)
    if seen < MIN_ROWS:
        return 0.0
    sizes: Array = np.asarray(pc.value_counts(present).field("counts"), dtype=np.float64)
    if rows is None:
        return sizes.size / seen
    pairs = float((sizes * (sizes - 1)).sum()) / (seen * (seen - 1))
    return 1 / (1 + pairs * (table.rows - table.missing(name)))
