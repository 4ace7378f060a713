"""How a pipeline searches: ranges, validation folds, sampler and bounds."""

import math
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from assay.specs.base import Spec, invalid

SamplerName: TypeAlias = Literal["tpe", "random", "grid", "cma_es", "gp"]
PrunerName: TypeAlias = Literal["median", "successive_halving", "hyperband", "none"]


class SearchParameter(Spec):
    """The range of one hyperparameter."""

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = Field(default=None, gt=0)
    choices: tuple[str | bool | int | float | None, ...] | None = None

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Self:
        problem = self._categorical_problem() if self.type == "categorical" else self._numeric_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _categorical_problem(self) -> str:
        if not self.choices:
            return "categorical needs a non-empty list of choices"
        if self.low is not None or self.high is not None or self.step is not None or self.log:
            return "categorical takes choices only, not low, high, log or step"
        if len(set(self.choices)) != len(self.choices):
            return "choices are named once"
        return ""

    def _numeric_problem(self) -> str:
        if self.choices is not None:
            return f"{self.type} takes low and high, not choices"
        if self.low is None or self.high is None:
            return f"{self.type} needs low and high"
        if self.low > self.high:
            return f"low {self.low} is above high {self.high}"
        if self.step is not None and self.step > self.high - self.low:
            return f"step {self.step:g} is larger than the range from {self.low:g} to {self.high:g}"
        if self.log and (self.low <= 0 or self.step is not None):
            return "log needs low above 0, and no step"
        whole = all(v is None or v == int(v) for v in (self.low, self.high, self.step))
        return "" if whole or self.type == "float" else "int needs whole numbers for low, high and step"

    def holds(self, value: Any) -> bool:
        """Return whether a value is in the range and on its steps."""
        if self.type == "categorical":
            return value in (self.choices or ())
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self.low or 0.0, self.high or 0.0
        step = self.step or (1 if self.type == "int" else None)
        steps = (value - low) / step if step else 0.0
        return low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-9)

    def nearest(self, value: Any) -> Any:
        """Return the value of the range that is nearest to a given one; the first choice if it is not one of them."""
        if self.holds(value):
            return value
        choices = self.choices or ()
        numbers = [each for each in choices if isinstance(each, int | float) and not isinstance(each, bool)]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.type == "categorical":
            return min(numbers, key=lambda each: abs(each - value)) if numbers and is_number else choices[0]
        low, high = self.low or 0.0, self.high or 0.0
        inside = min(max(float(value), low), high) if is_number else low
        step = self.step or (1 if self.type == "int" else None)
        if step is not None:
            inside = low + min(round((inside - low) / step), math.floor((high - low) / step + 1e-9)) * step
        return int(inside) if self.type == "int" else inside

    def values(self, most: int) -> tuple[str | bool | int | float | None, ...] | None:
        """Return every value of the range in order; None where there are more than `most`."""
        if self.type == "categorical":
            return self.choices or ()
        low, high = self.low or 0.0, self.high or 0.0
        step = self.step or (1 if self.type == "int" else None)
        if step is None:
            return (low,) if low == high else None
        count = math.floor((high - low) / step + 1e-9) + 1
        if count > most:
            return None
        numbers = (min(low + position * step, high) for position in range(count))
        return tuple(int(number) for number in numbers) if self.type == "int" else tuple(numbers)

    def __str__(self) -> str:
        """Name the values of the range."""
        if self.type == "categorical":
            return f"one of {', '.join(map(str, self.choices or ()))}"
        steps = f" in steps of {self.step:g}" if self.step else ""
        return f"{'a whole number' if self.type == 'int' else 'a number'} from {self.low:g} to {self.high:g}{steps}"


class TuningSplit(Spec):
    """How a search cuts the training rows into rows to fit on and rows to measure on."""

    by: Literal["k_fold", "stratified", "group", "holdout", "time_series"]
    """`k_fold`, `stratified` (each fold has its share of every class) and `group` (of a split by group) measure on each
    row once, in `folds` parts. `holdout` measures on one part: quick, for large data. `time_series`, of a split by
    time, measures on the newest partitions, up to `folds` of them, each time fitted on those before."""
    size: float | None = Field(default=None, gt=0, lt=1)
    """For `holdout`: the share of the training rows that is measured on, a quarter unless set; of a split by time it is
    the newest training partition."""
    repeats: int | None = Field(default=None, ge=2, le=20)
    """For `k_fold`, `stratified` and `group`: how often all rows are cut, differently each time."""
    gap: int | None = Field(default=None, ge=0, le=1000)
    """For `time_series`: partitions that are left out before the one that is measured on, as many as pass until a
    target is known."""

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        kinds = {"size": ("holdout",), "repeats": ("k_fold", "stratified", "group"), "gap": ("time_series",)}
        for name, takers in kinds.items():
            if getattr(self, name) is not None and self.by not in takers:
                msg = f"`{name}` is for {', '.join(takers)}; {self.by} does not take it"
                raise invalid(msg, name, value=getattr(self, name))
        return self


class TuningSpec(Spec):
    """How far the search for hyperparameters goes."""

    enabled: bool = True
    """Without tuning the first candidate is used with its base hyperparameters."""
    n_trials: int = Field(default=20, ge=1, le=10_000)
    """Most trials. Each candidate takes one first, from its base values; the search needs more than that."""
    timeout: float | None = Field(default=None, gt=0)
    """Most seconds of the search and the final fits. Running trials are stopped, also one that takes more than a
    quarter of the time; only the first is finished whatever it takes, as there is no model otherwise."""
    workers: int | None = Field(default=None, ge=1, le=256, exclude_if=lambda workers: workers is None)
    """Processes that try points side by side; as many as `training.threads` unless set, which they share. With several,
    or a timeout, two searches of the same rows may differ."""
    sampler: SamplerName = Field(default="tpe", exclude_if=lambda sampler: sampler == "tpe")
    """What proposes points, of Optuna: `tpe`, by families and hyperparameters that did well (a tree-structured Parzen
    estimator); `random`; `grid`, every point once, in random order, of ranges with `step` or `choices`; `cma_es`
    (needs the package cmaes) and `gp` (needs torch), for numbers of a single candidate."""
    pruner: PrunerName = Field(default="median", exclude_if=lambda pruner: pruner == "median")
    """What gives a trial up before its last fold: `median`, where its mean so far is below that of half of the trials;
    `successive_halving`, which lets a third of them go on to the next rung; `hyperband`, which runs several of these,
    some more patient; `none`."""
    search_space: Literal["auto"] | dict[str, SearchParameter] = "auto"
    """Ranges that replace those of each family's own, or are searched beside them: `C` of every candidate that takes
    it, `logistic_regression.C` of one. Every trial lies inside them, the first one, too; a single choice fixes a
    value. `auto` and `{}` add none."""
    default_space: bool | None = Field(default=None, exclude_if=lambda given: given is None)
    """Whether the families' own ranges are searched. With `false` nothing varies but `search_space`, and without that
    each candidate is tried once. Unless set they are, except by the sampler `grid` with a `search_space`."""
    begin_with_previous: bool = Field(default=True, exclude_if=lambda begins: begins)
    """Whether a search of rows split by time first tries the best of the partition before, where that has one."""
    ensemble: bool = Field(default=True, exclude_if=lambda ensemble: ensemble)
    """Whether the best trials of up to four families are averaged (as `vote`) where that is better beyond noise, on
    rows on which the weights were not found. An average predicts as slowly as its members together. `assay tune` finds
    one family."""
    prefer_simpler: bool = Field(default=True, exclude_if=lambda simpler: simpler)
    """Whether a simpler family is chosen where the best one is better in less than 60 % of resamples of the validation
    rows: linear models before boosters, boosters before all others. It predicts faster, too."""
    recalibrate: bool = Field(default=True, exclude_if=lambda recalibrates: recalibrates)
    """Whether the probabilities of the chosen classifier are corrected by a sigmoid where they are badly calibrated:
    where that lowers the log loss of validation rows by 2 % or more and beyond noise, on rows on which it was not
    found, and does not cost the primary metric. Not with `training.calibration`, `class_weight` or `threshold`, which
    say how probabilities are to be, and not for a model that continues."""
    max_latency_ms: float | None = Field(default=None, gt=0, exclude_if=lambda bound: bound is None)
    """Longest time to predict 1,000 rows, in milliseconds, preprocessing included; any unless set. A slower model is
    not chosen, and an average takes its members' times together. Measured on this machine while other trials run, so
    that a search with it is not repeated exactly; `promotion.max_latency_ms` measures the same of the final model."""
    folds: int = Field(default=3, ge=2, le=20)
    """Cross-validation folds inside the training rows; split by time uses the latest training partition instead."""
    split: TuningSplit | None = Field(default=None, exclude_if=lambda split: split is None)
    """How the training rows are cut; unless set into `folds` folds, stratified for classes and by groups where the
    pipeline splits by them, and for a split by time at its newest training partition."""

    @property
    def asked_space(self) -> dict[str, SearchParameter]:
        """The ranges that the file declares."""
        return {} if self.search_space == "auto" else self.search_space

    @property
    def has_default_space(self) -> bool:
        """Whether the families' own ranges are searched beside those that the file declares."""
        is_listed = self.sampler == "grid" and bool(self.asked_space)
        return not is_listed if self.default_space is None else self.default_space

    @model_validator(mode="after")
    def _one_part_has_no_folds(self) -> Self:
        if self.split is None or self.split.by != "holdout":
            return self
        if "folds" in self.model_fields_set:
            msg = "a holdout has no folds: leave `folds` out, or split by k_fold"
            raise invalid(msg, "folds", value=self.folds)
        if self.pruner != "none" and "pruner" in self.model_fields_set:
            msg = "a trial on a holdout has one part, so that it cannot be given up before its last one"
            raise invalid(msg, "pruner", value=self.pruner)
        return self
