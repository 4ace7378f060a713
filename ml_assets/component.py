"""Dagster's Components for teams that build with them: a pipeline, and what the pipelines of a project share.

`defs/<folder>/defs.yaml` has the pipeline file as its attributes. It is read by the reader of pipeline files and not by
Dagster's: YAML 1.2, unknown keys and names refused with their lines, no templates.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import dagster as dg
import yaml
from pydantic import BaseModel, ConfigDict

from assay.errors import SpecError
from assay.specs import PipelineSpec
from assay.specs.json_schema import pipeline_json_schema
from assay.specs.layers import Layer, layer_of_text
from assay.specs.loading import pipelines_of
from assay.specs.pipeline_references import reference_errors
from ml_assets.code_location import names_of, shared_definitions
from ml_assets.factory import pipeline_definitions
from resources.data_sources import mask_variables
from resources.settings import Settings

_FILE = "defs.yaml"
_ATTRIBUTES = "attributes"


class PipelineAttributes(BaseModel):
    """The fields of a pipeline file; `dg` shows and checks their JSON Schema, the pipeline reader the values."""

    model_config = ConfigDict(extra="allow")

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the JSON Schema of pipeline files."""
        return pipeline_json_schema()


class PipelineScaffolder(dg.Scaffolder[Any]):
    """Writes the least that a pipeline has."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write `defs.yaml`, for `dg scaffold defs`."""
        name = re.sub("[^a-z0-9_]", "_", request.target_path.name.lower())
        dataset = {"source": f"data/{name}.csv", "target": "target"}
        dg.scaffold_component(request, {"name": name, "task": "binary_classification", "dataset": dataset})


@dg.scaffold_with(PipelineScaffolder)
class AssayPipeline(dg.Component):
    """A pipeline of Assay: its attributes are those of a pipeline file. A project also has one `AssayPlatform`."""

    def __init__(self, specs: Sequence[PipelineSpec]) -> None:
        self.specs = tuple(specs)

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the model of the attributes."""
        return PipelineAttributes

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Return what Dagster shows of this type."""
        return dg.ComponentTypeSpec(produces=["asset", "asset_check", "job", "sensor", "schedule"])

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Read the attributes from the file, so that complaints name its lines.

        Raises:
            SpecError: they are not acceptable.
        """
        settings = Settings()
        layer, folder = _layer_of(attributes, context)
        specs = pipelines_of(layer, folder, names_of(settings), settings.environment)
        mask_variables(specs)
        return cls([spec.in_space(settings.space) for spec in specs])

    @cached_property
    def definitions(self) -> dg.Definitions:
        """What the factory makes of the pipeline; of `for_each` several."""
        return dg.Definitions.merge(*map(pipeline_definitions, self.specs))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the pipeline's assets, checks, jobs, sensors and schedules.

        Raises:
            SpecError: the project has no `AssayPlatform`, or several.
        """
        if _folder_of(context) is not None:
            _require_one_platform(context.component_tree)
        return self.definitions


class AssayPlatform(dg.Component):
    """What the pipelines of a project share: resources, executor, maintenance jobs and sensors. A project has one."""

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Return what Dagster shows of this type."""
        return dg.ComponentTypeSpec(produces=["resource", "job", "sensor", "schedule"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions.

        Raises:
            SpecError: two pipelines have one name, or one reads what another does not make.
        """
        pipelines = context.component_tree.get_all_components(of_type=AssayPipeline)
        specs = [spec for each in pipelines for spec in each.specs]
        _require_consistent(specs)
        return shared_definitions(Settings(), specs, [each.definitions for each in pipelines])


def _require_one_platform(tree: dg.ComponentTree) -> None:
    found = len(tree.get_all_components(of_type=AssayPlatform))
    if found != 1:
        raise SpecError(
            "a project has one AssayPlatform, which gives its pipelines resources",
            where=str(tree.defs_module_path),
            found=str(found),
            remedy="`dg scaffold defs ml_assets.component.AssayPlatform platform` adds it" if not found else "keep one",
        )


def _require_consistent(specs: Sequence[PipelineSpec]) -> None:
    named = {spec.name: spec for spec in specs}
    for spec in specs:
        if named[spec.name] is not spec:
            raise SpecError(f"two components name their pipeline '{spec.name}'", remedy="give one another name")
    for spec, location, error in reference_errors(named, {}):
        error.where = f"{spec.name} ({'.'.join(map(str, location))})"
        raise error


def _layer_of(attributes: BaseModel | None, context: dg.ComponentLoadContext) -> tuple[Layer, Path]:
    """Return the attributes as the component's file has them, and its folder; without a file, as they were given."""
    folder = _folder_of(context)
    if folder is None:
        text = json.dumps(attributes.model_dump() if attributes is not None else {})
        return layer_of_text(text, _ATTRIBUTES), context.project_root
    number = getattr(context.component_loc, "instance_key", None)
    documents = list(_documents((folder / _FILE).read_text(encoding="utf-8")))
    file = layer_of_text(documents[number if isinstance(number, int) else 0], str(folder / _FILE))
    if not isinstance(file.values.get(_ATTRIBUTES), dict):
        raise SpecError(
            "the component has no attributes",
            where=file.where,
            expected="attributes with the fields of a pipeline file",
            remedy="write name, task and dataset below `attributes:`",
        )
    return file.part(_ATTRIBUTES), folder


def _folder_of(context: dg.ComponentLoadContext) -> Path | None:
    """Return the folder that has the component's file; None of a component that Python makes."""
    folder: Path | None = getattr(context.component_loc, "file_path", None)
    return folder if folder is not None and (folder / _FILE).is_file() else None


def _documents(text: str) -> Iterator[str]:
    """Yield the documents of a YAML file, each with its own line numbers: what comes before is blank lines."""
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    starts = [event.start_mark.line for event in events if isinstance(event, yaml.DocumentStartEvent)]
    lines = text.splitlines(keepends=True)
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield "\n" * start + "".join(lines[start:end])
