"""Who started a run: the header of a proxy, and what people can say of themselves."""

import dagster as dg
import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.workspace.context import WorkspaceRequestContext
from starlette.datastructures import Headers

from resources.launching_user import USER_TAG, UserTaggingRunCoordinator

QUEUE = {"module": "resources.launching_user", "class": "UserTaggingRunCoordinator"}


@pytest.fixture(scope="module")
def instance():
    config = {"user_header": "X-Forwarded-User", "dequeue_interval_seconds": 7}
    with dg.instance_for_test(overrides={"run_coordinator": {**QUEUE, "config": config}}) as instance:
        yield instance


@pytest.fixture
def submitted(instance, monkeypatch):
    """Return a function that submits a run with tags, by a request with headers or, without any, by the daemon."""

    class Request:
        def __init__(self, headers):
            self.headers = Headers(headers)

    def submit(tags, headers=None):
        job = dg.JobDefinition(name="idle", graph_def=dg.GraphDefinition("idle"))
        run = instance.create_run_for_job(job, tags=tags)
        workspace = object.__new__(WorkspaceRequestContext)
        workspace._source = None if headers is None else Request(headers)
        return instance.run_coordinator.submit_run(SubmitRunContext(run, workspace))

    def queued(self, context):
        """Stand in for Dagster's own part, which wants a code location."""
        return instance.get_run_by_id(context.dagster_run.run_id)

    monkeypatch.setattr(QueuedRunCoordinator, "submit_run", queued)
    return submit


@pytest.mark.parametrize(
    ("tags", "headers", "user"),
    [
        ({}, {"x-forwarded-user": " anna "}, "anna"),
        ({USER_TAG: "the owner"}, {"X-Forwarded-User": "anna"}, "anna"),
        ({USER_TAG: "the owner"}, {"X-Forwarded-For": "10.0.0.1"}, ""),
        ({}, {"X-User": "anna"}, None),
        # a retry has the tags of the run that it repeats
        ({USER_TAG: "anna"}, None, "anna"),
        ({USER_TAG: "the owner", "dagster/backfill": "abc"}, None, ""),
        ({}, {"X-Forwarded-User": "a" * 1000}, "a" * 200),
    ],
)
def test_a_run_has_the_user_of_the_header_and_no_other(submitted, tags, headers, user):
    assert submitted(tags, headers).tags.get(USER_TAG) == user


def test_options_of_the_queue_are_kept(instance):
    assert isinstance(instance.run_coordinator, UserTaggingRunCoordinator)
    assert instance.run_coordinator.dequeue_interval_seconds == 7


def test_without_the_name_of_a_header_nothing_starts():
    with (
        dg.instance_for_test(overrides={"run_coordinator": QUEUE}) as instance,
        pytest.raises(dg.DagsterInvalidConfigError, match="user_header"),
    ):
        _ = instance.run_coordinator
