"""Trained models copied to where a user wants them."""

from pathlib import Path

import dagster as dg

from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.shell.storage import LocalStorage, joined
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource
from resources.store.bundles import put_bundle
from resources.store.local import LocalStore


class ModelExporter(dg.ConfigurableResource[None]):
    """Writes a model's bundle to `training.target_output_path`.

    Attributes:
        overwrite: whether a retraining under the same model version replaces the bundle.
    """

    object_store: dg.ResourceDependency[ObjectStoreResource]
    overwrite: bool = True

    def export(self, model: TrainedModel, spec: PipelineSpec) -> str | None:
        """Write the bundle to `<target>/<registered name>_v<model version>/`.

        Returns:
            Where it is; None when the pipeline names no target.

        Raises:
            TargetExistsError: there is a bundle of another model, and the deployment keeps it.
            StorageError: the target cannot be written.
        """
        from assay.learning.persistence import save_model

        target = spec.training.target_output_path
        if target is None:
            return None
        store, name = self.object_store.open(target), f"{spec.registered_name}_v{spec.model.version}"
        with scratch_folder("export") as folder:
            save_model(model, Path(folder))
            if isinstance(store, LocalStore):
                LocalStorage().put_bundle(Path(folder), joined(target, name), overwrite=self.overwrite)
            else:
                put_bundle(store, name, Path(folder), overwrite=self.overwrite)
        return store.uri(name)
