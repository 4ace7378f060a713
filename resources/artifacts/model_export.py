"""Trained models copied to where a user wants them."""

import tempfile
from pathlib import Path

import dagster as dg

from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource

_LAST = "manifest.json"


class ModelExporter(dg.ConfigurableResource[None]):
    """Writes a model's bundle to `training.target_output_path`."""

    object_store: dg.ResourceDependency[ObjectStoreResource]

    def export(self, model: TrainedModel, spec: PipelineSpec) -> str | None:
        """Write the bundle to `<target>/<registered name>_v<model version>/`; the manifest comes last.

        Returns:
            Where it is; None when the pipeline names no target.

        Raises:
            StorageError: the target cannot be written.
        """
        from assay.learning.persistence import save_model

        if spec.training.target_output_path is None:
            return None
        store = self.object_store.open(spec.training.target_output_path)
        prefix = f"{spec.registered_name}_v{spec.model.version}"
        with tempfile.TemporaryDirectory(prefix="assay-export-") as folder:
            save_model(model, Path(folder))
            for path in sorted(Path(folder).iterdir(), key=lambda found: (found.name == _LAST, found.name)):
                store.put_file(f"{prefix}/{path.name}", path)
        return store.uri(prefix)
