"""The deployment that a command works on: its settings, its resources and its pipelines."""

from functools import cached_property
from pathlib import Path
from typing import Any

from assay.errors import SpecError, did_you_mean
from assay.importing import confine_imports, make_importable
from assay.learning.known_names import name_check
from assay.specs import PipelineSpec, read_pipelines
from ml_assets.resource_wiring import resources_for
from resources.artifacts.store import ArtifactStore
from resources.data_sources import mask_variables
from resources.settings import Settings


class Deployment:
    """Settings by the environment; nothing is connected before it is used."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources of the code location, by name."""
        return resources_for(self.settings)

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store."""
        found: ArtifactStore = self.resources["artifact_io_manager"].artifacts()
        return found

    def pipeline(self, name: str) -> PipelineSpec:
        """Return a pipeline by its name or that of its registered model.

        Raises:
            SpecError: there is none, or its file cannot be used.
        """
        settings = self.settings
        make_importable(settings.extensions_dir)
        confine_imports(settings.imports)
        files = read_pipelines(settings.pipelines_dir, name_check(Path(settings.reviewed_schemas)))
        specs = files.pipelines.values()
        mask_variables(specs)
        broken = {each.name: each.error for each in files.broken}
        if name in broken:
            raise broken[name]
        known = {spec.registered_name: spec for spec in specs} | {spec.name: spec for spec in specs}
        if name not in known:
            raise SpecError(
                "no pipeline or registered model has this name",
                where=str(settings.pipelines_dir),
                found=repr(name) + did_you_mean(name, known),
                expected=", ".join(sorted(spec.name for spec in specs)),
            )
        return known[name]
