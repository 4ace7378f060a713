"""What is predicted, where nobody says it: told by the model family, or else by the target's values.

Flags turned into a pipeline: a file's, with the flags laid over it, or one made of the flags alone.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from assay.errors import SpecError
from assay.learning.estimators.registry import family_names
from assay.specs.loading import explain, load_pipeline
from assay.specs.overrides import RunOverrides, laid_over
from assay.specs.pipeline import PipelineSpec, Task

_LONGEST_NAME = 63
_FLAGS = {
    ("task",): "--task",
    ("dataset", "source"): "the data's address",
    ("dataset", "format"): "--data-format",
    ("dataset", "dialect"): "--dialect",
    ("dataset", "member"): "--member",
    ("dataset", "sheet"): "--sheet",
    ("dataset", "target"): "--target-column",
    ("validation",): "--validation-config",
    ("model", "candidates"): "--model-name",
    ("model", "version"): "--model-version",
    ("model", "hyperparameters"): "the base hyperparameters",
    ("tuning",): "--tuning-config",
    ("split", "test_size"): "--test-size",
    ("split", "seed"): "--random-state",
    ("training", "seed"): "--random-state",
    ("test_size",): "--test-size",
}


def pipeline_of(flags: argparse.Namespace, task: Task | None = None) -> PipelineSpec:
    """Return the pipeline that the flags describe.

    Args:
        flags: of validate, tune or train.
        task: what the data tells is predicted; the flag `--task` and the file win. Without any of them the spec is
            for checking the flags and reading the data alone, and says binary classification.

    Raises:
        SpecError: a flag or the file is not acceptable; names the flag, or the file's line.
    """
    try:
        document = _document(flags, task)
        return PipelineSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _as_flag_error(error) from error


def has_task(flags: argparse.Namespace) -> bool:
    """Whether the task is said, and need not be found in the data."""
    return flags.task is not None or flags.pipeline is not None


def _document(flags: argparse.Namespace, task: Task | None) -> dict[str, Any]:
    document = _of_file(flags) if flags.pipeline is not None else _of_flags(flags, task)
    if flags.task is not None:
        document["task"] = flags.task
    layout = {"dialect": flags.dialect, "member": flags.member, "sheet": flags.sheet}
    document["dataset"] |= {name: value for name, value in layout.items() if value is not None}
    return laid_over(document, _overrides(flags))


def _of_file(flags: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(load_pipeline(Path(flags.pipeline)).model_dump_json())
    return document


def _of_flags(flags: argparse.Namespace, task: Task | None) -> dict[str, Any]:
    kind = Task(flags.task) if flags.task is not None else task or Task.BINARY
    return {
        "name": _name_of(flags.source),
        "task": kind,
        "dataset": {"source": flags.source, "target": flags.target, "dialect": {"detect": True}},
        # a holdout without some class would judge the model by luck
        "split": {"by": "stratified" if kind.is_classification else "random"},
    }


def _overrides(flags: argparse.Namespace) -> RunOverrides:
    given = vars(flags)
    scenario = given.get("training_scenario")
    return RunOverrides(
        data_source=flags.source,
        data_format=flags.data_format,
        target_column=flags.target,
        data_validation=flags.validation_config or {},
        model_name=given.get("model_name"),
        model_version=given.get("model_version"),
        hyperparameters=given.get("hyperparameters") or {},
        tuning=given.get("tuning_config") or {},
        training_scenario=scenario and scenario.removesuffix("_train"),
        test_size=given.get("test_size"),
        random_state=given.get("random_state"),
        target_output_path=given.get("target_output_path"),
    )


def _name_of(source: str) -> str:
    """Return a pipeline's name for a file's address, e.g. `bank` for `s3://bucket/data/bank.csv`."""
    stem = source.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
    plain = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")
    return (plain if plain[:1].isalpha() else f"data_{plain}".rstrip("_"))[:_LONGEST_NAME]


def _as_flag_error(error: ValidationError) -> SpecError:
    problem = error.errors(include_url=False)[0]
    what, found, expected, remedy = explain(problem)
    location = tuple(str(part) for part in problem["loc"])
    inside = ".".join(location)
    for length in range(len(location), 0, -1):
        flag = _FLAGS.get(location[:length])
        if flag is not None:
            rest = ".".join(location[length:])
            return SpecError(
                f"a flag is not acceptable: {what}",
                where=f"{flag}{f', {rest}' if rest else ''}",
                found=found,
                expected=expected,
                remedy=remedy,
            )
    return SpecError(
        f"the flags do not go together: {what}", where=inside, found=found, expected=expected, remedy=remedy
    )


MOST_CLASSES_OF_NUMBERS = 20
"""Whole numbers with more different values than this are amounts, not classes."""
_BINARY = 2


def inferred_task(target: pa.ChunkedArray, model_name: str | None) -> tuple[Task, str]:
    """Return the task, and why.

    Texts and booleans are classes, and so are whole numbers with few different values; other numbers are amounts. A
    model family that does one kind alone decides by itself.

    Args:
        target: the target's values.
        model_name: the model family, if one is named.
    """
    distinct = len(target.drop_null().unique())
    classes = Task.BINARY if distinct <= _BINARY else Task.MULTICLASS
    if model_name is not None and does_one_kind(model_name):
        return (classes if classifies(model_name) else Task.REGRESSION), f"{model_name} does nothing else"
    if pa.types.is_floating(target.type) or pa.types.is_decimal(target.type):
        return Task.REGRESSION, "the target has fractions"
    if pa.types.is_integer(target.type) and distinct > MOST_CLASSES_OF_NUMBERS:
        return Task.REGRESSION, f"the target has {distinct:,} different whole numbers"
    return classes, f"the target has {distinct:,} different values"


def does_one_kind(model_name: str) -> bool:
    """Whether a model family is known to do either classification or regression, and not both."""
    return classifies(model_name) != (model_name in family_names(Task.REGRESSION))


def classifies(model_name: str) -> bool:
    """Whether a model family is known to do classification."""
    return model_name in family_names(Task.BINARY)
