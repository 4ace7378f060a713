"""Preprocessed folds that processes share."""

from types import SimpleNamespace

import numpy as np
import pytest

from assay.learning.estimators.family import family
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.tuning import trials
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.folds import FoldCache
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


@pytest.mark.parametrize(("refit", "factor"), [("none", 1.5), ("all", 1.5 + 1.5 / 0.8)])
def test_the_final_fits_have_more_rows_than_a_fold(refit, factor, make_spec, rows, features):
    spec = make_spec(tuning={"folds": 3}, training={"refit": refit})
    cache = FoldCache(rows, features, make_folds(rows.target, spec, None), spec)
    assert cache.refit_factor == pytest.approx(factor)


def test_a_trial_says_what_the_final_fit_may_take(make_spec, rows, features, monkeypatch):
    """Two folds of which each fit takes 3 s, by a clock that a fit moves on, and preparation takes 0.5 s."""
    now = [0.0]
    spec = make_spec(tuning={"folds": 2}, training={"refit": "none"})
    cache = FoldCache(rows, features, make_folds(rows.target, spec, None), spec)
    prepared = cache.fold
    monkeypatch.setattr(cache, "fold", lambda *given: prepared(*given)._replace(seconds=0.5))
    monkeypatch.setattr(trials, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    chosen = family("logistic_regression", Task.BINARY)
    fit = chosen.estimator.fit

    def slow(model, *given):
        now[0] += 3.0
        return fit(model, *given)

    monkeypatch.setattr(chosen.estimator, "fit", slow)
    runner = trials.TrialRunner(cache, primary_metric(spec), (False, True), spec)
    assert runner.measure(chosen, {}, lambda fold, mean: False).refit_seconds == 2 * 3.5
