"""One run in MLflow, to log to.

Does not belong here: opening and closing runs (`experiment_tracker`).
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.credentials import without_credentials
from assay.training.trained_model import TrainedModel
from assay.tuning.result import BestHyperparameters, TrialRecord
from resources.mlflow_connection import as_tracking_error, shown
from resources.mlflow_models import log_trained_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST_PARAM = 6000
_LONGEST_NAME = 250
_BATCH = 100
_SERIES = "trial_value"
_SECRET = re.compile(r"passw|secret|api_?key|credential|(^|_)token$", re.IGNORECASE)


@dataclass(frozen=True)
class TrackedRun:
    """Logs by run id; nothing global is touched."""

    client: "MlflowClient"
    tracking_uri: str
    experiment_id: str
    run_id: str

    @property
    def url(self) -> str:
        """Where people see the run."""
        place = shown(self.tracking_uri)
        path = f"#/experiments/{self.experiment_id}/runs/{self.run_id}"
        return (
            f"{place.rstrip('/')}/{path}" if place.startswith("http") else f"http://localhost:5000/{path} (make mlflow)"
        )

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters as text: nested ones by dotted names, long values cut, secrets masked."""
        from mlflow.entities import Param

        entities = [Param(_allowed_name(name), text[:_LONGEST_PARAM]) for name, text in _flattened(params)]
        self._log_batches(params=entities)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._log_batches(metrics=[Metric(_allowed_name(name), value, now, 0) for name, value in metrics.items()])

    def log_trials(self, best: BestHyperparameters, mode: Literal["batch", "nested"]) -> None:
        """Log a search: all trials as a table and one metric series, or one nested run for each trial."""
        self.log_json("trials.json", [trial.model_dump(mode="json") for trial in best.trials])
        if mode == "nested":
            for trial in best.trials:
                self._log_nested(trial, best.metric)
            return
        from mlflow.entities import Metric

        with as_tracking_error(self.tracking_uri, "the trials cannot be logged"):
            known = {point.step for point in self.client.get_metric_history(self.run_id, _SERIES)}
        now = int(time.time() * 1000)
        new = {t.number: t.value for t in best.trials if t.value is not None and t.number not in known}
        self._log_batches(metrics=[Metric(_SERIES, value, now, number) for number, value in new.items()])

    def log_json(self, name: str, value: Any) -> None:
        """Log a JSON artifact."""
        self._log_file(name, json.dumps(value, indent=2, ensure_ascii=False).encode())

    def log_png(self, name: str, png: bytes) -> None:
        """Log an image."""
        self._log_file(name, png)

    def log_text(self, name: str, text: str) -> None:
        """Log a text artifact."""
        self._log_file(name, text.encode())

    def log_model(self, model: TrainedModel) -> str:
        """Log a model once, however often the step is retried; returns its URI."""
        with as_tracking_error(self.tracking_uri, "the model cannot be logged; the trained model itself is kept"):
            return log_trained_model(self.client, self.experiment_id, self.run_id, model)

    def end(self, status: Literal["FINISHED", "FAILED"]) -> None:
        """End the run."""
        with as_tracking_error(self.tracking_uri, f"the MLflow run cannot be ended as {status}"):
            self.client.set_terminated(self.run_id, status)

    def _log_nested(self, trial: TrialRecord, metric: str) -> None:
        tags = {"mlflow.parentRunId": self.run_id, "assay.trial": str(trial.number)}
        with as_tracking_error(self.tracking_uri, "a trial cannot be logged"):
            query = f"tags.`mlflow.parentRunId` = '{self.run_id}' and tags.`assay.trial` = '{trial.number}'"
            known = self.client.search_runs([self.experiment_id], query, max_results=1)
            if known and known[0].info.status != "RUNNING":
                return
            tags["mlflow.runName"] = f"trial {trial.number}"
            child = (known[0] if known else self.client.create_run(self.experiment_id, tags=tags)).info.run_id
        nested = TrackedRun(self.client, self.tracking_uri, self.experiment_id, child)
        nested.log_params({"family": trial.family, **trial.parameters})
        if trial.value is not None:
            nested.log_metrics({f"validation_{metric}": trial.value})
        nested.end("FINISHED" if trial.state == "complete" else "FAILED")

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
            tempfile.TemporaryDirectory(prefix="assay-track-") as temporary,
            as_tracking_error(self.tracking_uri, f"{name} cannot be logged"),
        ):
            path = Path(temporary) / file_name
            path.write_bytes(data)
            self.client.log_artifact(self.run_id, str(path), folder or None)


def _allowed_name(name: str) -> str:
    """MLflow takes up to 250 letters, digits and `_-./: ` in names."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)[:_LONGEST_NAME]


def _flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", "***" if _SECRET.search(name) else without_credentials(str(value))
