"""The tables at the end of commands and runs, compared with files; `UPDATE_SNAPSHOTS=1` writes them anew."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.data.dataset import GateReceipt, GateWarning
from assay.gate.report import FailureRow, GateReport, RuleResult
from assay.promotion.champion import ChampionRecord
from assay.promotion.comparison import ComparedValues
from assay.promotion.decision import PromotionDecision
from assay.results.evaluation_report import EvaluationReport
from assay.results.recalibration import Recalibration
from assay.results.search_result import BestHyperparameters, Tie, TrialRecord
from assay.shell.file_summaries import ingested, predicted
from assay.shell.summary import (
    Fact,
    Summary,
    champion_text,
    decision_facts,
    failure_facts,
    gate_facts,
    metric_rows,
    missing_facts,
    parameters_text,
    rows_note,
    search_facts,
)
from assay.shell.terminal import plain_lines
from assay.specs.dataset import CsvDialect
from assay.specs.pipeline import Task

SNAPSHOTS = Path(__file__).parent / "snapshots"
REPORT = EvaluationReport(
    pipeline="bank",
    task=Task.BINARY,
    family="lightgbm",
    primary_metric="roc_auc",
    greater_is_better=True,
    holdout_rows=200,
    holdout_digest="h",
    metrics={"accuracy": 0.8, "roc_auc": 0.81234},
    intervals={"roc_auc": (0.78, 0.84)},
    baseline={"roc_auc": 0.5},
    missing_metrics={"log_loss": "no probabilities"},
    doubts=("one column keeps the skill",),
)
DECISION = PromotionDecision(
    verdict="promoted",
    reason="Promoted: roc_auc went from 0.79 to 0.81.",
    metric="roc_auc",
    challenger_value=0.81,
    values=(ComparedValues(rows=150, champion={"roc_auc": 0.79}, challenger={"roc_auc": 0.81}),),
)
BEST = BestHyperparameters(
    family="lightgbm",
    parameters={"learning_rate": 0.0456789, "num_leaves": 31},
    metric="roc_auc",
    direction="maximize",
    value=0.805,
    searched=True,
    stopped_by="n_trials",
    trials=(
        TrialRecord(number=0, state="complete", family="lightgbm", parameters={}, value=0.805),
        TrialRecord(number=1, state="failed", family="ridge", parameters={}, reason="singular"),
    ),
    seed=1,
)


def record(**changes):
    return ChampionRecord(pipeline="bank", registered_name="bank_model", decision=DECISION, version="3", **changes)


def receipt(verdict="passed", **changes):
    return GateReceipt(data_digest="d", rules_digest="r", verdict=verdict, rows=12_345, **changes)


def same_as_stored(name, summary):
    text, path = "\n".join(plain_lines(summary)) + "\n", SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_tie_is_said_with_the_difference_and_its_error():
    tie = Tie(family="random_forest", difference=0.0021, share=0.57)
    facts = [fact.text for fact in search_facts(BEST.model_copy(update={"tie": tie}))]
    assert any("random_forest is better by 0.0021" in text and "better in 57% of" in text for text in facts)
    worse = BEST.model_copy(update={"tie": tie.model_copy(update={"difference": -0.0021})})
    assert "random_forest is worse by 0.0021 than" in worse.tie_text
    assert not any("resamples" in fact.text for fact in search_facts(BEST))


def test_a_correction_of_probabilities_is_a_fact_of_the_search():
    found = Recalibration(curves=((-0.5, 0.3),), log_loss_before=0.61111, log_loss_after=0.3756)
    facts = [fact.text for fact in search_facts(BEST.model_copy(update={"recalibration": found}))]
    assert facts[-1].endswith("lowers the log loss of validation rows from 0.6111 to 0.3756")
    assert not any("corrected" in fact.text for fact in search_facts(BEST))


def test_a_trained_and_promoted_model():
    warned = receipt(warnings=(GateWarning(rule="no_suspected_leakage", column="age", found="predicts nearly alone"),))
    champion = record(previous_version="2")
    facts = (*gate_facts(warned), *search_facts(BEST), *missing_facts(REPORT), *decision_facts(champion))
    same_as_stored(
        "promoted",
        Summary(
            "bank 2021-03",
            facts,
            metric_rows(REPORT, DECISION),
            rows_note(REPORT, DECISION),
            (Fact("run", "http://localhost:3000/runs/1"),),
        ),
    )


def test_refused_rows():
    failures = (FailureRow(column="age", expected="at most 110", found="values outside", count=2, row_numbers=(1, 2)),)
    rules = (
        RuleResult(name="values_in_range", passed=False, configured=True, severity="ERROR", observed="", expected="",
                   failures=failures),
        RuleResult(name="rows_not_repeated", passed=False, configured=True, severity="WARN", observed="", expected="",
                   failures=failures),
    )  # fmt: skip
    report = GateReport(
        pipeline="bank", partition="", where="x", rows_read=300, rows_dropped=0, rows_judged=300, passed=False,
        rules=rules, profile=(),
    )  # fmt: skip
    facts = (*gate_facts(receipt("failed", failed_rules=("values_in_range",))), *failure_facts(report))
    same_as_stored("refused", Summary("bank, judged", facts))


def test_a_decision_that_waits_names_the_commands_and_leaves_the_champion():
    waiting = DECISION.model_copy(update={"verdict": "needs_approval", "reason": "Needs approval: one column."})
    facts = decision_facts(record(proposed_version="4").model_copy(update={"decision": waiting}))
    same_as_stored("waiting", Summary("bank", tuple(facts)))


@pytest.mark.parametrize(
    ("changes", "promotes", "text"),
    [
        ({}, True, "bank_model version 3, where there was none"),
        ({"previous_version": "2"}, True, "bank_model version 3, in place of version 2"),
        ({}, False, "bank_model version 3, as before"),
    ],
)
def test_the_champion_is_new_only_after_a_promotion(changes, promotes, text):
    decision = DECISION if promotes else DECISION.model_copy(update={"verdict": "kept_champion"})
    assert champion_text(record(**changes).model_copy(update={"decision": decision})) == text


def test_without_a_champion_the_text_says_so():
    assert champion_text(record().model_copy(update={"version": None})) == "bank_model has none"


def test_an_experiment_names_the_comparison_with_production():
    facts = {each.name: each.text for each in decision_facts(record(against_production=DECISION))}
    assert facts["in production"] == "compared with no champion: Promoted: roc_auc went from 0.79 to 0.81."
    facts = {
        each.name: each.text for each in decision_facts(record(against_production=DECISION, production_version="7"))
    }
    assert facts["in production"].startswith("compared with version 7: ")


def test_the_primary_metric_is_first_and_the_champion_is_beside_it_on_its_rows():
    first, second = metric_rows(REPORT, DECISION)
    assert first.cells() == ("roc_auc", "0.8123", "0.78 to 0.84", "0.5", "0.79 (model 0.81)")
    assert second.cells() == ("accuracy", "0.8", "", "", "")


def test_on_the_whole_holdout_the_models_value_is_not_said_twice():
    whole = ComparedValues(rows=200, champion={"roc_auc": 0.79}, challenger={"roc_auc": 0.81234})
    decision = DECISION.model_copy(update={"values": (whole,)})
    assert metric_rows(REPORT, decision)[0].cells()[-1] == "0.79"
    assert rows_note(REPORT, decision) == ""


def test_many_warnings_and_parameters_are_counted():
    many = tuple(GateWarning(rule="unique", column=str(number), found="x") for number in range(8))
    facts = list(gate_facts(receipt(warnings=many)))
    assert facts[0].text == "passed 12,345 rows, with 8 warnings"
    assert facts[-1].text == "and 3 more, in the gate's report"
    assert parameters_text({f"p{number}": number for number in range(14)}).endswith("p11 11, and 2 more")
    assert parameters_text({}) == "the family's own defaults"


def test_a_trial_that_the_time_bound_ended_is_one_without_a_score():
    stopped = BEST.trials[0].model_copy(update={"state": "stopped", "value": None})
    facts = list(search_facts(BEST.model_copy(update={"trials": (BEST.trials[0], stopped)})))
    assert facts[2].text.startswith("2 trials, 1 of them without a score; best ")


def test_values_that_nothing_searched_are_not_called_found():
    facts = list(search_facts(BEST.model_copy(update={"searched": False})))
    assert facts[-1] == Fact("search", "nothing was searched")


SCHEMA = {
    "rows": 1_234_567,
    "columns": [{"name": f"c{number}", "dtype": "int64"} for number in range(13)],
    "dialect": CsvDialect(delimiter=";", decimal=",", header=False, null_words=("NA",)).model_dump(mode="json"),
}


def test_a_file_that_was_read():
    same_as_stored("ingested", ingested("data/rows.csv", SCHEMA, "out/rows.parquet", "out/rows.schema.json"))


def test_files_that_were_predicted():
    manifest = SimpleNamespace(family="lightgbm", pipeline="bank", target="y", partition="2021-01")
    found = predicted("models:/bank@champion", manifest, 1_234, ["id", "prediction"], "out/predictions.parquet")
    same_as_stored("predicted", found)


def test_no_row_was_predicted():
    manifest = SimpleNamespace(family="lightgbm", pipeline="bank", target="y", partition=None)
    facts = {each.name: each.text for each in predicted("model", manifest, 0, [], "out.parquet").facts}
    assert facts == {"rows": "0", "model": "model: lightgbm of pipeline bank"}
