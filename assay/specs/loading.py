"""Pipeline files read strictly: YAML 1.2, every complaint with its line and a hint."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from assay.errors import AssayError, SpecError, did_you_mean
from assay.specs.base import Location, Spec
from assay.specs.pipeline import PipelineSpec
from assay.specs.space import Space
from assay.specs.yaml_text import line_of, read_marked_yaml, read_yaml

Failure = TypeVar("Failure", bound=Exception)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_MAY_NAME_VARIABLES = {("dataset", "source"), ("scoring", "source")}
NameCheck: TypeAlias = Callable[[PipelineSpec], Iterable[tuple[Location, AssayError]]]
"""Yields each name in a pipeline that is not known, with its location in the file."""
_SUFFIXES = (".yaml", ".yml")
_SHARED = "x-"
"""Top-level keys that begin so hold YAML anchors and nothing that is read."""
_URL_PASSWORD = re.compile(r"://[^/@\s:]+:[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class BrokenPipeline:
    """A pipeline that cannot be used.

    Attributes:
        name: made of the file's name; a valid pipeline name.
        path: the file.
        error: why.
    """

    name: str
    path: Path
    error: AssayError


@dataclass(frozen=True, slots=True)
class PipelineFiles:
    """The files of a folder, in the order of their names.

    Attributes:
        pipelines: the usable ones, by file.
        broken: the others.
    """

    pipelines: Mapping[Path, PipelineSpec]
    broken: tuple[BrokenPipeline, ...]

    def in_space(self, space: Space) -> "PipelineFiles":
        """Return the same files with pipelines of another space."""
        return replace(self, pipelines={path: spec.in_space(space) for path, spec in self.pipelines.items()})


def read_pipelines(folder: Path, names: NameCheck | None = None) -> PipelineFiles:
    """Read the pipeline files of a folder; a bad file does not affect the others. Hidden files are no pipelines.

    Raises:
        SpecError: the folder is missing.
    """
    if not folder.is_dir():
        raise SpecError(
            "there is no folder of pipeline files",
            where=str(folder),
            expected="a folder with one YAML file per model",
            remedy="create it, or point the setting ASSAY_PIPELINES_DIR to it",
        )
    pipelines: dict[Path, PipelineSpec] = {}
    errors: dict[Path, Exception] = {}
    found = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    for path in sorted(path for path in found if not path.name.startswith((".", "~"))):
        try:
            _require_finite(path)
            pipelines[path] = load_pipeline(path, names)
        except Exception as error:  # noqa: BLE001 - reported as this file's error, so that the other files are used
            errors[path] = without_frames(error)
    errors |= _name_conflicts(pipelines)
    usable = {path: spec for path, spec in pipelines.items() if path not in errors}
    return PipelineFiles(usable, tuple(broken_pipeline(path, errors[path]) for path in sorted(errors)))


def without_frames(error: Failure) -> Failure:
    """Return an error that is kept: the frames of its traceback and causes would keep all that was open there."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _require_finite(path: Path) -> None:
    """Refuse a pipe or device, whose reading may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SpecError("the pipeline file cannot be read", where=str(path), found="a pipe, socket or device")


def _name_conflicts(pipelines: Mapping[Path, PipelineSpec]) -> dict[Path, AssayError]:
    """Return the errors of files that name the same pipeline; the file that has the pipeline's name keeps it."""
    owners: dict[str, list[Path]] = {}
    for path, spec in pipelines.items():
        owners.setdefault(spec.name, []).append(path)
    return {
        path: SpecError(
            f"two files name their pipeline '{name}'",
            where=" and ".join(map(str, paths)),
            remedy=f"give one of them another name, or remove it; {name}.yaml is used where it exists",
        )
        for name, paths in owners.items()
        for path in paths
        if len(paths) > 1 and path.stem != name
    }


def broken_pipeline(path: Path, error: Exception) -> BrokenPipeline:
    """Return the broken pipeline of a file, named after it; an error of another kind becomes a typed one."""
    if not isinstance(error, AssayError):
        found = f"{type(error).__name__}: {error}"
        error = SpecError("the pipeline cannot be made", where=str(path), found=found, remedy="correct the file")
    return BrokenPipeline(re.sub("[^a-z0-9_]", "_", path.stem.lower())[:63], path, error)


def load_pipeline(path: Path, names: NameCheck | None = None) -> PipelineSpec:
    """Read one pipeline file, and check the names in it.

    Raises:
        SpecError: the file cannot be read or is not acceptable; says the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError("the pipeline file cannot be read", where=str(path), found=str(error)) from error
    return parse_pipeline(text, where=str(path), names=names)


def parse_pipeline(text: str, *, where: str, names: NameCheck | None = None) -> PipelineSpec:
    """Read a pipeline from YAML text, named `where` in complaints, and check the names in it.

    Raises:
        SpecError: the text is not acceptable; says the line.
        AssayError: a name is not known; says the line.
    """
    document = read_yaml(text, where)
    if not isinstance(document, dict):
        raise SpecError("a pipeline file is a mapping", where=where, found=type(document).__name__)
    _refuse_misplaced_environment(document, text, where)
    document = {key: value for key, value in document.items() if not str(key).startswith(_SHARED)}
    try:
        spec = PipelineSpec.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        raise _as_spec_error(error, read_marked_yaml(text, where), where) from error
    for location, unknown in names(spec) if names is not None else ():
        unknown.where = _where(location, text, where)
        raise unknown
    return spec


def _refuse_misplaced_environment(document: Any, text: str, where: str) -> None:
    for location, value in _texts(document):
        if _PLACEHOLDER.search(value) and location not in _MAY_NAME_VARIABLES:
            raise SpecError(
                "${...} is allowed only in dataset.source and scoring.source",
                where=_where(location, text, where),
                found=value,
                remedy="write the value itself; secrets come from the deployment's own environment",
            )
        if _URL_PASSWORD.search(value):
            raise SpecError(
                "a URL contains a password",
                where=_where(location, text, where),
                expected="a URL without credentials",
                remedy="remove the password; the deployment's credential chain provides it",
            )


def _where(location: Sequence[str | int], text: str, where: str) -> str:
    return f"{where}:{line_of(read_marked_yaml(text, where), location)} ({_dotted(location)})"


def _texts(node: Any, location: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, str):
        return [(location, node)]
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in items for found in _texts(value, (*location, key))]


def _as_spec_error(error: ValidationError, document: Any, where: str) -> SpecError:
    """Report every complaint, in the order of the lines."""
    by_location: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for problem in error.errors(include_url=False):
        location = _written_location(problem, document)
        by_location.setdefault(location, []).append({**problem, "loc": location})
    # the other types that a value could have had are no help where a part of it is wrong
    inner = [one for one in by_location if not any(one == other[: len(one)] != other for other in by_location)]
    locations = sorted(inner, key=lambda location: line_of(document, location))
    complaints = [_combined(by_location[location], document, where) for location in locations]
    if len(complaints) == 1:
        return complaints[0]
    listed = (
        f"{problem.where}: {problem.what}"
        + "".join(
            f"; {part} {text}" for part, text in (("found", problem.found), ("expected", problem.expected)) if text
        )
        for problem in complaints
    )
    return SpecError(
        f"{len(complaints)} parts are not acceptable",
        where=where,
        found="\n".join(["", *listed]),
        remedy="correct each of them; editors complete the file with docs/pipeline.schema.json",
    )


def _combined(problems: Sequence[ErrorDetails], document: Any, where: str) -> SpecError:
    """Combine the complaints of one location: one for each type that the value could have had."""
    location = problems[0]["loc"]
    what, found, _, remedy = explain(problems[0])
    expected = " or ".join(dict.fromkeys(explain(problem)[2] for problem in problems))
    located = f"{where}:{line_of(document, location)} ({_dotted(location) or 'the file'})"
    return SpecError(what, where=located, found=found, expected=expected, remedy=remedy)


def _written_location(problem: ErrorDetails, document: Any) -> tuple[str | int, ...]:
    """Return the parts of a complaint's location that the file has; pydantic adds the types it tried."""
    written, node = [], document
    for part in problem["loc"]:
        with suppress(KeyError, IndexError, TypeError):
            node = node[part]
            written.append(part)
    return (*written, problem["loc"][-1]) if problem["type"] == "missing" else tuple(written)


def explain(problem: ErrorDetails, root: type[Spec] = PipelineSpec) -> tuple[str, str, str, str]:
    """Turn one of pydantic's complaints about a spec into what, found, expected and remedy."""
    name = _named(problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = fields_at(problem["loc"][:-1], root)
        return (
            f"unknown key '{name}'{did_you_mean(name, known)}",
            "",
            f"one of {', '.join(sorted(known))}",
            "correct or remove it",
        )
    if problem["type"] == "missing":
        return f"'{name}' is missing", "", "", f"add '{name}'"
    below = fields_at(problem["loc"], root)
    if problem["input"] is None and below:
        return f"'{name}' is empty", "", f"one of {', '.join(sorted(below))}", "add its fields below it, or remove it"
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if isinstance(problem["input"], dict) else repr(problem["input"])
    return f"'{name}' is not acceptable" if name else "the parts do not agree", found, message, ""


def _named(location: Sequence[str | int]) -> str:
    """Return the last part of a location; an item of a list is named after the list."""
    return str(next((part for part in reversed(location) if isinstance(part, str)), ""))


def fields_at(location: Sequence[str | int], root: type[Spec] = PipelineSpec) -> list[str]:
    """Return the field names of the spec at a location below a root."""
    kind: Any = root
    for part in location:
        field = kind.model_fields.get(str(part)) if isinstance(kind, type) and issubclass(kind, Spec) else None
        kind = _spec_inside(field.annotation) if field else kind
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Spec) else []


def _spec_inside(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    inner = [_spec_inside(argument) for argument in getattr(annotation, "__args__", ())]
    return next((kind for kind in inner if kind is not None), None)


def _dotted(location: Sequence[str | int]) -> str:
    return ".".join(map(str, location))
