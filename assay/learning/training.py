"""The fit that the holdout evaluates, on the training rows, with one seed and a number of threads; and its manifest."""

import math
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.deciding import decided, decided_like, recalibration_for, threshold_of
from assay.learning.estimators.assembly import (
    build_pipeline,
    continue_fit,
    limited_threads,
    own_classes,
    weighted_options,
)
from assay.learning.estimators.ensembles import family_of, model_with
from assay.learning.estimators.family import FAMILIES, Family
from assay.learning.rehearsal import rehearse, require_rows_kept
from assay.learning.splitting import LabelledRows, Split
from assay.results.fit_options import FitOptions
from assay.results.learned_rows import LearnedRows, together
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs.base import digest_of
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

_ALWAYS = ("scikit-learn", "numpy", "pandas", "scipy", "skops")
INCREMENTAL = "incremental"
_EXAMPLE_ROWS = 5
# a missing value in the feature frame, where it is not None
_MISSING = {ColumnRole.NUMERIC: math.nan, ColumnRole.BOOLEAN: math.nan, ColumnRole.TEXT: ""}


def training_digest(spec: PipelineSpec) -> str:
    """Return the digest of the parts of a pipeline file that determine the training on given rows."""
    training = spec.training.model_dump(mode="json", exclude={"target_output_path"})
    model = spec.model.model_dump(mode="json", exclude={"name"})
    fitted = [spec.fitted_steps] if spec.fitted_steps else []
    return digest_of(str(spec.task), spec.dataset.target, spec.split, spec.preparation, model, training, *fitted)


def library_versions(*names: str) -> dict[str, str]:
    """Return the versions of Python, of this package and of the libraries that some families' state depends on.

    Of a model of the user's own, named by import path, the first package counts.
    """
    from assay import __version__

    known = {name: FAMILIES.get(name) for name in names}
    own = [
        each
        for name, card in known.items()
        for each in (card.distributions if card else (name.split(":", 1)[0].split(".", 1)[0],))
    ]
    versions = {"python": platform.python_version(), "assay": __version__}
    for distribution in (*_ALWAYS, *own):
        with suppress(PackageNotFoundError):
            versions[distribution] = version(distribution)
    return versions


def train(
    split: Split, best: BestHyperparameters, spec: PipelineSpec, champion: TrainedModel | None = None
) -> TrainedModel:
    """Fit the model that the holdout evaluates.

    Args:
        split: training and holdout rows; only the training rows are used.
        best: family and hyperparameters.
        spec: the pipeline; `training.scenario` says whether to continue from the champion.
        champion: the model to continue from; without it an `incremental` scenario fits in full.

    Returns:
        The fitted model with its manifest.

    Raises:
        LearningError: the estimator refuses the rows or its hyperparameters; or an incremental fit is impossible: the
            family cannot continue, or family, features or classes differ from the champion's.
        UnknownModelError: the family is not known.
        UnknownHyperparameterError: the family does not take a hyperparameter.
        UntrustedModelError: the model could not be stored.
        FeatureStepError: outliers drop more training rows than they may.
    """
    digest, scenario = training_digest(spec), INCREMENTAL
    if spec.training.scenario == INCREMENTAL and champion is not None:
        _require_same(split, best, spec, champion.manifest)
        _require_no_later(split, spec, champion.manifest)
        _require_unlearned_holdout(split, spec, champion.manifest)
        given = spec.training.threshold if isinstance(spec.training.threshold, float) else None
        estimator = fitted(split.train, split.features, best, spec, champion)
        estimator = decided_like(estimator, champion.estimator, given)
        learned = _learned_with(champion.manifest, split, spec)
        found = champion.manifest.options.recalibration if champion.manifest.options else None
    else:
        estimator = decided(fitted(split.train, split.features, best, spec), split, best, spec)
        found = recalibration_for(best, spec)
        scenario = "full" if spec.training.scenario == "full" else "full (no champion yet)"
        learned = (split.learned,)
    manifest = _manifest(split, best, spec, scenario, learned, digest)
    options = FitOptions.of(spec.training, threshold_of(estimator), found)
    return TrainedModel(estimator, manifest.model_copy(update={"options": options}), _example(split))


def fitted(
    rows: LabelledRows,
    features: TableSchema,
    best: BestHyperparameters,
    spec: PipelineSpec,
    base: TrainedModel | None = None,
) -> "Pipeline":
    """Fit a recipe, the family and hyperparameters that a search has found, to rows; without calibration and threshold.

    Args:
        rows: that are learned from.
        features: columns and roles of their frame.
        best: the recipe.
        spec: the pipeline.
        base: the model to continue from; None for a full fit.

    Raises:
        LearningError: the estimator refuses the rows or its hyperparameters, or cannot continue.
        FeatureStepError: outliers drop more of the rows than they may.
        UntrustedModelError: the model could not be stored.
    """
    spec = spec.model_copy(update={"model": model_with(spec.model, best.family, best.parameters)})
    # the family's library must be loaded before its threads can be limited
    chosen = family_of(best.family, spec.task, spec.model)
    with limited_threads(spec.training.threads):
        if base is not None:
            return continue_fit(base.estimator, chosen, best.parameters, rows, spec)
        return _fitted_in_full(chosen, rows, features, best, spec)


def _example(split: Split) -> "pd.DataFrame":
    """Return some training rows; the values of columns marked `pii` are replaced by missing ones."""
    import pandas as pd

    example = split.train.features.head(_EXAMPLE_ROWS).reset_index(drop=True)
    for column in split.features.columns:
        if column.pii:
            example[column.name] = pd.Series(
                [_MISSING.get(column.role)] * len(example), dtype=example[column.name].dtype
            )
    return example


def _fitted_in_full(
    family: Family, rows: LabelledRows, features: TableSchema, best: BestHyperparameters, spec: PipelineSpec
) -> "Pipeline":
    require_rows_kept(rows, features, spec)
    rehearse(family, best.parameters, rows, features, spec)
    pipeline = build_pipeline(family, best.parameters, features, spec)
    try:
        return pipeline.fit(rows.features, rows.target, **weighted_options(rows, spec))
    except Exception as error:  # an estimator may raise anything
        raise LearningError(
            f"'{family.name}' cannot be fitted to these rows with these hyperparameters",
            where=f"pipeline {spec.name}, model",
            found=f"{type(error).__name__}: {error}",
            remedy="change what the reason names, or choose another model family",
        ) from error


def _require_same(split: Split, best: BestHyperparameters, spec: PipelineSpec, champion: ModelManifest) -> None:
    asked = FitOptions.of(spec.training, None)
    facts = (
        ("model family", {champion.family}, {best.family}),
        ("features", _roles(champion.features), _roles(split.features)),
        ("classes", {str(label) for label in champion.classes}, {str(label) for label in split.classes}),
        ("training options", _kept(champion.options), _kept(asked)),
    )
    for name, had, has in facts:
        if had != has:
            raise LearningError(
                f"an incremental fit cannot continue from a champion with other {name}",
                where=f"pipeline {spec.name}, training.scenario",
                found=f"only the champion: {_listed(had - has)}; only this run: {_listed(has - had)}",
                expected=f"the same {name}",
                remedy="train with scenario: full, or restore what the champion has in the pipeline file",
            )


def _kept(options: FitOptions | None) -> set[str]:
    """Return the options that a continued fit takes over as they are."""
    if options is None:
        return set()
    kept = options.model_dump(include={"calibration", "target_transform", "threshold_for", "constraints"}, mode="json")
    return {f"{name}: {value}" for name, value in kept.items()}


def _require_no_later(split: Split, spec: PipelineSpec, champion: ModelManifest) -> None:
    newest, own = max(champion.data_digests), max(split.data_digests)
    if spec.dataset.partitions.is_time and newest > own:
        raise LearningError(
            "an incremental fit cannot continue from a champion that learned from later rows",
            where=f"pipeline {spec.name}, training.scenario",
            found=f"the champion is of partition {newest}",
            expected=f"one of {own} or earlier",
            remedy="train partitions of the past with scenario: full",
        )


def _require_unlearned_holdout(split: Split, spec: PipelineSpec, champion: ModelManifest) -> None:
    learned = split.learned_by(champion, spec)
    if learned is not None and learned.any():
        raise LearningError(
            "an incremental fit cannot continue from a champion that learned from rows of the holdout",
            where=f"pipeline {spec.name}, training.scenario",
            found=f"{int(learned.sum()):,} of {len(learned):,} holdout rows",
            expected="the split that the champion was trained under, or a smaller holdout",
            remedy="train with scenario: full, or restore split.test_size and the key of the rows",
        )


def _learned_with(champion: ModelManifest, split: Split, spec: PipelineSpec) -> tuple[LearnedRows, ...] | None:
    rules = champion.learned_rules(time_partitions=spec.dataset.partitions.is_time)
    return None if rules is None else together(rules, (split.learned,))


def _roles(features: TableSchema) -> set[str]:
    typed = {ColumnRole.CATEGORICAL, ColumnRole.TEXT}
    return {
        f"{each.name} ({each.role} of {each.dtype})" if each.role in typed else f"{each.name} ({each.role})"
        for each in features.columns
    }


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "nothing"


def _manifest(
    split: Split,
    best: BestHyperparameters,
    spec: PipelineSpec,
    scenario: str,
    learned: tuple[LearnedRows, ...] | None,
    digest: str,
) -> ModelManifest:
    model = model_with(spec.model, best.family, best.parameters)
    return ModelManifest(
        pipeline=spec.name,
        task=spec.task,
        target=spec.dataset.target,
        classes=split.classes,
        features=split.features,
        unused_columns=split.unused_columns,
        family=best.family,
        parameters=best.parameters,
        scenario_applied=scenario,
        seed=spec.training.seed,
        model_version=model.version,
        spec_digest=digest,
        data_digests=split.data_digests,
        learned=learned,
        train_rows=len(split.train.features),
        holdout_rows=len(split.holdout.features),
        members=model.members_of(best.family),
        library_versions=library_versions(*model.families_of(best.family)),
        own_classes=own_classes(best.family, spec.model_copy(update={"model": model})),
    )
