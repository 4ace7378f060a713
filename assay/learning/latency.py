"""How long predictions take: one way of measuring, for the search and for promotion."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

TIMED_ROWS = 1_000
TIMINGS = 5
_LARGE = 1_000
"""From here on whole milliseconds are shown."""


def latency_ms(predict: Callable[[Any], object], rows: Any, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the milliseconds that 1,000 rows take: the least of five timed calls, after one that loads what all need.

    What else runs on the machine only adds to a time, so that the least is nearest to what the model itself takes.

    Args:
        predict: is timed.
        rows: a frame or matrix, shape (n, columns), of at least one row; repeated to 1,000 rows.
        clock: gives seconds.
    """
    positions = np.arange(TIMED_ROWS) % rows.shape[0]
    batch = rows.iloc[positions].reset_index(drop=True) if hasattr(rows, "iloc") else rows[positions]
    predict(batch)
    taken = []
    for _ in range(TIMINGS):
        began = clock()
        predict(batch)
        taken.append(clock() - began)
    return 1_000 * min(taken)


def in_words(value: float, bound: float) -> str:
    """Return a latency beside its bound."""
    return f"{_number(value)} ms for {TIMED_ROWS:,} rows, the least of {TIMINGS} times; {_number(bound)} ms are allowed"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < _LARGE else f"{value:,.0f}"
