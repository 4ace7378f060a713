"""Whether a holdout is too good to be true: what a fitted model's skill rests on.

A leak raises the holdout with the training rows, so no metric shows it. It shows in what the skill rests on: one or two
columns of many carry nearly all of it (Kaufman, Rosset, Perlich and Stitelman 2012, "Leakage in Data Mining:
Formulation, Detection, and Avoidance"). Columns are shuffled among the holdout rows, as for permutation importance
(Breiman 2001; Fisher, Rudin and Dominici 2019); nothing is fitted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from assay.data.dataset import GateWarning
from assay.gate.sentinel.scores import auc_of_ranks
from assay.learning.evaluation.predictions import Predictions
from assay.learning.splitting import LabelledRows, Split
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

PredictRows: TypeAlias = "Callable[[pd.DataFrame], Predictions]"

MIN_ROWS = 100
"""Fewer holdout rows do not show what carries a skill."""
FEWEST_ROWS = 20
"""Fewer do not show that a model relies on a column that the gate suspects."""
MOST_ROWS = 2000
MOST_COLUMNS = 200
"""With more columns only those that the gate suspects are shuffled."""
HIGH_SKILL = 0.8
"""Skill of a classification from which its carriers count: an AUC of 0.9."""
HIGH_R2 = 0.9
"""The same for numbers, of which only one carrier counts: two often give a third, as distance and place the time."""
CARRIED = 0.95
"""Share of the skill that carriers alone keep."""
REPLACED = 0.85
"""Share of the skill that a model of the other columns reaches, at most: what is real usually has correlates."""
PREVAILS = 0.5
"""Share of the skill that one quantity alone keeps, if the others reach no more than `OUTDONE` of it."""
OUTDONE = 0.65
QUANTITY = 20
"""Different numbers that a quantity has at least; flags and codes may honestly settle much."""
HONEST = 0.25
"""Skill that the other columns reach at least: beside pure noise one real feature carries everything."""
SPARED = 0.9
"""Share of the skill without the columns that the gate suspects, from which they add little, whatever they are."""
SOME = 0.05
"""Skill that it is then at least, as for `HONEST`."""
RELIES = 0.25
"""Share of the skill whose loss shows that the model relies on the columns that the gate suspects."""
SPARE_COLUMNS = 2
"""Further columns that a table must have, for one or two that carry everything to be odd."""
ALIKE = 0.9
MOST_ALIKE = 3
"""So many columns that carry nearly the same are left out together: each alone could be spared."""
MAX_CARRIERS = 2
MOST_OF_PERFECT = 3
PERFECT = 0.98
"""Skill of a classification from which even three carriers count."""
_FITTED_ROWS = 5000
_TRIED_COLUMNS = 16


@dataclass(frozen=True, slots=True)
class Reliance:
    """What a model's skill rests on.

    Attributes:
        carriers: the one or two columns that carry nearly all of it.
        skill: of the model; 0 is chance, 1 perfect.
        kept: skill with every other column shuffled.
        others: skill of a boosted model that is fitted on the other columns (leave one covariate out, Lei et al. 2018).
    """

    carriers: tuple[str, ...]
    skill: float
    kept: float
    others: float

    @property
    def words(self) -> str:
        """How much of the skill it is."""
        return "nearly all" if self.kept >= CARRIED * self.skill else "most"


class Shuffler:
    """Measures a model's skill with columns shuffled among the same rows."""

    def __init__(self, predict_rows: PredictRows, features: "pd.DataFrame", truth: np.ndarray, seed: int) -> None:
        random = np.random.default_rng(seed)
        chosen = np.sort(random.permutation(len(truth))[:MOST_ROWS])
        self._predict = predict_rows
        self._rows = features.iloc[chosen].reset_index(drop=True)
        self._truth = truth[chosen]
        self._order = random.permutation(len(chosen))
        self.names = [str(name) for name in features.columns]
        self.full = skill(self._truth, predict_rows(self._rows))

    def without(self, names: Sequence[str]) -> float:
        """Return the skill with some columns shuffled, all in the same order."""
        shuffled = self._rows.copy(deep=False)
        for name in names:
            values = self._rows[name]
            shuffled[name] = values.take(self._order).set_axis(values.index)
        return skill(self._truth, self._predict(shuffled))

    def only(self, names: Sequence[str]) -> float:
        """Return the skill with all other columns shuffled, all in the same order."""
        return self.without([name for name in self.names if name not in names])


def skill(truth: np.ndarray, predictions: Predictions) -> float:
    """Return 2 AUC - 1 (macro, one against the rest), or R2; not below 0, and 0 where it cannot be computed."""
    if not predictions.classes:
        centred = truth.astype(np.float64) - truth.astype(np.float64).mean()
        total = float(centred @ centred)
        missed = truth.astype(np.float64) - predictions.labels
        return max(0.0, 1 - float(missed @ missed) / total) if total > 0 else 0.0
    scores = predictions.probabilities
    if scores is None:
        scores = None if predictions.scores is None else np.column_stack([-predictions.scores, predictions.scores])
    if scores is None:
        return 0.0
    found = [_auc(truth == label, scores[:, place]) for place, label in enumerate(predictions.classes)]
    known = [value for value in found if value is not None]
    return max(0.0, 2 * float(np.mean(known)) - 1) if known else 0.0


def _auc(positive: np.ndarray, score: np.ndarray) -> float | None:
    members = int(positive.sum())
    if members in {0, positive.size}:
        return None
    _, level, counts = np.unique(score, return_inverse=True, return_counts=True)
    midranks = np.cumsum(counts) - (counts - 1) / 2
    ranks = midranks[level][positive].sum()
    return float(auc_of_ranks(ranks, members, positive.size - members))


def carriers(shuffler: Shuffler, split: Split, spec: PipelineSpec) -> Reliance | None:
    """Find the one or two columns that carry nearly all of a high skill; None where there are none.

    A single quantity that prevails over all other columns together counts, too, in a classification.
    """
    if shuffler.full < (HIGH_SKILL if spec.task.is_classification else HIGH_R2) or len(shuffler.names) > MOST_COLUMNS:
        return None
    for chosen, kept in _candidates(
        shuffler, min(_most_carriers(shuffler.full, spec), len(shuffler.names) - SPARE_COLUMNS)
    ):
        if bound := _bound_of_others(chosen, kept / shuffler.full, split, spec):
            others = skill_without(chosen, split.train, split.holdout, spec)
            if HONEST <= others <= bound * shuffler.full:
                return Reliance(chosen, shuffler.full, kept, others)
    return None


def _candidates(shuffler: Shuffler, most: int) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield sets of columns, smallest first, with the skill that they keep alone.

    Those that keep most one after the other, and those whose shuffling costs most, as columns that tell nothing alone.
    """
    lost = sorted(shuffler.names, key=lambda name: shuffler.without([name]))
    tried = lost if len(lost) <= _TRIED_COLUMNS else lost[:_TRIED_COLUMNS]
    chosen: tuple[str, ...] = ()
    while len(chosen) < most:
        kept = {name: shuffler.only((*chosen, name)) for name in tried if name not in chosen}
        chosen = (*chosen, max(kept, key=lambda name: kept[name]))
        yield chosen, kept[chosen[-1]]
        if kept[chosen[-1]] >= CARRIED * shuffler.full:
            alike = tuple(name for name, share in kept.items() if share >= ALIKE * kept[chosen[-1]])
            if len(chosen) == 1 < len(alike) <= MOST_ALIKE:
                yield alike, kept[chosen[-1]]
            return
        costly = tuple(lost[: len(chosen)])
        yield costly, shuffler.only(costly)


def _most_carriers(skill: float, spec: PipelineSpec) -> int:
    if spec.task.is_classification:
        return MOST_OF_PERFECT if skill >= PERFECT else MAX_CARRIERS
    return 1


def _bound_of_others(chosen: Sequence[str], share: float, split: Split, spec: PipelineSpec) -> float:
    """Return the share of the skill up to which a model of the other columns makes the chosen ones odd; 0 never."""
    if share >= CARRIED:
        return REPLACED if len(chosen) <= MAX_CARRIERS else OUTDONE
    values = split.holdout.features[chosen[0]]
    is_quantity = values.dtype.kind in "iuf" and values.nunique() >= QUANTITY
    prevails = len(chosen) == 1 and share >= PREVAILS and is_quantity and spec.task.is_classification
    return OUTDONE if prevails else 0.0


def skill_without(names: Sequence[str], train: LabelledRows, holdout: LabelledRows, spec: PipelineSpec) -> float:
    """Return the holdout's skill of a boosted model that is fitted on all columns but some; 0 where none is left."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if set(train.features.columns) <= set(names):
        return 0.0
    chosen = np.random.default_rng(spec.training.seed).permutation(len(train.target))[:_FITTED_ROWS]
    rows = pd.concat([train.features.iloc[np.sort(chosen)], holdout.features], ignore_index=True)
    numbers = np.column_stack([_as_numbers(rows[name]) for name in rows.columns if name not in names])
    target = train.target.to_numpy()[np.sort(chosen)]
    family = HistGradientBoostingClassifier if spec.task.is_classification else HistGradientBoostingRegressor
    model = family(max_iter=60, early_stopping=False, random_state=spec.training.seed)
    model.fit(numbers[: chosen.size], target)
    unseen = numbers[chosen.size :]
    if spec.task.is_classification:
        found = Predictions(np.empty(0), model.predict_proba(unseen), tuple(model.classes_))
    else:
        found = Predictions(model.predict(unseen), None, ())
    return skill(holdout.target.to_numpy(), found)


def _as_numbers(values: "pd.Series") -> np.ndarray:
    if values.dtype.kind == "M":
        return np.asarray(values.astype("int64").to_numpy(), dtype=np.float64)
    codes = values.to_numpy() if values.dtype.kind in "fiub" else values.astype("category").cat.codes.to_numpy()
    return np.asarray(codes, dtype=np.float64)


def doubts_of(
    predict_rows: PredictRows, split: Split, warnings: Sequence[GateWarning], spec: PipelineSpec
) -> tuple[str, ...]:
    """Return why a holdout may be too good to be true, as sentences without a full stop; empty where nothing says so.

    Columns of `validation.sentinel.trusted` were reviewed, and raise no doubt.

    Args:
        predict_rows: predicts rows of the feature frame.
        split: training and holdout rows.
        warnings: what the gate warned of in the rows of the window.
        spec: the pipeline.
    """
    features, truth = split.holdout.features, split.holdout.target.to_numpy()
    reviewed = set(spec.validation.sentinel.trusted)
    held = [each for each in warnings if each.holds]
    doubts = [f"{each.column or 'rows'}: {each.found}" for each in held if each.rule in _OF_ROWS]
    suspects = {each.column: each.found for each in held if each.column in features.columns}
    sure = {each.column: each.found for each in held if each.conclusive and each.column in suspects.keys() - reviewed}
    doubts += [f"{name} {found}: it holds the target by itself" for name, found in sure.items()]
    if len(truth) < FEWEST_ROWS or (not suspects and features.shape[1] > MOST_COLUMNS):
        return tuple(doubts)
    shuffler = Shuffler(predict_rows, features, truth, spec.training.seed)
    relied = _relied_on(shuffler, [name for name in suspects if name not in reviewed])
    if relied and not _are_odd(tuple(suspects), shuffler, split, spec):
        relied = {}
    doubts += [
        f"the model relies on {name} ({_lost(shuffler, left)} if its values are shuffled), which {suspects[name]}"
        for name, left in relied.items()
        if name not in sure
    ]
    found = carriers(shuffler, split, spec) if len(truth) >= MIN_ROWS else None
    if found is not None and not (reviewed | relied.keys() | sure.keys()).issuperset(found.carriers):
        doubts.append(
            f"{' and '.join(found.carriers)} of {len(shuffler.names)} columns carry {found.words} of the skill: "
            f"{found.kept:.2f} of {found.skill:.2f} without the others, which alone reach {found.others:.2f}"
        )
    return tuple(doubts)


_OF_ROWS = frozenset({"rows_not_repeated", "groups_not_split"})
"""Rules about the independence of the holdout's rows, which no shuffling shows."""


def _lost(shuffler: Shuffler, left: float) -> str:
    return f"skill falls from {shuffler.full:.2f} to {left:.2f}"


def _are_odd(suspects: tuple[str, ...], shuffler: Shuffler, split: Split, spec: PipelineSpec) -> bool:
    """Return whether a model without the suspects is worse; few, as in some tables every column tells."""
    if 2 * len(suspects) > len(shuffler.names):
        return False
    return SOME <= skill_without(suspects, split.train, split.holdout, spec) <= SPARED * shuffler.full


def _relied_on(shuffler: Shuffler, suspects: Sequence[str]) -> dict[str, float]:
    """Return the suspects on which the skill depends, each with the skill that is left without it.

    Suspects may say the same, so that each alone can be spared; then they are shuffled together.
    """
    enough = (1 - RELIES) * shuffler.full
    single = {name: shuffler.without([name]) for name in suspects}
    relied = {name: left for name, left in single.items() if left <= enough}
    if relied or len(suspects) < MAX_CARRIERS or len(shuffler.names) < len(suspects) + SPARE_COLUMNS:
        return relied
    left = shuffler.without(suspects)
    return dict.fromkeys(suspects, left) if left <= enough else {}
