"""A drafted pipeline: its settings, the reason of each that the data decided, and the questions that are left."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

from assay.learning.evaluation.metrics import METRICS
from assay.specs.pipeline import PipelineSpec, Task

Path: TypeAlias = tuple[str, ...]
TARGET: Path = ("dataset", "target")
COLUMNS: Path = ("dataset", "columns")
_TEST_SIZE = 0.2
_FEWEST_ROWS = 0.5
"""Share of today's rows below which a later delivery is refused."""
_BOOSTERS = ("hist_gradient_boosting", "lightgbm")
_TUNING = {"n_trials": 20, "timeout": 300}


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings of a pipeline file before it is written.

    Attributes:
        document: the settings, in the order of the file.
        reasons: why the data lead to a setting, by its path.
        questions: findings that only a person can answer.
    """

    document: Mapping[str, Any]
    reasons: Mapping[Path, str] = field(default_factory=dict)
    questions: tuple[str, ...] = ()

    def with_setting(self, path: Path, value: Any, reason: str) -> Self:
        """Return the draft with a setting, new or of another value, and its reason."""
        return replace(self, document=_set(self.document, path, value), reasons={**self.reasons, path: reason})

    def with_question(self, question: str) -> Self:
        """Return the draft with one more question."""
        return replace(self, questions=tuple(dict.fromkeys((*self.questions, question))))

    def at(self, path: Path) -> Any:
        """Return a setting; None where it is not set."""
        found: Any = self.document
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def spec(self) -> PipelineSpec:
        """Return the pipeline.

        Raises:
            pydantic.ValidationError: a setting is not acceptable.
        """
        return PipelineSpec.model_validate_json(json.dumps(self.document))


def _set(document: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    first, rest = path[0], path[1:]
    return {**document, first: _set(document.get(first) or {}, rest, value) if rest else value}


def first_draft(name: str, task: Task, reason: str, dataset: Mapping[str, Any], rows: int) -> Draft:
    """Return a pipeline as it is before the gate's findings.

    Args:
        name: of the pipeline.
        task: what is predicted.
        reason: why it is this task.
        dataset: source, target and how the source is written.
        rows: today's number of rows.
    """
    linear = "logistic_regression" if task.is_classification else "ridge"
    document = {
        "name": name,
        "task": str(task),
        "dataset": dict(dataset),
        "validation": {"min_rows": max(1, int(rows * _FEWEST_ROWS))},
        "split": {"by": "stratified" if task.is_classification else "random", "test_size": _TEST_SIZE},
        "model": {"candidates": [linear, *_BOOSTERS]},
        "tuning": dict(_TUNING),
        "evaluation": {"primary_metric": next(iter(METRICS[task]))},
    }
    return Draft(document, {("task",): reason, ("validation", "min_rows"): f"half of today's {rows:,}"})
