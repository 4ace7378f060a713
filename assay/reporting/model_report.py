"""The report of a model version as values; the page is drawn of them alone.

It holds counts, shares and curves, and no row of the data.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import JsonValue

from assay.monitoring.drift import FeatureDrift
from assay.promotion.champion import ChampionRecord
from assay.promotion.decision import PromotionDecision
from assay.results.evaluation_report import EvaluationReport
from assay.results.provenance import CodeState, ParentModel
from assay.specs.base import Spec


class DrawnCurve(Spec):
    """A line of a drawing; `x` and `y` have as many points."""

    name: str
    """The class against the rest; empty where there is one curve."""
    measured: str
    """Such as `AUC 0.812`."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    chance: float
    """What a score without skill gives: the diagonal's 0.5, or the share of positives."""


class CalibrationBin(Spec):
    """One of ten bins of equally many rows by their stated probability."""

    stated: float
    observed: float
    low: float
    """Lower end of the observed share's 95 % interval."""
    high: float
    rows: int


class Confusion(Spec):
    """Rows by true and predicted class."""

    labels: tuple[str, ...]
    """Beyond ten classes the rarest are one, `(other)`."""
    counts: tuple[tuple[int, ...], ...]
    """Of each true class, by predicted class."""


class ResidualBin(Spec):
    """Holdout rows with similar predictions; quantiles of their errors, prediction less truth."""

    predicted: float
    """Mean prediction."""
    actual: float
    """Mean true value."""
    low: float
    """10 % of the errors are below."""
    middle: float
    """Median error."""
    high: float
    """10 % of the errors are above."""
    rows: int


class HoldoutDrawings(Spec):
    """What is drawn of the holdout's predictions, as far as the model and the holdout have it."""

    confusion: Confusion | None = None
    roc: tuple[DrawnCurve, ...] = ()
    precision_recall: tuple[DrawnCurve, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    event: str = ""
    """What the probabilities of the calibration are of."""
    residuals: tuple[ResidualBin, ...] = ()


class Importance(Spec):
    """How much a column matters."""

    name: str
    value: float
    low: float | None = None
    """The least over the shuffles; missing where there are none."""
    high: float | None = None


class WeakSlice(Spec):
    """A part of the holdout on which the model's loss is higher than on all rows, beyond chance."""

    name: str
    """Such as `segment = b`."""
    rows: int
    value: float | None
    """The primary metric; missing where it cannot be computed."""
    loss_ratio: float
    """Mean loss of its rows over that of all rows."""


class LeaderboardRow(Spec):
    """One family that the search considered."""

    family: str
    chosen: bool = False
    """Whether it is the model of this report, or a part of it."""
    is_model: bool = False
    """Whether it is the model of this report."""
    validation: float | None = None
    """The best trial's mean over the folds; missing where no trial has one."""
    holdout: float | None = None
    """Of the others measured after the choice, and missing where they were not fitted again."""
    trials: int = 0
    trial_seconds: float | None = None
    """Of the best trial, all folds; missing in reports of version 0.3 and earlier."""
    seconds: float | None = None
    """Of the fit; of the model of this report all its fits, that on all rows included."""
    microseconds: float | None = None
    """Per row of 1,000 predicted together; missing where it was not measured."""
    megabytes: float | None = None
    """Of the fit that the holdout evaluates, as it is stored."""
    note: str = ""
    """Why it has no score, or what failed."""


class TrialPoint(Spec):
    """One trial of the history."""

    number: int
    family: str
    state: str
    value: float | None = None


class ParameterImportance(Spec):
    """The share of the validation score's variance that the parameters of one family explain."""

    family: str
    trials: int
    shares: dict[str, float]


class SearchHistory(Spec):
    """The search."""

    metric: str
    greater_is_better: bool
    best: float | None
    """Of the best trial, or of an average of families."""
    stopped_by: str
    caution: str = ""
    """What it left out."""
    trials: tuple[TrialPoint, ...] = ()
    parameters: tuple[ParameterImportance, ...] = ()


class Period(Spec):
    """The rows of one partition."""

    partition: str
    """Key; empty without partitions."""
    rows: int
    digest: str


class ReportedData(Spec):
    """The rows that the model was made and evaluated of."""

    source: str
    """Without credentials."""
    target: str
    split: str
    train_rows: int
    holdout_rows: int
    deployed_rows: int
    features: int
    unused: dict[str, str] = {}
    """Columns that are no features, and why."""
    periods: tuple[Period, ...] = ()
    drift: tuple[FeatureDrift, ...] = ()
    """Of the holdout against the training rows, the largest effect first."""


class Recipe(Spec):
    """What was fitted."""

    family: str
    members: tuple[str, ...] = ()
    parameters: dict[str, JsonValue]
    scenario: str
    classes: tuple[str, ...] = ()


class Lineage(Spec):
    """What the model was made of."""

    seed: int
    spec_digest: str
    holdout_digest: str
    model_version: str
    model_digest: str = ""
    """Of the bundle; empty where it is not stored yet."""
    trained_at: dt.datetime | None = None
    fit_seconds: float | None = None
    code: CodeState = CodeState()
    parent: ParentModel | None = None
    libraries: dict[str, str] = {}
    links: dict[str, str] = {}
    """Such as `mlflow_run_id`."""
    pages: dict[str, str] = {}
    """Addresses of what made the model and of its pipeline over time, by what they are."""


class IntendedUse(Spec):
    """What people say of the model, and what it is not good for."""

    description: str = ""
    owners: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


class ModelReport(Spec):
    """Everything that a report says of one model version."""

    format_version: Literal[1] = 1
    registered_name: str
    evaluation: EvaluationReport
    recipe: Recipe
    drawings: HoldoutDrawings = HoldoutDrawings()
    importance: tuple[Importance, ...] = ()
    """Loss of the primary metric when a column is shuffled, the largest first."""
    contributions: tuple[Importance, ...] = ()
    """Mean absolute contribution of each prepared column to the output of a booster, the largest first."""
    contributions_scale: str = "on the scale of its raw output"
    """On which scale of the booster."""
    member_contributions: dict[str, tuple[Importance, ...]] = {}
    """The same of each booster in an average or a stack, by family."""
    weak_slices: tuple[WeakSlice, ...] = ()
    scanned_slices: int = 0
    leaderboard: tuple[LeaderboardRow, ...] = ()
    search: SearchHistory | None = None
    data: ReportedData
    lineage: Lineage
    intended: IntendedUse
    decision: PromotionDecision | None = None
    """Missing until `champion_model` has compared the model."""
    version: str | None = None
    """Of the model in the registry; missing where it is not registered."""
    champion_version: str | None = None
    """The champion after the decision."""

    def linked(self, pages: Mapping[str, str]) -> "ModelReport":
        """Return the report with further addresses."""
        lineage = self.lineage.model_copy(update={"pages": {**self.lineage.pages, **pages}})
        return self.model_copy(update={"lineage": lineage})

    def decided(self, record: ChampionRecord) -> "ModelReport":
        """Return the report with the decision on its model."""
        registered = record.version if record.decision.promotes else record.proposed_version
        return self.model_copy(
            update={"decision": record.decision, "version": registered, "champion_version": record.version}
        )
