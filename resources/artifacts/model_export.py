"""Trained models copied to where a user wants them."""

from pathlib import Path

import dagster as dg

from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource
from resources.store.bundles import put_bundle

_LAST = "manifest.json"


class ModelExporter(dg.ConfigurableResource[None]):
    """Writes a model's bundle to `training.target_output_path`."""

    object_store: dg.ResourceDependency[ObjectStoreResource]

    def export(self, model: TrainedModel, spec: PipelineSpec) -> str | None:
        """Write the bundle to `<target>/<registered name>_v<model version>/`; the manifest comes last.

        A retraining under the same model version replaces the bundle; the manifest is away meanwhile.

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
        with scratch_folder("export") as folder:
            save_model(model, Path(folder))
            put_bundle(store, prefix, Path(folder), last=_LAST, overwrite=True)
        return store.uri(prefix)
