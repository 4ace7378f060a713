"""Flags turned into a pipeline: a file's, with the flags laid over it, or one made of the flags alone.

Does not belong here: which flags there are (`parsing`); reading the data.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assay.errors import SpecError
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
