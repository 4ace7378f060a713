"""The derived minimum effect: chance findings, power, and repeated decisions."""

import numpy as np
import pytest
from scipy.stats import norm

from assay.learning.evaluation.bootstrap import RESAMPLES, Effect
from assay.learning.retraining import TWINS, RetrainingNoise
from assay.promotion.minimum_effect import Evidence, HoldoutUse, decision_number, required_effect, spent_alpha
from assay.specs.operations import PromotionSpec

AUTO = PromotionSpec()
_SHAPE = norm.ppf((np.arange(RESAMPLES) + 0.5) / RESAMPLES)


def _effect(value, spread):
    return Effect(0.5, 0.5 + value, value, value + spread * _SHAPE)


def _promotions(*, holdout, retraining, truth=0.0, rule=AUTO, number=1.0, units=1_000, repetitions=1_000):
    """Share of promotions where a difference has the given noise of the holdout and of the retraining."""
    random, promoted = np.random.default_rng(1), 0
    for _ in range(repetitions):
        effect = _effect(truth + random.normal(0, np.hypot(holdout, retraining)), holdout)
        # halves of the rows give at least the noise of all of them
        twins = RetrainingNoise(float(np.sqrt(np.mean(random.normal(0, retraining, TWINS) ** 2))), TWINS)
        required = required_effect(Evidence(effect, units, number), rule, lambda found=twins: found)
        promoted += effect.share_above(required.minimum_effect) >= rule.confidence
    return promoted / repetitions


@pytest.mark.parametrize(
    ("holdout", "retraining"),
    [
        (1.0, 0.0),
        pytest.param(1.0, 0.5, marks=pytest.mark.full),
        (1.0, 1.0),
        (0.3, 1.0),
        pytest.param(0.05, 1.0, marks=pytest.mark.full),
    ],
)
def test_a_recipe_is_promoted_over_itself_in_five_percent_at_most(holdout, retraining):
    assert _promotions(holdout=holdout, retraining=retraining) <= 0.055
    if retraining > holdout:
        assert _promotions(holdout=holdout, retraining=retraining, rule=PromotionSpec(minimum_effect=0.0)) > 0.2


def test_an_improvement_of_the_stated_size_is_found():
    required = required_effect(Evidence(_effect(9.0, 1.0), 1_000, 1), AUTO, lambda: RetrainingNoise(0.5, TWINS))
    assert required.minimum_effect > 0
    found = _promotions(holdout=1.0, retraining=0.0, truth=required.detectable)
    assert found >= 0.8


def test_few_groups_widen_the_interval():
    few, many = (
        required_effect(Evidence(_effect(9.0, 1.0), units, 1), AUTO, lambda: RetrainingNoise(0.0, TWINS))
        for units in (6, 10_000)
    )
    assert many.minimum_effect == pytest.approx(0, abs=0.01)
    assert few.minimum_effect > 0.4


def test_twins_are_fitted_only_where_they_can_change_the_verdict():
    def retraining():
        raise AssertionError

    kept = required_effect(Evidence(_effect(1.0, 1.0), 1_000, 1), AUTO, retraining)
    assert kept.source == "the holdout's noise"
    given = required_effect(Evidence(_effect(9.0, 1.0), 1_000, 1), PromotionSpec(minimum_effect=2.5), retraining)
    assert given.minimum_effect == pytest.approx(2.5, abs=0.02)


def test_twins_that_cannot_be_fitted_leave_a_margin_of_the_holdouts_noise():
    required = required_effect(Evidence(_effect(9.0, 1.0), 9_999, 1), AUTO, lambda: RetrainingNoise(None, 0, "no rows"))
    assert required.minimum_effect == pytest.approx((np.sqrt(2) - 1) * 1.645, abs=0.01)
    assert "no rows" in required.source


def test_many_decisions_on_one_holdout_promote_by_chance_as_rarely_as_a_few():
    year = sum(spent_alpha(0.95, number) for number in range(1, 13))
    assert year < 1.65 * 0.05
    by_chance = [
        _promotions(holdout=1.0, retraining=0.5, number=number, repetitions=400) for number in (1, 2, 3, 4, 12)
    ]
    assert by_chance[0] <= 0.06
    assert max(by_chance[1:]) <= 0.015


def test_earlier_decisions_count_by_the_share_of_rows_that_they_saw():
    now = HoldoutUse(holdout="salted", rows=400)
    earlier = [HoldoutUse(holdout="salted", rows=100), None, HoldoutUse(holdout="2024-01", rows=400), now]
    assert decision_number(now, []) == 1
    assert decision_number(now, earlier) == 1 + 0.25 + 1
