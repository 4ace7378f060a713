"""A champion that changes while a challenger is compared with it, and a retry after the promotion."""

import pytest
from champions import promote_the_same_files_again
from small_platform import failure

from assay.errors import TrackerUnavailableError
from assay.promotion.champion import ChampionRecord
from ml_assets.assets import champion_model
from resources.mlflow.connection import connect
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.versions import CHAMPION

NO_RETRY = "execution: {max_retries: 0}\n"


@pytest.fixture
def trained(trained_bank):
    path = trained_bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + NO_RETRY)
    return trained_bank


@pytest.fixture
def compared(trained, monkeypatch):
    """Return a function that promotes another version during each of some comparisons, and lists the champions."""
    registry = trained.resources["model_registry"]
    champions, decide = [], champion_model.decide

    def with_changes(times):
        def decides(challenger, champion, *arguments):
            champions.append(champion)
            if len(champions) <= times:
                promote_the_same_files_again(registry, "bank")
            return decide(challenger, champion, *arguments).model_copy(update={"verdict": "promoted"})

        monkeypatch.setattr(champion_model, "decide", decides)
        return champions

    return with_changes


def test_a_champion_that_changed_meanwhile_is_compared_before_anything_is_promoted(trained, compared):
    champions = compared(times=2)
    assert trained.materialize("bank/champion_model").success
    record = trained.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert len(champions) == 3
    assert record.previous_version == "3"


def test_a_champion_that_changes_each_time_is_a_transient_failure(trained, compared):
    champions = compared(times=99)
    assert "[champion_changed]" in failure(trained.materialize("bank/champion_model"))
    assert len(champions) == 4
    newest = str(len(champions) + 1)
    assert str(connect(trained.settings.tracking_uri).get_model_version_by_alias("bank", CHAMPION).version) == newest


def test_a_retry_after_the_promotion_returns_its_decision(bank, monkeypatch):
    """The step failed between the journal and the output; it is not compared with itself."""
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + "execution: {max_retries: 1, backoff_seconds: 0}\n")
    apply, applied = MlflowModelRegistry.apply, []

    def fails_once(registry, comparison, spec):
        record = apply(registry, comparison, spec)
        applied.append(record)
        raise TrackerUnavailableError("the answer was lost")

    monkeypatch.setattr(MlflowModelRegistry, "apply", fails_once)
    result = bank.materialize("bank/*")
    assert result.success, failure(result)
    assert bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord) == applied[0]
    assert len(applied) == 1
    (entry,) = bank.resources["model_registry"].journal("bank").history().entries
    assert entry.run_id == result.run_id


@pytest.mark.full
def test_each_further_challenger_is_one_more_decision_on_the_holdout_and_the_same_one_is_none(trained_bank):
    def decided(strength):
        given = {"tuning": {"enabled": False}, "hyperparameters": {"C": strength}}
        learning = ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")
        result = trained_bank.materialize(*(f"bank/{name}" for name in learning), parameters=given)
        assert result.success, failure(result)
        return trained_bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord).decision

    assert [decided(strength).required.decisions for strength in (1e-5, 2e-5, 2e-5, 1e-5, 3e-5)] == [1, 2, 2, 2, 3]
    repeated = decided(4e-5)
    assert repeated.verdict == "kept_champion"
    assert "as decision 4 on this holdout" in repeated.reason
