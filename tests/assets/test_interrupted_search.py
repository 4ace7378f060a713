"""A run that ends in the middle of a search; the next one goes on."""

from assay.learning.tuning.trials import TrialRunner
from assay.results.search_result import BestHyperparameters


class Ended(BaseException):
    """The run's process ends here."""


def test_the_next_run_of_an_interrupted_search_runs_the_rest_of_its_trials(bank, monkeypatch):
    assert bank.materialize("bank/raw_dataset,bank/validated_dataset").success
    measure, ran = TrialRunner.measure, []

    def ending(self, *given):
        if len(ran) == 2:
            raise Ended
        ran.append(given[1])
        return measure(self, *given)

    monkeypatch.setattr(TrialRunner, "measure", ending)
    assert not bank.materialize("bank/best_hyperparameters").success
    kept = [each.key for each in bank.artifacts.store.list_objects("bank/best_hyperparameters/@whole/trials/")]
    assert len(kept) == 2
    monkeypatch.setattr(TrialRunner, "measure", lambda self, *given: ran.append(given[1]) or measure(self, *given))
    assert bank.materialize("bank/best_hyperparameters").success
    best = bank.artifacts.load(("bank", "best_hyperparameters"), None, BestHyperparameters)
    assert len(ran) == len(best.trials) == 3, "two before, one after"
    assert [trial.parameters for trial in best.trials] == ran
    assert not list(bank.artifacts.store.list_objects("bank/best_hyperparameters/@whole/trials/"))
