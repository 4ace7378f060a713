"""Sections of `decisions.py` about monitoring: false alarms, what is found how soon, and estimates without labels.

The champion is a formula that needs no fit; rows are drawn of the population that it knows, or of a changed one.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from decisions_table import Section, Table, share

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.monitoring.drift import DriftReport, evaluate_drift
from assay.monitoring.performance import PerformanceReport, evaluate_performance
from assay.monitoring.reference import KnownRows, MonitoredWindow, Reference
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole

SIZES = (200, 2_000, 10_000)
FEATURES = 20
_CATEGORIES, _FLAGS = range(2, FEATURES, 3), range(4, FEATURES, 5)
_WINDOWS = 12
"""Of a sequence under one champion."""
_FLAG, _FLAG_AFTER, _CHANGED = 0.3, 0.39, 0.09
Random = np.random.Generator
Change = Callable[[LabelledRows, Random], LabelledRows]


class Champion:
    """Knows that the target follows the first feature; `predict_proba` is its alone in a classification."""

    classes_ = ("no", "yes")

    def __init__(self, *, regression: bool) -> None:
        self._regression = regression

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Return twice the first feature, or the likelier class."""
        score = 2 * features["x0"].to_numpy()
        return score if self._regression else np.where(score > 0, "yes", "no").astype(object)

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Return the probabilities that the target is drawn with."""
        positive = 1 / (1 + np.exp(-2 * features["x0"].to_numpy()))
        return np.column_stack([1 - positive, positive])


class World(NamedTuple):
    """How rows come about.

    Attributes:
        metric: primary metric; decides the task.
        features: how many there are; every third has four categories, every fifth two values.
        offset: of the log odds; lower makes fewer positives.
    """

    metric: str = "roc_auc"
    features: int = 1
    offset: float = 0.0

    @property
    def regression(self) -> bool:
        """Whether values are predicted."""
        return self.metric in {"mae", "rmse"}

    def columns(self) -> list[tuple[str, ColumnRole]]:
        """Return names and roles of the features."""
        kinds = {**dict.fromkeys(_FLAGS, ColumnRole.BOOLEAN), **dict.fromkeys(_CATEGORIES, ColumnRole.CATEGORICAL)}
        return [(f"x{n}", kinds.get(n, ColumnRole.NUMERIC)) for n in range(self.features)]

    def rows(self, count: int, random: Random, *, shift: float = 0.0, unknown: float = 0.0) -> LabelledRows:
        """Return labelled rows.

        Args:
            count: how many.
            random: of the draw.
            shift: of the first feature.
            unknown: share of rows in which the first feature means the opposite.
        """
        made: dict[str, np.ndarray] = {}
        for name, role in self.columns():
            if role is ColumnRole.NUMERIC:
                made[name] = random.normal(size=count)
            elif role is ColumnRole.BOOLEAN:
                made[name] = (random.random(count) < _FLAG).astype(np.float64)
            else:
                made[name] = random.choice(np.array(list("abcd"), dtype=object), count, p=[0.5, 0.3, 0.15, 0.05])
        made["x0"] = made["x0"] + shift
        meaning = np.where(random.random(count) < unknown, -made["x0"], made["x0"])
        if self.regression:
            target: np.ndarray = 2 * meaning + random.normal(size=count) * (0.5 + np.abs(meaning))
        else:
            positive = random.random(count) < 1 / (1 + np.exp(-2 * meaning - self.offset))
            target = np.where(positive, "yes", "no").astype(object)
        return LabelledRows(pd.DataFrame(made), pd.Series(target, name="y"))

    def spec(self, **performance: Any) -> PipelineSpec:
        """Return a pipeline with the defaults of monitoring; keys are those of `monitoring.performance`."""
        document = {
            "name": "demo",
            "task": "regression" if self.regression else "binary_classification",
            "dataset": {"source": "rows.csv", "target": "y"},
            "evaluation": {"primary_metric": self.metric},
            "monitoring": {"performance": performance} if performance else {},
        }
        return PipelineSpec.model_validate_json(json.dumps(document))

    def reference(self, spec: PipelineSpec, train: LabelledRows, holdout: LabelledRows) -> Reference:
        """Return the champion with its rows."""
        columns = tuple(ColumnSchema(name=name, dtype="any", role=role) for name, role in self.columns())
        manifest = SimpleNamespace(
            features=TableSchema(version=1, columns=columns),
            classes=() if self.regression else Champion.classes_,
            task=spec.task,
            target="y",
            holdout_rows=len(holdout.target),
        )
        model: Any = SimpleNamespace(manifest=manifest, estimator=Champion(regression=self.regression))
        unmeasured = Reference("1", model, None, train, holdout, spec)
        at_promotion = evaluate_performance(_window(holdout), unmeasured, [], spec).value_now
        return Reference("1", model, at_promotion, train, holdout, spec)


def _window(rows: LabelledRows) -> MonitoredWindow:
    known = KnownRows("", rows)
    return MonitoredWindow("", rows.features, labelled=known, unlearned=known)


def _repetitions(scale: float, at_200: int, size: int) -> int:
    """Return fewer repetitions of larger windows, in which they cost more and vary less."""
    return max(2, round(scale * at_200 * min(1.0, 2_000 / size)))


def _drifts(size: int, windows: int, seed: int, change: Change | None) -> list[DriftReport]:
    """Return the reports of successive windows; the champion was trained on three windows, or 2,000 rows."""
    world, random = World(features=FEATURES), np.random.default_rng(seed)
    spec = world.spec()
    champion = world.reference(spec, world.rows(max(2_000, 3 * size), random), world.rows(size, random))
    made: list[DriftReport] = []
    for _ in range(windows):
        rows = world.rows(size, random)
        made.append(evaluate_drift(_window(change(rows, random) if change else rows), champion, made, spec))
    return made


def _column(name: str, new: Callable[[pd.Series, Random], Any]) -> Change:
    def changed(rows: LabelledRows, random: Random) -> LabelledRows:
        values = new(rows.features[name], random)
        return LabelledRows(rows.features.assign(**{name: values}), rows.target)

    return changed


def _replaced(values: pd.Series, random: Random, new: str | None) -> pd.Series:
    return values.where(random.random(len(values)) >= _CHANGED, new)


def _rarer_target(rows: LabelledRows, random: Random) -> LabelledRows:
    to_no = random.random(len(rows.target)) < 0.2  # noqa: PLR2004 - half of the rows are "yes"
    return LabelledRows(rows.features, rows.target.where(~to_no, "no"))


_CHANGES: dict[str, Change] = {
    "a number moves by half a deviation": _column("x1", lambda values, _: values + 0.5),
    "missing values 0 -> 9 %": _column("x1", lambda values, draw: values.where(draw.random(len(values)) >= _CHANGED)),
    "a new category of 9 %": _column(
        "x2", lambda values, draw: values.where(draw.random(len(values)) >= _CHANGED, "new")
    ),
    "a flag 30 -> 39 %": _column("x4", lambda values, draw: (draw.random(len(values)) < _FLAG_AFTER).astype(float)),
    "the target 50 -> 40 %": _rarer_target,
}


def drift(scale: float) -> Table:
    """Return how many windows without drift start an alarm."""
    cells = []
    for size in SIZES:
        seeds = range(_repetitions(scale, 40, size))
        reports = [one for seed in seeds for one in _drifts(size, _WINDOWS, seed, None)]
        cells.append(share(sum(one.alarm_start for one in reports), len(reports)))
    return Table([f"n = {size:,}" for size in SIZES], [cells])


def changes(scale: float) -> Table:
    """Return the share of changes that start an alarm within three windows."""
    lines = [[name, *(_found(size, change, scale) for size in SIZES)] for name, change in _CHANGES.items()]
    return Table(["", *(f"n = {size:,}" for size in SIZES)], lines)


def _found(size: int, change: Change, scale: float) -> str:
    seeds = range(_repetitions(scale, 40, size))
    alarmed = [any(one.alarm_start for one in _drifts(size, 3, 1_000 + seed, change)) for seed in seeds]
    return share(sum(alarmed), len(alarmed))


_LOSSES = (0.001, 0.02)
_PERFORMANCE = (World("roc_auc"), World("roc_auc", offset=-4.5), World("log_loss"), World("rmse"))


def _performances(
    world: World, spec: PipelineSpec, size: int, windows: int, seed: int, **change: float
) -> list[PerformanceReport]:
    """Return the reports of successive windows of as many rows as the holdout."""
    random = np.random.default_rng(seed)
    champion = world.reference(spec, world.rows(2_000, random), world.rows(size, random))
    made: list[PerformanceReport] = []
    for _ in range(windows):
        made.append(evaluate_performance(_window(world.rows(size, random, **change)), champion, made, spec))
    return made


def performance(scale: float) -> Table:
    """Return false alarms of performance by metric and size, at a `max_loss` of almost nothing."""
    lines: list[list[str]] = []
    for number, world in enumerate(_PERFORMANCE):
        cells = []
        for size in SIZES:
            run = partial(_performances, world, world.spec(max_loss=_LOSSES[0], estimate=False), size, 3)
            seeds = range(1_000 * number, 1_000 * number + _repetitions(scale, 60, size))
            reports = list(itertools.chain.from_iterable(map(run, seeds)))
            cells.append(share(sum(one.alarm for one in reports), len(reports)))
        lines.append([f"{world.metric}{', 5 % positives' if world.offset else ''}", *cells])
    return Table(["", *(f"n = {size:,}" for size in SIZES)], lines)


_UNKNOWN = {"5 % of rows mean the opposite": 0.05, "10 % of rows": 0.1, "60 % of rows": 0.6}


def losses(scale: float) -> Table:
    """Return how often a loss of AUC is found in its first window, and by what."""
    lines: list[list[str]] = []
    for name, unknown in _UNKNOWN.items():
        cells = []
        for size in SIZES:
            made = list(_after_loss(size, unknown, _repetitions(scale, 40, size)))
            loss = np.mean([one.loss for one in made if one.loss is not None])
            worse = sum("baseline" in one.degraded_by for one in made)
            cells.append(
                f"{share(sum(one.alarm for one in made), len(made))}, {worse} by the baseline; mean loss {loss:.3f}"
            )
        lines.append([name, *cells])
    return Table(["", *(f"n = {size:,}" for size in SIZES)], lines)


def _after_loss(size: int, unknown: float, repetitions: int) -> Iterator[PerformanceReport]:
    world = World("roc_auc")
    spec = world.spec(max_loss=_LOSSES[1], estimate=False)
    for seed in range(repetitions):
        yield from _performances(world, spec, size, 1, seed, unknown=unknown)


def estimates(scale: float) -> Table:
    """Return how near the estimates without labels are to the metric that labels give."""
    lines = []
    for metric, shift in itertools.product(("roc_auc", "accuracy", "log_loss", "mae"), (0.0, 1.0)):
        world = World(metric)
        spec = world.spec(max_loss=0.02 if not world.regression else 0.1)
        made = list(_estimated(world, spec, range(max(2, round(20 * scale))), shift))
        off = [one.estimate.value - one.value_now for one in made]
        inside = sum(one.estimate.lower <= one.value_now <= one.estimate.upper for one in made)
        lines.append([
            metric,
            "none" if not shift else "one deviation",
            f"{np.mean([one.value_at_promotion for one in made]):.3f}",
            f"{np.mean([one.value_now for one in made]):.3f}",
            f"{np.mean([one.estimate.value for one in made]):.3f}",
            f"{np.mean(np.abs(off)):.3f}",
            share(inside, len(made)),
            share(sum(one.estimate.warning for one in made), len(made)),
        ])  # fmt: skip
    heading = ["metric", "shift", "at promotion", "by labels", "estimated", "mean error", "interval holds", "warnings"]
    return Table(heading, lines)


def _estimated(world: World, spec: PipelineSpec, seeds: Iterable[int], shift: float) -> Iterator[Any]:
    for seed in seeds:
        yield from _performances(world, spec, 2_000, 1, seed, shift=shift)


SECTIONS = (
    Section("drift", "Drift: windows without drift that start an alarm (20 features, target, predictions)", drift),
    Section("changes", "Drift: changes that start an alarm within three windows", changes),
    Section("performance", f"Performance: windows without a loss that alarm, max_loss {_LOSSES[0]}", performance),
    Section("losses", f"Performance: alarms in the first window of a loss, max_loss {_LOSSES[1]}", losses),
    Section("estimates", "Estimates without labels: CBPE and DLE, 2,000 rows of each side", estimates),
)
