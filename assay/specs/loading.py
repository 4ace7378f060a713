"""Pipeline files read strictly: YAML 1.2, every complaint with its line and a hint."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError

from assay.errors import AssayError, SpecError, did_you_mean
from assay.specs.base import Location
from assay.specs.complaints import as_spec_error, listed_errors
from assay.specs.layers import Layer, LayeredDocument, layer_of_text, read_layer, texts_in
from assay.specs.pipeline import PipelineSpec
from assay.specs.pipeline_references import AssetName, reference_errors
from assay.specs.space import Space
from assay.specs.variants import AS_WRITTEN, variants_of

Failure = TypeVar("Failure", bound=Exception)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_MAY_NAME_VARIABLES = {("dataset", "source"), ("scoring", "source")}
_JOINED = ("join", "source")
NameCheck: TypeAlias = Callable[[PipelineSpec], Iterable[tuple[Location, AssayError]]]
"""Yields each name in a pipeline that is not known, with its location in the file."""
_SUFFIXES = (".yaml", ".yml")
SHARED_DEFAULTS = "defaults"
"""A file of this name is no pipeline; others extend it."""
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


class FiledPipeline(NamedTuple):
    """A usable pipeline and its file, which may hold others too."""

    path: Path
    spec: PipelineSpec


@dataclass(frozen=True, slots=True)
class PipelineFiles:
    """The files of a folder, in the order of their names.

    Attributes:
        pipelines: of the usable files.
        broken: the other files.
    """

    pipelines: tuple[FiledPipeline, ...]
    broken: tuple[BrokenPipeline, ...]

    @property
    def specs(self) -> tuple[PipelineSpec, ...]:
        """The usable pipelines."""
        return tuple(each.spec for each in self.pipelines)

    def in_space(self, space: Space) -> "PipelineFiles":
        """Return the same files with pipelines of another space."""
        return replace(self, pipelines=tuple(each._replace(spec=each.spec.in_space(space)) for each in self.pipelines))


def read_pipelines(
    folder: Path, names: NameCheck | None = None, environment: str = "", assets: Collection[AssetName] | None = None
) -> PipelineFiles:
    """Read the pipeline files of a folder, as one environment has them; a bad file does not affect the others.

    Hidden files and `defaults.yaml` are no pipelines.

    Args:
        folder: that has them.
        names: checks the names in them.
        environment: one of their `environments`; the files as they are unless given.
        assets: the keys of all assets beside the pipelines' own; not checked where they are not known.

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
    pipelines: list[FiledPipeline] = []
    errors: dict[Path, Exception] = {}
    found = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.stem != SHARED_DEFAULTS)
    for path in sorted(path for path in found if not path.name.startswith((".", "~"))):
        try:
            _require_finite(path)
            pipelines += [FiledPipeline(path, spec) for spec in load_pipelines(path, names, environment)]
        except Exception as error:  # noqa: BLE001 - reported as this file's error, so that the other files are used
            errors[path] = without_frames(error)
    errors |= _name_conflicts(pipelines)
    _add_reference_errors(pipelines, errors, environment, assets)
    usable = tuple(each for each in pipelines if each.path not in errors)
    return PipelineFiles(usable, tuple(broken_pipeline(path, errors[path]) for path in sorted(errors)))


def without_frames(error: Failure) -> Failure:
    """Return an error that is kept: the frames of its traceback and causes would keep all that was open there."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _require_finite(path: Path) -> None:
    """Refuse a pipe or device, whose reading may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SpecError("the pipeline file cannot be read", where=str(path), found="a pipe, socket or device")


def _name_conflicts(pipelines: Sequence[FiledPipeline]) -> dict[Path, AssayError]:
    """Return the errors of files that name the same pipeline; the file that has the pipeline's name keeps it."""
    owners: dict[str, list[Path]] = {}
    for path, spec in pipelines:
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


def _add_reference_errors(
    pipelines: Sequence[FiledPipeline],
    errors: dict[Path, Exception],
    environment: str,
    assets: Collection[AssetName] | None,
) -> None:
    """Add the errors of pipelines that read others; who reads a pipeline that cannot be used cannot be used either."""
    while True:
        specs = {spec.name: spec for path, spec in pipelines if path not in errors}
        unusable = {broken_pipeline(path, errors[path]).name: str(path) for path in errors}
        unusable |= {spec.name: str(path) for path, spec in pipelines if path in errors}
        unusable = {name: path for name, path in unusable.items() if name not in specs}
        found = list(reference_errors(specs, unusable, assets))
        if not found:
            return
        paths = {spec.name: path for path, spec in pipelines if path not in errors}
        for spec, location, error in found:
            path = paths[spec.name]
            error.where = _where(path, spec.name, environment, location)
            errors.setdefault(path, error)


def _where(path: Path, name: str, environment: str, location: Location) -> str:
    """Return the line of a pipeline's value, whose file was read before."""
    found = variants_of(read_layer(path), path.parent)
    documents = found.get(environment, found[AS_WRITTEN])
    return next((each for each in documents if each.values.get("name") == name), documents[0]).where_of(location)


def broken_pipeline(path: Path, error: Exception) -> BrokenPipeline:
    """Return the broken pipeline of a file, named after it; an error of another kind becomes a typed one."""
    if not isinstance(error, AssayError):
        found = f"{type(error).__name__}: {error}"
        error = SpecError("the pipeline cannot be made", where=str(path), found=found, remedy="correct the file")
    return BrokenPipeline(re.sub("[^a-z0-9_]", "_", path.stem.lower())[:63], path, error)


def load_pipeline(path: Path, names: NameCheck | None = None, environment: str = "") -> PipelineSpec:
    """Read the pipeline of a file, and check the names in it.

    Args:
        path: the file; of a file with `for_each` followed by `#` and the pipeline's name, as `bank.yaml#bank_north`.
        names: checks the names in it.
        environment: one of its `environments`; the file as it is unless given.

    Raises:
        SpecError: the file cannot be read or is not acceptable, says the line; or it holds several pipelines.
    """
    file, _, name = str(path).partition("#")
    specs = {spec.name: spec for spec in load_pipelines(Path(file), names, environment)}
    if name in specs or (len(specs) == 1 and not name):
        return specs[name] if name else next(iter(specs.values()))
    what = f"there is no pipeline '{name}'{did_you_mean(name, specs)}" if name else "the file holds several pipelines"
    listed = ", ".join(f"{file}#{each}" for each in specs)
    raise SpecError(what, where=file, expected=f"one of {listed}", remedy="name one of them after the file")


def load_pipelines(path: Path, names: NameCheck | None = None, environment: str = "") -> tuple[PipelineSpec, ...]:
    """Read the pipelines of a file: one, or as many as `for_each` says.

    Raises:
        SpecError: the file, or one that it extends, cannot be read or is not acceptable, says the line; or it has
            environments, and this is not one of them.
        AssayError: a name is not known; says the line.
    """
    return pipelines_of(read_layer(path), path.parent, names, environment)


def pipelines_of(
    layer: Layer, folder: Path, names: NameCheck | None = None, environment: str = ""
) -> tuple[PipelineSpec, ...]:
    """Read the pipelines of a file, or of a part of one.

    Args:
        layer: the file, or the part.
        folder: the folder to which `extends` is relative.
        names: checks the names in it.
        environment: one of its `environments`; the file as it is unless given.

    Raises:
        AssayError: as `load_pipelines`.
    """
    # all environments: a mistake in the one of production is found before it is deployed
    found = {
        name: tuple(_checked(each, names) for each in documents)
        for name, documents in variants_of(layer, folder).items()
    }
    if environment and len(found) > 1 and environment not in found:
        others = [name for name in found if name != AS_WRITTEN]
        raise SpecError(
            f"the pipeline has no environment '{environment}'{did_you_mean(environment, others)}",
            where=f"{layer.where} (environments)",
            expected=f"one of {', '.join(others)}",
            remedy=f"correct the name, or add `{environment}: {{}}` if nothing differs there",
        )
    return found.get(environment, found[AS_WRITTEN])


def parse_pipeline(text: str, *, where: str, names: NameCheck | None = None) -> PipelineSpec:
    """Read the one pipeline of a YAML text, named `where` in complaints, and check the names in it.

    Raises:
        SpecError: the text is not acceptable; says the line.
        AssayError: a name is not known; says the line.
    """
    [document] = variants_of(layer_of_text(text, where), Path(where).parent)[AS_WRITTEN]
    return _checked(document, names)


def _checked(document: LayeredDocument, names: NameCheck | None) -> PipelineSpec:
    _refuse_misplaced_environment(document)
    try:
        spec = PipelineSpec.model_validate_json(json.dumps(document.values, default=str))
    except ValidationError as error:
        raise as_spec_error(error, document) from error
    if names is not None and (unknown := _unknown_names(names, spec, document)):
        raise unknown[0] if len(unknown) == 1 else listed_errors(unknown, document)
    return spec


def _unknown_names(names: NameCheck, spec: PipelineSpec, document: LayeredDocument) -> list[AssayError]:
    """Return the errors of the names in a pipeline, in the order of the lines.

    After a first unknown name a check may fail on what depends on it; what was found until then is returned.
    """
    found: dict[tuple[Location, str], AssayError] = {}
    try:
        for location, unknown in names(spec):
            unknown.where = document.where_of(location)
            found.setdefault((location, unknown.what), unknown)
    except Exception:
        if not found:  # otherwise the file is refused by what the failure may follow from
            raise
    return [found[each] for each in sorted(found, key=lambda each: document.order_of(each[0]))]


def _may_name_variables(location: Location) -> bool:
    return location in _MAY_NAME_VARIABLES or (location[:2] == ("features", "steps") and location[3:] == _JOINED)


def _refuse_misplaced_environment(document: LayeredDocument) -> None:
    for location, value in texts_in(document.values):
        if _PLACEHOLDER.search(value) and not _may_name_variables(location):
            raise SpecError(
                "${...} is allowed only in dataset.source and scoring.source, and in the source of a join",
                where=document.where_of(location),
                found=value,
                remedy="write the value itself; secrets come from the deployment's own environment",
            )
        if _URL_PASSWORD.search(value):
            raise SpecError(
                "a URL contains a password",
                where=document.where_of(location),
                expected="a URL without credentials",
                remedy="remove the password; the deployment's credential chain provides it",
            )
