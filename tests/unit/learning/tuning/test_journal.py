"""A search that was killed goes on from its journal, and ends as if it had not been."""

import numpy as np
import pytest
from memory_journal import Killed, KilledAfter, MemoryJournal

from assay.learning.tuning.journal import JournalEntry, decoded, encoded
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.trials import Measurement
from assay.results.search_result import TrialRecord

SPACE = {
    "C": {"type": "float", "low": 0.01, "high": 10.0, "log": True},
    "num_leaves": {"type": "int", "low": 2, "high": 30},
}
PARTS = {
    "model": {"candidates": ["lightgbm", "logistic_regression"]},
    "tuning": {"n_trials": 9, "folds": 2, "search_space": SPACE},
}


UNCORRECTED = {"n_trials": 2, "folds": 2, "recalibrate": False}


@pytest.fixture
def search(make_spec, rows, features):
    def run(journal=None, progress=None, **parts):
        spec = make_spec(**{**PARTS, **parts})
        known = {"features": features, "groups": None, "classes": (False, True)}
        return find_best_hyperparameters(rows, spec, progress=progress, journal=journal, **known)

    return run


def result(best):
    return best.model_dump(exclude={"trials": {"__all__": {"seconds"}}})


@pytest.mark.parametrize("trials", [1, *(pytest.param(n, marks=pytest.mark.full) for n in range(2, 9)), 9])
def test_a_search_killed_after_any_trial_ends_as_one_that_was_not(search, trials):
    journal, ran = KilledAfter(trials), []
    with pytest.raises(Killed):
        search(journal)
    resumed = MemoryJournal(journal.kept)
    best = search(resumed, progress=ran.append)
    assert result(best) == result(search())
    assert [record.number for record in ran] == list(range(trials, 9)), "no trial is run twice"
    assert (resumed.kept, resumed.cleared) == ([], 1)


def test_a_journal_of_another_version_is_left_and_the_search_begins_anew(search, caplog):
    journal = MemoryJournal()
    other = TrialRecord(number=0, state="complete", family="lightgbm", parameters={"num_leaves": 3}, value=0.7)
    journal.append(JournalEntry(other, Measurement("complete", 0.7), (0.7, 0.7)))
    assert result(search(journal)) == result(search())
    assert "begins anew" in caplog.text


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ({}, True),
        ({"model": {"candidates": ["logistic_regression"]}, "tuning": {"n_trials": 2, "folds": 2}}, True),
        ({"model": {"candidates": ["logistic_regression"]}, "tuning": UNCORRECTED}, False),
        ({"training": {"scenario": "incremental"}}, False),
    ],
)
def test_predictions_are_kept_only_where_an_average_or_a_correction_may_follow(search, parts, kept):
    journal = KilledAfter(1)
    with pytest.raises(Killed):
        search(journal, **parts)
    assert (journal.entries()[0].measured.predicted is not None) is kept


@pytest.mark.parametrize("predicted", [None, np.array([0.1, 1 / 3, np.pi]), np.array([[0.1, 0.9], [1 / 3, 2 / 3]])])
def test_an_entry_comes_back_to_the_last_bit(predicted):
    record = TrialRecord(number=3, state="complete", family="ridge", parameters={"alpha": 1 / 3, "n": None}, value=0.1)
    entry = JournalEntry(record, Measurement("complete", 0.1, "", {"n": 7}, 1 / 7, predicted), (0.2, 1 / 3))
    back = decoded(encoded(entry))
    assert (back.record, back.means, back.measured.found) == (record, entry.means, {"n": 7})
    assert (back.measured.state, back.measured.value, back.measured.refit_seconds) == ("complete", 0.1, 1 / 7)
    if predicted is None:
        assert back.measured.predicted is None
    else:
        np.testing.assert_array_equal(back.measured.predicted, predicted)
        assert back.measured.predicted.dtype == np.float64
