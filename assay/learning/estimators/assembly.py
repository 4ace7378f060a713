"""Preprocessing and model as one scikit-learn pipeline: built unfitted, or continued from a champion."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.estimators.constraints import constraint_parameters, monotone_errors, place
from assay.learning.estimators.ensembles import FINAL, Ensemble
from assay.learning.estimators.family import Family
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.learning.preprocessing.fitted_columns import require_kept, steps_to_fit, unfit_columns
from assay.learning.preprocessing.output_sources import output_sources
from assay.learning.preprocessing.step_context import TargetType
from assay.learning.splitting import LabelledRows
from assay.learning.weights import fit_options, fit_weights
from assay.specs.learning import WEIGHT, parameters_of
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.preprocessing import CATEGORIES, is_step_key

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer
    from threadpoolctl import threadpool_limits

    from assay.learning.preprocessing.fitted_steps import FittedSteps

PREPROCESSING = "preprocessing"
MODEL = "model"
_MEANS = "by the target's out-of-fold means"
_TARGET_TYPES: dict[Task, TargetType] = {
    Task.BINARY: "binary",
    Task.MULTICLASS: "multiclass",
    Task.REGRESSION: "continuous",
}


def preprocessor_for(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "ColumnTransformer | FunctionTransformer | FittedSteps":
    """Build the unfitted preprocessing that suits a family; `parameters` may hold some of its transformers.

    Members of an ensemble prepare the columns themselves, so that an ensemble gets the frame as it is. The steps of
    `features` that are fitted on the training rows come first, for an ensemble too. Search and fit build preprocessing
    here.

    Raises:
        SpecError: a fitted step cannot be fitted on a column, or a preprocessing step is not acceptable.
    """
    columns = _columns_for(family, parameters, features, spec)
    if spec.features is None or not spec.features.fitted:
        return columns
    searched = spec.model_copy(update={"features": spec.features.with_fitted(parameters)})
    return fitted_steps_for(columns, features, searched)


def fitted_steps_for(columns: Any, features: TableSchema, spec: PipelineSpec) -> "FittedSteps":
    """Build the unfitted steps of `features` that are fitted on training rows, in front of a transformer.

    Raises:
        SpecError: a step cannot be fitted on a column.
    """
    from assay.learning.preprocessing.fitted_steps import FittedSteps

    for location, error in unfit_columns(spec, features):
        error.where = f"pipeline {spec.name}, {'.'.join(map(str, location))}"
        raise error
    steps = steps_to_fit(spec.features) if spec.features is not None else []
    return FittedSteps(steps, columns, spec.dataset.target)


def _columns_for(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "ColumnTransformer | FunctionTransformer":
    if family.card.encoding == "frame":
        from sklearn.preprocessing import FunctionTransformer

        return FunctionTransformer()
    preparation, native = spec.preparation.with_values(parameters), family.card.native
    encoding = family.card.category_encoding(preparation)
    return build_preprocessor(
        features,
        preparation.with_values({CATEGORIES: encoding}),
        family.card.encoding,
        seed=spec.training.seed,
        dense=family.card.dense,
        target_type=_TARGET_TYPES[spec.task],
        native_bound=native is None or native.bounded,
    )


def fitted_matrix(preprocessor: Any, rows: "pd.DataFrame", target: Any) -> tuple[Any, np.ndarray]:
    """Fit a preprocessor of `preprocessor_for`, and return the prepared rows that are learned from and which they are.

    Returns:
        The matrix, shape (kept, outputs), and a mask of the rows, shape (rows,).
    """
    if hasattr(preprocessor, "fit_rows"):
        matrix, kept = preprocessor.fit_rows(rows, target)
        return matrix, np.asarray(kept)
    return preprocessor.fit_transform(rows, target), np.ones(len(rows), dtype=bool)


def build_pipeline(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "Pipeline":
    """Build an unfitted pipeline of the steps `preprocessing` and `model` for a frame of the given features.

    Raises:
        LearningError: the family refuses a hyperparameter.
        SpecError: a preprocessing step is not acceptable.
    """
    preprocessing = preprocessor_for(family, parameters, features, spec)
    return _joined(preprocessing, build_model(family, parameters, features, spec), spec)


def _joined(preprocessing: Any, model: Any, spec: PipelineSpec) -> "Pipeline":
    steps = [(PREPROCESSING, preprocessing), (MODEL, model)]
    if spec.training.weighs_rows or spec.training.constraints is not None:
        from assay.learning.estimators.row_pipelines import PipelineOfWeightedRows

        return PipelineOfWeightedRows(steps)
    if hasattr(preprocessing, "fit_rows"):
        from assay.learning.preprocessing.fitted_steps import PipelineOfKeptRows

        return PipelineOfKeptRows(steps)
    from sklearn.pipeline import Pipeline

    return Pipeline(steps)


def build_model(family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec) -> Any:
    """Build an unfitted estimator for what `preprocessor_for` returns.

    Raises:
        LearningError: the family refuses a hyperparameter, weights of rows, or constraints.
    """
    seed, threads = spec.training.seed, spec.training.threads
    for _, error in monotone_errors({column.name: column.role for column in features.columns}, spec):
        raise error
    if not isinstance(family, Ensemble):
        return _built(family, parameters, spec)
    steps = {name: value for name, value in parameters.items() if is_step_key(name)}
    members = []
    for name, each in family.members.items():
        given = steps | parameters_of(name, parameters)
        columns, model = _columns_for(each, given, features, spec), build_model(each, given, features, spec)
        # scikit-learn takes no two underscores
        members.append((name.replace("__", "_"), _joined(columns, model, spec)))
    if family.name == "vote":
        weights = {**family.weights, **parameters_of(WEIGHT, parameters)}
        soft = {"voting": "soft"} if spec.task.is_classification else {}
        return family.estimator(members, weights=[weights[name] for name in family.members], **soft)
    final = family.parts[FINAL].build(parameters_of(FINAL, parameters), seed, threads)
    _require_weighable(family.parts[FINAL], final, spec)
    return family.estimator(members, final, cv=_folds(family.folds, spec))


def _built(family: Family, parameters: Mapping[str, Any], spec: PipelineSpec) -> Any:
    """Build the unfitted estimator of one family, with constraints, and on the transform of the target."""
    constraints = constraint_parameters(family.card, spec.training.constraints)
    encoding = family.card.category_encoding(spec.preparation.with_values(parameters))
    taken = family.natively(spec.task) if encoding == "native" else family
    model = taken.build({**parameters, **constraints}, spec.training.seed, spec.training.threads)
    _require_weighable(family, model, spec)
    if spec.training.target_transform is None:
        return model
    from assay.learning.estimators.target_transforms import TransformedTarget

    return TransformedTarget(model, spec.training.target_transform)


def _require_weighable(family: Family, model: Any, spec: PipelineSpec) -> None:
    """Refuse a model whose fit takes no weights of rows, where the pipeline has some."""
    if not spec.training.weighs_rows:
        return
    from sklearn.utils.validation import has_fit_parameter

    if not family.card.weighs_rows or not has_fit_parameter(model, "sample_weight"):
        raise unweighable(family.name, spec)


def unweighable(name: str, spec: PipelineSpec) -> LearningError:
    """Return the error of a family whose fit takes no weights of rows."""
    option = "sample_weight" if spec.training.sample_weight is not None else "class_weight"
    return LearningError(
        f"'{name}' takes no weights of rows",
        where=f"pipeline {spec.name}, training.{option}",
        found=f"{name}: its fit has no `sample_weight`",
        expected="a family whose fit takes weights: every built-in one but knn",
        remedy=f"remove {name} from model, or training.{option}",
    )


def weighted_options(rows: LabelledRows, spec: PipelineSpec) -> dict[str, Any]:
    """Return what the fit of a pipeline gets beside the rows and their target: weights, where rows count differently.

    Raises:
        LearningError: `training.class_weight` names a label that the rows do not have.
    """
    return fit_options(fit_weights(rows.target, rows.weights, spec))


def _folds(folds: int, spec: PipelineSpec) -> "KFold | StratifiedKFold":
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if spec.task.is_classification else KFold
    return kind(folds, shuffle=True, random_state=spec.training.seed)


def own_classes(name: str, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the import paths of the user's classes that a model of the named candidate holds."""
    names = (*spec.model.families_of(name), *(each.step for step in spec.preparation.steps for each in step.chain))
    return tuple(dict.fromkeys(each for each in names if ":" in each))


def model_of(fitted: "Pipeline") -> Any:
    """Return the fitted model of a pipeline, below calibration and threshold."""
    from assay.learning.estimators.decisions import undecided

    return undecided(fitted.named_steps[MODEL])


def category_encodings(fitted: "Pipeline") -> dict[str, str]:
    """Return, by column, how categories are encoded where not each by itself: by the target's means, or in a pool."""
    found: dict[str, str] = {}
    for member in getattr(model_of(fitted), "estimators_", []):
        if PREPROCESSING in getattr(member, "named_steps", {}):
            found |= category_encodings(member)
    preprocessing = fitted.named_steps[PREPROCESSING]
    prepared = getattr(preprocessing, "columns_", preprocessing)
    native = "by the model itself" if getattr(prepared, "natives_", None) else ""
    for _, group, columns in getattr(prepared, "transformers_", []):
        for transformer in getattr(group, "named_steps", {"": group}).values():
            found |= _encodings_of(transformer, list(columns), native)
    return found


def _encodings_of(transformer: Any, columns: list[str], native: str) -> dict[str, str]:
    many = getattr(transformer, "many_columns_", [])
    few = getattr(transformer, "few_", transformer)
    steps = [*getattr(few, "named_steps", {"": few}).values()]
    named = [name for name in columns if name not in many]
    means = any(hasattr(each, "target_mean_") for each in steps) if few is not transformer else False
    how = _MEANS if means else native if few is not transformer else ""
    found = dict.fromkeys(named, how) if how else {}
    for encoder in steps:
        pools = zip(named, getattr(encoder, "infrequent_categories_", None) or [], strict=False)
        pooled = {name: f"{len(rare):,} rare categories in one pool" for name, rare in pools if rare is not None}
        found |= {name: f"{how}, {text}" if how else text for name, text in pooled.items()}
    hashed = hasattr(getattr(transformer, "many_", None), "n_features")
    return found | dict.fromkeys(many, "by signed hashes" if hashed else _MEANS)


def fitted_on_training_rows(fitted: "Pipeline") -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Return what the fitted steps of `features` found, and the training rows that each column of outliers dropped."""
    preprocessing = fitted.named_steps[PREPROCESSING]
    if not hasattr(preprocessing, "fit_rows"):
        return [], []
    return list(preprocessing.found()), list(preprocessing.dropped_)


def continue_fit(
    champion: "Pipeline", family: Family, parameters: Mapping[str, Any], rows: LabelledRows, spec: PipelineSpec
) -> "Pipeline":
    """Continue from a champion's fitted state with new rows; the champion itself is not changed.

    The preprocessing stays as it was fitted, since the model's state refers to its columns; so do the bounds of
    outliers, by which new rows are dropped, and a power transform of the target. Calibration and threshold are left
    out of the result. Linear models start from
    the champion's coefficients; forests and boosters keep its trees and add `ADDED_TREES`.

    Args:
        champion: fitted pipeline of the steps `preprocessing` and `model`.
        family: the champion's family.
        parameters: hyperparameters of what is added; a number of trees or rounds among them is ignored.
        rows: the new rows.
        spec: the pipeline; gives seed and threads.

    Returns:
        A fitted pipeline with the champion's preprocessing.

    Raises:
        LearningError: the family or its settings cannot continue, or the classes differ.
    """
    if family.card.continuation is None:
        raise LearningError(
            f"'{family.name}' cannot continue from a fitted state",
            where=f"pipeline {spec.name}, training.scenario",
            expected="a family that can, such as hist_gradient_boosting",
            remedy="use scenario: full, or another candidate",
        )
    fitted = model_of(champion)
    preprocessing = copy.deepcopy(champion.named_steps[PREPROCESSING])
    if hasattr(preprocessing, "inside"):
        rows = rows.take(preprocessing.inside(rows.features, rows.target))
        require_kept(preprocessing.dropped_, spec)
    _require_same_classes(fitted, rows, spec)
    constraints = constraint_parameters(family.card, spec.training.constraints)
    unfitted = family.build({**parameters, **constraints}, spec.training.seed, spec.training.threads)
    if constraints:
        place(unfitted, output_sources(preprocessing))
    matrix, options = preprocessing.transform(rows.features), weighted_options(rows, spec)
    if spec.training.target_transform is None:
        model = family.card.continuation(fitted, unfitted, matrix, rows.target, options)
    else:
        further = fitted.transformed(rows.target)
        model = fitted.continued(
            family.card.continuation(fitted.model_, unfitted, matrix, further, options), rows.target
        )
    return _joined(preprocessing, model, spec)


def _require_same_classes(fitted: Any, rows: LabelledRows, spec: PipelineSpec) -> None:
    if not spec.task.is_classification:
        return
    had, has = set(fitted.classes_.tolist()), set(rows.target.unique().tolist())
    if had != has:
        raise LearningError(
            "the new rows do not hold the same classes as the champion",
            where=f"pipeline {spec.name}, training.scenario",
            found=", ".join(sorted(repr(label) for label in has)),
            expected=", ".join(sorted(repr(label) for label in had)),
            remedy="use scenario: full",
        )


def limited_threads(n: int) -> "threadpool_limits":
    """Return a context that limits BLAS and OpenMP to `n` threads.

    Only libraries that are already loaded are limited, so resolve the families first.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=n)
