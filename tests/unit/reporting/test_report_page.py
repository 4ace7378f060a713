"""The page of a model report, from typed values."""

import logging
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace as Thing

import optuna
import pytest

from assay.learning.evaluation.evaluating import evaluate, holdout_predictions
from assay.learning.evaluation.plots import losses_of
from assay.learning.training import train
from assay.promotion.champion import ChampionRecord
from assay.promotion.decision import decide
from assay.reporting.making import Stored, report_of
from assay.reporting.model_report import ModelReport
from assay.reporting.page import gap_in_words, to_html
from assay.reporting.rivals import rivals_of
from assay.results.option_effects import DecisionEffects, IntervalEffects
from assay.results.search_result import BestHyperparameters, Tie, TrialRecord

FAMILIES = {"regression": "ridge"}


def _trial(number, family="logistic_regression", value=0.8, **more):
    return TrialRecord(
        number=number,
        state=more.pop("state", "complete"),
        family=family,
        parameters=more.pop("parameters", {"C": 0.1 * (number + 1), "l1_ratio": 0.5}),
        value=value,
        seconds=1.5,
        **more,
    )


def searched(*trials, value=0.8, metric="roc_auc"):
    return BestHyperparameters(
        family="logistic_regression",
        parameters={},
        metric=metric,
        direction="maximize",
        value=value,
        searched=True,
        stopped_by="n_trials",
        trials=trials,
        seed=1,
    )


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def reported(make_spec, make_split, make_best, once):
    """Return a function that gives the report of a task's model, without a decision."""

    def build(task="binary_classification", best=None, family=None, **parts):
        key = repr((task, best, family, sorted(parts.items())))
        if key not in once:
            split, spec = make_split(task), make_spec(task, **parts)
            model = train(split, make_best(family or FAMILIES.get(task, "logistic_regression")), spec)
            report = evaluate(model, split, spec)
            predicted = holdout_predictions(model, split, spec)
            stored = Stored("m" * 64, 12_345, {"": 400}, best, losses_of(model, split, spec), predicted)
            once[key] = report_of(model, split, report, spec, stored), decide(model, None, split, report, spec)
        return once[key][0]

    build.decision = lambda: next(iter(once.values()))[1]
    return build


def _decided(report, decision, version="3"):
    record = ChampionRecord(pipeline="demo", registered_name="demo", decision=decision, version=version)
    return report.decided(record)


class _Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.targets = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.targets += [value for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize(
    ("task", "heads"),
    [
        ("binary_classification", {"ROC curve", "Precision and recall", "Calibration", "Confusion"}),
        ("multiclass_classification", {"ROC curve", "Precision and recall", "Calibration", "Confusion"}),
        ("regression", {"Errors by prediction"}),
    ],
)
def test_each_task_gets_its_drawings(task, heads, reported):
    page = to_html(reported(task))
    assert heads <= set(re.findall(r"<h3>(.*?)</h3>", page))


def test_the_verdict_comes_first_and_names_the_registered_version(reported):
    report = reported()
    page = to_html(_decided(report, reported.decision()))
    assert page.index("Promoted") < page.index("Metrics on the holdout")
    assert "<h1>demo version 3</h1>" in page
    assert 'class="verdict passed"' in page


def test_without_a_decision_the_page_says_so(reported):
    assert "has not been compared with a champion yet" in to_html(reported())


def test_a_missed_minimum_is_the_verdict_before_any_decision(reported):
    page = to_html(reported(evaluation={"minimum": {"roc_auc": 0.9999}}))
    assert 'class="verdict rejected"' in page
    assert "required at least 0.9999" in page


def test_a_metric_stands_beside_interval_baseline_and_bound(reported):
    report = reported(evaluation={"minimum": {"roc_auc": 0.6}})
    row = re.search(r"<tr><th scope=\"row\"><bdi>roc_auc</bdi></th>(.*?)</tr>", to_html(report))[1]
    cells = re.findall(r"<td class=\"n\">(.*?)</td>", row)
    low, high = report.evaluation.intervals["roc_auc"]
    assert cells[0] == f"{report.evaluation.metrics['roc_auc']:.4g}"
    assert cells[1] == f"{low:.4g} to {high:.4g}"
    assert cells[2:] == ["0.5", "0.6"]


def test_a_metric_without_a_value_is_a_row_with_the_reason(reported):
    report = reported()
    evaluation = report.evaluation.model_copy(update={"missing_metrics": {"top_3_accuracy": "two classes only"}})
    page = to_html(report.model_copy(update={"evaluation": evaluation}))
    assert '<bdi>top_3_accuracy</bdi></th><td colspan="3">no value: <bdi>two classes only</bdi>' in page


def test_the_page_is_self_contained(reported):
    page = to_html(reported())
    found = _Elements(page)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(found.tags)
    assert all(target.startswith("#") for target in found.targets)
    assert {target[1:] for target in found.targets} <= set(found.ids)
    assert "url(" not in page
    assert "http://" not in page
    assert "default-src 'none'" in page


def test_texts_of_data_and_file_are_escaped(reported):
    evil = "<script>alert(1)</script>\u202e\x00\"'"
    report = reported(best=searched(*(_trial(n) for n in range(3))))
    other = report.model_copy(
        update={
            "registered_name": evil,
            "evaluation": report.evaluation.model_copy(
                update={"missing_metrics": {evil: evil}, "partition": evil, "doubts": (evil,)}
            ),
            "recipe": report.recipe.model_copy(update={"family": evil, "parameters": {evil: evil}, "members": (evil,)}),
            "drawings": report.drawings.model_copy(
                update={
                    "confusion": report.drawings.confusion.model_copy(update={"labels": (evil, "b")}),
                    "event": evil,
                    "roc": tuple(each.model_copy(update={"name": evil}) for each in report.drawings.roc * 2),
                }
            ),
            "importance": tuple(each.model_copy(update={"name": evil}) for each in report.importance),
            "contributions": tuple(each.model_copy(update={"name": evil}) for each in report.importance),
            "member_contributions": {evil: tuple(each.model_copy(update={"name": evil}) for each in report.importance)},
            "leaderboard": tuple(each.model_copy(update={"family": evil, "note": evil}) for each in report.leaderboard),
            "search": report.search.model_copy(
                update={"trials": tuple(t.model_copy(update={"family": evil}) for t in report.search.trials)}
            ),
            "data": report.data.model_copy(
                update={
                    "source": evil,
                    "target": evil,
                    "unused": {evil: evil},
                    "periods": tuple(each.model_copy(update={"partition": evil}) for each in report.data.periods),
                    "drift": tuple(each.model_copy(update={"name": evil}) for each in report.data.drift),
                }
            ),
            "lineage": report.lineage.model_copy(update={"links": {evil: evil}, "libraries": {evil: evil}}),
            "intended": report.intended.model_copy(update={"description": evil, "owners": (evil,), "limits": (evil,)}),
        }
    )
    page = to_html(other)
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert page.count("&lt;script&gt;alert(1)") > 20
    # the raw text is in none of the attributes either
    assert "alert(1)\"'" not in page


def test_the_gap_between_the_best_trial_and_the_holdout_is_said(reported):
    report = reported(best=searched(*(_trial(n) for n in range(3)), value=0.999))
    value = report.evaluation.metrics["roc_auc"]
    said = gap_in_words(report)
    assert f"is 0.999, on the holdout {value:.4g}: worse by {0.999 - value:.4g}" in said
    assert "outside the holdout's interval" in said
    assert said.replace("'", "&#39;") in to_html(report)


@pytest.mark.parametrize(
    ("best", "greater", "said"),
    [
        (0.75, True, "mae of the best trial on validation rows is 0.75, on the holdout 0.8: better by 0.05."),
        (0.75, False, "mae of the best trial on validation rows is 0.75, on the holdout 0.8: worse by 0.05."),
        (0.8, False, "mae of the best trial on validation rows and on the holdout is 0.8."),
    ],
)
def test_the_gap_is_of_the_metrics_direction(best, greater, said):
    evaluation = Thing(primary_metric="mae", metrics={"mae": 0.8}, greater_is_better=greater, intervals={})
    assert gap_in_words(Thing(search=Thing(best=best, metric="mae"), evaluation=evaluation)) == said
    evaluation.intervals["mae"] = (0.76, 0.84)
    place = "inside" if 0.76 <= best <= 0.84 else "outside"
    ends = f"The validation score is {place} the holdout's interval of 0.76 to 0.84."
    assert gap_in_words(Thing(search=Thing(best=best, metric="mae"), evaluation=evaluation)) == f"{said} {ends}"


def test_the_gap_of_another_metric_is_not_said(reported):
    assert not gap_in_words(reported(best=searched(_trial(0), metric="log_loss")))


def test_every_family_is_a_row_failures_with_their_reason(reported):
    trials = (_trial(0, value=0.7), _trial(1, "random_forest", None, state="failed", reason="out of memory"))
    report = reported(
        best=searched(*trials), model={"candidates": ["logistic_regression", "random_forest", "hist_gradient_boosting"]}
    )
    rows = {row.family: row for row in report.leaderboard}
    assert list(rows) == ["logistic_regression", "random_forest", "hist_gradient_boosting"]
    assert rows["logistic_regression"].chosen
    assert rows["logistic_regression"].validation == 0.7
    assert rows["logistic_regression"].holdout == report.evaluation.metrics["roc_auc"]
    assert rows["logistic_regression"].megabytes == pytest.approx(0.012345)
    assert rows["logistic_regression"].microseconds > 0
    assert rows["random_forest"].note == "1 of 1 trial failed: out of memory"
    assert rows["hist_gradient_boosting"].note == "not tried"
    assert "out of memory" in to_html(report)


RIVALS = (_trial(0, value=0.7), _trial(1, "random_forest", 0.9, parameters={"n_estimators": 5}))


def test_other_families_are_measured_on_the_holdout_and_decide_nothing(reported):
    candidates = {"model": {"candidates": ["logistic_regression", "random_forest"]}}
    report = reported(
        best=searched(*RIVALS, _trial(2, "random_forest", None, state="failed", reason="no")), **candidates
    )
    other, chosen = report.leaderboard
    assert (other.family, other.is_model, other.validation, other.trial_seconds) == ("random_forest", False, 0.9, 1.5)
    assert 0.5 < other.holdout <= 1
    assert other.holdout != chosen.holdout
    assert min(other.seconds, other.microseconds, other.megabytes) > 0
    assert other.note == "1 of 2 trials failed: no"
    assert (chosen.is_model, chosen.holdout) == (True, report.evaluation.metrics["roc_auc"])
    assert "measured afterwards and decide nothing" in to_html(report)
    alone = reported(best=searched(*RIVALS), evaluation={"compare_families": False}, **candidates)
    assert alone.leaderboard[0].holdout is None
    assert alone.evaluation.metrics == report.evaluation.metrics
    assert "Only the chosen model was evaluated on the holdout." in to_html(alone)


def test_the_family_in_whose_place_a_simpler_one_is_chosen_says_so(reported):
    tie = Tie(family="random_forest", difference=0.002, share=0.55)
    best = searched(*RIVALS, value=0.8).model_copy(update={"tie": tie})
    candidates = {"candidates": ["logistic_regression", "random_forest"]}
    rows = {row.family: row for row in reported(best=best, model=candidates).leaderboard}
    assert rows["random_forest"].note == best.tie_text
    assert rows["logistic_regression"].note == ""


def test_the_chosen_family_is_not_fitted_again(make_spec, make_split):
    found = rivals_of(make_split(), searched(*RIVALS), make_spec(), "random_forest")
    assert list(found) == ["logistic_regression"]


def test_a_family_that_fails_or_is_slow_keeps_its_row_with_the_reason(reported):
    slow = _trial(2, "extra_trees", 0.8).model_copy(update={"seconds": 700.0})
    broken = _trial(1, "random_forest", 0.9, parameters={"n_estimators": -1})
    rows = {row.family: row for row in reported(best=searched(_trial(0, value=0.7), broken, slow)).leaderboard}
    assert rows["random_forest"].holdout is None
    assert rows["random_forest"].note.startswith("not fitted: LearningError: ")
    assert rows["extra_trees"].note == "not fitted for this table: with its own, the best trials took 702 s"


def test_intended_use_and_limits_of_the_file_are_shown_before_those_of_the_evaluation(reported):
    card = {"intended_use": "For the reminder\nmail.", "limits": ["Not for\n  prices."]}
    report = reported(description="Who returns.", model_card=card)
    assert report.intended.description == "For the reminder\nmail."
    assert report.intended.limits[0] == "Not for prices."
    assert len(report.intended.limits) > 1
    assert "Not for prices." in to_html(report)
    assert reported(description="Who returns.").intended.description == "Who returns."


def test_importance_of_hyperparameters_finds_the_one_that_decides(reported):
    trials = [_trial(n, value=0.5 + 0.01 * n, parameters={"C": float(n), "other": float(n * 7 % 5)}) for n in range(20)]
    (found,) = reported(best=searched(*trials)).search.parameters
    assert found.trials == 20
    assert next(iter(found.shares)) == "C"
    assert found.shares["C"] > 0.7


def test_optunas_log_is_quiet_while_the_importance_is_computed(reported):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    said, handler, logger = [], logging.Handler(), logging.getLogger("optuna")
    handler.emit = said.append
    logger.addHandler(handler)
    try:
        assert reported(best=searched(*(_trial(n, value=0.5 + 0.01 * n) for n in range(8)))).search.parameters
    finally:
        logger.removeHandler(handler)
    assert said == []


@pytest.mark.parametrize(
    ("states", "note"),
    [
        (("stopped", "failed", "pruned", "failed"), "2 of 4 trials failed: 3; 1 of 4 trials stopped: 0"),
        (("too_slow", "too_slow"), "2 of 2 trials too slow: 1"),
    ],
)
def test_trials_without_a_score_are_counted_by_how_they_ended(reported, states, note):
    without = (_trial(n, "random_forest", None, state=state, reason=str(n)) for n, state in enumerate(states))
    candidates = {"model": {"candidates": ["logistic_regression", "random_forest"]}}
    report = reported(best=searched(*without, _trial(9, value=0.7)), **candidates)
    assert {row.family: row.note for row in report.leaderboard}["random_forest"] == note


def test_few_trials_give_no_importance_of_hyperparameters(reported):
    assert reported(best=searched(*(_trial(n, value=0.5 + n / 100) for n in range(7)))).search.parameters == ()


def test_a_weak_slice_is_found(make_spec, make_split, make_best):
    split, spec = make_split(train=2000, holdout=2000), make_spec()
    target = split.holdout.target.copy()
    red = (split.holdout.features["colour"] == "red").to_numpy()
    target[red] = target[red].map({"yes": "no", "no": "yes"})
    split = replace(split, holdout=replace(split.holdout, target=target))
    model = train(split, make_best("logistic_regression"), spec)
    stored = Stored("", 0, {}, None, {}, holdout_predictions(model, split, spec))
    report = report_of(model, split, evaluate(model, split, spec), spec, stored)
    names = [part.name for part in report.weak_slices]
    assert "colour = red" in names
    assert "colour = green" not in names
    weak = report.weak_slices[names.index("colour = red")]
    assert weak.rows == int(red.sum())
    assert weak.loss_ratio > 1.5
    assert weak.value < 0.2
    assert "colour = red" in to_html(report)


def test_gate_warnings_stand_above_the_metrics(reported):
    from assay.data.dataset import GateWarning

    report = reported()
    warning = GateWarning(rule="no_target_leakage", column="signal", found="follows the target closely")
    evaluation = report.evaluation.model_copy(update={"gate_warnings": (warning,)})
    page = to_html(report.model_copy(update={"evaluation": evaluation}))
    assert page.index("follows the target closely") < page.index("Metrics on the holdout")
    assert "passed with 1 warning, named at the top" in page
    assert "passed without a warning" in to_html(report)


def test_the_drift_between_training_rows_and_holdout_is_shown(make_spec, make_split, make_best):
    split, spec = make_split(train=500, holdout=500), make_spec()
    moved = split.holdout.features.assign(noise=split.holdout.features["noise"] + 2)
    split = replace(split, holdout=replace(split.holdout, features=moved))
    model = train(split, make_best("logistic_regression"), spec)
    stored = Stored("", 0, {}, None, {}, holdout_predictions(model, split, spec))
    report = report_of(model, split, evaluate(model, split, spec), spec, stored)
    assert next(each.name for each in report.data.drift if each.drifted) == "noise"
    assert "target" in {each.kind for each in report.data.drift}


@pytest.mark.parametrize("family", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_boosters_give_contributions(family, task, make_spec, make_split, make_best):
    from assay.reporting.contributions import contributions_of

    split, spec = make_split(task, columns=("signal", "noise", "colour")), make_spec(task)
    parameters = {"catboost": {"iterations": 10}}.get(family, {"n_estimators": 10})
    model = train(split, make_best(family, **parameters), spec)
    found = contributions_of(model.estimator, split.holdout.features, 0).of_model
    assert "signal" in found[0].name
    assert all(one.value >= other.value for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("task", "training", "scale"),
    [
        ("binary_classification", {"calibration": "sigmoid"}, "raw output, before calibration and threshold"),
        ("binary_classification", {"threshold": 0.4}, "raw output, before calibration and threshold"),
        ("regression", {"target_transform": "yeo_johnson"}, "the scale of the target's yeo_johnson"),
    ],
)
def test_a_booster_below_what_is_done_to_its_output_is_explained(
    task, training, scale, make_spec, make_split, make_best
):
    from assay.reporting.contributions import contributions_of

    split, best = make_split(task, columns=("signal", "noise")), make_best("lightgbm", n_estimators=10)
    wrapped = train(split, best, make_spec(task, training=training)).estimator
    found = contributions_of(wrapped, split.holdout.features, 0)
    assert "signal" in found.of_model[0].name
    assert scale in found.scale
    if task != "regression":
        plain = contributions_of(train(split, best, make_spec(task)).estimator, split.holdout.features, 0)
        assert found.of_model == plain.of_model
        assert plain.scale == "on the scale of its raw output"


def test_the_boosters_of_an_average_are_explained_each_by_itself(make_spec, make_split, make_best):
    from assay.reporting.contributions import contributions_of

    split = make_split(columns=("signal", "noise"))
    spec = make_spec(model={"vote": ["lightgbm", "logistic_regression", "xgboost"], "candidates": ["vote"]})
    best = make_best("vote", **{"lightgbm.n_estimators": 5, "xgboost.n_estimators": 5})
    found = contributions_of(train(split, best, spec).estimator, split.holdout.features, 0)
    assert found.of_model == ()
    assert list(found.of_members) == ["lightgbm", "xgboost"]
    assert all("signal" in each[0].name for each in found.of_members.values())


def test_a_booster_behind_fitted_steps_is_explained(make_spec, make_split, make_best):
    from assay.reporting.contributions import contributions_of

    split = make_split(columns=("signal", "noise"))
    spec = make_spec(features={"steps": [{"clip": {"noise": {"quantiles": [0.1, 0.9]}}}]})
    model = train(split, make_best("lightgbm", n_estimators=10), spec)
    assert "signal" in contributions_of(model.estimator, split.holdout.features, 0).of_model[0].name


def test_a_linear_model_gives_no_contributions(reported):
    assert reported().contributions == ()


def test_a_report_is_read_back_as_written_and_gives_the_same_page(reported):
    report = _decided(reported(best=searched(*(_trial(n) for n in range(3)))), reported.decision())
    again = ModelReport.model_validate_json(report.model_dump_json())
    assert again == report
    assert to_html(again) == to_html(report)


def test_no_row_of_the_data_is_in_a_report_of_a_regression(reported):
    report = reported("regression")
    assert sum(each.rows for each in report.drawings.residuals) == report.evaluation.holdout_rows
    assert all(each.rows > 1 for each in report.drawings.residuals)


def test_threshold_calibration_and_intervals_are_said(reported):
    report = reported()
    value = report.evaluation.metrics["roc_auc"]
    effects = DecisionEffects(threshold=0.37, as_fitted={"roc_auc": value - 0.01})
    interval = IntervalEffects(share=0.9, coverage=0.88, mean_width=2.5)
    page = to_html(
        report.model_copy(
            update={"evaluation": report.evaluation.model_copy(update={"decision": effects, "interval": interval})}
        )
    )
    assert "labelled positive from a probability of 0.37 on" in page
    assert "The intervals that are 2.5 wide on average hold 88.0% of the holdout&#39;s targets (0.9 asked for)." in page
    assert f"{value - 0.01:.4g}</td>" in page.split("What calibration and threshold change")[1]
    assert "labelled as the likeliest class" in to_html(report)
