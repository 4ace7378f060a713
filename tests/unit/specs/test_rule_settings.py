import json

import pytest

from assay.errors import SpecError
from assay.specs.loading import parse_pipeline
from assay.specs.rules import RULES

REQUIRED = {name for name, rule in RULES.items() if rule.required}


def load(**validation):
    text = "name: loans\ntask: regression\ndataset: {source: a.csv, target: y}\n"
    return parse_pipeline(text + f"validation: {json.dumps(validation)}", where="loans.yaml").validation


@pytest.mark.parametrize("place", ["warn", "block"])
def test_an_unknown_rule_is_refused_with_a_hint(place):
    with pytest.raises(SpecError, match="did you mean 'values_in_range'") as refused:
        load(**{place: ["values_in_rnage"]})
    assert "loans.yaml:4" in refused.value.where


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_rule_that_training_relies_on_cannot_merely_warn(name):
    with pytest.raises(SpecError, match="does not say so"):
        load(warn=[name])
    assert load(block=[name]).block == (name,)


def test_every_other_rule_can_warn_or_block_and_not_both():
    for name in set(RULES) - REQUIRED:
        assert load(warn=[name]).warn == load(block=[name]).block == (name,)
    with pytest.raises(SpecError, match="both warn and block"):
        load(warn=["values_allowed"], block=["values_in_range", "values_allowed"])


@pytest.mark.parametrize(
    "rules",
    [
        {"matches": {"code": "("}},
        {"freshness": {"column": "t"}},
        {"freshness": {"column": "t", "max_age_hours": 0}},
        {"distributions": {"max_effect": 1.5}},
        {"distributions": {"false_discovery_rate": 0}},
        {"conditional": [{"when": "a > 0"}]},
        {"conditional": [{"when": "", "then": "a > 0"}]},
    ],
)
def test_settings_that_make_no_sense_are_refused_at_load(rules):
    with pytest.raises(SpecError):
        load(**rules)


def test_the_settings_are_read_as_written():
    rules = load(
        matches={"code": "[A-Z]+"},
        finite=["x"],
        distributions={"columns": ["x"], "reference": "2013-01"},
        freshness={"column": "t", "max_age_hours": 48},
    )
    assert rules.finite == rules.distributions.columns == ("x",)
    assert rules.freshness.max_future_hours == 24
    assert load(finite=True, distributions={}).distributions.columns == "auto"
