"""`assay check`, and flags as a pipeline: a file's with the flags written into it, or one made of the flags alone.

Without `--task` and a file, the model family or else the target's values decide the task.
"""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from assay.arrivals.names import listing_pattern
from assay.counting import counted
from assay.credentials import redacted
from assay.data.frozen_schema import SCHEMAS
from assay.errors import AssayError, SourceError, SpecError
from assay.learning.estimators.family import family_names
from assay.learning.known_names import name_check
from assay.shell.flags import Flags
from assay.specs.complaints import explain
from assay.specs.dataset import QUERIED_SCHEMES, CsvDialect, DatasetSpec
from assay.specs.loading import FiledPipeline, load_pipeline, load_pipelines, read_pipelines, without_frames
from assay.specs.overrides import RUN_PARAMETERS, laid_over, parameter_at, parse_overrides
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.pipeline_references import references

_LOG = logging.getLogger("assay.shell")
_LONGEST_NAME = 63
_DATASET_FLAGS = ("member", "sheet", "orient", "limits")
_OUTSIDE_PARAMETERS = {("name",): "name"} | {("dataset", name): name for name in _DATASET_FLAGS}


def pipeline_of(flags: Flags, task: Task | None = None) -> PipelineSpec:
    """Return the pipeline that the flags describe.

    Args:
        flags: of validate, tune or train.
        task: inferred from the data; the flag `--task` and the file win. Without any of them the spec says binary
            classification, and only serves to check the flags and to read the data.

    Raises:
        SpecError: a flag or the file is not acceptable; names the flag, or the file's line.
    """
    try:
        document = document_of(flags, task)
        spec = PipelineSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _as_flag_error(error, flags) from error
    for other in spec.features.other_sources if spec.features is not None else ():
        _require_files(other.source)
    _require_known_names(spec, flags, () if task is not None or has_task(flags) else tuple(Task))
    return spec


def _require_known_names(spec: PipelineSpec, flags: Flags, tasks: Sequence[Task]) -> None:
    """Refuse a name that no task knows; names the flag, or the line of the pipeline file."""
    schemas = Path(flags.pipeline).parent / SCHEMAS if flags.pipeline is not None else None
    for location, unknown in name_check(schemas, tasks)(spec):
        flag, rest = _flag_at(location, flags)
        if flags.pipeline is not None:
            load_pipeline(Path(flags.pipeline), name_check(schemas), flags.environment or "")
        unknown.where = ", ".join(filter(None, (flag, rest)))
        raise unknown


def has_task(flags: Flags) -> bool:
    """Whether the flags or the file name the task."""
    return flags.task is not None or flags.pipeline is not None


def document_of(flags: Flags, task: Task | None) -> dict[str, Any]:
    """Return the settings of the pipeline that the flags describe, before they are checked."""
    document = _of_file(flags) if flags.pipeline is not None else _of_flags(flags, task)
    return _with_flags(document, flags)


def reading_of(flags: Flags, source: str | None, known: CsvDialect | None = None) -> tuple[str, DatasetSpec]:
    """Return the address of files, and how the flags say that they are read.

    Without a flag they are read by the known dialect, and what is detected. The address may name the partition of a
    feature set, which that of a pipeline may not.

    Raises:
        SpecError: a flag is not acceptable.
    """
    dialect = {"detect": flags.dialect is None}
    if known is not None and flags.dialect is None:
        dialect = known.model_dump(mode="json") | dialect
    # the target matters to no reader
    document = {"dataset": {"source": source, "dialect": dialect, "target": "-"}}
    found = _with_flags(document, flags)["dataset"]
    try:
        return found["source"], DatasetSpec.model_validate_json(json.dumps(found | {"source": "-"}))
    except ValidationError as error:
        raise _as_flag_error(error, flags, ("dataset",)) from error


def _with_flags(document: dict[str, Any], flags: Flags) -> dict[str, Any]:
    """Return a pipeline's settings with those of the flags; its source is a file."""
    given = {name: value for name in RUN_PARAMETERS if (value := getattr(flags, name)) is not None}
    whole = laid_over(document, parse_overrides(given, where="the flags"))
    own = {name: getattr(flags, name) for name in _DATASET_FLAGS}
    whole["dataset"] |= {name: value for name, value in own.items() if value is not None}
    _require_files(whole["dataset"]["source"])
    return whole


def _require_files(source: str) -> None:
    if source.partition(":")[0].lower() in QUERIED_SCHEMES:
        raise SourceError(
            "the commands of the shell read no database",
            where=redacted(source),
            expected="files",
            remedy="materialise the pipeline in Dagster, dg launch --assets 'key:\"<pipeline>/*\"'; or write the "
            "rows to a file",
        )


def _of_file(flags: Flags) -> dict[str, Any]:
    spec = load_pipeline(Path(flags.pipeline), environment=flags.environment or "")
    document: dict[str, Any] = json.loads(spec.model_dump_json())
    return document


def _of_flags(flags: Flags, task: Task | None) -> dict[str, Any]:
    kind = Task(flags.task) if flags.task is not None else task or Task.BINARY
    return {
        "name": flags.name or name_of(flags.data_source),
        "task": kind,
        "dataset": {
            "source": flags.data_source,
            "target": flags.target_column,
            # what a flag says of it is not detected
            "dialect": {"detect": not flags.dialect},
        },
        # a holdout without some class would judge the model by luck
        "split": {"by": "stratified" if kind.is_classification else "random"},
    }


def name_of(source: str) -> str:
    """Return a pipeline's name for a file's address, e.g. `bank` for `s3://bucket/data/bank.csv`."""
    stem = source.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
    plain = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")
    return (plain if plain[:1].isalpha() else f"data_{plain}".rstrip("_"))[:_LONGEST_NAME]


def _as_flag_error(error: ValidationError, flags: Flags, part: tuple[str, ...] = ()) -> SpecError:
    """Return the error of a pipeline, or of a part of one, in words of the flags."""
    problem = error.errors(include_url=False)[0]
    problem["loc"] = (*part, *problem["loc"])
    what, found, expected, remedy = explain(problem, PipelineSpec)
    flag, rest = _flag_at(problem["loc"], flags)
    if flag is None:
        what, where = f"the flags do not go together: {what}", rest
    else:
        what, where = f"a flag is not acceptable: {what}", f"{flag}{f', {rest}' if rest else ''}"
    return SpecError(what, where=where, found=found, expected=expected, remedy=remedy)


def flag_of(field: str, flags: Flags) -> str:
    """Return the flag that sets a field of a pipeline, such as `dataset.member`; the field itself where none does."""
    if field == "dataset.source":
        return "the address"
    flag, key = _flag_at(field.split("."), flags)
    return field if flag is None else f"{flag} {_object_with(key.split('.'))}" if key else flag


def _object_with(path: Sequence[str]) -> str:
    """Return the JSON object that sets a value below some keys."""
    return f'{{"{path[0]}": {_object_with(path[1:])}}}' if path else "..."


def _flag_at(location: Sequence[str | int], flags: Flags) -> tuple[str | None, str]:
    """Return the flag that sets a field of a pipeline, if there is one, and the rest of the location."""
    written = tuple(str(part) for part in location)
    for field, name in _OUTSIDE_PARAMETERS.items():
        if written[: len(field)] == field and name in flags.spelled:
            return flags.spelled[name], ".".join(written[len(field) :])
    found = parameter_at(location)
    if found is not None:
        return flags.spelled.get(found[0].name), found[1]
    return None, ".".join(written)


MOST_CLASSES_OF_NUMBERS = 20
"""Whole numbers with more distinct values than this are amounts, not classes."""
_BINARY = 2


def inferred_task(target: pa.ChunkedArray, name: str, model_name: str | None) -> tuple[Task, str]:
    """Return the task and the reason.

    Texts, booleans and whole numbers with few distinct values are classes; other numbers are amounts. A model family
    that supports one kind of task only decides where the values allow it.

    Args:
        target: the target's values.
        name: its column.
        model_name: the model family, if one is named.

    Raises:
        SpecError: the family supports only a task that the values do not look like.
    """
    distinct = len(target.drop_null().unique())
    classes = Task.BINARY if distinct <= _BINARY else Task.MULTICLASS
    numeric = pa.types.is_integer(target.type) or pa.types.is_floating(target.type) or pa.types.is_decimal(target.type)
    fractions = numeric and not pa.types.is_integer(target.type)
    amounts = fractions or (numeric and distinct > MOST_CLASSES_OF_NUMBERS)
    if model_name is not None and does_one_kind(model_name):
        if classifies(model_name) and amounts:
            found = "numbers with fractions" if fractions else f"{distinct:,} distinct whole numbers"
            raise _unfit_family(model_name, "classes", name, found, Task.REGRESSION, f"--task {classes}")
        if not classifies(model_name) and not numeric:
            found = f"{counted(distinct, 'distinct value')} of type {target.type}"
            raise _unfit_family(model_name, "numbers", name, found, classes, "")
        return (classes if classifies(model_name) else Task.REGRESSION), f"{model_name} supports nothing else"
    if fractions:
        return Task.REGRESSION, "the target has fractions"
    if amounts:
        return Task.REGRESSION, f"the target has {distinct:,} distinct whole numbers"
    return classes, f"the target has {counted(distinct, 'distinct value')}"


def _unfit_family(model_name: str, kind: str, target: str, found: str, task: Task, instead: str) -> SpecError:
    """Return the refusal of a family for a target that it cannot predict as it is."""
    other = f"; or, if each value is a class, {instead}" if instead else ""
    return SpecError(
        f"{model_name} predicts {kind}, and the target '{target}' does not look like that",
        where="--model-name, --target-column",
        found=f"{target}: {found}",
        expected=f"for this target one of {', '.join(family_names(task))}",
        remedy=f"name one of these families{other}",
    )


def does_one_kind(model_name: str) -> bool:
    """Whether a model family is known to do either classification or regression, and not both."""
    return classifies(model_name) != (model_name in family_names(Task.REGRESSION))


def classifies(model_name: str) -> bool:
    """Whether a model family is known to do classification."""
    return model_name in family_names(Task.BINARY)


def check(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Check the pipeline files and folders that the flags name, without data.

    Raises:
        AssayError: of the one bad file, or all errors together.
    """
    pipelines: list[FiledPipeline] = []
    errors: dict[Path, AssayError] = {}
    for path in map(Path, flags.pipeline):
        if path.is_dir():
            files = read_pipelines(path, name_check(path / SCHEMAS))
            pipelines += files.pipelines
            errors |= {broken.path: broken.error for broken in files.broken}
        else:
            _collect(path, pipelines, errors)
    for path, spec in pipelines:
        if spec.automation.scans_source and spec.dataset.reference is None:
            try:
                listing_pattern(spec.dataset)
            except AssayError as error:
                errors[path] = error
    if errors:
        raise _error_of(errors, len({*(each.path for each in pipelines), *errors}))
    acceptable = counted(len(pipelines), "pipeline is acceptable", "pipelines are acceptable")
    _LOG.info("%s: %s", acceptable, ", ".join(spec.name for _, spec in pipelines))
    return True, ""


def _collect(path: Path, pipelines: list[FiledPipeline], errors: dict[Path, AssayError]) -> None:
    try:
        pipelines += [FiledPipeline(path, spec) for spec in load_pipelines(path, name_check(path.parent / SCHEMAS))]
    except AssayError as error:
        errors[path] = without_frames(error)
    if any(any(references(spec)) for each, spec in pipelines if each == path):
        _collect_beside(path, errors)


def _collect_beside(path: Path, errors: dict[Path, AssayError]) -> None:
    """Add the error of a file that reads pipelines of its folder."""
    beside = {each.path: each.error for each in read_pipelines(path.parent).broken}
    if path in beside:
        errors[path] = beside[path]


def _error_of(errors: dict[Path, AssayError], count: int) -> AssayError:
    if count == 1:
        return next(iter(errors.values()))
    return SpecError(
        f"{len(errors)} of {count} pipeline files cannot be used; the others can",
        found="\n".join(f"{path}: {error}" for path, error in sorted(errors.items())),
        remedy="correct these files",
    )
