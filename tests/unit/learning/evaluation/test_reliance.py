"""A holdout is doubted where a model's skill rests on one or two columns, or on what the gate suspects."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from assay.data.dataset import GateWarning
from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.splitting import LabelledRows
from assay.learning.training import train
from assay.promotion.decision import decide
from assay.promotion.model_card import render
from assay.specs.dataset import ColumnRole

ROWS = 900


def table(*leaks, task="binary_classification"):
    """Five honest columns with an AUC of about 0.75 together, and leaks by their noise."""
    rng = np.random.default_rng(4)
    honest = pd.DataFrame(rng.normal(size=(ROWS, 5))).add_prefix("x")
    score = honest[["x0", "x1"]].sum(axis=1) + rng.logistic(0, 1, ROWS)
    y = score if task == "regression" else pd.Series(np.where(score > 0, "yes", "no").astype(object))
    numbers = score if task == "regression" else (score > 0).astype(float)
    for place, noise in enumerate(leaks):
        honest[f"leak{place}"] = numbers + rng.normal(0, noise, ROWS)
    return honest, y.rename("y")


@pytest.fixture
def judged(make_split, make_spec, make_best):
    def judge(frame, y, *, task="binary_classification", warnings=(), trusted=()):
        spec = make_spec(task, validation={"sentinel": {"trusted": list(trusted)}})
        columns = tuple(ColumnSchema(name=name, dtype="float64", role=ColumnRole.NUMERIC) for name in frame)
        parts = slice(None, 600), slice(600, None)
        sides = [LabelledRows(frame[at].reset_index(drop=True), y[at].reset_index(drop=True)) for at in parts]
        split = replace(
            make_split(task), train=sides[0], holdout=sides[1], features=TableSchema(version=1, columns=columns)
        )
        model = train(split, make_best("ridge" if task == "regression" else "logistic_regression"), spec)
        report = evaluate(model, split, spec, warnings=warnings)
        decision = decide(model, None, split, report, spec)
        return report, decision, render(model, report, decision, spec)

    return judge


def test_one_column_that_carries_the_skill_waits_for_a_person(judged):
    report, decision, card = judged(*table(0.25))

    assert decision.verdict == "needs_approval"
    assert "leak0 of 6 columns carry nearly all of the skill" in report.doubts[0]
    assert report.doubts[0] in decision.reason
    assert "The holdout may be too good: leak0 of 6" in card


def test_so_do_two(judged):
    report, decision, _ = judged(*table(0.5, 0.5))

    assert decision.verdict == "needs_approval"
    assert "leak0" in report.doubts[0]
    assert "leak1" in report.doubts[0]


@pytest.mark.parametrize("leaks", [(), (0.9,)])
def test_honest_columns_are_promoted(judged, leaks):
    report, decision, card = judged(*table(*leaks))

    assert (report.doubts, decision.verdict) == ((), "promoted")
    assert "nothing says that the holdout is too good" in card


def test_a_reviewed_column_may_carry_everything(judged):
    assert judged(*table(0.25), trusted=["leak0"])[1].verdict == "promoted"


def warning(column, *, holds=True, rule="no_suspected_leakage", conclusive=False):
    return GateWarning(rule=rule, column=column, found="predicts the target alone", holds=holds, conclusive=conclusive)


@pytest.mark.parametrize("task", ["binary_classification", "regression"])
def test_what_the_gate_suspects_counts_where_the_model_relies_on_it(judged, task):
    frame, y = table(0.4, task=task)
    report, decision, card = judged(frame, y, task=task, warnings=[warning("leak0")])

    assert decision.verdict == "needs_approval"
    assert report.doubts[0].startswith("the model relies on leak0")
    assert "| `no_suspected_leakage` | `leak0` | predicts the target alone |" in card


@pytest.mark.parametrize("found", [warning("x4"), warning("x0", holds=False)])
def test_what_it_does_not_rely_on_stands_in_the_card_alone(judged, found):
    report, decision, card = judged(*table(), warnings=[found])

    assert (report.doubts, decision.verdict) == ((), "promoted")
    assert f"`{found.column}` | predicts the target alone" in card


def test_rows_that_are_copies_make_any_holdout_doubtful(judged):
    found = warning("", rule="rows_not_repeated")

    assert judged(*table(), warnings=[found])[1].verdict == "needs_approval"


def test_two_columns_that_tell_only_together_are_found(judged):
    frame, y = table()
    rng = np.random.default_rng(6)
    mask = rng.normal(0, 2, ROWS)
    frame = frame.assign(sent=mask, got=mask + (y == "yes") + rng.normal(0, 0.1, ROWS))
    report, decision, _ = judged(frame, y)

    assert decision.verdict == "needs_approval"
    assert "sent" in report.doubts[0]
    assert "got" in report.doubts[0]


def test_a_conclusive_sign_counts_though_the_model_does_without_and_in_few_rows(judged):
    frame, y = table()
    found = warning("x4", conclusive=True)
    report, decision, _ = judged(frame, y, warnings=[found])
    few = judged(frame[:615], y[:615], warnings=[found])[0]

    assert decision.verdict == "needs_approval"
    assert report.doubts == few.doubts == ("x4 predicts the target alone: it holds the target by itself",)
    assert judged(frame, y, warnings=[found], trusted=["x4"])[0].doubts == ()


def test_what_the_gate_suspects_counts_in_a_small_holdout(judged):
    frame, y = table(0.4)

    assert judged(frame[:660], y[:660], warnings=[warning("leak0")])[0].doubts


def test_three_suspects_of_which_each_could_be_spared_are_tried_together(judged):
    frame, y = table(0.7, 0.7, 0.7)
    found = [warning(name) for name in ("leak0", "leak1", "leak2")]

    assert judged(frame, y, warnings=found)[0].doubts
