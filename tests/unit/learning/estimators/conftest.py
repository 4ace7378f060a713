import numpy as np
import pandas as pd
import pytest

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.specs.dataset import ColumnRole


@pytest.fixture
def features():
    roles = {"a": ColumnRole.NUMERIC, "c": ColumnRole.CATEGORICAL}
    return TableSchema(version=1, columns=tuple(ColumnSchema(name=n, dtype="any", role=r) for n, r in roles.items()))


@pytest.fixture
def make_rows():
    def make(labels=None, n=120, seed=0, shift=0.0):
        """Rows whose target is `labels` by thirds or halves of a noisy number, or that number itself."""
        draw = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {"a": draw.normal(size=n) + shift, "c": np.array(["x", "y", None], dtype=object)[draw.integers(0, 3, n)]}
        )
        number = frame["a"] + 0.3 * draw.normal(size=n)
        if labels is None:
            return LabelledRows(frame, number.rename("y"))
        order = number.rank(method="first").to_numpy() - 1
        codes = (order * len(labels) // n).astype(int)
        kind = object if isinstance(labels[0], str) else None
        return LabelledRows(frame, pd.Series(np.array(labels, dtype=kind)[codes], name="y"))

    return make
