"""A search of rows split by time begins with what the search of the partition before found."""

import pytest
from small_platform import failure

from assay.results.search_result import BestHyperparameters

SEARCHED = ("tuning: {enabled: false}", "tuning: {n_trials: 3TUNING}")


@pytest.fixture
def found(gated_months):
    """Return a function that searches two months in turn, and gives the results."""
    path = gated_months.settings.pipelines_dir / "monthly.yaml"
    text = path.read_text()

    def run(tuning=""):
        path.write_text(text.replace(SEARCHED[0], SEARCHED[1].replace("TUNING", tuning)))
        for month in ("2021-02", "2021-03"):
            result = gated_months.materialize("monthly/best_hyperparameters", partition=month)
            assert result.success, failure(result)
        key = ("monthly", "best_hyperparameters")
        metadata = result.asset_materializations_for_node("monthly__best_hyperparameters")[0].metadata
        results = [gated_months.artifacts.load(key, each, BestHyperparameters) for each in ("2021-02", "2021-03")]
        return *results, metadata

    return run


def test_the_best_of_the_partition_before_is_the_first_trial(found):
    first, second, metadata = found()
    assert first.begun_with == ""
    assert second.begun_with == metadata["begins with the best of"].value == "2021-02"
    assert second.trials[0].parameters == first.parameters != first.trials[0].parameters
    assert len(second.trials) == 3


def test_it_can_be_switched_off(found):
    first, second, metadata = found(", begin_with_previous: false")
    assert (second.begun_with, "begins with the best of" in metadata) == ("", False)
    assert second.trials[0].parameters == first.trials[0].parameters
