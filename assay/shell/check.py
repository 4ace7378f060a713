"""`assay check`: pipeline files alone, without data."""

import logging
from pathlib import Path

from assay.arrivals.names import listing_pattern
from assay.data.frozen_schema import SCHEMAS
from assay.errors import AssayError, SpecError
from assay.learning.known_names import name_check
from assay.shell.flags import Flags
from assay.shell.storage import Storage
from assay.specs.loading import load_pipeline, read_pipelines
from assay.specs.pipeline import PipelineSpec

_LOG = logging.getLogger("assay.shell")


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:  # noqa: ARG001 - every command's interface
    """Check the files and folders that the flags name.

    Raises:
        AssayError: of the one bad file, or all errors together.
    """
    pipelines: dict[Path, PipelineSpec] = {}
    errors: dict[Path, AssayError] = {}
    for path in map(Path, flags.pipeline):
        if path.is_dir():
            files = read_pipelines(path, name_check(path / SCHEMAS))
            pipelines |= files.pipelines
            errors |= {broken.path: broken.error for broken in files.broken}
        else:
            _collect(path, pipelines, errors)
    for path, spec in pipelines.items():
        if spec.automation.scans_source:
            try:
                listing_pattern(spec.dataset)
            except AssayError as error:
                errors[path] = error
    if errors:
        raise _error_of(errors, len({*pipelines, *errors}))
    _LOG.info("%d pipelines are acceptable: %s", len(pipelines), ", ".join(spec.name for spec in pipelines.values()))
    return True, ""


def _collect(path: Path, pipelines: dict[Path, PipelineSpec], errors: dict[Path, AssayError]) -> None:
    try:
        pipelines[path] = load_pipeline(path, name_check(path.parent / SCHEMAS))
    except AssayError as error:
        errors[path] = error


def _error_of(errors: dict[Path, AssayError], count: int) -> AssayError:
    if count == 1:
        return next(iter(errors.values()))
    return SpecError(
        f"{len(errors)} of {count} pipeline files cannot be used; the others can",
        found="\n".join(f"{path}: {error}" for path, error in sorted(errors.items())),
        remedy="correct these files",
    )
