"""Early stopping of boosters: fitted until the validation rows gain no more, so that rounds are found, not searched.

The rounds found on the folds go to the final fit, which uses all training rows (Prechelt 1998, "Early Stopping - But
When?", on the patience). A fit also stops where its loss still falls, but by less than `LEAST_GAIN` of what a constant
loses: on a target that is nearly a function of its features the loss falls for thousands of rounds, and no score shows
it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from assay.specs.tuning import SearchParameter

MOST_ROUNDS = 2000
PATIENCE = 30
"""Rounds without a better validation loss after which a fit stops."""
LEAST_GAIN = 1e-5
"""Share of the loss of a constant by which the validation loss has to fall within `PATIENCE` rounds.

It is the share of the variance that a model explains (R2; for classes that of the entropy), so that `MOST_ROUNDS` of a
smaller gain add less than 0.0007 to it. On six tables (bank, ames, two of bikes, a power station, flights) and three
learning rates of LightGBM it leaves out up to half of the rounds, for at most 0.4 % of the error and none of it at each
table's best rate; 1e-4 leaves out up to two thirds, and costs up to 2 %.
"""

Weights: TypeAlias = tuple[np.ndarray, np.ndarray] | None
"""How much training rows and validation rows count; None where all count alike."""
StoppedFit: TypeAlias = Callable[[Any, Any, np.ndarray, Any, np.ndarray, Weights], int]
"""Takes an unfitted estimator, rows, their target, validation rows, their target, and the weights of both; returns the
best round, from 1."""


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """How a family stops early.

    Attributes:
        rounds: the parameter that holds the number of rounds.
        fit: fits with stopping; the estimator then predicts with its best round.
        given: parameters that leave the rounds to the pipeline file where it sets one of them.
        final: what the final fit gets beside the rounds.
        range: of the rounds where there are no validation rows: in members of a stack or vote.
    """

    rounds: str
    fit: StoppedFit
    given: frozenset[str] = frozenset()
    final: Mapping[str, Any] = field(default_factory=dict)
    range: SearchParameter | None = None

    def applies(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether hyperparameters leave the number of rounds open."""
        return not (self.given | {self.rounds}) & parameters.keys()

    def found(self, rounds: list[int]) -> dict[str, Any]:
        """Return the hyperparameters of the final fit: the mean of the folds' rounds."""
        return {self.rounds: max(1, round(float(np.mean(rounds)))), **self.final}


class _Gains:
    """Follows a validation loss, and says when it falls too little; the best round counts from 1."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._lowest: list[float] = []
        self.best = 1

    def are_too_small(self, loss: float) -> bool:
        """Take the loss after a further round; returns whether the last rounds gained less than they must."""
        if not self._lowest or loss < self._lowest[-1]:
            self.best = len(self._lowest) + 1
        self._lowest.append(min(loss, self._lowest[-1] if self._lowest else loss))
        return len(self._lowest) > PATIENCE and self._lowest[-1 - PATIENCE] - self._lowest[-1] <= self._least


def _squared_error(y: np.ndarray, y_val: np.ndarray) -> float:
    return float(np.mean((np.asarray(y_val, dtype=np.float64) - np.mean(y)) ** 2))


def _log_loss(y: np.ndarray, y_val: np.ndarray) -> float:
    labels, counts = np.unique(y, return_counts=True)
    shares = counts / counts.sum()
    return float(-np.mean(np.log(shares[np.searchsorted(labels, y_val)])))


_CONSTANT_LOSSES: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    **dict.fromkeys(("l2", "rmse", "squared_error", "RMSE"), _squared_error),
    **dict.fromkeys(
        ("binary_logloss", "multi_logloss", "logloss", "mlogloss", "log_loss", "Logloss", "MultiClass"), _log_loss
    ),
}
"""What a constant loses on validation rows, by what libraries call the loss; others have no least gain."""
_ROOTS = ("rmse", "RMSE")


def least_gain(loss: str, y: np.ndarray, y_val: np.ndarray) -> float:
    """Return by how much a loss must fall within `PATIENCE` rounds; 0 where any gain counts.

    Args:
        loss: as a library names it; of a root of the squared error the square counts.
        y: target of the training rows, shape (n,).
        y_val: target of the validation rows, shape (m,), of labels that the training rows have.
    """
    constant = _CONSTANT_LOSSES.get(loss)
    return LEAST_GAIN * constant(y, y_val) if constant is not None else 0.0


class _Stops:
    """Says after each round, by the validation loss that a library reports, whether a fit gains too little."""

    def __init__(self, y: np.ndarray, y_val: np.ndarray) -> None:
        self._targets = (y, y_val)
        self._gains: _Gains | None = None

    def __call__(self, loss: str, value: float) -> bool:
        """Take the name and the value of the loss, which is less where the model is better."""
        self._gains = self._gains or _Gains(least_gain(loss, *self._targets))
        return self._gains.are_too_small(value**2 if loss in _ROOTS else value)

    @property
    def best(self) -> int:
        """The best round so far, from 1."""
        return self._gains.best if self._gains is not None else 1


def fit_lightgbm(
    model: Any,
    X: Any,  # noqa: N803
    y: np.ndarray,
    X_val: Any,  # noqa: N803
    y_val: np.ndarray,
    weights: Weights = None,
) -> int:
    """Fit LightGBM until its own loss gains no more on the validation rows, or too little."""
    from lightgbm import LGBMClassifier, early_stopping
    from lightgbm.callback import EarlyStopException

    stops = _Stops(y, y_val)

    def stop(environment: Any) -> None:
        (_, loss, value, more_is_better, *_), *_ = environment.evaluation_result_list
        if stops(loss, -value if more_is_better else value):
            raise EarlyStopException(stops.best - 1, environment.evaluation_result_list)

    if isinstance(model, LGBMClassifier):
        # `fit` makes codes of y's labels, but takes those of `eval_y` as they are
        y_val = np.searchsorted(np.unique(y), y_val)
    model.set_params(n_estimators=MOST_ROUNDS)
    weighted = {} if weights is None else {"sample_weight": weights[0], "eval_sample_weight": [weights[1]]}
    callbacks = [early_stopping(PATIENCE, verbose=False), stop]
    model.fit(X, y, eval_X=X_val, eval_y=y_val, callbacks=callbacks, **weighted)
    return int(model.best_iteration_ or 1)


def fit_xgboost(
    model: Any,
    X: Any,  # noqa: N803
    y: np.ndarray,
    X_val: Any,  # noqa: N803
    y_val: np.ndarray,
    weights: Weights = None,
) -> int:
    """Fit XGBoost until its own loss gains no more on the validation rows, or too little."""
    from xgboost.callback import TrainingCallback

    stops = _Stops(y, y_val)

    class Stop(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - the library's
            loss, values = next(iter(evals_log["validation_0"].items()))
            return stops(loss, values[-1])

    model.set_params(n_estimators=MOST_ROUNDS, early_stopping_rounds=PATIENCE, callbacks=[Stop()])
    weighted = {} if weights is None else {"sample_weight": weights[0], "sample_weight_eval_set": [weights[1]]}
    model.fit(X, y, eval_set=[(X_val, y_val)], verbose=False, **weighted)
    return int(model.best_iteration) + 1


def fit_hist_gradient_boosting(
    model: Any,
    X: Any,  # noqa: N803
    y: np.ndarray,
    X_val: Any,  # noqa: N803
    y_val: np.ndarray,
    weights: Weights = None,
) -> int:
    """Fit scikit-learn's boosting until its loss gains no more, or too little; later rounds are dropped."""
    least = least_gain(model.loss, y, y_val) / (2 if model.loss == "squared_error" else 1)  # half of it is its loss
    settings = {"tol": least} if least else {}
    model.set_params(max_iter=MOST_ROUNDS, early_stopping=True, n_iter_no_change=PATIENCE, **settings)
    weighted = {} if weights is None else {"sample_weight": weights[0], "sample_weight_val": weights[1]}
    model.fit(X, y, X_val=X_val, y_val=y_val, **weighted)
    best = max(1, int(np.argmax(model.validation_score_)))  # the first score is that of no round
    model._predictors = model._predictors[:best]  # noqa: SLF001 - no public way to predict with fewer rounds
    return best


def fit_catboost(
    model: Any,
    X: Any,  # noqa: N803
    y: np.ndarray,
    X_val: Any,  # noqa: N803
    y_val: np.ndarray,
    weights: Weights = None,
) -> int:
    """Fit CatBoost until its own loss gains no more on the validation rows, or too little."""
    weight, validation_weight = (None, None) if weights is None else weights
    validation = (X_val, y_val, validation_weight)
    model.set_params(iterations=MOST_ROUNDS)
    model.fit(X, y, sample_weight=weight, validation=validation, stops=_Stops(y, y_val))
    return int(model.rounds_)


def fit_stopped(
    stopping: EarlyStopping,
    model: Any,
    train: tuple[Any, np.ndarray],
    validation: tuple[Any, np.ndarray],
    weights: Weights = None,
    *,
    is_classification: bool,
) -> int:
    """Fit a booster with early stopping, and return its best round.

    Args:
        stopping: of the family.
        model: unfitted.
        train: rows as the family takes them, and their target.
        validation: rows that decide when to stop; those of classes without training rows are left out.
        weights: of both.
        is_classification: whether targets are labels.
    """
    rows, target = validation
    if is_classification:
        known = np.isin(target.astype(object), np.unique(train[1]).astype(object))
        if not known.all():
            rows, target = rows[known], target[known]
            weights = None if weights is None else (weights[0], weights[1][known])
    matrix, values = train
    if hasattr(model, "begun"):  # around the model, on a transform of the target
        inner = model.begun(values)
        values, target, model = model.transformed(values), model.transformed(target), inner
    return stopping.fit(model, matrix, values, rows, target, weights)
