"""The identity of the rules a receipt stands for."""

import importlib
import sys

import pytest

from assay.data.dataset import require_passed
from assay.errors import ReceiptMismatchError
from assay.gate.gate import rules_digest

RULE = "def holds(rows):\n    return rows['x'] > {bound}\n"


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Write and import the module `own_rule_module`; call it again to edit it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(bound):
        (tmp_path / "own_rule_module.py").write_text(RULE.format(bound=bound))
        sys.modules.pop("own_rule_module", None)
        importlib.invalidate_caches()

    yield write
    sys.modules.pop("own_rule_module", None)


def test_without_custom_rules_it_is_the_specs(make_spec):
    spec = make_spec()
    assert rules_digest(spec) == spec.rules_digest


def test_editing_a_rule_of_the_users_own_changes_it(make_spec, own_module):
    spec = make_spec(custom={"positive": "own_rule_module:holds"})
    own_module(0)
    first = rules_digest(spec)
    assert rules_digest(spec) == first
    own_module(1)
    assert rules_digest(spec) != first


@pytest.mark.parametrize("path", ["no_such_module:holds", "builtins:len"])
def test_a_rule_without_source_has_one_too(make_spec, path):
    assert len(rules_digest(make_spec(custom={"odd": path}))) == 64


SCHEMA = "import pandera.pandas as pandera\n\nSchema = pandera.DataFrameSchema({{'x': pandera.Column(checks=pandera.Check.gt({bound}))}})\n"


def test_editing_a_pandera_schema_changes_it(make_spec, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    spec = make_spec(pandera_schema="own_schema_module:Schema")
    digests = set()
    for bound in (0, 1):
        (tmp_path / "own_schema_module.py").write_text(SCHEMA.format(bound=bound))
        sys.modules.pop("own_schema_module", None)
        importlib.invalidate_caches()
        digests |= {rules_digest(spec), rules_digest(spec)}
    sys.modules.pop("own_schema_module", None)
    assert len(digests) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"warn": ["values_in_range"]},
        {"block": ["distributions_as_reference"]},
        {"matches": {"x": "a"}},
        {"expressions": {"e": "x > 0"}},
        {"distributions": {}},
        {"finite": True},
    ],
)
def test_every_setting_of_a_rule_is_part_of_it(make_spec, change):
    assert rules_digest(make_spec(**change)) != rules_digest(make_spec())


def test_a_rule_that_warns_now_makes_receipts_of_when_it_blocked_void(gate, make_spec):
    receipt = gate({"x": [1, 2, 3, 4]}).receipt
    with pytest.raises(ReceiptMismatchError):
        require_passed(
            receipt,
            data_digest=receipt.data_digest,
            rules_digest=rules_digest(make_spec(warn=["values_in_range"])),
            where="here",
        )
