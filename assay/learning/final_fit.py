"""The final fits of a recipe, and the record of how the model was made.

The holdout evaluates a model that was fitted without it. Its figures are those of the recipe: the same family,
hyperparameters, preprocessing and seed, fitted on all rows, make the model that is deployed.
"""

import datetime as dt
import time
from dataclasses import replace
from typing import NamedTuple

from assay.credentials import redacted
from assay.learning.deciding import decided_like
from assay.learning.intake import intake_of
from assay.learning.out_of_fold import out_of_fold
from assay.learning.prediction_reference import reference_of, with_errors
from assay.learning.splitting import Split
from assay.learning.training import INCREMENTAL, fitted, train
from assay.results.intake import SourceSchemas
from assay.results.learned_rows import LearnedRows, together
from assay.results.provenance import CodeState, ParentModel, Provenance
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import Refit, TrainedModel
from assay.specs.pipeline import PipelineSpec


class BaseModel(NamedTuple):
    """The model that an incremental training continues, and where it is."""

    model: TrainedModel
    parent: ParentModel


def recorded_fit(
    split: Split,
    best: BestHyperparameters,
    spec: PipelineSpec,
    base: BaseModel | None,
    code: CodeState,
    schemas: SourceSchemas | None = None,
) -> TrainedModel:
    """Fit a recipe, and record how the model was made and how it takes rows of the source."""
    began = time.perf_counter()
    model = final_fit(split, best, spec, base.model if base else None, refits=spec.refits)
    seconds = round(time.perf_counter() - began, 3)
    model = model.taking(intake_of(split, spec, schemas))
    reference = reference_of(model.evaluated, split, spec.training.threads)
    if spec.training.interval is not None:
        reference = with_errors(reference, out_of_fold(split, best, spec, ()), split, model.evaluated)
    model = model.compared_with(reference)
    provenance = Provenance(
        trained_at=dt.datetime.now(dt.UTC),
        fit_seconds=seconds,
        code=code,
        parent=base.parent if base and model.manifest.scenario_applied == INCREMENTAL else None,
        spec=redacted(spec.model_dump(mode="json")),
    )
    return model.made(provenance)


def final_fit(
    split: Split, best: BestHyperparameters, spec: PipelineSpec, base: TrainedModel | None, *, refits: bool
) -> TrainedModel:
    """Fit a recipe to the training rows, as `train` does, and to all rows.

    Args:
        split: training and holdout rows.
        best: the recipe.
        spec: the pipeline.
        base: the model to continue from. The evaluated fit continues its evaluated fit, and the deployed one its
            deployed one, so that the holdout stays unknown to the former.
        refits: whether the deployed model is fitted on all rows; else it is the evaluated one.

    Raises:
        LearningError, UntrustedModelError, FeatureStepError: as of `train`.
    """
    evaluated = train(split, best, spec, base.evaluated if base else None)
    if not refits:
        return evaluated
    continued = base if evaluated.manifest.scenario_applied == INCREMENTAL else None
    rows = split.all_rows
    deployed = decided_like(fitted(rows, split.features, best, spec, continued), evaluated.estimator)
    refit = Refit(rows=len(rows.target), learned=_learned(split, spec, continued))
    manifest = evaluated.manifest.model_copy(update={"refit": refit})
    return replace(evaluated, estimator=deployed, manifest=manifest, evaluated_fit=lambda: evaluated.estimator)


def _learned(split: Split, spec: PipelineSpec, continued: TrainedModel | None) -> tuple[LearnedRows, ...] | None:
    if continued is None:
        return (split.all_learned,)
    rules = continued.manifest.deployed_rules(time_partitions=spec.dataset.partitions.is_time)
    return None if rules is None else together(rules, (split.all_learned,))
