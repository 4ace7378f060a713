import numpy as np
import pandas as pd
import pytest

from assay.errors import DataContractError, SingleClassError
from assay.learning.tuning.fold_schemes import make_folds

BY_TIME = {
    "split": {"by": "time", "train_partitions": 2, "test_size": 0.25},
    "dataset": {"partitions": {"by": "month", "start": "2024-01"}},
}


def assert_partition_of_rows(folds, n):
    assert sorted(np.concatenate([fold.validation for fold in folds]).tolist()) == list(range(n))
    for fold in folds:
        assert not set(fold.train) & set(fold.validation)


def test_each_row_is_validated_once_and_each_class_is_in_each_fold(make_spec):
    target = pd.Series([True] * 6 + [False] * 24)
    folds = make_folds(target, make_spec(tuning={"folds": 3}), None)
    assert_partition_of_rows(folds, 30)
    assert [int(target[fold.validation].sum()) for fold in folds] == [2, 2, 2]


def test_a_regression_has_plain_folds(make_spec):
    folds = make_folds(pd.Series(np.arange(10.0)), make_spec("regression", tuning={"folds": 5}), None)
    assert len(folds) == 5
    assert_partition_of_rows(folds, 10)


def test_there_are_no_more_folds_than_the_smallest_class_has_rows(make_spec):
    assert len(make_folds(pd.Series([True] * 2 + [False] * 20), make_spec(tuning={"folds": 5}), None)) == 2


def test_groups_stay_whole(make_spec):
    groups = np.array([f"g{i // 5}" for i in range(30)], dtype=object)
    spec = make_spec(split={"by": "group", "group": "g"})
    folds = make_folds(pd.Series([True, False] * 15), spec, groups)
    assert_partition_of_rows(folds, 30)
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.validation])


def test_by_time_the_newest_partition_validates(make_spec):
    partitions = np.array(["2024-02"] * 3 + ["2024-01"] * 4, dtype=object)
    (fold,) = make_folds(pd.Series([True] * 7), make_spec(**BY_TIME), partitions)
    assert fold.validation.tolist() == [0, 1, 2]
    assert fold.train.tolist() == [3, 4, 5, 6]


def test_a_single_partition_validates_on_its_last_rows(make_spec):
    (fold,) = make_folds(pd.Series([True] * 8), make_spec(**BY_TIME), np.array(["2024-01"] * 8, dtype=object))
    assert fold.validation.tolist() == [6, 7]
    assert fold.train.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_same_seed_gives_the_same_folds(make_spec):
    target = pd.Series([True, False] * 20)
    first, again, other = (make_folds(target, make_spec(training={"seed": seed}), None) for seed in (1, 1, 2))
    assert first[0].validation.tolist() == again[0].validation.tolist() != other[0].validation.tolist()


def test_a_class_with_one_row_is_refused(make_spec):
    with pytest.raises(SingleClassError, match="single training row"):
        make_folds(pd.Series(["a"] + ["b"] * 9), make_spec(), None)


@pytest.mark.parametrize(
    ("target", "parts", "groups"),
    [
        (pd.Series([1.0]), {"task": "regression"}, None),
        (pd.Series([True] * 4), {"split": {"by": "group", "group": "g"}}, np.array(["g"] * 4)),
        (pd.Series([True]), BY_TIME, np.array(["2024-01"])),
    ],
)
def test_rows_that_cannot_be_cut_are_refused(make_spec, target, parts, groups):
    with pytest.raises(DataContractError, match="cannot be cut"):
        make_folds(target, make_spec(**parts), groups)
