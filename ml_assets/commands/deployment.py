"""The deployment that a command works on: its settings, its resources and its pipelines; and who runs the command."""

import os
import pwd
import socket
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.importing import confine_imports, make_importable
from assay.learning.known_names import name_check
from assay.specs import PipelineSpec, read_pipelines
from assay.specs.loading import NameCheck, PipelineFiles
from assay.specs.pipeline_names import usable_pipeline
from ml_assets.resource_wiring import resources_for
from resources.artifacts.store import ArtifactStore
from resources.data_sources import mask_variables
from resources.settings import Settings


def operator() -> str:
    """Return the user and the machine of a command, as journals name them."""
    return f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


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

    @property
    def spaces(self) -> dict[str, ArtifactStore]:
        """The artifact stores of the spaces that the deployment maintains, by name; its own first."""
        return {name: ArtifactStore(store) for name, store in self.resources["object_store"].maintained().items()}

    def pipelines(self, names: NameCheck | None = None) -> PipelineFiles:
        """Read the pipeline files; the users' own modules can be imported then."""
        make_importable(self.settings.extensions_dir)
        confine_imports(self.settings.imports)
        files = read_pipelines(self.settings.pipelines_dir, names, self.settings.environment)
        return files.in_space(self.settings.space)

    def pipeline(self, name: str) -> PipelineSpec:
        """Return a pipeline by its name or that of its registered model.

        Raises:
            SpecError: not found, or its file cannot be used.
        """
        files = self.pipelines(name_check(Path(self.settings.reviewed_schemas)))
        mask_variables(files.specs)
        return usable_pipeline(name, files, where=self.where)

    @property
    def where(self) -> str:
        """Where the pipelines come from, for messages."""
        return f"the pipeline files of {self.settings.pipelines_dir}"
