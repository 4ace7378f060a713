"""One pipeline file as several documents: `extends`, `for_each` and `environments`.

Layers, the lowest first: what the file extends, the file, a part of `for_each`, then one environment of each of these
files.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, ValidationError, WithJsonSchema

from assay.errors import SpecError
from assay.specs.base import ColumnName, Spec
from assay.specs.complaints import as_spec_error
from assay.specs.dataset import Scalar
from assay.specs.layers import Layer, LayeredDocument, read_layer

PARTIAL = {"$comment": "PartialPipeline"}
"""Schema of a part of a pipeline, in place of which the published one has the fields of a pipeline."""
PartialPipeline: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(PARTIAL)]
"""Some fields of a pipeline."""
AS_WRITTEN = ""
"""The environment of a file as it is."""


class SegmentsOfColumn(Spec):
    """One pipeline for the rows of each value of a column."""

    column: ColumnName
    """The column; models do not see it, since it has one value, unless `dataset.columns` gives it a role."""
    values: tuple[Scalar, ...] = Field(min_length=1)
    """Its values; each pipeline is named after the file's name and the value."""


class FileLayout(Spec):
    """What a pipeline file says beside the pipeline itself."""

    extends: str | tuple[str, ...] = ()
    """Files, relative to this one, over which it is laid; of several the last takes precedence."""
    environments: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_-]*$")], PartialPipeline] = {}
    """What differs in each environment; the setting ASSAY_ENVIRONMENT or the flag `--environment` names one."""
    for_each: SegmentsOfColumn | tuple[PartialPipeline, ...] | None = None
    """One pipeline for each value of a column, or for each part, whose `name` is put after that of the file."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one of several pipelines has of its own.

    Attributes:
        suffix: of its name.
        below: laid under the file.
        above: laid over the file.
    """

    suffix: str
    below: Layer
    above: Layer


def variants_of(file: Layer, folder: Path) -> dict[str, tuple[LayeredDocument, ...]]:
    """Return the documents of a file's pipelines by environment, `AS_WRITTEN` among them.

    Args:
        file: the file.
        folder: the folder to which `extends` is relative.

    Raises:
        SpecError: what the file says beside its pipeline is not acceptable.
    """
    files = tuple(_with_extended(file, folder, ()))
    layout = _layout(files)
    parts = tuple(_parts(layout, files))
    return {name: tuple(_document(files, part, name) for part in parts) for name in (AS_WRITTEN, *layout.environments)}


def _with_extended(file: Layer, folder: Path, extending: tuple[Path, ...]) -> Iterator[Layer]:
    """Yield the files that a file extends, the lowest first, and the file."""
    names = _layout((file,)).extends
    for name in [names] if isinstance(names, str) else names:
        path = (folder / name).resolve()
        if path in extending:
            raise SpecError("files extend each other in a circle", where=f"{file.where} (extends)", found=name)
        yield from _with_extended(read_layer(path), path.parent, (*extending, path))
    yield file


def _layout(files: tuple[Layer, ...]) -> FileLayout:
    own = [replace(each, values=_some(each.values, of_layout=True)) for each in files]
    document = LayeredDocument(tuple(own), own[-1])
    if not document.values:
        return FileLayout()
    try:
        return FileLayout.model_validate_json(json.dumps(document.values, default=str))
    except ValidationError as error:
        raise as_spec_error(error, document, FileLayout) from error


def _some(values: Mapping[str, Any], *, of_layout: bool) -> dict[str, Any]:
    """Return what a file says of its layout, or of its pipeline."""
    return {key: value for key, value in values.items() if (key in FileLayout.model_fields) == of_layout}


def _document(files: tuple[Layer, ...], part: _Part, environment: str) -> LayeredDocument:
    own = [replace(each, values=_some(each.values, of_layout=False)) for each in files]
    names = [each.values["name"] for each in own if "name" in each.values]
    named = [replace(files[-1], values={"name": f"{names[-1]}_{part.suffix}"})] if part.suffix and names else []
    overlays = [
        each.part("environments", environment) for each in files if environment in each.values.get("environments", {})
    ]
    for each in overlays:
        if "name" in each.values:
            raise _renamed(each)
    return LayeredDocument((part.below, *own, *named, part.above, *overlays), own[-1])


def _renamed(overlay: Layer) -> SpecError:
    where = overlay.where_of(("name",))
    return SpecError("an environment cannot rename the pipeline", where=where, remedy="remove the name")


def _parts(layout: FileLayout, files: tuple[Layer, ...]) -> Iterator[_Part]:
    """Yield what `for_each` says, by the file that has it; a part without anything where none has."""
    nothing = replace(files[-1], values={})
    stating = next((each for each in reversed(files) if "for_each" in each.values), files[-1])
    if layout.for_each is None:
        yield _Part("", nothing, nothing)
        return
    found = list(
        _segments(layout.for_each, stating) if isinstance(layout.for_each, SegmentsOfColumn) else _entries(stating)
    )
    repeated = [suffix for suffix, count in Counter(part.suffix for part in found).items() if count > 1]
    if repeated:
        raise _refused(stating, "two pipelines of the file have one name", found=repeated[0])
    yield from found


def _segments(segments: SegmentsOfColumn, file: Layer) -> Iterator[_Part]:
    column, values = segments.column, list(segments.values)
    below = Layer(file.where, file.text, {"dataset": {"columns": {column: {"role": "ignored"}}}}, ("for_each",))
    for value in values:
        segment = {"column": column, "value": value, "among": values}
        suffix = re.sub("[^a-z0-9]+", "_", str(value).lower()).strip("_")
        if not suffix:
            raise _refused(file, "a value has no letter or digit to name a pipeline by", found=repr(value))
        yield _Part(suffix, below, replace(below, values={"dataset": {"segment": segment}}))


def _entries(file: Layer) -> Iterator[_Part]:
    for number, entry in enumerate(file.values["for_each"]):
        if not isinstance(entry.get("name"), str):
            raise _refused(file, "a part of for_each has no name", found=f"part {number + 1}")
        part = file.part("for_each", number)
        values = {key: value for key, value in entry.items() if key != "name"}
        yield _Part(entry["name"], replace(file, values={}), replace(part, values=values))


def _refused(file: Layer, what: str, *, found: str) -> SpecError:
    where = file.where_of(("for_each",))
    return SpecError(what, where=where, found=found, remedy="give each part a `name` of its own, such as `name: north`")
