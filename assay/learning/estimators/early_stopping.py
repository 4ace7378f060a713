"""Early stopping of boosters: fitted until the validation rows gain no more, so that rounds are found, not searched.

The rounds found on the folds go to the final fit, which uses all training rows (Prechelt 1998, "Early Stopping - But
When?", on the patience).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from assay.specs.learning import SearchParameter

MOST_ROUNDS = 2000
PATIENCE = 30
"""Rounds without a better validation loss after which a fit stops."""

StoppedFit: TypeAlias = Callable[[Any, Any, np.ndarray, Any, np.ndarray], int]
"""Takes an unfitted estimator, rows, their target, validation rows and their target; returns the best round, from 1."""


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


def fit_lightgbm(model: Any, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> int:  # noqa: N803
    """Fit LightGBM until its own loss gains no more on the validation rows."""
    from lightgbm import LGBMClassifier, early_stopping

    if isinstance(model, LGBMClassifier):
        # `fit` makes codes of y's labels, but takes those of `eval_y` as they are
        y_val = np.searchsorted(np.unique(y), y_val)
    model.set_params(n_estimators=MOST_ROUNDS)
    model.fit(X, y, eval_X=X_val, eval_y=y_val, callbacks=[early_stopping(PATIENCE, verbose=False)])
    return int(model.best_iteration_ or 1)


def fit_xgboost(model: Any, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> int:  # noqa: N803
    """Fit XGBoost until its own loss gains no more on the validation rows."""
    model.set_params(n_estimators=MOST_ROUNDS, early_stopping_rounds=PATIENCE)
    model.fit(X, y, eval_set=[(X_val, y_val)], verbose=False)
    return int(model.best_iteration) + 1


def fit_hist_gradient_boosting(model: Any, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> int:  # noqa: N803
    """Fit scikit-learn's boosting until its loss gains no more on the validation rows; later rounds are dropped."""
    model.set_params(max_iter=MOST_ROUNDS, early_stopping=True, n_iter_no_change=PATIENCE)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    best = max(1, int(np.argmax(model.validation_score_)))  # the first score is that of no round
    model._predictors = model._predictors[:best]  # noqa: SLF001 - no public way to predict with fewer rounds
    return best


def fit_stopped(
    stopping: EarlyStopping,
    model: Any,
    train: tuple[Any, np.ndarray],
    validation: tuple[Any, np.ndarray],
    *,
    is_classification: bool,
) -> int:
    """Fit a booster with early stopping, and return its best round.

    Args:
        stopping: of the family.
        model: unfitted.
        train: rows as the family takes them, and their target.
        validation: rows that decide when to stop; those of classes without training rows are left out.
        is_classification: whether targets are labels.
    """
    rows, target = validation
    if is_classification:
        known = np.isin(target.astype(object), np.unique(train[1]).astype(object))
        rows, target = (rows, target) if known.all() else (rows[known], target[known])
    return stopping.fit(model, *train, rows, target)
