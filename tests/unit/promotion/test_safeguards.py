"""What blocks a challenger that is better in the primary metric."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from assay.learning.evaluation.evaluating import evaluate
from assay.learning.splitting import LabelledRows
from assay.learning.training import train
from assay.promotion.decision import decide

ROWS = 4_000


class Stub:
    """A fitted model whose probabilities are a function of the rows."""

    classes_ = np.array(["no", "yes"], dtype=object)

    def __init__(self, stated, columns):
        self.stated, self.columns = stated, columns

    def predict_proba(self, features):
        assert list(features.columns) == self.columns
        stated = self.stated(features)
        return np.column_stack([1 - stated, stated])

    def predict(self, features):
        return self.classes_[(self.predict_proba(features)[:, 1] > 0.5).astype(int)]


def _sigmoid(score):
    return 1 / (1 + np.exp(-score))


@pytest.fixture
def world(make_spec, make_split, make_best):
    """Return a function that decides about two given probability functions on rows of which 5 % are blue."""

    def hold(champion, challenger, *, further=(), **parts):
        spec = make_spec(**parts)
        random = np.random.default_rng(8)
        split = make_split(columns=("signal", "noise", "colour", *further))
        frame = pd.DataFrame(
            {
                "signal": random.normal(size=ROWS),
                "noise": random.normal(size=ROWS),
                "colour": np.where(random.random(ROWS) < 0.05, "blue", "red").astype(object),
                **{name: np.zeros(ROWS) for name in further},
            }
        )
        target = np.where(random.random(ROWS) < _sigmoid(2 * frame["signal"]), "yes", "no").astype(object)
        model = train(split, make_best("logistic_regression"), spec)
        split = replace(
            split,
            holdout=LabelledRows(frame, pd.Series(target, name="y")),
            holdout_table=pa.Table.from_pandas(frame.assign(y=target), preserve_index=False),
            holdout_partitions=np.full(ROWS, "", dtype=object),
        )
        old_names = ["signal", "noise", "colour"]
        features = model.manifest.features
        kept = features.model_copy(update={"columns": tuple(features[name] for name in old_names)})
        old = replace(
            model,
            estimator=Stub(champion, old_names),
            manifest=model.manifest.model_copy(update={"features": kept}),
        )
        new = replace(model, estimator=Stub(challenger, [*old_names, *further]))
        return decide(new, old, split, evaluate(new, split, spec), spec)

    return hold


def _blurred(features):
    """A champion that sees the signal through noise."""
    blur = np.random.default_rng(3).normal(0, 0.7, len(features))
    return _sigmoid(1.3 * (features["signal"] + blur))


def _good(features):
    return _sigmoid(2 * features["signal"])


def _wrong_for_blue(features):
    return _sigmoid(2 * features["signal"] * np.where(features["colour"] == "blue", -1, 1))


ANY_EFFECT = {"minimum_effect": 0.0}


@pytest.mark.parametrize(
    ("metric", "declared"),
    [
        ("roc_auc", True),
        ("log_loss", False),
        ("f1", True),
        *(
            pytest.param(*each, marks=pytest.mark.full)
            for each in (("roc_auc", False), ("log_loss", True), ("f1", False), ("recall", True), ("recall", False))
        ),
    ],
)
def test_a_segment_of_five_percent_that_is_ruined_blocks_and_is_named_while_the_total_rises(metric, declared, world):
    evaluation = {"primary_metric": metric, "slices": ["colour"] if declared else []}
    promotion = ANY_EFFECT | {"slices": {"find": not declared}}
    decision = world(_blurred, _wrong_for_blue, evaluation=evaluation, promotion=promotion)
    assert decision.effect > 0
    assert decision.verdict == "blocked_by_safeguard"
    assert not decision.promotes
    guard = next(each for each in decision.safeguards if each.name == "slices")
    worst = guard.slices[0]
    assert "colour = blue" in worst.name
    assert worst.ruined
    assert worst.declared == declared
    assert worst.loss > guard.bound > 0
    assert 0 < worst.loss_lower_bound < worst.loss
    assert f"{worst.champion:.4g} to {worst.challenger:.4g}" in decision.reason
    assert worst.name in decision.reason


def test_a_segment_is_ruined_by_more_of_an_own_error(world, tmp_path, monkeypatch):
    (tmp_path / "own_errors.py").write_text("def wrong(y_true, y_pred):\n    return float((y_true != y_pred).mean())\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = {"path": "own_errors:wrong", "greater_is_better": False}
    promotion = ANY_EFFECT | {"slices": {"find": False}}
    evaluation = {"primary_metric": own, "slices": ["colour"]}
    decision = world(_blurred, _wrong_for_blue, evaluation=evaluation, promotion=promotion)
    worst = next(each for each in decision.safeguards if each.name == "slices").slices[0]
    assert decision.verdict == "blocked_by_safeguard"
    assert (worst.name, worst.ruined) == ("colour = blue", True)
    assert worst.loss == pytest.approx(worst.challenger - worst.champion)


def test_a_challenger_that_is_better_everywhere_passes_with_its_numbers(world):
    decision = world(_blurred, _good, evaluation={"minimum": {"roc_auc": 0.6}}, promotion=ANY_EFFECT)
    assert decision.verdict == "promoted"
    assert [each.name for each in decision.safeguards] == ["minimum", "slices", "calibration", "signature"]
    assert all(each.passed and each.statement for each in decision.safeguards)


def test_bounds_of_slices_are_settings(world):
    off = world(_blurred, _wrong_for_blue, promotion=ANY_EFFECT | {"slices": None})
    wide = world(_blurred, _wrong_for_blue, promotion=ANY_EFFECT | {"slices": {"max_loss": 0.99}})
    few = world(_blurred, _wrong_for_blue, promotion=ANY_EFFECT | {"slices": {"min_rows": 1_000}})
    assert {off.verdict, wide.verdict, few.verdict} == {"promoted"}
    assert next(each for each in wide.safeguards if each.name == "slices").value > 0.3


def test_slices_of_a_recipe_against_itself_are_not_blocked(world):
    for seed in range(2):
        rows = np.random.default_rng(seed)

        def retrained(features, rows=rows):
            return _sigmoid(2 * features["signal"] + rows.normal(0, 0.3, len(features)))

        decision = world(_blurred, retrained, promotion=ANY_EFFECT)
        assert decision.verdict == "promoted", decision.reason


def test_personal_values_are_not_named(world, make_split, monkeypatch):
    from assay.promotion import slices

    frame = pd.DataFrame({"colour": ["blue", "blue", "red"]})
    schema = make_split(columns=("colour",)).features
    columns = tuple(each.model_copy(update={"pii": True}) for each in schema.columns)
    names = [each.name for each in slices._by_value(frame, "colour", schema.model_copy(update={"columns": columns}))]
    assert names == ["colour = (personal value 1)", "colour = (personal value 2)"]


def test_probabilities_that_are_far_off_block(world):
    def overconfident(features):
        return _sigmoid(9 * features["signal"])

    decision = world(_blurred, overconfident, promotion=ANY_EFFECT)
    assert decision.verdict == "blocked_by_safeguard"
    assert "calibration error from" in decision.reason
    allowed = world(_blurred, overconfident, promotion=ANY_EFFECT | {"max_calibration_loss": None})
    assert allowed.verdict == "promoted"


def test_a_slow_model_blocks_even_without_a_champion(world, make_spec, make_split, make_best):
    slow = world(_blurred, _good, promotion=ANY_EFFECT | {"max_latency_ms": 1e-6})
    assert slow.verdict == "blocked_by_safeguard"
    assert "ms for 1,000 rows" in slow.reason
    fast = world(_blurred, _good, promotion=ANY_EFFECT | {"max_latency_ms": 60_000.0})
    assert fast.verdict == "promoted"
    spec, split = make_spec(promotion={"max_latency_ms": 1e-6}), make_split()
    model = train(split, make_best("logistic_regression"), spec)
    assert decide(model, None, split, evaluate(model, split, spec), spec).verdict == "blocked_by_safeguard"


def test_columns_that_callers_do_not_send_yet_are_named_and_block_on_request(world):
    shown = world(_blurred, _good, further=("flag",), promotion=ANY_EFFECT)
    assert shown.verdict == "promoted"
    assert "must also send flag" in next(each for each in shown.safeguards if each.name == "signature").statement
    strict = world(_blurred, _good, further=("flag",), promotion=ANY_EFFECT | {"signature": "compatible"})
    assert strict.verdict == "blocked_by_safeguard"
    assert "flag" in strict.reason


def test_a_challenger_that_is_not_better_has_no_safeguards(world):
    assert world(_good, _blurred).safeguards == ()
