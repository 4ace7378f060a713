"""Whether the arms got the shares of the keys that were declared; if they did not, a comparison of them is not fair.

A sample ratio mismatch (Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments") means
that something after the assignment decides which rows are seen: a client that repeats refused requests, a challenger
that fails for some rows, a log that lost some. Keys are compared, as they were assigned: rows of one key are not
independent. The test is exact (Clopper and Pearson 1934), so that it holds for few keys too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.serving.arms import Arm
from assay.serving.prediction_log import ARM, EXPERIMENT, KEY, SHADOW, SHARE

ALPHA = 0.0005
"""Of all tests of a day together: a false alarm would stop a sound comparison."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The keys that the arms of one experiment got.

    Attributes:
        experiment: which versions are compared.
        share: of the challenger, as declared.
        keys: different keys.
        challenged: keys of the challenger.
        probability: of a share as far from the declared one by chance (two-sided exact binomial test).
    """

    experiment: str
    share: float
    keys: int
    challenged: int
    probability: float

    @property
    def found(self) -> float:
        """The share of the keys that the challenger got."""
        return self.challenged / self.keys


def sample_ratios(log: pa.Table) -> list[SampleRatio]:
    """Return for each experiment and declared share what the arms got of the answered rows.

    Args:
        log: rows in the form of `LOG_SCHEMA`. Rows of the shadow, and rows outside an experiment, do not count; of a
            challenger that predicts in the shadow alone no row is assigned, so that it is left out.
    """
    inside = log.filter(pc.not_equal(log.column(EXPERIMENT), "")).select([EXPERIMENT, SHARE, KEY, ARM, SHADOW])
    shadowed = set(pc.unique(inside.filter(inside.column(SHADOW)).column(EXPERIMENT)).to_pylist())
    return [
        each for each in _ratios(inside.filter(pc.invert(inside.column(SHADOW)))) if each.experiment not in shadowed
    ]


def _ratios(rows: pa.Table) -> Iterator[SampleRatio]:
    from scipy.stats import binomtest

    keys = rows.group_by([EXPERIMENT, SHARE, ARM, KEY]).aggregate([])
    counts: dict[tuple[str, float], dict[str, int]] = {}
    for each in keys.group_by([EXPERIMENT, SHARE, ARM]).aggregate([(KEY, "count")]).to_pylist():
        counts.setdefault((each[EXPERIMENT], each[SHARE]), {})[each[ARM]] = each[f"{KEY}_count"]
    for (experiment, share), by_arm in sorted(counts.items()):
        total, challenged = sum(by_arm.values()), by_arm.get(Arm.CHALLENGER, 0)
        probability = float(binomtest(challenged, total, share).pvalue)
        yield SampleRatio(experiment, share, total, challenged, probability)


def mismatches(ratios: list[SampleRatio]) -> list[SampleRatio]:
    """Return those whose share cannot be chance, at `ALPHA` over all of them (Bonferroni)."""
    return [each for each in ratios if each.probability < ALPHA / len(ratios)]
