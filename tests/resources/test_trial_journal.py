"""The journal of a search, in every object store."""

import numpy as np
import pytest

from assay.learning.tuning.journal import JournalEntry
from assay.learning.tuning.trials import Measurement
from assay.results.search_result import TrialRecord
from resources.artifacts.trial_journal import StoredTrialJournal

ASSET = ("bank", "best_hyperparameters")


def entry(number, value=0.7):
    record = TrialRecord(number=number, state="complete", family="ridge", parameters={"alpha": value}, value=value)
    return JournalEntry(record, Measurement("complete", value, predicted=np.array([value, 1.0])), (value,))


@pytest.fixture
def journal(store):
    return lambda partition=None, basis="b1": StoredTrialJournal(store, ASSET, partition, basis)


def numbers(found):
    return [each.record.number for each in found]


def test_trials_come_back_in_the_order_in_which_they_ended(journal):
    first = journal()
    assert first.entries() == []
    for number in (0, 2, 1):
        first.append(entry(number))
    assert numbers(journal().entries()) == [0, 2, 1]
    np.testing.assert_array_equal(journal().entries()[0].measured.predicted, [0.7, 1.0])


def test_a_resumed_search_goes_on_behind_the_trials_it_found(journal):
    journal().append(entry(0))
    resumed = journal()
    resumed.entries()
    resumed.append(entry(1))
    assert numbers(journal().entries()) == [0, 1]


def test_trials_of_other_rows_and_partitions_are_not_read(journal):
    journal("2024-01", "b1").append(entry(0))
    assert journal("2024-01", "b2").entries() == []
    assert journal("2024-02", "b1").entries() == []


def test_a_finished_search_leaves_nothing_of_its_partition(journal, store):
    for partition, basis in (("2024-01", "b1"), ("2024-01", "b2"), ("2024-02", "b1")):
        journal(partition, basis).append(entry(0))
    journal("2024-01", "b1").clear()
    assert journal("2024-01", "b2").entries() == []
    assert numbers(journal("2024-02", "b1").entries()) == [0]
    assert len(list(store.list_objects("bank/"))) == 1


def test_a_trial_that_another_run_has_kept_stays(journal):
    one, other = journal(), journal()
    one.append(entry(0, 0.7))
    other.append(entry(0, 0.8))
    assert [each.record.value for each in journal().entries()] == [0.7]
