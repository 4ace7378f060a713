import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.specs.dataset import ColumnRole


class Spy(TransformerMixin, BaseEstimator):
    """Passes rows on and remembers which it was fitted on."""

    fitted_on = []

    def fit(self, rows, y=None):
        type(self).fitted_on.append(rows.iloc[:, 0].tolist())
        return self

    def transform(self, rows):
        return rows.to_numpy()


class Guess(ClassifierMixin, BaseEstimator):
    """Says `level` for the second class; level 0.13 breaks it."""

    def __init__(self, level=0.5):
        self.level = level

    def fit(self, rows, y):
        if self.level == 0.13:
            raise RuntimeError("unlucky level")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, rows):
        return np.tile([1 - self.level, self.level], (rows.shape[0], 1))

    def predict(self, rows):
        return self.classes_[np.argmax(self.predict_proba(rows), axis=1)]


@pytest.fixture(autouse=True)
def own_parts(monkeypatch):
    module = ModuleType("own_parts")
    module.Spy, module.Guess = Spy, Guess
    monkeypatch.setitem(sys.modules, "own_parts", module)
    monkeypatch.setattr(Spy, "fitted_on", [])
    return module


@pytest.fixture
def features():
    roles = {"a": ColumnRole.NUMERIC, "b": ColumnRole.NUMERIC}
    return TableSchema(version=1, columns=tuple(ColumnSchema(name=n, dtype="any", role=r) for n, r in roles.items()))


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=150), "b": draw.normal(size=150)})
    return LabelledRows(frame, pd.Series(frame["a"] + draw.normal(size=150) > 0, name="y"))
