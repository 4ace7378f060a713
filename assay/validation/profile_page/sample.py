"""The rows that plots are drawn from.

Does not belong here: what is drawn.
"""

import numpy as np
import pyarrow as pa

SEED = 0
MAX_ROWS = 100_000


def sampled(table: pa.Table, max_rows: int = MAX_ROWS) -> pa.Table:
    """Return at most `max_rows` rows in their order, chosen at random without replacement, always the same ones."""
    if table.num_rows <= max_rows:
        return table
    chosen = np.zeros(table.num_rows, dtype=np.bool_)
    chosen[np.random.default_rng(SEED).choice(table.num_rows, max_rows, replace=False)] = True
    return table.filter(pa.array(chosen))
