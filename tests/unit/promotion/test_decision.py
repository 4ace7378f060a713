from dataclasses import replace

import numpy as np
import pytest

from assay.errors import LearningError
from assay.learning.evaluation.bootstrap import RESAMPLES
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.training import train
from assay.promotion.decision import decide
from assay.specs.dataset import ColumnRole


@pytest.fixture
def trial(make_spec, make_split, make_best):
    """Return a function that holds two families against each other on the same rows."""

    def hold(champion, candidate, *, task="binary_classification", split=None, **parts):
        rows, spec = split or make_split(task), make_spec(task, **parts)
        old, new = (
            name if not isinstance(name, str) else train(rows, make_best(name), spec) for name in (champion, candidate)
        )
        return decide(new, old, rows, evaluate(new, rows, spec), spec)

    return hold


def test_the_first_model_is_promoted(trial):
    decision = trial(None, "logistic_regression")
    assert decision.verdict == "promoted"
    assert "no champion" in decision.reason
    assert decision.champion_value is None
    low, high = decision.holdout_interval
    assert low < decision.challenger_value < high
    assert decision.baseline_value == 0.5


@pytest.mark.parametrize("task", ["binary_classification", "regression"])
def test_a_clearly_better_model_is_promoted_whatever_the_metrics_direction(
    task, trial, make_spec, make_split, make_best
):
    split = make_split(task)
    mixed = replace(split.train, target=split.train.target.sample(frac=1, random_state=0).reset_index(drop=True))
    family = "ridge" if task == "regression" else "logistic_regression"
    poor = train(replace(split, train=mixed), make_best(family), make_spec(task))
    better = trial(poor, family, task=task, split=split)
    assert better.verdict == "promoted"
    assert better.effect > 0
    assert 0 < better.effect_lower_bound <= better.effect + 1e-9
    good = train(split, make_best(family), make_spec(task))
    kept = trial(good, poor, task=task, split=split, evaluation={"must_beat_baseline": False})
    assert kept.verdict == "kept_champion"
    rejected = trial(None, poor, task=task, split=split)
    assert rejected.verdict == "rejected_below_baseline"
    assert "ignores the features" in rejected.reason


@pytest.mark.parametrize(("month", "verdict"), [("2021-01", "kept_champion"), ("2021-02", "promoted")])
def test_a_model_of_an_older_month_never_takes_the_champions_place(month, verdict, make_spec, make_split, make_best):
    monthly = {"by": "month", "column": "t", "start": "2020-01"}
    dataset = {"source": "rows.csv", "target": "y", "partitions": monthly}
    spec, split = make_spec("regression", dataset=dataset), make_split("regression")
    mixed = replace(split.train, target=split.train.target.sample(frac=1, random_state=0).reset_index(drop=True))
    poor = train(replace(split, train=mixed, data_digests={"2021-02": "d"}), make_best("ridge"), spec)
    better = train(replace(split, data_digests={"2020-12": "d", month: "d"}), make_best("ridge"), spec)
    decision = decide(better, poor, split, evaluate(better, split, spec), spec)
    assert decision.verdict == verdict
    assert ("this model of the older 2021-01" in decision.reason) == (verdict == "kept_champion")


def test_a_model_is_not_promoted_over_itself(trial):
    decision = trial("logistic_regression", "logistic_regression")
    assert decision.verdict == "kept_champion"
    assert (decision.effect, decision.share_better, decision.resamples) == (0.0, 0.0, RESAMPLES)


@pytest.mark.parametrize(("pairs", "most"), [(12, 2), pytest.param(40, 6, marks=pytest.mark.full)])
def test_the_same_recipe_with_other_rows_and_seeds_is_rarely_promoted(pairs, most, make_spec, make_split, make_best):
    spec, promoted = make_spec(), 0
    for seed in range(pairs):
        judged = make_split(seed=1_000 + seed, train=2, holdout=400, columns=("signal", "noise"))
        splits = [
            replace(judged, train=make_split(seed=2 * seed + turn, train=300, columns=("signal", "noise")).train)
            for turn in (0, 1)
        ]
        old, new = (train(each, make_best("logistic_regression"), spec) for each in splits)
        decision = decide(new, old, splits[1], evaluate(new, splits[1], spec), spec)
        promoted += decision.verdict == "promoted"
    assert promoted <= most


def test_an_improvement_below_the_minimum_effect_is_not_enough(trial, make_spec, make_split, make_best):
    split = make_split()
    mixed = replace(split.train, target=split.train.target.sample(frac=1, random_state=0).reset_index(drop=True))
    poor = train(replace(split, train=mixed), make_best("logistic_regression"), make_spec())
    effect = trial(poor, "logistic_regression", split=split).effect
    asked = {"minimum_effect": float(np.round(effect + 0.05, 3))}
    assert trial(poor, "logistic_regression", split=split, promotion=asked).verdict == "kept_champion"


def test_a_model_below_the_minimum_is_rejected_even_without_a_champion(trial):
    decision = trial(None, "logistic_regression", evaluation={"minimum": {"roc_auc": 0.99999, "log_loss": 0.5}})
    assert decision.verdict == "rejected_below_minimum"
    assert set(decision.failed_minimum) == {"roc_auc"}
    assert "roc_auc" in decision.reason


@pytest.mark.parametrize(
    ("task", "columns", "reason"),
    [
        ("binary_classification", ("signal", "words"), "columns"),
        ("multiclass_classification", ("signal", "noise"), "something else"),
    ],
)
def test_a_champion_that_cannot_judge_the_rows_stays_until_a_person_approves_and_the_reason_says_why(
    task, columns, reason, trial, make_spec, make_split, make_best
):
    old = train(make_split(task, columns=columns), make_best("logistic_regression"), make_spec(task))
    split = make_split(columns=("signal", "noise"))
    decision = trial(old, "logistic_regression", split=split, evaluation={"minimum": {"roc_auc": 0.6}})
    assert decision.verdict == "needs_approval"
    assert reason in decision.reason
    assert "until a person approves" in decision.reason
    strict = trial(old, "logistic_regression", split=split, evaluation={"minimum": {"roc_auc": 0.99999}})
    assert strict.verdict == "rejected_below_minimum"


def test_a_champion_fitted_with_another_role_of_a_column_cannot_be_compared(trial, make_spec, make_split, make_best):
    split = make_split(columns=("signal", "colour"))
    old = train(split, make_best("logistic_regression"), make_spec())
    columns = tuple(column.model_copy(update={"role": ColumnRole.TEXT}) for column in old.manifest.features.columns)
    features = old.manifest.features.model_copy(update={"columns": columns})
    other = replace(old, manifest=old.manifest.model_copy(update={"features": features}))
    assert "other roles" in trial(other, "logistic_regression", split=split).reason


def test_a_champion_with_fewer_features_can_be_compared(trial, make_spec, make_split, make_best):
    old = train(make_split(columns=("noise",)), make_best("logistic_regression"), make_spec())
    assert trial(old, "logistic_regression", split=make_split(columns=("signal", "noise"))).champion_value < 0.7


def test_a_report_on_other_rows_is_refused(make_spec, make_split, make_best):
    split, spec = make_split(), make_spec()
    model = train(split, make_best("logistic_regression"), spec)
    report = evaluate(model, split, spec)
    with pytest.raises(LearningError, match="other holdout rows"):
        decide(model, None, replace(split, holdout_digest="x"), report, spec)
