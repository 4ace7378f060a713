"""A champion that comes into force while a candidate is being judged."""

import pytest
from small_platform import failure

from assay.promotion.champion import ChampionRecord
from ml_assets.assets import champion_model
from resources.mlflow.connection import connect
from resources.mlflow.registry import CHAMPION

NO_RETRY = "execution: {max_retries: 0}\n"


@pytest.fixture
def judged(bank, monkeypatch):
    """Return a function that lets another version become champion after each of some judgements; counts them."""
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + NO_RETRY)
    assert bank.materialize("bank/*").success
    client = connect(bank.settings.tracking_uri)
    first = client.get_model_version("bank", "1")
    met, decide = [], champion_model.decide

    def with_changes(times):
        def decides(candidate, champion, *arguments):
            met.append(champion)
            if len(met) <= times:
                other = client.create_model_version("bank", source=first.source, tags=dict(first.tags))
                client.set_registered_model_alias("bank", CHAMPION, other.version)
            return decide(candidate, champion, *arguments).model_copy(update={"verdict": "promoted"})

        monkeypatch.setattr(champion_model, "decide", decides)
        return met

    return with_changes


def test_a_champion_that_changed_meanwhile_is_met_before_anything_is_promoted(bank, judged):
    met = judged(times=2)
    assert bank.materialize("bank/champion_model").success
    record = bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert len(met) == 3
    assert record.previous_version == "3"


def test_a_champion_that_changes_again_and_again_is_a_failure_that_passes(bank, judged):
    met = judged(times=99)
    told = failure(bank.materialize("bank/champion_model"))
    assert "[champion_changed]" in told
    assert len(met) == 4
    newest = str(len(met) + 1)
    assert str(connect(bank.settings.tracking_uri).get_model_version_by_alias("bank", CHAMPION).version) == newest
