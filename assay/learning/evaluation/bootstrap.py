"""The paired bootstrap: the evidence that one model is better than another on the same rows.

A resample is a vector of weights: how often each row occurs in it. Weights of many resamples form a matrix, and the
metrics of `weighted_metrics` evaluate all of its lines at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import Predictions
from assay.learning.evaluation.weighted_metrics import Weighted, weighted
from assay.learning.splitting import group_of_rows
from assay.specs.pipeline import PipelineSpec

RESAMPLES = 400
INTERVAL = 0.95
"""Share of the resamples inside a reported interval."""
MOST_ROWS = 50_000
BLOCKS = 30
"""Blocks that a holdout in the order of time is cut into: of a month, about a day each."""
_MOST_WEIGHTS = 4_000_000
Weights: TypeAlias = np.ndarray
"""Shape (resamples, rows), float64: how often each row occurs."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is drawn with replacement. Rows that depend on each other are drawn together.

    Attributes:
        groups: shape (n,), the number of each row's group, from 0; each group is drawn as a whole.
        order: shape (n,), the rows' positions in the order of time; blocks of neighbours are drawn.
    """

    groups: np.ndarray | None = None
    order: np.ndarray | None = None

    def number(self, inside: np.ndarray) -> int:
        """Return how many independent units some rows are, given by mask."""
        if self.groups is not None:
            return len(np.unique(self.groups[inside]))
        rows = int(inside.sum())
        return rows if self.order is None else min(rows, BLOCKS)

    def take(self, rows: np.ndarray) -> "Units":
        """Return the units of some rows, given by position."""
        groups = None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1]
        return Units(groups, None if self.order is None else self.order[rows])

    def weights(self, rows: int, seed: int) -> Iterator[Weights]:
        """Yield the weights of all resamples in portions of bounded size.

        Groups are drawn whole (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.8).
        Blocks are circular (Politis and Romano 1992, "A circular block-resampling procedure for stationary data"):
        each row begins one, and the end of the rows continues at their beginning. Above 50,000 rows those of `subset`
        are resampled.
        """
        random = np.random.default_rng(seed)
        pool, _ = self._subset(rows, random)
        portion = max(1, _MOST_WEIGHTS // rows)
        for start in range(0, RESAMPLES, portion):
            drawn = self._drawn(pool, min(portion, RESAMPLES - start), random)
            if len(pool) == rows:
                yield drawn
                continue
            whole = np.zeros((len(drawn), rows))
            whole[:, pool] = drawn
            yield whole

    def subset(self, rows: int, seed: int) -> tuple[np.ndarray, float]:
        """Return which of very many rows `weights` resamples, and by what their spread is that of all rows.

        The spread falls with the square root of the number of independent rows, or of whole groups. Of blocks of time
        there are always as many, so that their spread stays that of the subset: too wide where rows are independent.
        """
        return self._subset(rows, np.random.default_rng(seed))

    def _subset(self, rows: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
        if rows <= MOST_ROWS:
            return np.arange(rows), 1.0
        if self.groups is None:
            pool = np.sort(random.choice(rows, MOST_ROWS, replace=False))
            return pool, 1.0 if self.order is not None else float(np.sqrt(MOST_ROWS / rows))
        sizes = np.bincount(self.groups)
        order = random.permutation(sizes.size)
        chosen = order[: max(2, int((np.cumsum(sizes[order]) <= MOST_ROWS).sum()))]
        return np.flatnonzero(np.isin(self.groups, chosen)), float(np.sqrt(chosen.size / sizes.size))

    def _drawn(self, pool: np.ndarray, resamples: int, random: np.random.Generator) -> Weights:
        if self.groups is not None:
            groups = np.unique(self.groups[pool], return_inverse=True)[1]
            return _counts(int(groups.max()) + 1, None, resamples, random)[:, groups]
        if self.order is None:
            return _counts(len(pool), None, resamples, random)
        length = -(-len(pool) // BLOCKS)
        starts = _counts(len(pool), -(-len(pool) // length), resamples, random)
        # a row occurs once for each of the `length` starts up to it
        sums = np.cumsum(np.concatenate([starts[:, -length:], starts], axis=1), axis=1)
        in_time = sums[:, length:] - sums[:, :-length]
        weights: Weights = np.empty_like(in_time)
        weights[:, np.argsort(self.order[pool], kind="stable")] = in_time
        return weights


def units_of(table: pa.Table, spec: PipelineSpec) -> Units:
    """Return what is resampled of rows with all their columns: groups, blocks of time, or rows, as they are split.

    Rows of a time split keep their order where no column holds their time.
    """
    if spec.split.by == "group":
        names = group_of_rows(table, str(spec.split.group)).astype(str)
        return Units(groups=np.unique(names, return_inverse=True)[1])
    if spec.split.by != "time":
        return Units()
    column = spec.dataset.partitions.column
    if column is None or column not in table.column_names:
        return Units(order=np.arange(table.num_rows))
    in_time = pc.sort_indices(table, sort_keys=[(column, "ascending")]).to_numpy()
    order = np.empty(table.num_rows, dtype=np.int64)
    order[in_time] = np.arange(table.num_rows)
    return Units(order=order)


def _counts(units: int, draws: int | None, resamples: int, random: np.random.Generator) -> Weights:
    """Return how often each unit is drawn, shape (resamples, units); as many draws as units unless given."""
    drawn = random.integers(0, units, (resamples, draws or units)) + units * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Two models' predictions of the same rows.

    Attributes:
        truth: shape (n,).
        old: the champion's predictions.
        new: the challenger's predictions.
    """

    truth: np.ndarray
    old: Predictions
    new: Predictions

    def take(self, rows: np.ndarray) -> "Paired":
        """Return some of the rows, given by position or mask."""
        return Paired(self.truth[rows], self.old.take(rows), self.new.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """The difference of two models in one metric on some rows; positive where the new one is better.

    Attributes:
        old: the metric of the old model; None where it cannot be computed.
        new: of the new model.
        value: the improvement, in the metric's unit.
        drawn: shape (RESAMPLES,), the improvement in each resample; NaN where it cannot be computed.
    """

    old: float | None
    new: float | None
    value: float | None
    drawn: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """The improvements that could be computed."""
        known: np.ndarray = self.drawn[np.isfinite(self.drawn)]
        return known

    @property
    def spread(self) -> float:
        """Standard deviation of the improvement over the resamples; infinite where fewer than two have a value."""
        return float(self.known.std(ddof=1)) if len(self.known) > 1 else float("inf")

    @property
    def is_zero(self) -> bool:
        """Whether both models have the same metric in every resample, as two fits of the same model do."""
        return len(self.known) > 0 and not self.known.any()

    def share_above(self, bound: float) -> float:
        """Return the share of all resamples that improve by more than a bound; one without a value does not."""
        return float((self.known > bound).sum() / RESAMPLES)

    def lower_bound(self, confidence: float) -> float | None:
        """Return the lower end of the one-sided percentile interval; None without a resample that has a value."""
        return float(np.quantile(self.known, 1 - confidence)) if len(self.known) else None


def effects(
    wanted: Sequence[tuple[Metric, np.ndarray | None]], pair: Paired, units: Units, seed: int
) -> tuple[Effect, ...]:
    """Compare two models in metrics, on all rows or on some, by one paired bootstrap.

    Both models are evaluated on the same resamples, and so are all metrics and sets of rows.
    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapters 13 and 16.

    Args:
        wanted: each metric with the mask of the rows that it is computed on, shape (n,); None for all.
        pair: the predictions of n rows.
        units: what is resampled.
        seed: of the resampling.
    """
    parts = [(metric, mask, pair if mask is None else pair.take(mask)) for metric, mask in wanted]
    drawn = _in_resamples([_improvement(*part) for part in parts], units, len(pair.truth), seed)
    return tuple(_effect(metric, part, found) for (metric, _, part), found in zip(parts, drawn, strict=True))


def _improvement(metric: Metric, mask: np.ndarray | None, part: Paired) -> Weighted:
    old, new = weighted(metric, part.truth, part.old), weighted(metric, part.truth, part.new)

    def compute(weights: np.ndarray) -> np.ndarray:
        chosen = weights if mask is None else weights[:, mask]
        return metric.sign * (new(chosen) - old(chosen))

    return compute


def _in_resamples(computed: Sequence[Weighted], units: Units, rows: int, seed: int) -> list[np.ndarray]:
    """Return each statistic in each resample; of a subset of very many rows as it would spread in all of them."""
    portions = [[compute(weights) for compute in computed] for weights in units.weights(rows, seed)]
    drawn = [np.concatenate(found) for found in zip(*portions, strict=True)]
    if rows <= MOST_ROWS:
        return drawn
    pool, narrowing = units.subset(rows, seed)
    inside = np.zeros((1, rows))
    inside[:, pool] = 1.0
    everywhere = np.ones((1, rows))
    return [
        compute(everywhere) + narrowing * (found - compute(inside))
        for compute, found in zip(computed, drawn, strict=True)
    ]


def _effect(metric: Metric, pair: Paired, drawn: np.ndarray) -> Effect:
    old, new = (measure(metric, pair.truth, each).value for each in (pair.old, pair.new))
    return Effect(old, new, None if old is None or new is None else metric.gain(old, new), drawn)


def intervals(
    metrics: Iterable[Metric], truth: np.ndarray, predictions: Predictions, units: Units, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the two-sided percentile interval of each metric by its name; none where half of the resamples have none.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    found = resampled(metrics, truth, predictions, units, seed)
    known = {name: values[np.isfinite(values)] for name, values in found.items()}
    tails = ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)
    ends = {name: np.quantile(values, tails) for name, values in known.items() if 2 * len(values) > RESAMPLES}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def resampled(
    metrics: Iterable[Metric], truth: np.ndarray, predictions: Predictions, units: Units, seed: int
) -> dict[str, np.ndarray]:
    """Return each metric by its name in each resample, shape (RESAMPLES,); NaN where it cannot be computed."""
    computed = {metric.name: weighted(metric, truth, predictions) for metric in metrics}
    drawn = _in_resamples(list(computed.values()), units, len(truth), seed)
    return dict(zip(computed, drawn, strict=True))
