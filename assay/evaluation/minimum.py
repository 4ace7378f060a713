"""Whether a report keeps the bounds that the pipeline file sets.

Does not belong here: what follows for the model (`assay.promotion`).
"""

from assay.evaluation.metrics import metric
from assay.evaluation.report import EvaluationReport


def failed_minimum(report: EvaluationReport) -> dict[str, float | None]:
    """Return the metrics of `evaluation.minimum` that do not keep their bound, with their values.

    A metric that could not be computed does not keep its bound; its value is None.
    """
    return {
        name: report.metrics.get(name)
        for name, bound in report.minimum.items()
        if name not in report.metrics or not metric(name, report.task).reaches(report.metrics[name], bound)
    }
