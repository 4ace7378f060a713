"""A bound on the threads of BLAS and OpenMP.

Does not belong here: `n_jobs`; families set that themselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Let BLAS and OpenMP use at most `n` threads inside the block.

    Only libraries that are already loaded are bound, so resolve the families first.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield
