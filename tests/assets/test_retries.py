"""Transient failures are retried, with growing waits; permanent ones are not."""

import contextlib

import dagster as dg
import pytest

from assay.errors import SourceNotFoundError, SourceUnreachableError, StoreUnavailableError
from ml_assets.supervision import step as retries
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources

RETRYING = "execution: {max_retries: 2, backoff_seconds: 0.01}\n"


@pytest.fixture
def retrying(bank):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + RETRYING)
    return bank


@pytest.fixture
def failing_source(monkeypatch):
    """Make the source fail some times before it works; counts the attempts."""
    fetched, attempts = DataSources.fetched, []

    def fail(error, times):
        @contextlib.contextmanager
        def fails_first(self, *arguments):
            attempts.append(error)
            if len(attempts) <= times:
                raise error
            with fetched(self, *arguments) as files:
                yield files

        monkeypatch.setattr(DataSources, "fetched", fails_first)
        return attempts

    return fail


def test_a_source_that_answers_at_last_costs_only_retries(retrying, failing_source):
    attempts = failing_source(SourceUnreachableError("no answer"), times=2)
    result = retrying.materialize("bank/raw_dataset")
    assert result.success
    assert len(attempts) == 3
    assert len(retried(result)) == 2
    assert len(retrying.artifacts.log.history(("bank", "raw_dataset"), None)) == 1


def test_a_source_that_never_answers_fails_with_its_own_error_after_the_last_retry(retrying, failing_source):
    attempts = failing_source(SourceUnreachableError("no answer"), times=99)
    result = retrying.materialize("bank/raw_dataset")
    assert not result.success
    assert len(attempts) == 3
    assert "[source_unreachable] no answer" in messages(result)


def test_a_permanent_failure_is_not_retried(retrying, failing_source):
    attempts = failing_source(SourceNotFoundError("no such file"), times=99)
    assert not retrying.materialize("bank/raw_dataset").success
    assert len(attempts) == 1


@pytest.mark.parametrize("method", ["publish", "newest_of"])
def test_a_store_that_fails_once_is_asked_again_for_outputs_as_for_inputs(retrying, monkeypatch, method):
    assert retrying.materialize("bank/raw_dataset").success
    works, calls = getattr(ArtifactStore, method), []

    def fails_once(self, *arguments, **more):
        calls.append(arguments)
        if len(calls) == 1:
            raise StoreUnavailableError("no answer")
        return works(self, *arguments, **more)

    monkeypatch.setattr(ArtifactStore, method, fails_once)
    result = retrying.materialize("bank/validated_dataset")
    assert result.success
    assert len(retried(result)) == 1
    assert len(retrying.artifacts.log.history(("bank", "validated_dataset"), None)) == 1


def test_a_refusal_of_the_gate_is_no_reason_to_try_again(retrying):
    bad = {"data_validation": {"min_rows": 10_000}}
    result = retrying.materialize("bank/raw_dataset", "bank/validated_dataset", parameters=bad)
    assert not result.success
    assert not retried(result)
    assert len(retrying.artifacts.log.history(("bank", "validated_dataset"), None)) == 1


def test_waits_are_doubled_and_spread(monkeypatch):
    policy = retries.StepPolicy(max_retries=4, backoff_seconds=8)
    waits = []
    for attempt in range(4):
        with (
            pytest.raises(dg.RetryRequested) as asked,
            retries.transient_failures_retried(policy, attempt),
        ):
            raise SourceUnreachableError("no answer")
        waits.append(asked.value.seconds_to_wait)
    assert all(0.75 * 8 * 2**n <= wait <= 1.25 * 8 * 2**n for n, wait in enumerate(waits))


def retried(result):
    return [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]


def messages(result):
    error = next(event for event in result.all_events if event.is_step_failure).event_specific_data.error
    return error.to_string()
