"""The uses of a registered model's holdouts on every store: each challenger counts once, on its own holdout."""

import pytest

from assay.errors import StorageError
from assay.promotion.minimum_effect import HoldoutUse
from resources.holdout_uses import HoldoutUses

NAME = "Überprüfung 1"


def use(holdout="2024-01", rows=100):
    return HoldoutUse(holdout=holdout, rows=rows)


@pytest.fixture
def uses(store):
    return HoldoutUses(store, NAME)


def test_uses_are_those_of_other_challengers(uses):
    uses.add(use(), "a" * 64)
    uses.add(use("2024-02"), "b" * 64)
    uses.add(use(rows=90), "c" * 64)
    assert uses.of_others("2024-01", "a" * 64) == [use(rows=90)]
    assert uses.of_others("2024-01", "d" * 64) == [use(), use(rows=90)]
    assert uses.of_others("2024-02", "a" * 64) == [use("2024-02")]


def test_a_challenger_that_is_compared_again_is_one_use(uses):
    for _ in range(2):
        uses.add(use(), "a" * 64)
    assert uses.of_others("2024-01", "") == [use()]


def test_registered_models_do_not_share_their_uses(store, uses):
    uses.add(use(), "a" * 64)
    assert HoldoutUses(store, f"{NAME}0").of_others("2024-01", "") == []


def test_a_damaged_record_is_named_and_counts_for_nothing_once_it_is_removed(store, uses):
    uses.add(use(), "a" * 64)
    (key,) = [item.key for item in store.list_objects("@holdout_uses/")]
    store.delete(key)
    store.put_if_absent(key, b"{")
    with pytest.raises(StorageError) as refused:
        uses.of_others("2024-01", "")
    assert refused.value.where == store.uri(key)
    store.delete(key)
    assert uses.of_others("2024-01", "") == []
