"""Preprocessed folds that processes share."""

import numpy as np

from assay.learning.estimators.family import family
from assay.learning.tuning.folds import FoldCache, make_folds
from assay.specs.pipeline import Task


def test_processes_share_the_matrices_of_a_fold(make_spec, rows, features, tmp_path, monkeypatch):
    spec = make_spec()
    folds, chosen = make_folds(rows.target, spec, None), family("lightgbm", Task.BINARY)
    alone = FoldCache(rows, features, folds, spec).fold(0, chosen, {})
    first, second = (FoldCache(rows, features, folds, spec, tmp_path) for _ in range(2))
    written = first.fold(0, chosen, {})
    monkeypatch.setattr(FoldCache, "_prepared", None)
    mapped = second.fold(0, chosen, {})
    for found in (written, mapped):
        assert isinstance(found.train, np.memmap)
        np.testing.assert_array_equal(found.train, alone.train)
        np.testing.assert_array_equal(found.validation, alone.validation)
        np.testing.assert_array_equal(found.train_target, alone.train_target)
