"""The rebuild of a stored model from what is recorded of it, and what has changed since it was made."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import ValidationError

from assay.errors import SpecError
from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.predictions import Predictions, predict
from assay.learning.final_fit import final_fit
from assay.learning.splitting import Split
from assay.learning.training import library_versions, training_digest
from assay.results.provenance import CodeState
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import ModelManifest, TrainedModel
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 12
_RECORDED_OTHERWISE = "this version of assay reads other things of the training from the recorded spec"
_NOT_RECORDED = "the pipeline file says other things of the training, and the model records no spec"


class Difference(NamedTuple):
    """What is not as it was when a model was made."""

    part: Literal["data", "parent", "lock", "code", "spec", "seed"]
    what: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of a rebuild.

    Attributes:
        rows: how many rows both models predict, those of training and holdout.
        different_rows: how many of them get other predictions; None where the model could not be rebuilt.
        digest: of the recorded bundle.
        rebuilt_digest: of the rebuilt one; empty if nothing was rebuilt.
        differences: what has changed since, in the order in which it counts.
    """

    rows: int
    different_rows: int | None
    digest: str
    rebuilt_digest: str
    differences: tuple[Difference, ...]

    @property
    def is_identical(self) -> bool:
        """Whether all predictions are the same bits."""
        return self.different_rows == 0


def recorded_spec(manifest: ModelManifest, file: PipelineSpec) -> PipelineSpec:
    """Return the pipeline that a model was trained by: as its manifest records it, else the file's.

    Manifests of earlier versions record the seed and a digest alone.

    Raises:
        SpecError: this version of the code does not take the recorded pipeline.
    """
    recorded = manifest.provenance.spec if manifest.provenance else {}
    if recorded:
        try:
            return PipelineSpec.model_validate_json(json.dumps(recorded))
        except ValidationError as error:
            raise _unreadable(manifest, error) from error
    seeded = file.model_copy(update={"training": file.training.model_copy(update={"seed": manifest.seed})})
    return seeded if training_digest(seeded) == manifest.spec_digest else file


def _unreadable(manifest: ModelManifest, error: ValidationError) -> SpecError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    made_by = manifest.library_versions.get("assay", "unknown")
    return SpecError(
        "the model records its pipeline, but this version of assay does not take it",
        where=f"the recorded pipeline{f', {field}' if field else ''}",
        found=f"{first['msg']}; the model was made by assay {made_by}",
        expected=f"a pipeline as assay {library_versions(manifest.family).get('assay', 'unknown')} reads it",
        remedy=f"rebuild the model with assay {made_by}",
    )


def rebuilt(model: TrainedModel, split: Split, spec: PipelineSpec, parent: TrainedModel | None) -> TrainedModel:
    """Fit a model again, by its family, hyperparameters and rows, with the recorded evidence.

    Args:
        model: the recorded model.
        split: its rows.
        spec: see `recorded_spec`.
        parent: the model that it continued; None for a full fit.

    Raises:
        LearningError: the fit fails.
    """
    facts = model.manifest
    best = BestHyperparameters(
        family=facts.family,
        parameters=facts.parameters,
        metric="",
        direction="maximize",
        searched=False,
        stopped_by="disabled",
        seed=facts.seed,
        recalibration=facts.options.recalibration if facts.options else None,
    )
    again = final_fit(split, best, spec, parent, refits=facts.refit is not None)
    evidence = {name: getattr(facts, name) for name in ("annotations", "provenance", "intake", "golden", "reference")}
    return replace(again, manifest=again.manifest.model_copy(update=evidence))


def different_predictions(one: TrainedModel, other: TrainedModel, features: "pd.DataFrame", threads: int) -> int:
    """Return for how many rows two models, deployed or evaluated, do not predict the same bits.

    Args:
        one: a model.
        other: a model.
        features: shape (n, columns), with the columns of both.
        threads: for both.
    """
    with limited_threads(threads):
        different = _differ(one, other, features)
        if one.manifest.refit is not None and other.manifest.refit is not None:
            different |= _differ(one.evaluated, other.evaluated, features)
    return int(different.sum())


def _differ(one: TrainedModel, other: TrainedModel, features: "pd.DataFrame") -> np.ndarray:
    pair = [_of(model, features) for model in (one, other)]
    if len(pair[0].classes) != len(pair[1].classes):
        return np.ones(len(features), dtype=bool)
    return np.asarray((_bits(pair[0]) != _bits(pair[1])).any(axis=1))


def _of(model: TrainedModel, features: "pd.DataFrame") -> Predictions:
    facts = model.manifest
    return predict(model.estimator, features[list(facts.features.names)], facts.classes, facts.task)


def _bits(predictions: Predictions) -> np.ndarray:
    """Return all outputs of each row as one line of text or whole numbers."""
    parts = [predictions.labels if predictions.labels.dtype == np.float64 else predictions.labels.astype(str)]
    parts += [each for each in (predictions.probabilities, predictions.scores) if each is not None]
    lines = [np.ascontiguousarray(each).reshape(len(each), -1) for each in parts]
    return np.column_stack([each.view(np.uint64).astype(str) if each.dtype == np.float64 else each for each in lines])


def changes_since(
    manifest: ModelManifest, spec: PipelineSpec, now: CodeState, *, own_code_changed: bool | None
) -> Iterator[Difference]:
    """Yield what has changed since a model was made, in the order in which it counts: lock, code, spec, seed.

    Args:
        manifest: of the model.
        spec: the pipeline that it is rebuilt by.
        now: code and libraries of this process.
        own_code_changed: whether modules of the user's own have changed; None where that is not known.
    """
    then, made = manifest.library_versions, manifest.provenance
    libraries = library_versions(*(manifest.members or (manifest.family,)))
    versions = [
        f"{name} {then.get(name, 'absent')} then, {libraries.get(name, 'absent')} now"
        for name in dict.fromkeys([*then, *libraries])
        if name != "assay" and then.get(name) != libraries.get(name)
    ]
    if versions:
        yield Difference("lock", "; ".join(versions))
    elif made and made.code.lock_digest and made.code.lock_digest != now.lock_digest:
        yield Difference("lock", "uv.lock has changed, not in the libraries of this model's family")
    elif made and made.code.installed_digest and made.code.installed_digest != now.installed_digest:
        yield Difference("lock", "other distributions are installed, none of this model's family")
    if then.get("assay") != libraries.get("assay"):
        yield Difference("code", f"assay {then.get('assay')} then, {libraries.get('assay')} now")
    elif own_code_changed:
        yield Difference("code", "modules of your own that the pipeline names have changed")
    elif made and (made.code.git_sha, made.code.git_dirty) != (now.git_sha, now.git_dirty):
        yield Difference("code", f"commit {made.code.shown} then, {now.shown} now")
    elif made and now.git_dirty:
        yield Difference("code", "files differ from the commit, then and now")
    if training_digest(spec) != manifest.spec_digest:
        yield Difference("spec", _RECORDED_OTHERWISE if made and made.spec else _NOT_RECORDED)
    if spec.training.seed != manifest.seed:
        yield Difference("seed", f"{manifest.seed} then, {spec.training.seed} now")


def in_words(found: Reproduction, title: str) -> Sequence[str]:
    """Return the lines that say what became of a rebuild."""
    since = [f"{each.part}: {each.what}" for each in found.differences]
    if found.is_identical:
        same = found.digest == found.rebuilt_digest
        bundle = f"the same, {found.digest[:_SHOWN]}" if same else f"{found.digest[:_SHOWN]} then, "
        lines = [
            f"{title}: rebuilt",
            f"predictions: bit-identical on {found.rows:,} rows",
            f"bundle digest: {bundle}{'' if same else found.rebuilt_digest[:_SHOWN] + ' now'}",
        ]
        return [*lines, *(f"changed since, without effect on predictions: {each}" for each in since)]
    first = since[0] if since else "none is recorded; the fit itself may not be deterministic"
    if found.different_rows is None:
        return [f"{title}: cannot be rebuilt", f"first difference: {first}", *(f"then: {each}" for each in since[1:])]
    lines = [
        f"{title}: rebuilt, and not the same",
        f"predictions: {found.different_rows:,} of {found.rows:,} rows differ",
    ]
    return [*lines, f"first difference: {first}", *(f"then: {each}" for each in since[1:])]
