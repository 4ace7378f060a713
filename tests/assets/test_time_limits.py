"""A step that takes longer than its limit is ended, and its error says so."""

import signal
import time
import types

import pytest
from small_platform import failure

from ml_assets.supervision import time_limit
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources

MONTHS = ("2020-12", "2021-01", "2021-02")


@pytest.fixture
def limited_months(monthly):
    """Twenty seconds for making raw rows, of the months whose data there is."""
    path = monthly.settings.pipelines_dir / "monthly.yaml"
    path.write_text(path.read_text() + "execution: {timeout_minutes: {raw_dataset: 0.3333}}\n")
    return monthly


@pytest.fixture
def each_publishing(monkeypatch):
    """Return a function that lets something happen when a partition is published, before it is."""

    def meanwhile(act):
        works = ArtifactStore.publish

        def publish(store, *arguments, **options):
            act(store, *arguments, **options)
            return works(store, *arguments, **options)

        monkeypatch.setattr(ArtifactStore, "publish", publish)

    return meanwhile


@pytest.fixture
def limited(bank):
    """Limit the time of assets, in seconds."""

    def limit(**seconds):
        minutes = ", ".join(f"{asset}: {limit / 60}" for asset, limit in seconds.items())
        path = bank.settings.pipelines_dir / "bank.yaml"
        path.write_text(path.read_text() + f"execution: {{timeout_minutes: {{{minutes}}}}}\n")
        return bank

    return limit


def test_a_body_that_sleeps_is_ended_at_the_limit(limited, monkeypatch):
    monkeypatch.setattr(DataSources, "fetched", lambda *_: time.sleep(3600))
    result = limited(raw_dataset=1.5).materialize("bank/raw_dataset")
    assert not result.success
    message = failure(result)
    assert "[step_timeout] the step took longer than it may" in message
    assert "bank__raw_dataset" in message
    assert "1.5 s" in message
    assert "execution.timeout_minutes" in message


def test_code_that_handles_every_exception_does_not_handle_this_one(limited, monkeypatch):
    def stubborn(*_):
        try:
            time.sleep(3600)
        except Exception:  # noqa: BLE001 - what is tested
            time.sleep(3600)

    monkeypatch.setattr(DataSources, "fetched", stubborn)
    assert "[step_timeout]" in failure(limited(raw_dataset=1.5).materialize("bank/raw_dataset"))


@pytest.mark.parametrize(("method", "asset"), [("newest_of", "validated_dataset"), ("publish", "raw_dataset")])
def test_inputs_and_outputs_are_within_the_limit_too(bank, limited, monkeypatch, method, asset):
    assert bank.materialize("bank/raw_dataset").success
    monkeypatch.setattr(ArtifactStore, method, lambda *_, **__: time.sleep(3600))
    assert "[step_timeout]" in failure(limited(**{asset: 3}).materialize(f"bank/{asset}"))


def test_a_limit_is_for_the_asset_that_it_names(limited, monkeypatch):
    works = ArtifactStore.publish
    monkeypatch.setattr(ArtifactStore, "publish", lambda *a, **k: time.sleep(1.5) or works(*a, **k))
    assert limited(validated_dataset=1).materialize("bank/raw_dataset").success


def test_alarms_of_others_go_on(limited):
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    assert before > 100  # pytest-timeout's
    assert limited(raw_dataset=600).materialize("bank/raw_dataset").success
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < before


def test_each_partition_of_a_range_has_the_time_of_one(limited_months, each_publishing, monkeypatch):
    gone = [0.0]
    clock = types.SimpleNamespace(monotonic=lambda: time.monotonic() + gone[0])
    monkeypatch.setattr(time_limit, "time", clock)
    each_publishing(lambda *_, **__: gone.append(gone.pop() + 15))
    result = limited_months.materialize_range("monthly/raw_dataset", first=MONTHS[0], last=MONTHS[-1])
    assert result.success, failure(result)
    assert gone == [45.0]


def test_a_partition_that_takes_too_long_fails_and_the_range_goes_on(limited_months, each_publishing):
    begun = []

    def second_takes_long(*_, **__):
        begun.append(1)
        if len(begun) == 2:
            signal.raise_signal(signal.SIGALRM)

    each_publishing(second_takes_long)
    result = limited_months.materialize_range("monthly/raw_dataset", first=MONTHS[0], last=MONTHS[-1])
    message = failure(result)
    assert "[partitions_failed] 1 of 3 partitions failed" in message
    assert "2021-01: [step_timeout]" in message
    log = limited_months.artifacts.log
    assert [log.newest_number(("monthly", "raw_dataset"), month) for month in MONTHS] == [1, 0, 1]
