import pytest

from assay.data.dataset import GateReceipt, require_passed
from assay.errors import GateRejectedError, ReceiptMismatchError


def receipt(**changes):
    return GateReceipt(**{"data_digest": "d" * 64, "rules_digest": "r" * 64, "verdict": "passed", "rows": 3} | changes)


def check(held, data="d" * 64, rules="r" * 64):
    require_passed(held, data_digest=data, rules_digest=rules, where="loans/validated_dataset, 2013-01")


def test_a_passed_receipt_of_the_same_rows_and_rules_is_enough():
    check(receipt())


def test_a_failed_receipt_is_refused_with_the_rules_that_failed():
    with pytest.raises(GateRejectedError, match="no_missing_target") as caught:
        check(receipt(verdict="failed", failed_rules=("no_missing_target",)))

    assert "2013-01" in caught.value.where


def test_a_failed_receipt_is_refused_before_anything_else_is_compared():
    with pytest.raises(GateRejectedError):
        check(receipt(verdict="failed"), data="other", rules="other")


def test_other_rows_are_refused():
    with pytest.raises(ReceiptMismatchError, match="not those that passed"):
        check(receipt(), data="e" * 64)


def test_other_rules_are_refused():
    with pytest.raises(ReceiptMismatchError, match="other rules"):
        check(receipt(), rules="s" * 64)


def test_a_receipt_survives_json():
    held = receipt(verdict="failed", failed_rules=("a", "b"))

    assert GateReceipt.model_validate_json(held.model_dump_json()) == held
