import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from assay.gate.sentinel.features import CodedColumn
from assay.gate.sentinel.scores import class_score, number_score

RNG = np.random.default_rng(9)


def numbered(values, *, ordered=True):
    distinct, codes = np.unique(values, return_inverse=True)
    return CodedColumn(codes, distinct.size, ordered)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_ordered_feature_has_the_auc_of_its_order(sign):
    target = RNG.integers(0, 2, 2000)
    feature = np.round(RNG.normal(size=2000) + target, 1)

    score = class_score(numbered(sign * feature), numbered(target))

    assert score.value == pytest.approx(roc_auc_score(target, feature), abs=0.003)
    assert 0.02 > score.value - score.at_least > 0.005


def test_noise_scores_half():
    target = RNG.integers(0, 2, 20_000)

    for ordered in (True, False):
        score = class_score(numbered(RNG.integers(0, 500, 20_000), ordered=ordered), numbered(target))
        assert score.value == pytest.approx(0.5, abs=0.015)


def test_categories_that_do_not_repeat_predict_nothing():
    target = RNG.integers(0, 2, 2000)

    assert class_score(numbered(np.arange(2000), ordered=False), numbered(target)).value < 0.55
    assert number_score(numbered(np.arange(2000), ordered=False), numbered(RNG.normal(size=2000))).value < 0.05


def test_a_number_has_the_square_of_its_rank_correlation():
    target = RNG.normal(size=3000)
    feature = np.round(np.exp(target + RNG.normal(size=3000)), 2)

    score = number_score(numbered(feature), numbered(target))

    assert score.value == pytest.approx(spearmanr(feature, target).statistic ** 2, abs=0.02)
    assert score.at_least < score.value


def test_a_feature_that_is_only_sometimes_there_is_checked_where_it_is_present():
    target = RNG.integers(0, 2, 4000)
    feature = numbered(target * 9 + RNG.normal(size=4000))
    codes = np.where(RNG.random(4000) < 0.5, -1, feature.codes)

    assert class_score(CodedColumn(codes, feature.distinct, ordered=True), numbered(target)).value > 0.99
