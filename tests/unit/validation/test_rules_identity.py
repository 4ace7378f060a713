"""The identity of the rules a receipt stands for."""

import importlib
import sys

import pytest

from assay.validation.rules_identity import rules_digest

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
