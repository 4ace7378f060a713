"""One system on one table: fitted within a budget, then timed on rows to predict. Run by `quality` in its environment.

    python quality_work.py SYSTEM FOLDER TASK BUDGET SEED

FOLDER has `train.parquet` and `test.parquet` with the target `y`; it gets `predicted.parquet` (a column for each class
in order, or `value`) and `facts.json`. Each system imports its own libraries alone, but for Assay's none of Assay's.
Does not belong here: choosing tables, comparing.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

Predict = Callable[[pd.DataFrame], Any]
"""Takes rows; returns probabilities, shape (rows, classes), or numbers, shape (rows,)."""


def assay(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:
    """Search several families within the budget, the final fit included."""
    from tables import features_of

    from assay.learning.splitting import LabelledRows
    from assay.learning.training import fitted
    from assay.learning.tuning.search import find_best_hyperparameters
    from assay.specs import PipelineSpec

    metric = {"regression": "rmse", "binary_classification": "roc_auc"}.get(task, "log_loss")
    boosters = ["lightgbm", "xgboost", "hist_gradient_boosting", "catboost"]
    document = {
        "name": "quality",
        "task": task,
        "dataset": {"source": "rows.csv", "target": "y"},
        "model": {
            "candidates": [*boosters, "random_forest", "ridge" if task == "regression" else "logistic_regression"]
        },
        "tuning": {"n_trials": 10_000, "timeout": budget},
        "training": {"seed": seed, "refit": "none"},
        "evaluation": {"primary_metric": metric},
    }
    spec = PipelineSpec.model_validate_json(json.dumps(document))
    known, features = LabelledRows(rows, y), features_of(rows.assign(y=y))
    classes = () if task == "regression" else tuple(sorted(set(y)))
    best = find_best_hyperparameters(known, spec, features=features, groups=None, classes=classes)
    states = pd.Series([f"{each.family} {each.state}" for each in best.trials]).value_counts().to_dict()
    print(json.dumps({"family": best.family, "parameters": best.parameters, "trials": states}, default=str))
    model = fitted(known, features, best, spec, None)
    return model.predict if task == "regression" else model.predict_proba


def flaml(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:
    """FLAML's own search, with its defaults."""
    from flaml import AutoML

    kinds = {"regression": ("regression", "rmse"), "binary_classification": ("classification", "roc_auc")}
    kind, metric = kinds.get(task, ("classification", "log_loss"))
    model = AutoML()
    model.fit(rows, y, task=kind, metric=metric, time_budget=budget, seed=seed, n_jobs=1, verbose=0)
    return model.predict if task == "regression" else model.predict_proba


def autogluon(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:  # noqa: ARG001 - it has none
    """AutoGluon's preset of medium quality."""
    from autogluon.tabular import TabularPredictor

    kinds = {"regression": ("regression", "root_mean_squared_error"), "binary_classification": ("binary", "roc_auc")}
    kind, metric = kinds.get(task, ("multiclass", "log_loss"))
    model = TabularPredictor("y", problem_type=kind, eval_metric=metric, verbosity=0)
    model.fit(rows.assign(y=y), presets="medium_quality", time_limit=budget, num_cpus=1, num_gpus=0)
    if task == "regression":
        return lambda asked: model.predict(asked).to_numpy()
    return lambda asked: model.predict_proba(asked)[sorted(set(y))].to_numpy()


def _native(rows: pd.DataFrame, y: pd.Series) -> tuple[Callable[[pd.DataFrame], pd.DataFrame], list[Any]]:
    """Return what gives texts the dtype of the training rows' categories, and the classes in order."""
    kinds = {name: pd.CategoricalDtype(sorted(rows[name].dropna().unique())) for name in rows.select_dtypes("object")}
    return lambda asked: asked.astype(kinds), sorted(set(y)) if y.dtype == object else []


def lightgbm(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:  # noqa: ARG001 - defaults
    """LightGBM as it is, with its native categories."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    prepared, _ = _native(rows, y)
    kind = LGBMRegressor if task == "regression" else LGBMClassifier
    model = kind(random_state=seed, n_jobs=1, verbose=-1).fit(prepared(rows), y)
    said = model.predict if task == "regression" else model.predict_proba
    return lambda asked: said(prepared(asked))


def hist_gradient_boosting(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:  # noqa: ARG001
    """scikit-learn's boosting as it is; columns of more than 255 categories have codes."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.preprocessing import OrdinalEncoder

    most = 255
    texts = list(rows.select_dtypes("object").columns)
    few = [name for name in texts if rows[name].nunique() < most]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    others = [name for name in texts if name not in few]
    prepared = make_column_transformer(
        (codes, few), (OrdinalEncoder(**codes.get_params()), others), remainder="passthrough"
    )
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = kind(random_state=seed, categorical_features=list(range(len(few)))).fit(prepared.fit_transform(rows), y)
    said = model.predict if task == "regression" else model.predict_proba
    return lambda asked: said(prepared.transform(asked))


def optuna_lightgbm(rows: pd.DataFrame, y: pd.Series, task: str, budget: float, seed: int) -> Predict:
    """LightGBM with early stopping on a fifth of the rows, searched by Optuna's TPE, refitted on all rows."""
    import lightgbm
    import optuna
    from sklearn.model_selection import train_test_split

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ends = time.monotonic() + 0.8 * budget
    prepared, classes = _native(rows, y)
    split = train_test_split(rows, y, test_size=0.2, random_state=seed, stratify=y if classes else None)
    train, valid, y_train, y_valid = split
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    metric = {"regression": "rmse", "binary_classification": "auc"}.get(task, "multi_logloss")

    def objective(trial: Any) -> float:
        asked = {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 200, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 100, log=True),
        }
        model = kind(**asked, n_estimators=2000, random_state=seed, n_jobs=1, verbose=-1)
        stop = [lightgbm.early_stopping(30, verbose=False)]
        model.fit(prepared(train), y_train, eval_set=[(prepared(valid), y_valid)], eval_metric=metric, callbacks=stop)
        trial.set_user_attr("rounds", int(model.best_iteration_ or 1))
        return float(model.best_score_["valid_0"][metric])

    direction = "maximize" if metric == "auc" else "minimize"
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, callbacks=[lambda each, _: each.stop() if time.monotonic() > ends else None])
    rounds = study.best_trial.user_attrs["rounds"]
    model = kind(**study.best_params, n_estimators=rounds, random_state=seed, n_jobs=1, verbose=-1).fit(
        prepared(rows), y
    )
    said = model.predict if task == "regression" else model.predict_proba
    return lambda asked: said(prepared(asked))


SYSTEMS: dict[str, Callable[[pd.DataFrame, pd.Series, str, float, int], Predict]] = {
    "assay": assay,
    "autogluon": autogluon,
    "flaml": flaml,
    "optuna_lightgbm": optuna_lightgbm,
    "lightgbm": lightgbm,
    "hist_gradient_boosting": hist_gradient_boosting,
}


def main(system: str, folder: Path, task: str, budget: float, seed: int) -> None:
    """Fit a system, predict the test rows, and write predictions and facts."""
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    train, test = (each.astype(dict.fromkeys(each.select_dtypes("string"), object)) for each in (train, test))
    began = time.monotonic()
    predict = SYSTEMS[system](train.drop(columns="y"), train["y"], task, budget, seed)
    wall, used = (
        time.monotonic() - began,
        [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)],
    )
    asked, seconds = test.drop(columns="y"), []
    for _ in range(3):
        began = time.process_time()
        predicted = predict(asked)
        seconds.append(time.process_time() - began)
    names = [str(each) for each in sorted(set(train["y"]))] if task != "regression" else ["value"]
    pd.DataFrame(predicted, columns=names).to_parquet(folder / "predicted.parquet")
    facts = {
        "fit_seconds": wall,
        "cpu_seconds": sum(each.ru_utime + each.ru_stime for each in used),
        "microseconds_per_row": 1e6 * statistics.median(seconds) / len(asked),
    }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
