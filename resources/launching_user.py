"""Dagster's queue of runs, with a tag of who started each run, as the proxy that signs people in says.

`dagster.yaml` names the class and the header where there is such a proxy:

    run_coordinator:
      module: resources.launching_user
      class: UserTaggingRunCoordinator
      config: {user_header: X-Forwarded-User}

Dagster imports the module before any code location, so it imports nothing else of Assay.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster import DagsterRun, Field, String
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

USER_TAG = "user"
"""Tag of who started a run; Dagster+ sets it, too."""
_BACKFILL_TAG = "dagster/backfill"
_LONGEST_NAME = 200


class UserTaggingRunCoordinator(QueuedRunCoordinator):
    """`QueuedRunCoordinator` that trusts a header; takes its config, and the header's name.

    Any client of the webserver can send a header, so use it only where all requests pass a proxy that replaces it.
    Tags that requests ask for are not trusted: the user's one is overwritten, and emptied where the header is absent.
    Runs of a backfill are submitted by the daemon, which has no request, so their user is unknown.
    """

    def __init__(self, user_header: str, **queue: Any) -> None:
        self._header = user_header
        super().__init__(**queue)

    @classmethod
    def config_type(cls) -> Any:
        """Return the queue's options, and the header's name."""
        header = Field(String, description="Header of requests that names who is signed in.")
        return {**dict(super().config_type()), "user_header": header}  # type: ignore[arg-type]

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        """Return the coordinator that `dagster.yaml` describes."""
        return cls(inst_data=inst_data, **config_value)

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Queue a run, with the user of its request as a tag."""
        run = context.dagster_run
        user = (context.get_request_header(self._header) or "").strip()[:_LONGEST_NAME]
        if user or (USER_TAG in run.tags and self._is_asked_for(context)):
            self._instance.add_run_tags(run.run_id, {USER_TAG: user})
        return super().submit_run(context)

    def _is_asked_for(self, context: SubmitRunContext) -> bool:
        """Return whether the user's tag comes from a request, now or when a backfill was asked for."""
        of_request = getattr(context.workspace, "source", None) is not None
        return of_request or _BACKFILL_TAG in context.dagster_run.tags
