"""Where a training may be logged: the port.

Does not belong here: any tracker; adapters bring them.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from assay.errors import TrackingError
from assay.evaluation.report import EvaluationReport
from assay.shell.adapters import adapter
from assay.specs.pipeline import PipelineSpec
from assay.splitting import Split
from assay.training.trained_model import TrainedModel
from assay.tuning.result import BestHyperparameters

GROUP = "assay.tracking"


class OpenRun(Protocol):
    """A run that is open."""

    @property
    def run_id(self) -> str:
        """The tracker's name of it."""

    def log(
        self, model: TrainedModel, best: BestHyperparameters, report: EvaluationReport, plots: Mapping[str, bytes]
    ) -> None:
        """Log a model and its judgement.

        Raises:
            TrackingError: it cannot be logged.
        """


class Tracking(Protocol):
    """One tracker."""

    def run(self, spec: PipelineSpec, split: Split) -> AbstractContextManager[OpenRun]:
        """Open the run of a training; FAILED when an exception leaves it.

        Raises:
            TrackingError: it cannot be opened.
        """


def tracking_at(uri: str) -> Tracking:
    """Return the tracker at an address; nothing is asked of it yet.

    Raises:
        TrackingError: no adapter is installed.
    """
    make = adapter(GROUP, "mlflow", error=TrackingError, what="MLflow cannot be used here", where="--tracking-uri")
    made: Tracking = make(uri)
    return made
