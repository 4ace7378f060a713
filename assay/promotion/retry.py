"""`promotion.below_minimum: retry`: one longer search where a model misses a minimum, and then the end.

What a search was made of is recorded with its result. The longer search belongs to the same rows and the same pipeline
file; where it misses the minimum too, it is not made longer again, and a further run of it starts none.
"""

from collections.abc import Iterable

from assay.learning.evaluation.evaluating import failed_minimum
from assay.learning.splitting import Split
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec


def basis_of(split: Split, spec: PipelineSpec, parts: Iterable[str]) -> str:
    """Return the digest of what a search is made of: rows, and the parts of the pipeline that it depends on."""
    return digest_of(spec.model_dump(mode="json", include=set(parts)), split.data_digests, split.holdout_digest)


def search_factor(
    before: BestHyperparameters | None, report: EvaluationReport | None, basis: str, split: Split, spec: PipelineSpec
) -> int:
    """Return how many times as long as the pipeline says the next search is.

    Args:
        before: the last search of this partition.
        report: the last evaluation of this partition.
        basis: what the next search is made of.
        split: the rows.
        spec: the pipeline.
    """
    if spec.promotion.below_minimum != "retry" or before is None or before.basis != basis:
        return 1
    if before.search_factor > 1:
        return before.search_factor  # the same again, not longer
    missed = report is not None and report.holdout_digest == split.holdout_digest and failed_minimum(report)
    return spec.promotion.retry_factor if missed else 1


def longer(spec: PipelineSpec, factor: int) -> PipelineSpec:
    """Return a pipeline whose search has a multiple of the trials, and of the time."""
    tuning = spec.tuning
    timeout = None if tuning.timeout is None else tuning.timeout * factor
    changed = tuning.model_copy(update={"n_trials": tuning.n_trials * factor, "timeout": timeout})
    return spec.model_copy(update={"tuning": changed})


def retry_begins(report: EvaluationReport, best: BestHyperparameters | None) -> bool:
    """Return whether a longer search follows: the first one missed a minimum, and did not try every point."""
    first = best is not None and best.searched and best.search_factor == 1 and best.stopped_by != "exhausted"
    return first and bool(failed_minimum(report))


def gave_up(report: EvaluationReport, best: BestHyperparameters | None) -> bool:
    """Return whether a minimum is missed after the longer search, or where no longer one can help."""
    return bool(failed_minimum(report)) and not retry_begins(report, best)
