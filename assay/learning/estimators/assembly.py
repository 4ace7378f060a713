"""Preprocessing and model as one scikit-learn pipeline: built unfitted, or continued from a champion."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.estimators.family import Family
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.learning.preprocessing.step_context import TargetType
from assay.learning.splitting import LabelledRows
from assay.specs.pipeline import PipelineSpec, Task

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from threadpoolctl import threadpool_limits

PREPROCESSING = "preprocessing"
MODEL = "model"
_TARGET_TYPES: dict[Task, TargetType] = {
    Task.BINARY: "binary",
    Task.MULTICLASS: "multiclass",
    Task.REGRESSION: "continuous",
}


def preprocessor_for(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "ColumnTransformer":
    """Build the unfitted preprocessing that suits a family; `parameters` may hold some of its transformers."""
    return build_preprocessor(
        features,
        spec.preparation.with_values(parameters),
        family.card.encoding,
        seed=spec.training.seed,
        dense=family.card.dense,
        target_type=_TARGET_TYPES[spec.task],
    )


def build_pipeline(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "Pipeline":
    """Build an unfitted pipeline of the steps `preprocessing` and `model` for a frame of the given features.

    Raises:
        LearningError: the family refuses a hyperparameter.
        SpecError: a preprocessing step is not acceptable.
    """
    from sklearn.pipeline import Pipeline

    model = family.build(parameters, spec.training.seed, spec.training.threads)
    return Pipeline([(PREPROCESSING, preprocessor_for(family, parameters, features, spec)), (MODEL, model)])


def own_classes(name: str, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the import paths of the user's classes that a model of the named family holds."""
    names = (name, *(each.step for step in spec.preparation.steps for each in step.chain))
    return tuple(dict.fromkeys(each for each in names if ":" in each))


def category_encodings(fitted: "Pipeline") -> dict[str, str]:
    """Return, by column, how categories are encoded where not each by itself: by the target's means, or in a pool."""
    found: dict[str, str] = {}
    for _, group, columns in fitted.named_steps[PREPROCESSING].transformers_:
        for transformer in getattr(group, "named_steps", {"": group}).values():
            means = getattr(transformer, "many_columns_", [])
            found |= dict.fromkeys(means, "by the target's out-of-fold means")
            encoder = getattr(transformer, "few_", transformer)
            pools = getattr(encoder, "infrequent_categories_", None) or []
            pooled = zip([name for name in columns if name not in means], pools, strict=False)
            found |= {name: f"{len(rare):,} rare categories in one pool" for name, rare in pooled if rare is not None}
    return found


def continue_fit(
    champion: "Pipeline", family: Family, parameters: Mapping[str, Any], rows: LabelledRows, spec: PipelineSpec
) -> "Pipeline":
    """Continue from a champion's fitted state with new rows; the champion itself is not changed.

    The preprocessing stays as it was fitted, since the model's state refers to its columns. Linear models start from
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
    from sklearn.pipeline import Pipeline

    if family.card.continuation is None:
        raise LearningError(
            f"'{family.name}' cannot continue from a fitted state",
            where=f"pipeline {spec.name}, training.scenario",
            expected="a family that can, such as hist_gradient_boosting",
            remedy="use scenario: full, or another candidate",
        )
    fitted = champion.named_steps[MODEL]
    _require_same_classes(fitted, rows, spec)
    preprocessing = copy.deepcopy(champion.named_steps[PREPROCESSING])
    unfitted = family.build(parameters, spec.training.seed, spec.training.threads)
    model = family.card.continuation(fitted, unfitted, preprocessing.transform(rows.features), rows.target)
    return Pipeline([(PREPROCESSING, preprocessing), (MODEL, model)])


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
