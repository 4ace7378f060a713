"""The evaluation of a model as a value."""

from pydantic import Field

from assay.data.dataset import GateWarning
from assay.results.option_effects import DecisionEffects, IntervalEffects
from assay.specs.base import Spec
from assay.specs.pipeline import Task


class SliceReport(Spec):
    """Metrics of the holdout rows that share one value of a column."""

    column: str
    value: str
    rows: int
    metrics: dict[str, float]


class EvaluationReport(Spec):
    """A model's metrics on the holdout."""

    pipeline: str
    task: Task
    partition: str | None = None
    family: str
    primary_metric: str
    greater_is_better: bool
    holdout_rows: int
    holdout_digest: str
    """Identity of the holdout rows; only reports with the same identity are comparable."""
    train_rows: int | None = None
    """Rows that the evaluated model was fitted on; missing in reports of earlier versions."""
    deployed_rows: int | None = None
    """Rows that the deployed model was fitted on: more, where the recipe was fitted again on all rows."""
    metrics: dict[str, float]
    """Every metric that could be computed."""
    missing_metrics: dict[str, str] = {}
    """Every metric that could not be computed, and why."""
    intervals: dict[str, tuple[float, float]] = {}
    """The 95 % bootstrap interval of each metric, for the holdout's chance; none in reports of earlier versions."""
    baseline: dict[str, float]
    """The same metrics of a model that ignores the features."""
    decision: DecisionEffects | None = Field(default=None, exclude_if=lambda effects: effects is None)
    """What calibration and threshold change; missing without them."""
    interval: IntervalEffects | None = Field(default=None, exclude_if=lambda effects: effects is None)
    """What intervals of predictions hold; missing where the pipeline asks for none."""
    slices: tuple[SliceReport, ...] = ()
    minimum: dict[str, float] = {}
    """The bounds of metrics that promotion requires."""
    directions: dict[str, bool] = {}
    """Whether more is better, of each metric of the user's own that has a direction, by its path."""
    without_direction: tuple[str, ...] = ()
    """Metrics of the user's own that are reported only, as nothing says whether more is better."""
    must_beat_baseline: bool = True
    """Whether promotion requires a better primary metric than the baseline's."""
    training_rows_known: bool = True
    """Whether the model says which rows it learned from; else its metrics may be too good."""
    gate_warnings: tuple[GateWarning, ...] = ()
    """What the gate warned of in the rows of the window."""
    doubts: tuple[str, ...] = ()
    """Why the holdout may be too good to be true; promotion waits for a person while there is one."""

    @property
    def of_recipe(self) -> str:
        """What the figures are of where another fit of the recipe is deployed; empty where it is the same one."""
        if self.train_rows == self.deployed_rows:
            return ""
        return (
            f"The figures are of the recipe fitted on the {self.train_rows:,} training rows; the deployed model is the "
            f"same recipe fitted on all {self.deployed_rows:,} rows."
        )

    def in_words(self, name: str) -> str:
        """Return a metric with its interval and the baseline's value, such as `0.91 (0.89 to 0.93; baseline 0.5)`."""
        ends, baseline = self.intervals.get(name), self.baseline.get(name)
        known = [f"{ends[0]:.4g} to {ends[1]:.4g}"] if ends else []
        known += [] if baseline is None else [f"baseline {baseline:.4g}"]
        return f"{self.metrics[name]:.4g}" + (f" ({'; '.join(known)})" if known else "")

    annotations: dict[str, str] = {}
    """Links to the outside, e.g. `mlflow_run_id`."""
