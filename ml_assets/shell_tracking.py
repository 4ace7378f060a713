"""MLflow for the shell's `assay train`, under the entry points `assay.tracking`; logs what the assets log."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.learning.evaluation.rounds import RoundLosses
from assay.learning.splitting import Split
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from ml_assets.pipeline.tracking import log_evaluation, log_training, run_tags
from resources.mlflow.tracker import MlflowTracker, RunIdentity, TrackedRun
from resources.settings import Settings

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class OpenMlflowRun:
    """Implements `assay.shell.learning.OpenRun`."""

    tracker: MlflowTracker
    tracked: TrackedRun
    spec: PipelineSpec

    @property
    def run_id(self) -> str:
        """MLflow's id of the run."""
        return self.tracked.run_id

    @property
    def annotations(self) -> dict[str, str]:
        """What a model says of the run."""
        return self.tracked.annotations

    def log(
        self,
        model: TrainedModel,
        best: BestHyperparameters,
        report: EvaluationReport,
        plots: Mapping[str, bytes],
        rounds: RoundLosses | None,
    ) -> None:
        """Log parameters, model, metrics, pictures and the losses of a booster's rounds."""
        log_training(self.tracked, model, best, self.spec)
        self.tracked.log_model(model)
        log_evaluation(self.tracker, model, report, dict(plots), rounds=rounds)


class MlflowTracking:
    """Implements `assay.shell.learning.Tracking`."""

    def __init__(self, tracking_uri: str) -> None:
        settings = Settings()
        self._tracker = MlflowTracker(
            tracking_uri=tracking_uri,
            artifact_root=_artifact_root(tracking_uri),
            experiment_prefix=settings.experiment_prefix,
            tags=settings.checkout.tags,
            mlflow_url=settings.mlflow_address,
            branch=settings.space.branch,
        )

    @contextmanager
    def run(self, spec: PipelineSpec, split: Split) -> Iterator[OpenMlflowRun]:
        """Open a run of its own for this command; FINISHED at the end, FAILED on any exception."""
        identity = RunIdentity(spec.name, uuid.uuid4().hex, f"{spec.name}/trained_model", None)
        with self._tracker.run(identity, run_tags(spec, split)) as tracked:
            yield OpenMlflowRun(self._tracker, tracked, spec)


def _artifact_root(tracking_uri: str) -> str:
    """Keep artifacts beside a local database; a server decides for itself."""
    if not tracking_uri.startswith(_SQLITE):
        return ""
    return str(Path(tracking_uri.removeprefix(_SQLITE)).absolute().parent / "artifacts")
