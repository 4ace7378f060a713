"""A range run that is killed between a published fit and its tracking, and repeated."""

import os
import signal

import pytest
from mlflow import MlflowClient
from small_platform import MONTHLY, failure, monthly_rows, write_csv

from resources.mlflow.registry import MlflowModelRegistry

MONTHS = ("2021-02", "2021-03")
MODEL = "monthly/trained_model"
UP_TO_SEARCH = [f"monthly/{name}" for name in ("raw_dataset", "validated_dataset", "best_hyperparameters")]


@pytest.fixture
def searched(platform, tmp_path):
    """A platform with all but the fits of two months."""
    platform.pipeline(MONTHLY, write_csv(tmp_path / "data" / "monthly.csv", monthly_rows()))
    result = platform.materialize_range(*UP_TO_SEARCH, first="2020-12", last="2021-03")
    assert result.success, failure(result)
    return platform


def make_fits(platform):
    return platform.materialize_range(MODEL, first=MONTHS[0], last=MONTHS[-1])


def killed(platform, make, *, tracking):
    """Make the fits in a process that is killed when it begins to track the fit of this number; give its failed run."""
    child = os.fork()
    if child == 0:
        log_model, tracked = MlflowModelRegistry.log_model, []

        def dies(registry, run, model):
            tracked.append(model)
            if len(tracked) == tracking:
                os.kill(os.getpid(), signal.SIGKILL)
            return log_model(registry, run, model)

        MlflowModelRegistry.log_model = dies
        make(platform)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    (run,) = platform.instance.get_runs(limit=1)
    platform.instance.report_run_failed(run)  # as the supervision does
    return run.run_id


def versions(platform, month):
    """Return name and SHA-256 of the files of each version of a month's model."""
    history = platform.artifacts.log.history(("monthly", "trained_model"), month)
    return [{file.name: file.sha256 for file in commit.objects} for commit in history]


def statuses(platform):
    client = MlflowClient(platform.settings.tracking_uri)
    found = client.search_runs([client.get_experiment_by_name("assay/monthly").experiment_id])
    return {run.data.tags["partition"]: run.info.status for run in found}


@pytest.mark.full
def test_a_repeated_range_adopts_the_fit_that_was_published_and_fits_the_others(searched, fits):
    """Adoption was tried for runs of one partition alone."""
    killed(searched, make_fits, tracking=1)
    assert statuses(searched) == {"2021-02": "RUNNING"}
    result = make_fits(searched)
    assert result.success, failure(result)
    assert len(fits) == 1
    assert statuses(searched) == dict.fromkeys(MONTHS, "FINISHED")
    published, adopted = versions(searched, "2021-02")
    assert adopted == published
    (fitted,) = versions(searched, "2021-03")
    assert fitted != adopted


def test_a_resumed_range_adopts_every_fit_those_that_were_tracked_too(searched, fits):
    """All months before the one of the kill were fitted again."""
    first = killed(searched, make_fits, tracking=2)
    assert statuses(searched) == {"2021-02": "FINISHED", "2021-03": "RUNNING"}
    second = killed(searched, lambda platform: platform.resumed(first), tracking=2)
    result = searched.resumed(second)
    assert result.success, failure(result)
    assert fits == []
    assert statuses(searched) == dict.fromkeys(MONTHS, "FINISHED")
    for month in MONTHS:
        published, *adopted = versions(searched, month)
        assert adopted == [published] * 2


@pytest.mark.full
def test_a_new_range_fits_what_was_tracked_and_adopts_what_was_not(searched, fits):
    """Somebody who asks again for a finished training gets one."""
    killed(searched, make_fits, tracking=2)
    result = make_fits(searched)
    assert result.success, failure(result)
    assert len(fits) == 1
    assert {month: len(versions(searched, month)) for month in MONTHS} == dict.fromkeys(MONTHS, 2)
