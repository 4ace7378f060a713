"""`promotion.below_minimum: retry`: a missed minimum starts one longer search, which then ends with a notification."""

import pytest
from small_platform import failure

from assay.results.search_result import BestHyperparameters
from ml_assets.assets.evaluation_report import GAVE_UP_CHECK
from ml_assets.notifications.sensor import notifications_of
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.automation import RETRY_CHECK
from ml_assets.stages import names_in

LEARNING = tuple(f"bank/{name}" for name in names_in(Phase.LEARNING))


@pytest.fixture
def unreachable(bank):
    """A platform whose minimum no model reaches."""
    path = bank.settings.pipelines_dir / "bank.yaml"
    retry = "evaluation: {minimum: {roc_auc: 0.9999}}\npromotion: {below_minimum: retry, retry_factor: 4}\n"
    path.write_text(path.read_text().replace("n_trials: 3", "n_trials: 2") + retry)
    result = bank.materialize(*[f"bank/{name}" for name in names_in(Phase.INGESTION)])
    assert result.success, failure(result)
    return bank


def learn(platform, **parameters):
    """Return trials and times of the search, which of the two checks passed, and what a notification says of it."""
    result = platform.materialize(*LEARNING, parameters=parameters or None)
    assert not result.success
    best = platform.artifacts.load(("bank", "best_hyperparameters"), None, BestHyperparameters)
    passed = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    found = notifications_of(platform.instance, result.run_id, failed=True, ui_url="http://ui")
    gave_up = [each for each in found if str(each.kind) == "below_minimum"]
    return len(best.trials), best.search_factor, passed[RETRY_CHECK], passed[GAVE_UP_CHECK], gave_up


def test_a_missed_minimum_asks_for_one_longer_search_and_then_gives_up(unreachable):
    assert learn(unreachable) == (2, 1, False, True, [])
    trials, factor, no_more, reached, [notification] = learn(unreachable)
    assert (trials, factor, no_more, reached) == (8, 4, True, False)
    assert notification.title == "bank: the model misses a minimum, also after a longer search"
    assert "roc_auc" in notification.lines[0]
    assert learn(unreachable)[:4] == (8, 4, True, False), "a further run starts none"


@pytest.mark.full
def test_a_run_with_other_parameters_starts_no_longer_search(unreachable):
    assert learn(unreachable, hyperparameters={"C": 0.5})[1:3] == (1, True)
    assert learn(unreachable)[1:3] == (1, False), "the pipeline itself has its first search"


@pytest.mark.full
def test_an_edited_pipeline_has_its_first_search_again(unreachable):
    learn(unreachable)
    path = unreachable.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text().replace("n_trials: 2", "n_trials: 3"))
    assert learn(unreachable)[:3] == (3, 1, False)
