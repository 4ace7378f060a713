"""Each sentence about a decision, a model and people's commands is made of the value that it speaks of."""

import datetime as dt
import json
from types import SimpleNamespace as Thing

import numpy as np
import pandas as pd
import pytest

from assay.learning.evaluation.bootstrap import RESAMPLES, Effect
from assay.learning.retraining import RetrainingNoise
from assay.promotion import decision, model_card
from assay.promotion.comparable_rows import ComparableRows, incompatibility_reason, nothing_in_common
from assay.promotion.decision import _below_minimum, _first, _older, _outcome
from assay.promotion.minimum_effect import Evidence, required_effect
from assay.promotion.model_card import _made, limits_of
from assay.promotion.people import commands_for, other_champion, rollback_command, without_champion
from assay.promotion.safeguards import Promotion, SafeguardResult, _signature, _slices
from assay.promotion.slices import SliceComparison, _by_quarter, _by_value
from assay.results.evaluation_report import EvaluationReport
from assay.results.fit_options import FitOptions
from assay.results.provenance import CodeState, ParentModel, Provenance
from assay.specs.dataset import ColumnRole


def _comparison(share, *, decisions=1.0, detectable=None, before=0.7, reason="", effect=0.11):
    made = Thing(
        primary=Thing(name="roc_auc"),
        required=Thing(minimum_effect=0.0123, source="the holdout's noise", decisions=decisions, detectable=detectable),
        before=Thing(value=before, reason=reason),
        after=0.81,
        effect=Effect(before, 0.81, effect, np.full(RESAMPLES, effect)),
        rows=ComparableRows(np.arange(300), 0, 0, unrecorded=False),
    )
    return _outcome(made, share, Thing(confidence=0.95))


def test_the_outcome_of_a_comparison():
    assert _comparison(0.9496, decisions=3.0, detectable=0.034) == (
        "Kept the champion: roc_auc went from 0.7 to 0.81, an improvement of more than 0.0123 in 94.9% of "
        "400 resamples of 300 holdout rows that neither has learned from (95% are required). The minimum of 0.0123 "
        "allows for the holdout's noise, and for earlier decisions on this holdout, which count as 2. The smallest improvement that this holdout shows reliably is 0.034."
    )
    assert _comparison(0.95, detectable=0.034).startswith("Promoted: roc_auc went from 0.7 to 0.81")
    assert _comparison(0.95).endswith("(95% are required). The minimum of 0.0123 allows for the holdout's noise.")
    assert _comparison(0.5, before=None, reason="one class alone") == (
        "Kept the champion: its roc_auc cannot be computed on these rows (one class alone)."
    )
    assert _comparison(0.0, before=0.81, effect=0.0) == (
        "Kept the champion: roc_auc is 0.81 with both models in each of 400 resamples of 300 holdout rows that neither "
        "has learned from, so the challenger is no better."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "9 holdout rows that neither has learned from"),
        ({"unrecorded": True}, "9 holdout rows of which the champion may have learned"),
        (
            {"learned": 1200},
            "9 holdout rows that neither has learned from, without 1,200 that one may have learned from",
        ),
        (
            {"learned": 2, "unknown_class": 3},
            (
                "9 holdout rows that neither has learned from, without 2 that one may have learned from and 3 of classes "
                "that the champion does not know"
            ),
        ),
    ],
)
def test_the_rows_of_a_comparison(changes, said):
    facts = {"positions": np.arange(9), "learned": 0, "unknown_class": 0, "unrecorded": False}
    assert ComparableRows(**facts | changes).description == said


class Columns(dict):
    columns = property(lambda self: list(self.values()))
    names = property(list)


def _columns(**dtypes):
    roles = {"double": ColumnRole.NUMERIC, "string": ColumnRole.CATEGORICAL, "int64": ColumnRole.NUMERIC}
    return Columns({name: Thing(name=name, dtype=kind, role=roles[kind]) for name, kind in dtypes.items()})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"target": "cost"}, "the champion predicts something else (regression of 'cost')"),
        (
            {"features": _columns(age="double", zip="double")},
            "the champion needs columns that these rows do not have (zip)",
        ),
        ({"features": _columns(age="string")}, "the champion was fitted with other roles of columns (age)"),
    ],
)
def test_why_a_champion_cannot_predict_the_rows(changes, said):
    spec = Thing(task="regression", dataset=Thing(target="price"))
    manifest = {"task": "regression", "target": "price", "features": _columns(age="double")}
    split = Thing(features=_columns(age="double"))
    assert incompatibility_reason(Thing(**manifest | changes), split, spec) == said


def test_classes_that_a_champion_does_not_have_in_common():
    task = Thing(is_classification=True)
    champion, spec = Thing(task=task, classes=("yes", "no")), Thing(task=task)
    assert nothing_in_common(champion, Thing(classes=("a", "no")), spec) == "the champion knows other classes (yes, no)"


def test_why_a_model_is_rejected_or_promoted_without_a_comparison():
    report = Thing(minimum={"auc": 0.7, "f1": 0.4}, metrics={"auc": 0.61234}, primary_metric="auc")
    assert _below_minimum({"auc": 0.61234, "f1": None}, report) == (
        "Rejected: auc is 0.6123 against a bound of 0.7; f1 is missing against a bound of 0.4."
    )
    for minimum, said in [({"auc": 0.5}, "meets every minimum"), ({}, "has no minimum to meet")]:
        found = _first(Thing(minimum=minimum, metrics={"auc": 0.6}), Thing(name="auc")).reason
        assert found == f"Promoted without a comparison, as there is no champion; the challenger {said}."


def test_a_model_of_an_older_partition():
    by_time = Thing(dataset=Thing(partitions=Thing(is_time=True)))
    models = [Thing(manifest=Thing(data_digests={month: "d", "2020-01": "d"})) for month in ("2024-01", "2024-03")]
    assert _older(*models, by_time) == "it is of 2024-03, this model of the older 2024-01"
    assert not _older(*reversed(models), by_time)


def test_the_columns_that_callers_must_send_beside_the_champions():
    champion, challenger = (Thing(manifest=Thing(features=_columns(**each))) for each in (
        {"age": "double"}, {"age": "double", "zip": "string", "rooms": "int64"},
    ))  # fmt: skip
    promotion = Thing(
        made=Thing(champion=champion), challenger=challenger, spec=Thing(promotion=Thing(signature="any"))
    )
    assert _signature(promotion).statement == "callers of the champion must also send zip, rooms"
    promotion.challenger = champion
    assert _signature(promotion).statement == "takes no column beyond the champion's"


def test_commands_name_pipeline_and_version():
    assert commands_for("cars", "7") == (
        "assay approve cars 7, or assay reject cars 7; in the user interface champion_approval_job with pipeline: cars, "
        "version: '7', decision: approve or reject"
    )
    assert [rollback_command("cars", "7"), rollback_command("cars")] == [
        "assay rollback cars --to 7",
        "assay rollback cars",
    ]
    config = "ops: {roll_back_champion: {config: {pipeline: cars, withdraw: true}}}"
    without = f"go on without a champion: start champion_rollback_job with {config}, then materialise champion_model"
    assert without_champion("cars") == without
    assert other_champion("cars").startswith("make an earlier version champion: assay rollback cars --to <version>, or")
    assert other_champion("cars").endswith(f"; or {without}")


def test_how_a_model_was_made():
    made = Provenance(
        trained_at=dt.datetime(2024, 5, 6, 7, 8, tzinfo=dt.UTC), fit_seconds=1.5,
        code=CodeState(git_sha="abc", git_dirty=True), parent=ParentModel(version="4", digest="dd"),
    )  # fmt: skip
    assert list(_made(made)) == [
        ("Trained", "2024-05-06 07:08 UTC, in 1.5 s"),
        ("Git commit", "abc, with changes that are not committed"),
        ("Digest of uv.lock", "no lock file"),
        ("Continues", "version 4"),
    ]
    assert CodeState(git_sha="abc", git_dirty=None).shown == "abc"


def test_the_options_of_a_fit():
    asked = {
        "sample_weight": "exposure", "class_weight": {"yes": 5.0, "no": 1.0}, "calibration": "sigmoid",
        "threshold": 0.12345, "threshold_for": {"cost": {"false_positive": 1.0, "false_negative": 5.0}},
        "constraints": {"monotone": {"age": "increasing"}, "interactions": [["age", "visits"]]}, "interval": 0.9,
    }  # fmt: skip
    found = dict(FitOptions.model_validate_json(json.dumps(asked)).in_words())
    assert found["rows weighted by"] == "exposure"
    assert found["classes weighted"] == "yes 5, no 1"
    assert found["labelled positive from a probability of"] == (
        "0.1235, the least costs on training rows (1 for a false positive and 5 for a false negative)"
    )
    assert found["constraints"] == "increasing by age; age with visits alone"
    assert found["intervals hold"] == "0.9 of the targets"
    by_metric = FitOptions.model_validate_json(json.dumps({"threshold": 0.3, "threshold_for": {"metric": "f1"}}))
    assert dict(by_metric.in_words())["labelled positive from a probability of"] == "0.3, the best f1 on training rows"


def _limits(*rows, **metrics):
    manifest = Thing(features=Thing(columns=[Thing(name="age", pii=True), Thing(name="zip", pii=False)]))
    slices = [Thing(rows=each) for each in rows]
    report = Thing(metrics=metrics, training_rows_known=True, slices=slices)
    partitions = Thing(is_time=False)
    spec = Thing(model_card=Thing(limits=[]), split=Thing(by="random"), dataset=Thing(partitions=partitions))
    return list(limits_of(manifest, report, spec))[1:]


def test_the_limits_of_a_model():
    assert _limits(40, 400, expected_calibration_error=0.01234) == [
        "Calibration: stated probabilities are off by 0.01234 on average (expected calibration error).",
        "1 of 2 slices with fewer than 100 rows: metrics of so few are uncertain.",
        "Uses personal data: age.",
        "Not examined for fairness beyond the slices above.",
    ]
    assert _limits(40)[0] == "1 of 1 slice with fewer than 100 rows: metrics of so few are uncertain."
    assert _limits() == ["Uses personal data: age.", "Not examined for fairness."]


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([], "none of 0 slices loses more than 0.05 of roc_auc"),
        ([0.01], "none of 1 slice loses more than 0.05 of roc_auc"),
        ([0.01, 0.02], "none of 2 slices loses more than 0.05 of roc_auc"),
        ([0.2], "roc_auc of a0 went from 0.9 to 0.7 on 1,200 rows (a loss of 0.05 is allowed)"),
        ([0.2] * 5, "on 1,200 rows; and 2 more (a loss of 0.05 is allowed)"),
    ],
)
def test_the_slices_that_lose(losses, said, monkeypatch):
    compared = [
        SliceComparison(
            name=f"a{n}", rows=1200, champion=0.9, challenger=0.9 - loss, loss=loss, loss_lower_bound=0.0,
            declared=False, ruined=loss > 0.05,
        )
        for n, loss in enumerate(losses)
    ]  # fmt: skip
    monkeypatch.setattr("assay.promotion.safeguards.compare_slices", lambda *_: tuple(compared))
    spec = Thing(promotion=Thing(slices=Thing(max_loss=0.05)))
    made = Thing(primary=Thing(name="roc_auc"))
    found = _slices(Promotion(None, Thing(features=None), None, spec, made))
    assert found.statement.endswith(said)
    assert found.bound == 0.05


def test_why_a_champion_reads_the_columns_otherwise():
    text = _columns(age="string")
    other = Columns(age=Thing(name="age", dtype="int64", role=ColumnRole.CATEGORICAL))
    spec = Thing(task="regression", dataset=Thing(target="price"))
    champion = Thing(task="regression", target="price", features=text)
    assert incompatibility_reason(champion, Thing(features=other), spec) == (
        "the champion was fitted with other dtypes of columns (age)"
    )


def test_too_few_rows_to_compare(monkeypatch):
    rows = ComparableRows(np.arange(7), 0, 0, unrecorded=False)
    monkeypatch.setattr(decision, "comparable_rows", lambda *_: rows)
    monkeypatch.setattr(decision, "primary_metric", lambda _: Thing(name="auc"))
    models = Thing(manifest=None)
    report = Thing(metrics={"auc": 0.6})
    promotion = Promotion(models, None, report, Thing(promotion=Thing(min_rows=20)))
    assert decision._on_comparable_rows(models, promotion, ()).reason == (
        "Kept the champion: there are only 7 holdout rows that neither has learned from, and promotion.min_rows asks "
        "for 20."
    )


def test_what_blocks_a_promotion(monkeypatch):
    results = [SafeguardResult(name=name, passed=passed, statement=f"says {name}") for name, passed in
               (("slices", False), ("latency", True), ("signature", False))]  # fmt: skip
    monkeypatch.setattr(decision, "guard", lambda _: tuple(results))
    made = decision.PromotionDecision(
        verdict="promoted", reason="Promoted: better.", metric="auc", challenger_value=0.6
    )
    blocked = decision._guarded(made, None)
    assert (
        blocked.reason == "Blocked by slices: says slices; signature: says signature. Without that: Promoted: better."
    )
    monkeypatch.setattr(decision, "guard", lambda _: tuple(results[1:2]))
    assert decision._guarded(made, None).reason == "Promoted: better."


def test_doubts_about_the_holdout_are_named(monkeypatch):
    made = decision.PromotionDecision(
        verdict="promoted", reason="Promoted: better.", metric="auc", challenger_value=0.6
    )
    monkeypatch.setattr(decision, "_decided", lambda *_: made)
    monkeypatch.setattr(decision, "_require_same_rows", lambda *_: None)
    report = Thing(
        primary_metric="auc",
        intervals={},
        baseline={},
        training_rows_known=True,
        doubts=("age keeps it", "rows repeat"),
    )
    found = decision.decide(None, None, None, report, None).reason
    assert "the holdout may be too good: age keeps it; rows repeat" in found


@pytest.mark.parametrize(
    ("asked", "noise", "said"),
    [
        (0.0123, None, "the holdout's noise and promotion.minimum_effect of 0.0123"),
        ("auto", (None, 0, "one class"), "the holdout's noise, as retrainings cannot be compared (one class)"),
        ("auto", (0.001, 7, ""), "the noise between retrainings, by 7 pairs of fits on halves of the rows"),
    ],
)
def test_where_a_minimum_effect_comes_from(asked, noise, said):
    effect = Effect(0.5, 0.6, 0.1, 0.1 + np.linspace(-0.001, 0.001, RESAMPLES))
    rule = Thing(minimum_effect=asked, confidence=0.95)
    found = required_effect(Evidence(effect, 300, 1.0), rule, lambda: RetrainingNoise(*noise))
    assert found.source == said


def test_an_improvement_that_resamples_do_not_have_has_no_noise():
    drawn = np.full(RESAMPLES, np.nan)
    drawn[0] = 0.1
    found = required_effect(Evidence(Effect(0.5, 0.6, 0.1, drawn), 300, 1.0), Thing(), lambda: RetrainingNoise(None, 0))
    assert (found.minimum_effect, found.source) == (0.0, "no noise, as too few resamples have an improvement")


def test_the_data_and_evaluation_of_a_card():
    manifest = Thing(
        classes=(), train_rows=1200, holdout_rows=300, refit=Thing(rows=1500), data_digests={"2024-01": "d"},
        family="ridge", members=("a", "b"), scenario_applied="full", parameters={}, options=None,
    )  # fmt: skip
    report = Thing(
        partition="2024-01", holdout_rows=300, metrics={}, missing_metrics={"auc": "one class"}, of_recipe="", slices=[],
        decision=None, interval=None, primary_metric="auc",
    )  # fmt: skip
    spec = Thing(dataset=Thing(source="rows.csv"), split=Thing(by="random"))
    facts = model_card._data(manifest, report, spec)[0]
    assert facts.splitlines() == [
        "- Source: `rows.csv`",
        "- Training rows: 1,200; holdout rows: 300, split by random",
        "- The deployed model is fitted on all 1,500 rows",
        "- Evaluated partition: `2024-01`",
    ]
    assert model_card._model(manifest)[0] == "`ridge` of `a`, `b`, trained as: full."
    evaluated = model_card._evaluation(report)
    assert evaluated[0] == "On 300 holdout rows; the baseline ignores the features."
    assert "- `auc` has no value: one class" in evaluated
    report.slices = [Thing(column="age", value="20", rows=9, metrics={"auc": 0.71234})]
    by_slice = model_card._slices(report)
    assert by_slice[0] == "`auc` by slice:"
    assert "| `age` | 20 | 9 | 0.7123 |" in by_slice[1]


def test_another_fit_than_the_evaluated_one_is_deployed():
    facts = {"train_rows": 1200, "deployed_rows": 1500}
    assert EvaluationReport.of_recipe.fget(Thing(**facts)) == (
        "The figures are of the recipe fitted on the 1,200 training rows; the deployed model is the same recipe fitted on "
        "all 1,500 rows."
    )
    assert EvaluationReport.of_recipe.fget(Thing(train_rows=9, deployed_rows=9)) == ""


@pytest.mark.parametrize(
    ("pii", "said"),
    [
        (True, [f"age (personal quarter {number})" for number in (1, 2, 3, 4)]),
        (False, ["age ≤ 9.75", "9.75 < age ≤ 20", "20 < age ≤ 29.25", "29.25 < age"]),
    ],
)
def test_quarters_are_named_by_their_ends_and_those_of_personal_values_numbered(pii, said):
    frame = pd.DataFrame({"age": [*np.arange(20.0), *np.arange(20.0, 40.0)]}).replace(19.0, 20.0)
    assert [each.name for each in _by_quarter(frame, "age", {"age": Thing(pii=pii)})] == said


def test_whole_numbers_of_a_slice_have_no_fraction():
    frame = pd.DataFrame({"hour": [15.0, 15.0, 15.0, 2.5, 2.5, None]})
    found = _by_value(frame, "hour", {"hour": Thing(pii=False)})
    assert [each.name for each in found] == ["hour = 15", "hour = 2.5", "hour = (missing)"]
