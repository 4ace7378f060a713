"""The report of a model from the model, its rows, its evaluation and its search."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from assay.credentials import redacted
from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.drawing import sample
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import measure, primary_metric
from assay.learning.evaluation.plots import Losses
from assay.learning.evaluation.predictions import Predictions
from assay.learning.latency import latency_ms
from assay.learning.splitting import Split
from assay.monitoring.drift import drift_between
from assay.promotion.model_card import limits_of
from assay.promotion.slices import row_losses, worst_slices
from assay.reporting.contributions import contributions_of
from assay.reporting.drawings import drawings_of
from assay.reporting.model_report import (
    Importance,
    IntendedUse,
    LeaderboardRow,
    Lineage,
    ModelReport,
    Period,
    Recipe,
    ReportedData,
    WeakSlice,
)
from assay.reporting.rivals import rivals_of
from assay.reporting.search import history_of, leaderboard
from assay.results.evaluation_report import EvaluationReport
from assay.results.provenance import CodeState
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs.operations import SliceBoundsSpec
from assay.specs.pipeline import PipelineSpec

_SLICED_ROWS = 50_000
_DOUBT = 0.05
"""Error probability of all slices that are scanned, together."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store knows of a model.

    Attributes:
        digest: of its bundle.
        size: of the file that holds the fit without the holdout, in bytes.
        rows: of each partition of its window, by key.
        best: the search that it was made of; None where it is not stored any more.
        losses: permutation importance, see `assay.learning.evaluation.plots.losses_of`.
        predictions: of the holdout, see `assay.learning.evaluation.evaluating.holdout_predictions`.
    """

    digest: str
    size: int
    rows: Mapping[str, int]
    best: BestHyperparameters | None
    losses: Losses
    predictions: Predictions


def report_of(
    model: TrainedModel, split: Split, evaluation: EvaluationReport, spec: PipelineSpec, stored: Stored
) -> ModelReport:
    """Return the report of an evaluated model, without a decision.

    Args:
        model: the fitted model.
        split: its rows.
        evaluation: on the holdout.
        spec: the pipeline.
        stored: what the store knows of it.
    """
    manifest, estimator, truth = model.manifest, model.evaluated.estimator, truth_of(split.holdout)
    predictions = stored.predictions
    with limited_threads(spec.training.threads):
        latency = latency_ms(estimator.predict, split.holdout.features)
    contributed = contributions_of(estimator, split.holdout.features, spec.training.seed)
    weak, scanned = _weak_slices(truth, predictions, split, spec)
    chosen = LeaderboardRow(
        family=manifest.family,
        chosen=True,
        is_model=True,
        holdout=evaluation.metrics[evaluation.primary_metric],
        seconds=manifest.provenance.fit_seconds if manifest.provenance else None,
        microseconds=latency,  # milliseconds of 1,000 rows
        megabytes=stored.size / 1e6,
    )
    best, candidates = stored.best, spec.model.candidates
    rivals = rivals_of(split, best, spec, manifest.family) if best else {}
    return ModelReport(
        registered_name=spec.registered_name,
        evaluation=evaluation,
        recipe=_recipe(manifest),
        drawings=drawings_of(truth, predictions),
        importance=tuple(_importance(stored.losses)),
        contributions=contributed.of_model,
        contributions_scale=contributed.scale,
        member_contributions=contributed.of_members,
        weak_slices=weak,
        scanned_slices=scanned,
        leaderboard=tuple(leaderboard(best, candidates, chosen, rivals) if best else [chosen]),
        search=history_of(best, candidates, spec.training.seed) if best and best.trials else None,
        data=_data(manifest, split, spec, stored),
        lineage=_lineage(manifest, evaluation, stored),
        intended=IntendedUse(
            description=spec.intended_use, owners=spec.owners, limits=tuple(limits_of(manifest, evaluation, spec))
        ),
    )


def _recipe(manifest: ModelManifest) -> Recipe:
    return Recipe(
        family=manifest.family,
        members=manifest.members,
        parameters=manifest.parameters,
        scenario=manifest.scenario_applied,
        classes=tuple(map(str, manifest.classes)),
    )


def _importance(losses: Losses) -> Iterator[Importance]:
    for name, drops in sorted(losses.items(), key=lambda item: -float(np.mean(item[1]))):
        yield Importance(name=name, value=float(np.mean(drops)), low=min(drops), high=max(drops))


def _weak_slices(
    truth: np.ndarray, predictions: Predictions, split: Split, spec: PipelineSpec
) -> tuple[tuple[WeakSlice, ...], int]:
    """Return slices whose loss is higher by more than chance gives among all that were scanned, and their number."""
    from scipy.stats import norm

    chosen = sample(len(truth), spec.training.seed, _SLICED_ROWS)
    true, said = truth[chosen], predictions.take(chosen)
    losses, primary = row_losses(true, said), primary_metric(spec)
    frame = split.holdout.features.iloc[chosen].reset_index(drop=True)
    found, scanned = worst_slices(losses, frame, split.features, (spec.promotion.slices or SliceBoundsSpec()).min_rows)
    if not scanned:
        return (), 0
    bound, mean = float(norm.ppf(1 - _DOUBT / scanned)), float(losses.mean())
    weak = [
        WeakSlice(
            name=each.name,
            rows=int(each.inside.sum()),
            value=measure(primary, true[each.inside], said.take(each.inside)).value,
            loss_ratio=float(losses[each.inside].mean()) / mean,
        )
        for each in found
        if each.statistic > bound
    ]
    return tuple(weak), scanned


def _data(manifest: ModelManifest, split: Split, spec: PipelineSpec, stored: Stored) -> ReportedData:
    periods = [
        Period(partition=key, rows=stored.rows.get(key, 0), digest=digest)
        for key, digest in sorted(manifest.data_digests.items())
    ]
    return ReportedData(
        source=redacted(spec.dataset.source),
        target=manifest.target,
        split=str(spec.split.by),
        train_rows=manifest.train_rows,
        holdout_rows=manifest.holdout_rows,
        deployed_rows=manifest.deployed_rows,
        features=len(manifest.features.columns),
        unused=manifest.unused_columns,
        periods=tuple(periods),
        drift=drift_between(split.train, split.holdout, split.features, manifest.target, spec),
    )


def _lineage(manifest: ModelManifest, evaluation: EvaluationReport, stored: Stored) -> Lineage:
    made = manifest.provenance
    return Lineage(
        seed=manifest.seed,
        spec_digest=manifest.spec_digest,
        holdout_digest=evaluation.holdout_digest,
        model_version=manifest.model_version,
        model_digest=stored.digest,
        trained_at=made.trained_at if made else None,
        fit_seconds=made.fit_seconds if made else None,
        code=made.code if made else CodeState(),
        parent=made.parent if made else None,
        libraries=manifest.library_versions,
        links=manifest.annotations,
    )
