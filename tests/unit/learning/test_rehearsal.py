"""What cannot be stored is refused on a few rows, before the search."""

import pytest

from assay.errors import UntrustedModelError
from assay.learning import rehearsal
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters

OWN = """
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression

class Half:
    pass

class Hoarder(LogisticRegression):
    fits = 0

    def fit(self, X, y):
        Hoarder.fits += 1
        self.kept_ = Half()
        return super().fit(X, y)

class Needs100(LogisticRegression):
    def fit(self, X, y):
        if len(X) < 100:
            raise ValueError("too few rows")
        return super().fit(X, y)

class Keeper(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.kept_ = (row for row in X)
        return self

    def transform(self, X):
        return X
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_rehearsed.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import own_rehearsed

    own_rehearsed.Hoarder.fits = 0
    return own_rehearsed


def search(make_spec, split, **parts):
    spec = make_spec(tuning={"n_trials": 3, "default_space": False, **parts.pop("tuning", {})}, **parts)
    return find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )


def test_a_model_with_a_foreign_part_is_refused_after_one_small_fit(own, make_spec, make_split):
    candidates = {"candidates": ["own_rehearsed:Hoarder", "lightgbm"]}
    with pytest.raises(UntrustedModelError, match="could not be stored after the search") as refused:
        search(make_spec, make_split(), model=candidates)
    assert refused.value.found == "own_rehearsed.Half"
    assert own.Hoarder.fits == 1


@pytest.mark.parametrize("tuning", [{}, {"enabled": False}])
def test_a_part_without_a_stored_form_is_refused_too(own, make_spec, make_split, tuning):
    birch = {"steps": [{"step": ["impute", "sklearn.cluster:Birch"], "columns": ["signal"]}]}
    with pytest.raises(UntrustedModelError, match="no stored form"):
        search(make_spec, make_split(), model={"candidates": ["lightgbm"]}, preprocessing=birch, tuning=tuning)
    keeper = {"steps": [{"step": ["impute", "own_rehearsed:Keeper"], "columns": ["signal"]}]}
    with pytest.raises(UntrustedModelError):
        search(make_spec, make_split(), model={"candidates": ["lightgbm"]}, preprocessing=keeper, tuning=tuning)


def test_a_training_without_a_search_refuses_it_before_the_fit(own, make_spec, make_split, make_best):
    with pytest.raises(UntrustedModelError, match="could not be stored"):
        train(make_split(), make_best("own_rehearsed:Hoarder"), make_spec())
    assert own.Hoarder.fits == 1


def test_a_model_that_needs_more_rows_is_left_to_the_search(own, make_spec, make_split):
    assert search(make_spec, make_split(), model={"candidates": ["own_rehearsed:Needs100"]}).family


def test_families_with_a_name_cost_no_fit(make_spec, make_split, monkeypatch):
    monkeypatch.setattr(rehearsal, "build_pipeline", None)
    assert search(make_spec, make_split(), model={"candidates": ["logistic_regression"]}).family
