"""What happens to a model around learning: promotion, tracking, automation."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, field_validator, model_validator

from assay.errors import did_you_mean
from assay.specs.base import ColumnName, Spec, invalid

ASSET_NAMES = (
    "raw_dataset", "feature_set", "validated_dataset", "best_hyperparameters", "trained_model", "evaluation_report",
    "champion_model", "batch_predictions", "drift_report", "performance_report", "regression_report",
    "backtest_report", "prediction_log", "served_labels", "live_performance", "served_drift",
)  # fmt: skip
"""Assets that a pipeline may have."""
IMAGE_NAME = (
    r"^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
"""Name of an image, with its registry, tag or digest."""
Minutes: TypeAlias = Annotated[float, Field(gt=0)]
Megabytes: TypeAlias = Annotated[int, Field(ge=64)]
Slots: TypeAlias = Annotated[int, Field(ge=1, le=64)]
Cores: TypeAlias = Annotated[float, Field(ge=0.01, le=1024)]
Gpus: TypeAlias = Annotated[int, Field(ge=0, le=64)]
ImageName: TypeAlias = Annotated[str, Field(pattern=IMAGE_NAME, max_length=512)]
PoolName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$")]
_LEARNING_POOL = "training"
T = TypeVar("T")


class SliceBoundsSpec(Spec):
    """When a promotion is blocked because a part of the rows gets worse."""

    max_loss: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    """Loss of the primary metric on a slice, in its unit, that is allowed. `auto`: a quarter of the better model's lead
    over the baseline on all rows. A slice blocks only if its loss is also certain, whatever else was compared."""
    min_rows: int = Field(default=50, ge=10)
    """Slices of fewer holdout rows are not compared."""
    find: bool = True
    """Whether slices beyond `evaluation.slices` are found: values and quarters of all features, alone and in pairs."""


class PromotionSpec(Spec):
    """When a new model replaces the champion."""

    minimum_effect: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    """Improvement of the primary metric that must be exceeded, in its unit. `auto` derives it from the metric's noise
    between retrainings of the challenger's recipe on halves of its rows."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Share of paired bootstrap resamples of the holdout in which it must be exceeded."""
    approval: Literal["automatic", "required"] = "automatic"
    """`required`: a model that would be promoted waits for `assay approve` or `champion_approval_job`."""
    min_rows: int = Field(default=20, ge=1)
    """Fewest holdout rows that neither model has learned from; with fewer the models are not compared and the champion
    stays."""
    slices: SliceBoundsSpec | None = SliceBoundsSpec()
    """What slices may lose; `null` compares none."""
    max_calibration_loss: float | None = Field(default=0.05, gt=0, le=1)
    """By how much the calibration error may exceed the champion's; `null` allows any."""
    max_latency_ms: float | None = Field(default=None, gt=0)
    """Longest time to predict 1,000 rows on the machine that decides, in milliseconds; any unless set."""
    signature: Literal["any", "compatible"] = "any"
    """`compatible` blocks a model that needs columns which the champion does not take."""
    on_regression: Literal["none", "propose", "rollback"] = "none"
    """Where a new labelled partition shows the champion worse than the one before it, with `confidence`: propose the
    roll-back by a notification, or roll back."""
    below_minimum: Literal["reject", "retry"] = "reject"
    """`retry`: where a model misses `evaluation.minimum`, one longer search is made; then it ends with a
    notification."""
    retry_factor: int = Field(default=3, ge=2, le=20)
    """How many times the trials, and the time, of the first search the longer one has."""


class TrackingSpec(Spec):
    """What the experiment tracker records."""

    trials: Literal["batch", "nested"] = "batch"
    """All trials as one table and metric series, or one nested run each."""
    tags: dict[str, str] = {}
    """Further tags of every run."""


class AutomationSpec(Spec):
    """What starts runs by itself."""

    retrain_on: tuple[Literal["new_data", "joined_data", "drift", "performance"], ...] = ()
    """`new_data`: a new or rewritten object of the source, or a new version of the asset that is the source;
    `joined_data`: the same of a source that `features` joins; `drift`, `performance`: an alarm of `monitoring`."""
    ingest_on: tuple[Literal["new_data", "joined_data"], ...] = ()
    """`new_data`: a new or rewritten object of the source is read and validated, not trained on; reports of
    monitoring and predictions follow. `joined_data`: the same for an object of a joined source."""
    joined_partitions: Literal["newest", "all"] = Field(default="newest", exclude_if=lambda which: which == "newest")
    """Of a joined source that is the same for all partitions: which partitions that were made are made again. The
    others are stale, as `assay plan` says."""
    schedule: str | None = None
    """Cron line, in the deployment's time zone."""
    interval_seconds: int = Field(default=30, ge=5)
    """Time between two scans of the source."""
    existing: Literal["process", "skip"] = "process"
    """What happens to objects that exist at the sensor's first scan."""
    unchanged_scans: int = Field(default=1, ge=0, le=100)
    """For how many scans a local file must stay as it is before its run starts, so that no half-written file is read;
    objects of other sources appear whole."""
    max_retries: int = Field(default=2, ge=0, le=10)
    """How often a failed run of an arrival is started again before it becomes a dead letter."""

    @field_validator("schedule")
    @classmethod
    def _is_cron_line(cls, cron: str | None) -> str | None:
        problem = "" if cron is None else cron_problem(cron)
        if problem:
            raise ValueError(problem)
        return cron

    @model_validator(mode="after")
    def _new_data_does_one_thing(self) -> Self:
        for name in ("new_data", "joined_data"):
            if name in self.ingest_on and name in self.retrain_on:
                msg = f"retrain_on: [{name}] reads and validates new data already; name {name} in one of the two"
                raise ValueError(msg)
        return self

    @property
    def watches_joined(self) -> bool:
        """Whether new data of joined sources start anything."""
        return "joined_data" in (*self.ingest_on, *self.retrain_on)

    @property
    def scans_source(self) -> bool:
        """Whether a sensor scans the source for new data."""
        return "new_data" in (*self.ingest_on, *self.retrain_on)


class StepPolicy(Spec):
    """What one step may take, and how it is repeated."""

    timeout_seconds: float | None = None
    """Longest time of one attempt, inputs and outputs included; no limit unless set."""
    memory_mb: int | None = None
    """Most memory of its process and those that it starts, in MiB; no limit unless set."""
    max_retries: int = 3
    """Repetitions after a failure that passes."""
    backoff_seconds: float = 10.0
    """Wait before the first of them."""

    def wait_before_retry(self, previous_attempts: int) -> float:
        """Return seconds to wait after an attempt failed, before jitter: doubled for each attempt before it."""
        return float(self.backoff_seconds * 2**previous_attempts)


class StepContainer(Spec):
    """The container that a step runs in."""

    image: str | None = None
    """The deployment's image unless set."""
    cpu: float | None = None
    """Cores; no limit unless set."""
    memory_mb: int | None = None
    """Memory that the step may take, in MiB; no limit unless set."""
    gpu: int = 0
    """Devices."""

    @property
    def limit_mb(self) -> int | None:
        """Memory at which the container is ended, in MiB.

        It is a quarter above what the step may take, so that the step ends by its own typed error where that is
        possible, and files that the kernel keeps in memory have room.
        """
        return None if self.memory_mb is None else self.memory_mb + self.memory_mb // 4


class ExecutionSpec(Spec):
    """Where a step runs, what it may take, and what becomes of one that fails for a reason that passes."""

    isolation: Literal["process", "container"] = Field(default="process", exclude_if=lambda kind: kind == "process")
    """`container`: each step runs in a container of its own, if the deployment's executor is `kubernetes` or `docker`;
    with others, it runs as `process` says and the run's log says so. `process`: as the executor runs steps."""
    image: ImageName | dict[str, ImageName] | None = Field(default=None, exclude_if=lambda image: image is None)
    """Image of the container, of all assets or by the asset's name; the deployment's own unless set. It has to hold
    the platform in the same version."""
    cpu: Cores | dict[str, Cores] | None = Field(default=None, exclude_if=lambda cores: cores is None)
    """Cores of the container, of all assets or by the asset's name. Its memory is that of `memory_mb` and a quarter
    more."""
    gpu: Gpus | dict[str, Gpus] = Field(default=0, exclude_if=lambda devices: devices == 0)
    """GPUs of the container, of all assets or by the asset's name."""

    timeout_minutes: Minutes | dict[str, Minutes] | None = None
    """Longest time of a step, of all assets or by the asset's name, and in a run of many partitions that of each; what
    takes longer is ended and fails."""
    memory_mb: Megabytes | dict[str, Megabytes] | None = Field(default=None, exclude_if=lambda limit: limit is None)
    """Most memory of a step, of all assets or by the asset's name, in MiB, on Linux; what takes more is ended and
    fails."""
    pool: PoolName | dict[str, PoolName] = _LEARNING_POOL
    """Concurrency pool of tuning and training, or of assets by their names; those that are not named keep the default.
    How many runs a pool takes at once is a setting of the deployment."""
    pool_slots: Slots | dict[str, Slots] = Field(default=1, exclude_if=lambda slots: slots == 1)
    """Devices of the pool that a step holds, of all assets or by the asset's name. More than one needs a pool whose
    devices the deployment names (`ASSAY_POOL_DEVICES`); a run takes one slot of each pool in the queue all the same."""
    priority: int = Field(default=0, ge=-1000, le=1000, exclude_if=lambda priority: priority == 0)
    """Of runs of the pipeline's jobs in the daemon's queue, and so of its sensors and its schedule; the highest is
    started first."""
    max_retries: int = Field(default=3, ge=0, le=20)
    """Retries of a step whose store, source or tracker did not answer; other failures are not retried."""
    backoff_seconds: float = Field(default=10.0, ge=0)
    """Wait before the first retry; doubled for each further one, with jitter."""

    @field_validator("timeout_minutes", "memory_mb", "pool", "pool_slots", "image", "cpu", "gpu")
    @classmethod
    def _assets_are_known(cls, setting: Any) -> Any:
        for name in setting if isinstance(setting, dict) else ():
            if name not in ASSET_NAMES:
                msg = f"there is no asset '{name}'{did_you_mean(name, ASSET_NAMES)}"
                raise ValueError(msg)
        return setting

    @model_validator(mode="after")
    def _containers_are_asked_for(self) -> Self:
        for name in ("image", "cpu", "gpu"):
            if (
                self.isolation != "container"
                and (given := getattr(self, name)) != type(self).model_fields[name].default
            ):
                raise invalid("absent, as only `isolation: container` gives steps one", name, value=given)
        return self

    def container_of(self, asset: str) -> StepContainer | None:
        """Return the container of the step of one asset, by its name; None where it has none of its own."""
        if self.isolation != "container":
            return None
        return StepContainer(
            image=_of(self.image, asset),
            cpu=_of(self.cpu, asset),
            memory_mb=_of(self.memory_mb, asset),
            gpu=_of(self.gpu, asset) or 0,
        )

    def of_step(self, asset: str) -> StepPolicy:
        """Return what holds for the step of one asset, by its name."""
        minutes = _of(self.timeout_minutes, asset)
        return StepPolicy(
            memory_mb=_of(self.memory_mb, asset),
            timeout_seconds=None if minutes is None else minutes * 60,
            max_retries=self.max_retries,
            backoff_seconds=self.backoff_seconds,
        )

    def slots_of(self, asset: str) -> int:
        """Return how many devices of its pool the step of one asset holds, by its name."""
        return self.pool_slots.get(asset, 1) if isinstance(self.pool_slots, dict) else self.pool_slots

    def pool_of(self, asset: str, *, learns: bool) -> str | None:
        """Return the pool of the step of one asset, by its name; None for no pool.

        Args:
            asset: its name.
            learns: whether it tunes or trains.
        """
        if isinstance(self.pool, dict):
            return self.pool.get(asset, _LEARNING_POOL if learns else None)
        return self.pool if learns else None


def _of(setting: T | dict[str, T] | None, asset: str) -> T | None:
    return setting.get(asset) if isinstance(setting, dict) else setting


class PredictionChecks(Spec):
    """What predictions must be like before they are published."""

    severity: Literal["block", "warn"] = "block"
    """Whether predictions that fail a check are refused, so that the last good ones stay, or published all the same."""
    range_margin: float = Field(default=0.5, ge=0)
    """How far predictions of a regression may lie beyond the targets of the training rows, as a share of their
    range."""
    max_change: float = Field(default=0.3, gt=0, le=1)
    """How far the distribution may lie from that of the holdout's predictions, beyond what chance explains: the share
    of predictions that would have to be others."""
    fallback_missing: float = Field(default=0.5, ge=0, lt=1)
    """A row that lacks more than this share of the features that training rows usually have is a fallback."""
    max_fallbacks: float = Field(default=0.2, ge=0, le=1)
    """Largest share of fallbacks."""


class ScoringSpec(Spec):
    """Predictions of the champion, made whenever there is a new champion or new rows."""

    source: str | None = None
    """Rows to predict, read like `dataset.source`; they need no target. The newest validated partition unless set. Of
    an asset (`features://`, `asset://`) they are the newest that the deployment's store has."""
    columns: tuple[ColumnName, ...] = ()
    """Columns kept beside the prediction, e.g. the row's key; identifiers unless set."""
    partitioned: bool = Field(default=False, exclude_if=lambda partitioned: not partitioned)
    """Whether each partition of the data has predictions of its own, with its own checks; else there are those of the
    newest rows. A source is cut into partitions as `dataset.source` is."""
    checks: PredictionChecks = Field(default=PredictionChecks(), exclude_if=lambda checks: checks == PredictionChecks())
    """What predictions must be like; the checks are on unless set otherwise."""


class DriftSpec(Spec):
    """When rows count as drifted from what the champion was trained on: features, predictions and the target."""

    columns: Literal["auto"] | tuple[ColumnName, ...] = "auto"
    """The features that are watched; all unless set."""
    min_effect: float = Field(default=0.1, gt=0, le=1)
    """Smallest change of a distribution that matters: Kolmogorov-Smirnov distance, or total variation distance of
    categories."""
    missing_effect: float | None = Field(default=0.125, gt=0, le=3.15)
    """Smallest change of a feature's share of missing values that matters, as Cohen's h; null: not watched apart."""
    flag_effect: float | None = Field(default=0.125, gt=0, le=3.15)
    """The same for the share of the rarer value of a feature (or target) that has two values: 0.125 is 1 % -> 2.6 %,
    10 % -> 14 % or 50 % -> 56 %."""
    new_categories: float | None = Field(default=0.03, gt=0, le=1)
    """Share of rows with categories that the training rows do not have, beyond the expected; null: not watched."""
    watch_target: bool = True
    """Whether the target's distribution is compared with that of the training rows."""
    watch_predictions: bool = True
    """Whether the champion's predictions are compared with those of its holdout."""
    season: Literal["auto", "none"] | Annotated[int, Field(ge=1)] = "auto"
    """Partitions after which a season comes again: a change that the same season had before the champion was trained
    does not count. `auto`: 12 months, 52 weeks, 7 days or 168 hours."""
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """Of the Benjamini-Hochberg procedure over everything that is watched, in one window."""
    alarm_windows: int = Field(default=2, ge=1)
    """An alarm needs the same feature to drift in this many ..."""
    of_windows: int = Field(default=3, ge=1)
    """... of so many latest partitions."""

    @model_validator(mode="after")
    def _windows_agree(self) -> Self:
        if self.alarm_windows > self.of_windows:
            msg = f"alarm_windows {self.alarm_windows} is above of_windows {self.of_windows}"
            raise ValueError(msg)
        return self


class PerformanceSpec(Spec):
    """When the champion is degraded: its primary metric on a new partition against its value at promotion."""

    max_loss: float = Field(gt=0)
    """Loss of the primary metric, in its unit, that matters."""
    confidence: float = Field(default=0.995, gt=0.5, lt=1)
    """How sure it must be that the loss exceeds `max_loss`, given the noise of both samples; of windows without a loss
    a share of at most 1 - confidence is a false alarm."""
    max_calibration_gap: float | None = Field(default=0.05, gt=0, le=1)
    """Largest change between predicted and observed values at equal predictions: of probabilities, or of values in
    units of twice the target's standard deviation; null: not watched."""
    estimate: bool = True
    """Whether the metric of rows without labels is estimated; an estimate only warns."""
    alarm_windows: int = Field(default=1, ge=1)
    """An alarm needs the loss in this many partitions in a row; a champion worse than the baseline needs one."""


class MonitoringSpec(Spec):
    """What is watched once there is a champion."""

    drift: DriftSpec | None = DriftSpec()
    performance: PerformanceSpec | None = None
    label_delay: int = Field(default=0, ge=0, le=1000)
    """Partitions after which a partition's target is known. Performance and the target's distribution are judged that
    much later, and training, evaluation and backtest use no younger target."""
    repeat_after: int = Field(default=3, ge=1)
    """Windows after which an alarm that was answered by a training without a new champion begins again."""


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _CronField:
    """One field of a cron line, in the forms that Dagster's schedules understand.

    They are numbers, names, lists, ranges, steps, `L` for the last day of a month and `mon#1` for its first Monday.
    https://man7.org/linux/man-pages/man5/crontab.5.html
    """

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    special: str = "(?!)"
    """Pattern of further forms; none unless set."""

    def number(self, text: str) -> int:
        """Return the number that a text or name means; -1 for anything else."""
        if text.lower() in self.words:
            return self.words.index(text.lower()) + self.low
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) and self.low <= int(text) <= self.high else -1

    def values(self, part: str) -> set[int]:
        """Return the numbers that one part of a list covers; empty if it is not valid."""
        every = range(self.low, self.high + 1)
        if re.fullmatch(self.special, part, re.IGNORECASE):
            return set(every)
        span, slash, step = part.partition("/")
        ends = [str(self.low), str(self.high)] if span == "*" else span.split("-")
        numbers = [self.number(end) for end in ends]
        if len(numbers) > 2 or min(numbers) < 0 or (slash and not re.fullmatch("0*[1-9][0-9]{0,3}", step)):  # noqa: PLR2004
            return set()
        first = numbers[0]
        last = self.high if slash and len(numbers) == 1 else numbers[-1]
        # a range such as fri-mon goes over the end
        beyond = () if first <= last else range(self.low, last + 1)
        covered = [*range(first, (last if first <= last else self.high) + 1), *beyond]
        return set(covered[:: int(step or 1)])


_CRON_FIELDS = (
    _CronField("minute", 0, 59),
    _CronField("hour", 0, 23),
    _CronField("day of the month", 1, 31, special=r"\?|l"),
    _CronField("month", 1, 12, tuple(_MONTHS)),
    _CronField("day of the week", 0, 7, tuple(_DAYS), special=rf"\?|([0-7]|{'|'.join(_DAYS)})#[1-5]|l[0-7]"),
)


def cron_problem(line: str) -> str:
    """Return why a line is no cron line, or never fires; empty if it is one."""
    given = line.split()
    if len(given) != len(_CRON_FIELDS):
        return f"a cron line of {len(_CRON_FIELDS)} fields ({', '.join(field.name for field in _CRON_FIELDS)})"
    covered: list[set[int]] = []
    for field, text in zip(_CRON_FIELDS, given, strict=True):
        parts = [field.values(part) for part in text.split(",")]
        if not all(parts):
            return f"a cron line whose {field.name} is between {field.low} and {field.high}, which '{text}' is not"
        covered.append(set().union(*parts))
    _, _, days, months, _ = covered
    if min(days) > max(_MOST_DAYS[month - 1] for month in months):
        return f"a cron line that fires: there is no day {given[2]} in month {given[3]}"
    return ""
