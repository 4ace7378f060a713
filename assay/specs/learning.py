"""How a pipeline splits, prepares, searches, fits and judges."""

from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, field_validator, model_validator

from assay.specs.base import ColumnName, Spec, invalid
from assay.specs.training_options import ClassLabel, ConstraintsSpec, TargetTransform, ThresholdSpec

DEFAULT_SEED = 42
_LONGEST_NAME = 256
"""MLflow's registry stores names in a column of this width."""
Hyperparameters: TypeAlias = dict[str, JsonValue]


class SplitSpec(Spec):
    """How a holdout is kept apart from the rows that are learned from."""

    by: Literal["random", "stratified", "group", "time"] = "random"
    """`random`, `stratified` and `group` go by a hash of each row's identity, so that a row keeps its side when data
    grow or are reordered; `stratified` also refuses a split that leaves a class without training rows, or one of two
    without holdout rows. `time` needs time partitions: earlier partitions train, the newest is the holdout."""
    test_size: float = Field(default=0.2, gt=0, lt=1)
    """Share of rows (or groups) in the holdout, met up to chance: 20 % of 1,000 rows are 200, give or take 25. A larger
    share contains the holdout of a smaller one. Not used by `time`."""
    key: tuple[ColumnName, ...] = ()
    """Columns that identify a row; rows of one identity stay on one side. Unless set, the first key of
    `validation.unique`, else all columns but the target and derived ones."""
    seed: int = Field(default=DEFAULT_SEED, ge=0)
    """Without effect since sides go by identity; kept for pipeline files of earlier versions."""
    group: ColumnName | None = None
    """Column whose values never stand on both sides; for `group`."""
    train_partitions: int | None = Field(default=None, ge=1)
    """For `time`: how many partitions before the holdout are trained on."""

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        if (self.by == "group") != (self.group is not None):
            msg = "split by group needs `group: <column>`, and no other kind takes it"
            raise ValueError(msg)
        if (self.by == "time") != (self.train_partitions is not None):
            msg = "split by time needs `train_partitions`, and no other kind takes it"
            raise ValueError(msg)
        if self.key and self.by in {"group", "time"}:
            msg = f"split by {self.by} takes no `key`: its sides go by {'group' if self.by == 'group' else 'partition'}"
            raise ValueError(msg)
        return self


ENSEMBLES = ("stack", "vote")
"""Names of the candidates that combine other families."""
WEIGHT = "weight"
"""Part of a vote's hyperparameters that holds the weight of each member."""


def parameters_of(part: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of one part of an ensemble, by their own names."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}


class StackSpec(Spec):
    """Families whose predictions a final model combines."""

    members: tuple[str, ...] = Field(min_length=2)
    """Family names, or `package.module:Class`."""
    final: str | None = None
    """The model that learns from the members' predictions; logistic regression or ridge unless set."""
    folds: int = Field(default=5, ge=2, le=20)
    """The final model learns from predictions of rows that the members were not fitted on: of so many folds."""


class ModelSpec(Spec):
    """Which model families compete and what they start from."""

    name: str | None = None
    """Name in the model registry; the pipeline's name unless set."""
    version: str = "1"
    """The user's own label of the model's design, e.g. raised when features change on purpose."""
    candidates: tuple[str, ...] = Field(default=("hist_gradient_boosting",), min_length=1)
    """Family names, or `package.module:Class`; tuning picks among them."""
    stack: tuple[str, ...] | StackSpec | None = Field(default=None, exclude_if=lambda stack: stack is None)
    """Families whose predictions a final model combines; the candidate `stack`, and the only one (beside `vote`) where
    `candidates` are not written."""
    vote: tuple[str, ...] | dict[str, float] | None = Field(default=None, exclude_if=lambda vote: vote is None)
    """Families whose predictions are averaged: a list, whose weights the search finds, or the weight of each; the
    candidate `vote`, as `stack` is."""
    hyperparameters: Hyperparameters = {}
    """Base values: `{C: 0.5}` goes to every candidate that takes `C`; `{logistic_regression: {C: 0.5}}` to one."""

    @field_validator("name")
    @classmethod
    def _registry_takes_the_name(cls, name: str | None) -> str | None:
        if name is None:
            return None
        if name.strip() in {"", ".", ".."} or any(each in "/:" or not each.isprintable() for each in name):
            msg = f"{name!r} is no name of a registered model: it may not be empty, . or .., nor hold / or :"
            raise ValueError(msg)
        if len(name) > _LONGEST_NAME:
            msg = f"at most {_LONGEST_NAME} characters, which the registry takes; these are {len(name)}"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _ensembles_are_candidates(self) -> Self:
        declared = tuple(name for name in ENSEMBLES if getattr(self, name) is not None)
        if declared and "candidates" not in self.model_fields_set:
            self.__dict__["candidates"] = declared  # the model is frozen once it is validated
        return self

    @model_validator(mode="after")
    def _ensembles_fit(self) -> Self:
        for name in ENSEMBLES:
            members = self.members_of(name)
            if name in self.candidates and not members:
                msg = f"the candidate '{name}' is not declared; add `{name}: [<family>, <family>]` to model"
                raise invalid(msg, "candidates", value=self.candidates)
            if members and (len(set(members)) != len(members) or len(members) == 1 or set(members) & {*ENSEMBLES}):
                msg = f"a {name} combines two or more families, each once, and no other ensemble"
                raise invalid(msg, name, value=members)
        weights = list(self.weights.values())
        if weights and (min(weights) < 0 or max(weights) == 0):
            msg = "weights are 0 or more, and one of them is more"
            raise invalid(msg, "vote", value=self.weights)
        return self

    @property
    def stacked(self) -> StackSpec | None:
        """The stack, written out."""
        return StackSpec(members=self.stack) if isinstance(self.stack, tuple) else self.stack

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each member of the vote; empty where the file leaves them to the search."""
        return self.vote if isinstance(self.vote, dict) else {}

    def members_of(self, name: str) -> tuple[str, ...]:
        """Return the families that a stack or vote combines; empty for any other candidate, and where undeclared."""
        if name == "stack" and self.stack is not None:
            return self.stack if isinstance(self.stack, tuple) else self.stack.members
        return tuple(self.vote or ()) if name == "vote" else ()

    def families_of(self, name: str) -> tuple[str, ...]:
        """Return the families that a candidate is made of: itself, or an ensemble's members and final model."""
        final = self.stacked.final if name == "stack" and self.stacked is not None else None
        members = self.members_of(name)
        return tuple(dict.fromkeys((*members, *([final] if final else [])))) or (name,)

    @model_validator(mode="after")
    def _candidates_once(self) -> Self:
        if len(set(self.candidates)) != len(self.candidates):
            msg = f"a candidate is named twice: {', '.join(self.candidates)}"
            raise ValueError(msg)
        return self


class TrainingSpec(Spec):
    """How the final model is fitted."""

    scenario: Literal["full", "incremental"] = "full"
    """`incremental` goes on from the champion's fitted state; families that cannot are refused."""
    seed: int = Field(default=DEFAULT_SEED, ge=0)
    """Seed of search and fit."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of one fit, BLAS and OpenMP included."""
    refit: Literal["auto", "all", "none"] = Field(default="auto", exclude_if=lambda refit: refit == "auto")
    """The rows of the model that is deployed. `all`: once the recipe is found, it is fitted on the training rows, which
    the holdout evaluates, and on all rows, which is deployed. `none`: the evaluated model is deployed. `auto`: `none`
    for split by time, else `all`."""
    sample_weight: ColumnName | None = Field(default=None, exclude_if=lambda column: column is None)
    """Column of weights by which rows count in every fit: finite numbers of 0 or more. It is no feature, and metrics
    do not use it."""
    class_weight: Literal["balanced"] | dict[ClassLabel, float] | None = Field(
        default=None, exclude_if=lambda weights: weights is None
    )
    """Weights by which rows count by their class, beside `sample_weight`: `balanced` gives all classes the same sum,
    `{label: weight}` names some, and the others weigh 1. Probabilities are those of the weighted rows; `calibration`
    undoes that."""
    calibration: Literal["isotonic", "sigmoid"] | None = Field(default=None, exclude_if=lambda method: method is None)
    """How probabilities are corrected after the fit, by predictions of training rows that the predicting model was not
    fitted on: `isotonic` by steps, for some thousand rows and more, `sigmoid` by a curve of two numbers."""
    threshold: float | ThresholdSpec | None = Field(default=None, exclude_if=lambda threshold: threshold is None)
    """The probability from which a row of a binary classification is labelled positive; 0.5 unless set. A number, or
    what it is chosen for, by predictions of training rows that the predicting model was not fitted on. Probabilities do
    not change."""
    target_transform: TargetTransform | None = Field(default=None, exclude_if=lambda name: name is None)
    """What a regression is fitted on in place of the target: its logarithm, that of the target and 1, or its power
    transform to a normal distribution. Predictions and metrics are in the target's unit."""
    constraints: ConstraintsSpec | None = Field(default=None, exclude_if=lambda constraints: constraints is None)
    """What trees may make of columns."""
    interval: float | None = Field(default=None, gt=0, lt=1, exclude_if=lambda share: share is None)
    """Share of targets that the intervals of a regression's predictions are to hold. Their width is found by errors on
    training rows that the predicting model was not fitted on, so that the evaluation can say which share of the holdout
    they hold; batch predictions have them then."""
    target_output_path: str | None = None
    """Also export the trained model's bundle to this folder or `s3://` prefix."""

    @field_validator("class_weight")
    @classmethod
    def _weights_are_positive(cls, weights: "str | dict[str, float] | None") -> "str | dict[str, float] | None":
        if isinstance(weights, dict) and (not weights or min(weights.values()) <= 0):
            msg = "weights above 0 by label, or balanced"
            raise ValueError(msg)
        return weights

    @field_validator("threshold")
    @classmethod
    def _threshold_is_a_probability(cls, threshold: float | ThresholdSpec | None) -> float | ThresholdSpec | None:
        if isinstance(threshold, float) and not 0 < threshold < 1:
            msg = "a probability between 0 and 1, or what it is chosen for, such as {metric: f1}"
            raise ValueError(msg)
        return threshold

    @property
    def weighs_rows(self) -> bool:
        """Whether rows count differently in a fit."""
        return self.sample_weight is not None or self.class_weight is not None

    @property
    def needs_out_of_fold(self) -> bool:
        """Whether something is found on predictions of training rows by fits that did not learn from them."""
        chosen = isinstance(self.threshold, ThresholdSpec)
        return self.calibration is not None or chosen or self.interval is not None


class OwnMetric(Spec):
    """A metric of the user's own, with what its function does not say itself."""

    path: str
    """`package.module:name` of a function, or of a scorer that scikit-learn's `make_scorer` made."""
    greater_is_better: bool | None = None
    """The direction; not needed where the function has an attribute of this name, nor for a scorer."""
    columns: tuple[ColumnName, ...] = ()
    """Columns of the validated rows that the function gets as `rows`; the gate requires them."""
    sample_weight: ColumnName | None = None
    """Column of weights that the function gets as `sample_weight`."""


class EvaluationSpec(Spec):
    """How a model is judged on the holdout."""

    primary_metric: str | OwnMetric | None = None
    """Metric that tuning optimises and promotion compares, by its name, the name of scikit-learn's scorer, or
    `package.module:function`; the task's default unless set."""
    metrics: tuple[str | OwnMetric, ...] = ()
    """Further metrics, beside the task's defaults."""
    slices: tuple[ColumnName, ...] = ()
    """Columns by whose values the metrics are also shown."""
    minimum: dict[str, float] = {}
    """Metrics that a promoted model must reach (or, for errors, stay under); of a metric of the user's own its path."""
    must_beat_baseline: bool = True
    """Whether a model that is no better than one that ignores the features is refused promotion."""
    compare_families: bool = Field(default=True, exclude_if=lambda compared: compared)
    """Whether the report fits the other families of the search as well, once each, and shows them on the holdout."""

    @model_validator(mode="after")
    def _own_metrics_once(self) -> Self:
        paths = [each.path for each in self._declared]
        if len(set(paths)) != len(paths):
            msg = f"a metric is declared twice: {', '.join(paths)}; name it by its path the second time"
            raise ValueError(msg)
        return self

    @property
    def _declared(self) -> tuple[OwnMetric, ...]:
        given = (self.primary_metric, *self.metrics)
        return tuple(each for each in given if isinstance(each, OwnMetric))

    def own_metric(self, path: str) -> OwnMetric:
        """Return what the pipeline says of a metric of the user's own."""
        return next((each for each in self._declared if each.path == path), OwnMetric(path=path))

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names and paths of `metrics`."""
        return tuple(each.path if isinstance(each, OwnMetric) else each for each in self.metrics)

    @property
    def primary_name(self) -> str | None:
        """Name or path of the primary metric; None for the task's default."""
        given = self.primary_metric
        return given.path if isinstance(given, OwnMetric) else given

    @property
    def metric_columns(self) -> tuple[str, ...]:
        """Columns of the rows that metrics ask for, each once."""
        asked = ((*each.columns, each.sample_weight) for each in self._declared)
        return tuple(dict.fromkeys(name for names in asked for name in names if name is not None))
