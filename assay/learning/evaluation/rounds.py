"""The loss of a booster after each round, on training rows and on the holdout.

Measured after the fit, on the rounds that the fitted model keeps: no fit costs more, and no family has to record
anything. The loss is that of the task: log loss of the classes' probabilities, or the root of the squared error, on the
transform of the target where `training.target_transform` makes one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.learning.evaluation.drawing import sample
from assay.learning.evaluation.predictions import codes
from assay.learning.splitting import LabelledRows, Split
from assay.results.trained_model import TrainedModel

MOST_ROWS = 1_000
MOST_POINTS = 25
_SMALLEST = 1e-15


@dataclass(frozen=True, slots=True)
class RoundLosses:
    """Losses of one model by round.

    Attributes:
        loss: `log_loss` or `rmse`.
        training: loss by the number of rounds, from 1, on up to 1,000 training rows.
        holdout: the same on the holdout.
    """

    loss: str
    training: Mapping[int, float]
    holdout: Mapping[int, float]


def losses_by_round(model: TrainedModel, split: Split, seed: int) -> RoundLosses | None:
    """Return the losses of a booster's fit without the holdout; None of a model that has no rounds.

    Args:
        model: the fitted model.
        split: its rows.
        seed: of the choice of rows.
    """
    from assay.learning.estimators.assembly import limited_threads, model_of
    from assay.learning.estimators.target_transforms import within_transform

    pipeline, manifest = model.evaluated.estimator, model.manifest
    booster, transform = within_transform(model_of(pipeline))
    staged = next((each for method, each in _STAGES.items() if hasattr(type(booster), method)), None)
    if staged is None:
        return None

    def curve(rows: LabelledRows) -> dict[int, float]:
        chosen = sample(len(rows.features), seed, MOST_ROWS)
        truth = np.asarray(rows.target.to_numpy())[chosen]
        if manifest.task.is_classification:
            truth = codes(truth, manifest.classes)
            chosen, truth = chosen[truth < len(manifest.classes)], truth[truth < len(manifest.classes)]
        elif transform is not None:
            truth = transform.transformed(truth)
        matrix = pipeline[:-1].transform(rows.features.iloc[chosen])
        measure = _log_loss if manifest.task.is_classification else _rmse
        return {number: measure(truth, found) for number, found in staged(booster, matrix)}

    with limited_threads(1):
        loss = "log_loss" if manifest.task.is_classification else "rmse"
        return RoundLosses(loss, curve(split.train), curve(split.holdout))


def _log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    of_truth = np.clip(probabilities[np.arange(len(truth)), truth], _SMALLEST, 1.0)
    return float(-np.mean(np.log(of_truth)))


def _rmse(truth: np.ndarray, values: np.ndarray) -> float:
    return float(np.sqrt(np.mean((truth.astype(np.float64) - values) ** 2)))


def points_of(rounds: int) -> list[int]:
    """Return up to 25 numbers of rounds, evenly spread, the first and the last among them."""
    return sorted({int(each) for each in np.linspace(1, max(1, rounds), min(MOST_POINTS, max(1, rounds)))})


def _by_argument(rounds: int, predict: Callable[[int], Any]) -> Iterator[tuple[int, np.ndarray]]:
    for number in points_of(rounds):
        yield number, np.asarray(predict(number))


def _of_lightgbm(model: Any, matrix: Any) -> Iterator[tuple[int, np.ndarray]]:
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return _by_argument(model.booster_.current_iteration(), lambda number: predict(matrix, num_iteration=number))


def _of_xgboost(model: Any, matrix: Any) -> Iterator[tuple[int, np.ndarray]]:
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    rounds = model.get_booster().num_boosted_rounds()
    return _by_argument(rounds, lambda number: predict(matrix, iteration_range=(0, number)))


def _of_catboost(model: Any, matrix: Any) -> Iterator[tuple[int, np.ndarray]]:
    return _by_argument(int(model.booster().tree_count_), lambda number: model.after(number, matrix))


def _of_scikit_learn(model: Any, matrix: Any) -> Iterator[tuple[int, np.ndarray]]:
    stages: Iterable[Any] = (
        model.staged_predict_proba(matrix) if hasattr(model, "staged_predict_proba") else model.staged_predict(matrix)
    )
    wanted = set(points_of(int(model.n_iter_)))
    for number, found in enumerate(stages, 1):
        if number in wanted:
            yield number, np.asarray(found)


_STAGES: Mapping[str, Callable[[Any, Any], Iterator[tuple[int, np.ndarray]]]] = {
    "booster_": _of_lightgbm,
    "get_booster": _of_xgboost,
    "contributions": _of_catboost,
    "n_iter_": _of_scikit_learn,
}
"""By the method or property that the estimators of one library have."""
