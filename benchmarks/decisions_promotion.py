"""Promotions of `decisions.py`: the same recipe against itself, and improvements that are real.

Each repetition trains both models on rows of their own and decides on a fresh holdout. The training size is fixed, so
that the difference between two retrainings does not vanish as the holdout grows.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from decisions_table import Section, Table, share

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.splitting import LabelledRows, Split
from assay.learning.training import train
from assay.promotion.decision import PromotionDecision, decide
from assay.results.learned_rows import LearnedRows
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole

TRAIN_ROWS = 1_000
SIZES = (500, 2_000, 10_000)
FEATURES = [f"x{number}" for number in range(8)]
_GROUP_ROWS = 20


@dataclass(frozen=True)
class World:
    """How rows come about.

    Attributes:
        metric: what is compared; decides the task.
        positives: share of the positive class.
        grouped: rows of one group share part of their features and of their noise.
        strength: weight of the signal.
    """

    metric: str
    positives: float = 0.3
    grouped: bool = False
    strength: float = 0.6

    @property
    def regression(self) -> bool:
        """Whether values are predicted."""
        return self.metric == "rmse"

    def rows(self, count: int, random: np.random.Generator) -> tuple[LabelledRows, np.ndarray]:
        """Return rows and the group of each."""
        group = np.arange(count) // _GROUP_ROWS
        features, noise = random.normal(size=(count, len(FEATURES))), random.logistic(size=count)
        if self.grouped:
            shared = random.normal(size=(group[-1] + 1, len(FEATURES)))
            features = 0.6 * features + 0.8 * shared[group]
            noise = 0.6 * noise + 1.2 * random.logistic(size=group[-1] + 1)[group]
        score = self.strength * (features[:, :4].sum(axis=1) + features[:, 0] * features[:, 1]) + noise
        # the share of positives is that of the population, not of this draw
        bound = _bound(replace(self, grouped=False)) if not self.regression else 0.0
        target = score if self.regression else np.where(score > bound, "yes", "no").astype(object)
        return LabelledRows(pd.DataFrame(features, columns=FEATURES), pd.Series(target, name="y")), group


_BOUNDS: dict[World, float] = {}


def _bound(world: World) -> float:
    if world not in _BOUNDS:
        scores, _ = replace(world, metric="rmse").rows(200_000, np.random.default_rng(1))
        _BOUNDS[world] = float(np.quantile(scores.target, 1 - world.positives))
    return _BOUNDS[world]


def spec_of(world: World) -> PipelineSpec:
    """Return a pipeline with the defaults of promotion."""
    document = {
        "name": "demo",
        "task": "regression" if world.regression else "binary_classification",
        "dataset": {"source": "rows.csv", "target": "y"},
        "split": {"by": "group", "group": "group"} if world.grouped else {"by": "random"},
        "evaluation": {"primary_metric": world.metric},
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


def split_of(world: World, training: LabelledRows, holdout: LabelledRows, groups: np.ndarray) -> Split:
    """Return the split of the rows that a decision takes."""
    table = pa.Table.from_pandas(holdout.features.assign(y=holdout.target, group=groups), preserve_index=False)
    columns = tuple(ColumnSchema(name=name, dtype="double", role=ColumnRole.NUMERIC) for name in FEATURES)
    return Split(
        train=training,
        holdout=holdout,
        features=TableSchema(version=1, columns=columns),
        unused_columns={},
        train_groups=np.arange(len(training.target)) // _GROUP_ROWS if world.grouped else None,
        data_digests={"": "d" * 64},
        holdout_table=table,
        holdout_partitions=np.full(len(groups), "", dtype=object),
        holdout_digest="h" * 64,
        learned=LearnedRows(partitions=("earlier rows",)),
        classes=() if world.regression else ("no", "yes"),
    )


def fitted(family: str, split: Split, spec: PipelineSpec) -> TrainedModel:
    """Return a model of a family with its defaults."""
    best = BestHyperparameters(
        family=family, parameters={}, metric="", direction="maximize", searched=False, stopped_by="disabled", seed=1
    )
    return train(split, best, spec)


def decisions(
    world: World, family: str, rows: int, repetitions: int, spoiled: float = 0.0, seed: int = 0
) -> Iterator[PromotionDecision]:
    """Decide about retrainings of one recipe.

    Args:
        world: how rows come about.
        family: of both models.
        rows: of each holdout.
        repetitions: number of decisions.
        spoiled: noise that the champion's features have in addition, so that the challenger is really better.
        seed: of the rows.
    """
    random = np.random.default_rng(seed)
    spec = spec_of(world)
    models = (_trained(world, family, spec, random) for _ in itertools.count())
    old, _ = next(models)
    for _ in range(repetitions):
        new, training = next(models)
        holdout, groups = world.rows(rows, random)
        split = split_of(world, training, holdout, groups)
        champion = _spoiled(old, spoiled, random) if spoiled else old
        yield decide(new, champion, split, evaluate(new, split, spec), spec)
        old = new


def _trained(
    world: World, family: str, spec: PipelineSpec, random: np.random.Generator
) -> tuple[TrainedModel, LabelledRows]:
    training, groups = world.rows(TRAIN_ROWS, random)
    return fitted(family, split_of(world, training, training, groups), spec), training


class _Noisy:
    """A fitted model that sees its features through noise."""

    def __init__(self, estimator: object, noise: float, random: np.random.Generator) -> None:
        self._estimator, self._noise, self._random = estimator, noise, random

    def __getattr__(self, name: str) -> object:
        method = getattr(self._estimator, name)
        if name not in {"predict", "predict_proba"}:
            return method
        return lambda features: method(features + self._random.normal(0, self._noise, features.shape))


def _spoiled(model: TrainedModel, noise: float, random: np.random.Generator) -> TrainedModel:
    return replace(model, estimator=_Noisy(model.estimator, noise, random))


WORLDS = {
    "roc_auc": World("roc_auc"),
    "log_loss": World("log_loss"),
    "f1": World("f1"),
    "rmse": World("rmse"),
    "roc_auc, groups": World("roc_auc", grouped=True),
    "rmse, groups": World("rmse", grouped=True),
    "log_loss, 5 % positive": World("log_loss", positives=0.05),
    "roc_auc, 5 % positive": World("roc_auc", positives=0.05),
}
_LINEAR, _BOOSTED = {True: "ridge", False: "logistic_regression"}, "hist_gradient_boosting"


def against_itself(scale: float, *, boosted: bool) -> Table:
    """Return the share of promotions by metric and holdout size, where the recipe is the same."""
    rows = []
    for name, world in WORLDS.items():
        family = _BOOSTED if boosted else _LINEAR[world.regression]
        repetitions = max(2, round((40 if boosted else 200) * scale))
        rows.append([name, family, *(_promoted(decisions(world, family, size, repetitions)) for size in SIZES)])
    return Table(["metric", "family", *(f"n = {size:,}" for size in SIZES)], rows)


def power(scale: float) -> Table:
    """Return the share of promotions where the challenger is really better, by the mean effect."""
    rows = []
    for name, noise in (("roc_auc", 0.4), ("roc_auc, 5 % positive", 0.4)):
        for size in SIZES:
            made = list(decisions(WORLDS[name], _LINEAR[False], size, max(2, round(100 * scale)), noise))
            effect = np.mean([each.effect for each in made if each.effect is not None])
            rows.append([name, f"{size:,}", f"{effect:+.3f}", _promoted(made)])
    return Table(["metric", "holdout rows", "mean effect", "promoted"], rows)


def _promoted(made: Sequence[PromotionDecision] | Iterator[PromotionDecision]) -> str:
    verdicts = [each.promotes for each in made]
    return share(sum(verdicts), len(verdicts))


SECTIONS = (
    Section("aa", "Promotions of a linear recipe over itself", partial(against_itself, boosted=False)),
    Section("aa-boosted", "Promotions of a boosted recipe over itself", partial(against_itself, boosted=True)),
    Section("power", "Promotions of a challenger that is really better", power),
)
