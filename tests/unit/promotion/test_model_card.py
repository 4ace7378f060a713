import re

import pytest

from assay.learning.evaluation.evaluating import evaluate
from assay.learning.training import train
from assay.promotion.decision import decide
from assay.promotion.model_card import render


@pytest.fixture
def card(make_spec, make_split, make_best):
    def build(task="binary_classification", family="logistic_regression", **parts):
        split, spec = make_split(task), make_spec(task, **parts)
        model = train(split, make_best(family), spec).annotated(git_sha="abc123")
        report = evaluate(model, split, spec)
        return render(model, report, decide(model, None, split, report, spec), spec)

    return build


def test_a_card_has_every_section_in_order(card):
    text = card(description="Who will come back.")
    heads = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        "Intended use",
        "Data",
        "Features",
        "Model",
        "Evaluation",
        "Promotion",
        "Warnings",
        "Limits",
        "Reproducibility",
    ]
    assert text.startswith("# demo\n")
    assert "Who will come back." in text


def test_a_card_states_data_unused_columns_digests_and_versions(card):
    text = card()
    assert "| `row_id` | identifier |" in text
    assert f"`{'d' * 64}`" in text
    assert f"`{'h' * 64}`" in text
    assert "| git sha | `abc123` |" in text
    assert "scikit-learn" in text
    assert "`yes` is the positive one" in text


def test_a_card_sets_the_model_beside_the_baseline_and_the_bound(card):
    text = card(evaluation={"minimum": {"roc_auc": 0.6}})
    row = next(line for line in text.splitlines() if "| `roc_auc` |" in line)
    assert row.endswith("| 0.5 | 0.6 |")
    value, low, high = (float(each) for each in re.findall(r"0\.\d+", row)[:3])
    assert low < value < high
    assert f"= {value:g} ({low:g} to {high:g}; baseline 0.5)" in text


def test_slices_and_their_uncertainty_are_reported(card):
    text = card(evaluation={"slices": ["colour"]})
    assert "(missing)" in text
    assert "fewer than 100 rows" in text


def test_a_card_lists_what_each_safeguard_found(card):
    text = card(evaluation={"minimum": {"roc_auc": 0.6}})
    assert "| Safeguard | Verdict | Found |" in text
    assert any(line.startswith("| minimum | passed | roc") for line in text.splitlines())


def test_the_same_model_gives_the_same_card(card):
    assert card("regression", "ridge") == card("regression", "ridge")


def test_a_card_without_a_decision_claims_none(make_spec, make_split, make_best):
    split, spec = make_split(), make_spec()
    model = train(split, make_best("logistic_regression"), spec)
    card = render(model, evaluate(model, split, spec), None, spec)
    assert "| Verdict | no decision |" in card
    assert "## Promotion\n\nNot compared with a champion." in card


def test_a_card_shows_no_signature_of_a_source(card):
    """A signed URL in a pipeline file came to stand in the card, so in MLflow's and Dagster's databases."""
    text = card(dataset={"source": "https://h.example.org/rows.csv?sig=hunter2&se=1"})
    assert "rows.csv" in text
    assert "hunter2" not in text
