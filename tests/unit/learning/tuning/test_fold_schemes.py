"""How a search cuts the training rows, as `tuning.split` says."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from assay.errors import DataContractError, SingleClassError
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.workers import TrialInputs

MONTHS = {"partitions": {"by": "month", "column": "t", "start": "2020-01"}}
RARE = pd.Series([True] * 8 + [False] * 56)
BY_GROUP = {"split": {"by": "group", "group": "g"}}
GROUPS = np.repeat(np.arange(16), 4).astype(str)


def by_time(partitions, **tuning):
    return {"dataset": MONTHS, "split": {"by": "time", "train_partitions": partitions}, "tuning": tuning}


def sides(folds):
    return [(fold.train.tolist(), fold.validation.tolist()) for fold in folds]


def test_time_series_measures_on_each_of_the_newest_partitions_and_fits_on_those_before(make_spec):
    keys = np.array(["01", "01", "02", "03", "03", "04", "05"], dtype=object)
    spec = make_spec(**by_time(5, folds=2, split={"by": "time_series", "gap": 1}))
    folds = make_folds(pd.Series(range(7)), spec, keys)
    assert [[sorted(set(keys[side])) for side in fold] for fold in folds] == [
        [["01", "02"], ["04"]],
        [["01", "02", "03"], ["05"]],
    ]


def test_time_series_has_fewer_folds_where_partitions_are_few(make_spec):
    spec = make_spec(**by_time(9, folds=5, split={"by": "time_series", "gap": 1}))
    (only,) = make_folds(pd.Series(range(3)), spec, np.array(["01", "02", "03"]))
    assert (only.train.tolist(), only.validation.tolist()) == ([0], [2])
    with pytest.raises(DataContractError, match="cannot be cut") as refused:
        make_folds(pd.Series(range(2)), spec, np.array(["01", "02"]))
    assert "2 training partitions with rows, gap 1" in refused.value.found


@pytest.mark.parametrize(("by", "share"), [("holdout", 0.25), ({"by": "holdout", "size": 0.5}, 0.5)])
def test_a_holdout_is_one_part_with_its_share_of_each_class(make_spec, by, share):
    split = by if isinstance(by, dict) else {"by": by}
    (only,) = make_folds(RARE, make_spec(tuning={"split": split}), None)
    assert len(only.validation) == 64 * share
    assert RARE[only.validation].sum() == 8 * share
    assert sorted([*only.train, *only.validation]) == list(range(64))


def test_a_holdout_keeps_groups_whole(make_spec):
    spec = make_spec(**BY_GROUP, tuning={"split": {"by": "holdout"}})
    (only,) = make_folds(RARE, spec, GROUPS)
    assert not set(GROUPS[only.train]) & set(GROUPS[only.validation])
    assert len(set(GROUPS[only.validation])) == 4


def test_a_holdout_without_a_row_of_each_class_is_refused(make_spec):
    spec = make_spec(tuning={"split": {"by": "holdout", "size": 0.01}})
    with pytest.raises(DataContractError, match="cannot be cut"):
        make_folds(RARE, spec, None)
    with pytest.raises(SingleClassError):
        make_folds(pd.Series([True, False, False]), spec, None)


@pytest.mark.parametrize("by", ["k_fold", "stratified"])
def test_repeats_cut_all_rows_again_and_otherwise(make_spec, by):
    folds = make_folds(RARE, make_spec(tuning={"folds": 4, "split": {"by": by, "repeats": 3}}), None)
    assert len(folds) == 12
    for first in (0, 4, 8):
        assert sorted(np.concatenate([fold.validation for fold in folds[first : first + 4]])) == list(range(64))
    assert sides(folds[:4]) != sides(folds[4:8])
    rare = [RARE[fold.validation].sum() for fold in folds]
    assert (set(rare) == {2}) is (by == "stratified"), "only stratified folds have their share of each class"


def test_without_a_scheme_folds_are_as_they_were(make_spec):
    asked = make_folds(RARE, make_spec(tuning={"split": {"by": "stratified"}}), None)
    assert sides(asked) == sides(make_folds(RARE, make_spec(), None))
    asked = make_folds(RARE, make_spec(**BY_GROUP, tuning={"split": {"by": "group"}}), GROUPS)
    assert sides(asked) == sides(make_folds(RARE, make_spec(**BY_GROUP), GROUPS))


def test_stratified_folds_keep_rows_of_one_key_together(make_spec):
    folds = make_folds(RARE, make_spec(tuning={"split": {"by": "stratified"}}), GROUPS)
    assert not any(set(GROUPS[fold.train]) & set(GROUPS[fold.validation]) for fold in folds)


def test_an_average_is_judged_on_rows_of_the_first_repeat(make_spec, rows, features):
    """Each row once: the weights by which a row is judged are found on other rows."""
    spec = make_spec(tuning={"folds": 2, "split": {"by": "k_fold", "repeats": 2}})
    inputs = TrialInputs(rows, features, make_folds(rows.target, spec, None), (False, True), spec)
    assert len(inputs.folds) == 4
    assert sorted(np.concatenate([fold.validation for fold in inputs.first_folds])) == list(range(150))
    assert np.bincount(inputs.parts()).tolist() == [75, 75]


@pytest.mark.parametrize("split", [{"by": "holdout"}, {"by": "stratified", "repeats": 2}])
def test_a_search_of_several_families_measures_by_the_scheme(make_spec, rows, features, split):
    model = {"candidates": ["logistic_regression", "hist_gradient_boosting"], "hyperparameters": {"max_iter": 20}}
    tuning = {"n_trials": 3, "split": split} | ({} if split["by"] == "holdout" else {"folds": 2})
    known = {"features": features, "groups": None, "classes": (False, True)}
    best = find_best_hyperparameters(rows, make_spec(model=model, tuning=tuning), **known)
    assert [trial.state for trial in best.trials[:2]] == ["complete"] * 2


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"tuning": {"split": {"by": "k_fold", "size": 0.2}}}, "`size` is for holdout"),
        ({"tuning": {"split": {"by": "holdout", "repeats": 2}}}, "`repeats` is for k_fold"),
        ({"tuning": {"split": {"by": "stratified", "gap": 1}}}, "`gap` is for time_series"),
        ({"tuning": {"split": {"by": "holdout"}, "folds": 5}}, "a holdout has no folds"),
        ({"tuning": {"split": {"by": "holdout"}, "pruner": "hyperband"}}, "cannot be given up"),
        ({"tuning": {"split": {"by": "group"}}}, "split by random is searched by k_fold or stratified or holdout"),
        ({"tuning": {"split": {"by": "time_series"}}}, "not time_series"),
        ({**BY_GROUP, "tuning": {"split": {"by": "k_fold"}}}, "split by group is searched by group or holdout"),
        (by_time(3, split={"by": "k_fold"}), "split by time is searched by time_series or holdout"),
        (by_time(3, split={"by": "holdout", "size": 0.2}), "takes no `size`"),
        (by_time(2, split={"by": "time_series", "gap": 1}), "train_partitions of at least 3"),
        ({"task": "regression", "tuning": {"split": {"by": "stratified"}}}, "needs a classification task"),
    ],
)
def test_a_scheme_that_does_not_fit_is_refused_with_the_file(make_spec, parts, complaint):
    with pytest.raises(ValidationError, match=complaint) as refused:
        make_spec(**parts)
    assert refused.value.errors()[0]["loc"][0] == "tuning"
