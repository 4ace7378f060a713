"""Runs in MLflow, one for each training.

A run is opened and closed inside the step, found again by a tag when the step is retried, and ended FAILED by any
exception. MLflow's global active run is not used, so that parallel steps cannot mix up their runs.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from assay.credentials import without_credentials
from assay.errors import TrackerUnavailableError, TrackingError
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.specs.base import digest_of
from resources.mlflow.connection import as_tracking_error, connect
from resources.mlflow.datasets import TrackedRows
from resources.mlflow.models import ModelsOfRun, PublishedModel, require_active_experiment, require_active_run
from resources.mlflow.names import allowed_name
from resources.mlflow.pages import page_of
from resources.object_store import SpacedResource

if TYPE_CHECKING:
    from mlflow import MlflowClient

IDENTITY_TAG = "assay.identity"
TRIAL_TAG = "assay.trial"
SPACE_TAG = "assay.space"
_FIRST_RUN_TAG = "assay.first_dagster_run_id"
_LONGEST_PARAM = 6000
_BATCH = 100
_SERIES = "trial_value"
_NOTE = "mlflow.note.content"
_LINK_TAG = "assay.link."
"""With a name: an address that the description shows."""
RunStatus: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]
_STATUS_OF_TRIAL: dict[str, RunStatus] = {
    "complete": "FINISHED",
    "pruned": "FAILED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "too_slow": "FAILED",
}
_SECRET = re.compile(r"passw|secret|api_?key|credential|(^|_)token$", re.IGNORECASE)


@dataclass(frozen=True)
class TrackedRun:
    """Logs by run id; nothing global is touched."""

    client: "MlflowClient"
    tracking_uri: str
    experiment_id: str
    run_id: str
    continues: bool = False
    """Whether an earlier try of the same training, or of the same Dagster run, opened it and did not finish."""
    pages: str = ""
    """Address of MLflow's pages."""

    @property
    def url(self) -> str:
        """Address of the run's page."""
        return page_of(self.pages, f"experiments/{self.experiment_id}/runs/{self.run_id}")

    @property
    def annotations(self) -> dict[str, str]:
        """What a model says of the run that tracked it."""
        return {"mlflow_run_id": self.run_id, "mlflow_experiment_id": self.experiment_id}

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters as text: nested ones by dotted names, long values cut, secrets masked."""
        from mlflow.entities import Param

        entities = [Param(allowed_name(name), text[:_LONGEST_PARAM]) for name, text in _flattened(params)]
        self._log_batches(params=entities)

    def log_metrics(self, metrics: Mapping[str, float], rows: TrackedRows | None = None) -> None:
        """Log metrics; with the rows that they were measured on they are metrics of the run's logged model, too."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        models = ModelsOfRun(self.client, self.experiment_id, self.run_id)
        with as_tracking_error(self.tracking_uri, "the logged model cannot be found"):
            model = models.newest() if rows is not None else None
        of: dict[str, Any] = (
            {"model_id": model.model_id, "dataset_name": rows.name, "dataset_digest": rows.digest}
            if model is not None and rows is not None
            else {}
        )
        self._log_batches(metrics=[Metric(allowed_name(name), value, now, 0, **of) for name, value in metrics.items()])

    def log_series(self, name: str, values: Mapping[int, float]) -> None:
        """Log a metric by step; what a step has already stays, so that a retry logs nothing twice."""
        from mlflow.entities import Metric

        key = allowed_name(name)
        with as_tracking_error(self.tracking_uri, f"the metric {key} cannot be logged"):
            known = {point.step for point in self.client.get_metric_history(self.run_id, key)}
        now = int(time.time() * 1000)
        self._log_batches(metrics=[Metric(key, value, now, at) for at, value in values.items() if at not in known])

    def log_rows(self, rows: TrackedRows) -> None:
        """Log rows as an input of the run, once however often it is asked for."""
        with as_tracking_error(self.tracking_uri, "the run's dataset cannot be logged"):
            self.client.log_inputs(self.run_id, datasets=[rows.entity()])

    def log_trials(self, best: BestHyperparameters, mode: Literal["batch", "nested"]) -> None:
        """Log a search: all trials as a table and one metric series, or one nested run for each trial."""
        self.log_json("trials.json", [trial.model_dump(mode="json") for trial in best.trials])
        if mode == "nested":
            for trial in best.trials:
                self._log_nested(trial, best.metric)
            return
        self.log_series(_SERIES, {each.number: each.value for each in best.trials if each.value is not None})

    def tag(self, name: str, value: str) -> None:
        """Set a tag of the run."""
        with as_tracking_error(self.tracking_uri, "a tag cannot be set"):
            self.client.set_tag(self.run_id, name, value)

    def describe(self, **links: str) -> None:
        """Show addresses as the run's description, in place of earlier ones of the same names."""
        with as_tracking_error(self.tracking_uri, "the run cannot be described"):
            tags = self.client.get_run(self.run_id).data.tags
            lines = [_link(name, address) for name, address in links.items()]
            earlier = [_link(name, tags[_LINK_TAG + name]) for name in links if _LINK_TAG + name in tags]
            kept = [each for each in tags.get(_NOTE, "").splitlines() if each and each not in {*earlier, *lines}]
            self.client.set_tag(self.run_id, _NOTE, "\n\n".join([*kept, *lines]))
            for name, address in links.items():
                self.client.set_tag(self.run_id, _LINK_TAG + name, address)

    def log_json(self, name: str, value: Any) -> None:
        """Log a JSON artifact."""
        self._log_file(name, json.dumps(value, indent=2, ensure_ascii=False).encode())

    def log_png(self, name: str, png: bytes) -> None:
        """Log an image."""
        self._log_file(name, png)

    def log_model(self, model: TrainedModel) -> str:
        """Log a model once, however often the step is retried; returns its URI."""
        with as_tracking_error(self.tracking_uri, "the model cannot be logged; the trained model itself is kept"):
            logged = ModelsOfRun(self.client, self.experiment_id, self.run_id).log(PublishedModel.of(model))
            return f"models:/{logged.model_id}"

    def end(self, status: RunStatus) -> None:
        """End the run."""
        with as_tracking_error(self.tracking_uri, f"the MLflow run cannot be ended as {status}"):
            self.client.set_terminated(self.run_id, status)

    def _log_nested(self, trial: TrialRecord, metric: str) -> None:
        tags = {"mlflow.parentRunId": self.run_id, TRIAL_TAG: str(trial.number)}
        with as_tracking_error(self.tracking_uri, "a trial cannot be logged"):
            query = f"tags.`mlflow.parentRunId` = '{self.run_id}' and tags.`{TRIAL_TAG}` = '{trial.number}'"
            known = self.client.search_runs([self.experiment_id], query, max_results=1)
            if known and known[0].info.status != "RUNNING":
                return
            tags["mlflow.runName"] = f"trial {trial.number}"
            child = (known[0] if known else self.client.create_run(self.experiment_id, tags=tags)).info.run_id
        nested = TrackedRun(self.client, self.tracking_uri, self.experiment_id, child)
        nested.log_params({"family": trial.family, **trial.parameters})
        if trial.value is not None:
            nested.log_metrics({f"validation_{metric}": trial.value})
        nested.end(_STATUS_OF_TRIAL[trial.state])

    def _log_batches(self, *, metrics: list[Any] | None = None, params: list[Any] | None = None) -> None:
        with as_tracking_error(self.tracking_uri, "metrics or parameters cannot be logged"):
            for start in range(0, max(len(metrics or []), len(params or [])), _BATCH):
                end = start + _BATCH
                self.client.log_batch(
                    self.run_id, metrics=(metrics or [])[start:end], params=(params or [])[start:end], synchronous=True
                )

    def _log_file(self, name: str, data: bytes) -> None:
        folder, _, file_name = name.rpartition("/")
        with (
            scratch_folder("track") as temporary,
            as_tracking_error(self.tracking_uri, f"{name} cannot be logged"),
        ):
            path = Path(temporary) / file_name
            path.write_bytes(data)
            self.client.log_artifact(self.run_id, str(path), folder or None)


def _link(name: str, address: str) -> str:
    return f"[{name.replace('_', ' ')}]({address})"


def _flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", "***" if _SECRET.search(name) else without_credentials(str(value))


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Identifies a training, so that a retried step finds its MLflow run again."""

    pipeline: str
    dagster_run_id: str
    asset_key: str
    partition: str | None
    content: str = ""
    """Digest of all that determines the result; then a new Dagster run adopts the MLflow run that a killed one left."""
    first_run_id: str = ""
    """The Dagster run that failed first, where this one resumes it; what it tracked is not fitted again."""

    @property
    def tags(self) -> dict[str, str]:
        """The identity, in parts and as one searchable value."""
        whole = digest_of(self.content or self.dagster_run_id, self.asset_key, self.partition)
        return {
            IDENTITY_TAG: whole,
            "dagster_run_id": self.dagster_run_id,
            _FIRST_RUN_TAG: self.first_run_id or self.dagster_run_id,
            "asset_key": self.asset_key,
            "partition": self.partition or "",
            "mlflow.source.name": self.asset_key,
            "mlflow.source.type": "JOB",
            "mlflow.runName": f"{self.asset_key}{f' {self.partition}' if self.partition else ''}",
        }


class MlflowTracker(SpacedResource):
    """Tracks trainings in the experiment `<prefix>/<pipeline>`, with a suffix in other spaces than production."""

    tracking_uri: str
    artifact_root: str = ""
    experiment_prefix: str = "assay"
    tags: dict[str, str] = {}
    ui_url: str = ""
    """Address of Dagster's user interface, to which runs link; empty for runs without one."""
    mlflow_url: str = ""
    """Address of MLflow's pages, for links."""

    @contextmanager
    def run(self, identity: RunIdentity, tags: dict[str, str]) -> Iterator[TrackedRun]:
        """Open the run of a training: FINISHED at the end, FAILED on any exception, which is raised again.

        Raises:
            TrackerUnavailableError: the server does not answer.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, "the MLflow run cannot be opened"):
            space = {} if self.space.is_production else {SPACE_TAG: self.space.name}
            tracked = self._opened(client, identity, self.tags | space | tags)
        try:
            if self.ui_url:
                tracked.describe(Dagster_run=f"{self.ui_url.rstrip('/')}/runs/{identity.dagster_run_id}")
            yield tracked
        except BaseException as error:
            _end_failed(tracked, error)
            raise
        tracked.end("FINISHED")

    @contextmanager
    def resume(self, run_id: str) -> Iterator[TrackedRun]:
        """Log to a run that has ended, without changing its status.

        Raises:
            TrackingError: there is no such run.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"MLflow has no run {run_id}"):
            found = require_active_run(client, run_id)
        yield TrackedRun(client, self.tracking_uri, found.info.experiment_id, run_id, pages=self.mlflow_url)

    def _opened(self, client: "MlflowClient", identity: RunIdentity, tags: dict[str, str]) -> TrackedRun:
        experiment = self._experiment(client, identity.pipeline)
        query = f"tags.`{IDENTITY_TAG}` = '{identity.tags[IDENTITY_TAG]}'"
        known = client.search_runs([experiment], query)
        continues = False
        if known:
            run_id, tags = known[0].info.run_id, known[0].data.tags
            owners = {tags.get("dagster_run_id"), tags.get(_FIRST_RUN_TAG)}
            mine = {identity.dagster_run_id, identity.first_run_id or identity.dagster_run_id}
            continues = known[0].info.status != "FINISHED" or bool(owners & mine)
            for name in ("dagster_run_id", _FIRST_RUN_TAG):  # first: an ended owner's run is closed
                client.set_tag(run_id, name, identity.tags[name])
            client.update_run(run_id, status="RUNNING")
        else:
            run_id = client.create_run(experiment, tags=tags | identity.tags).info.run_id
            known = client.search_runs([experiment], query)
        # MLflow repeats a request whose answer was lost, which makes a second, empty run
        for duplicate in known:
            if duplicate.info.run_id != run_id:
                client.delete_run(duplicate.info.run_id)
        return TrackedRun(client, self.tracking_uri, experiment, run_id, continues, self.mlflow_url)

    def _experiment(self, client: "MlflowClient", pipeline: str) -> str:
        from mlflow.exceptions import MlflowException

        tracked_as = self.space.tracked_as(pipeline)
        name = f"{self.experiment_prefix}/{tracked_as}"
        known = client.get_experiment_by_name(name)
        if known is None:
            location = f"{self.artifact_root}/{tracked_as}" if self.artifact_root else None
            try:
                created: str = client.create_experiment(name, artifact_location=location)
            except MlflowException:
                known = client.get_experiment_by_name(name)
                if known is None:  # not a race with another step: the server refused
                    raise
            else:
                return created
        require_active_experiment(known)
        experiment: str = known.experiment_id
        return experiment


def _end_failed(tracked: TrackedRun, error: BaseException) -> None:
    """End a run FAILED; an outage of the tracker must not hide the failure of the step."""
    if isinstance(error, TrackerUnavailableError):
        return  # another request to a server that is down would wait for its deadline again
    try:
        tracked.end("FAILED")
    except TrackingError as outage:
        error.add_note(f"MLflow still shows run {tracked.run_id} as running: {outage}")
