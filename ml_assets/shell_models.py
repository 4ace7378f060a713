"""The deployment's registered models for the shell and for `assay.load`, under the entry points `assay.models`."""

from assay.errors import TrackingError
from assay.importing import make_importable
from assay.results.trained_model import TrainedModel
from ml_assets.commands.deployment import Deployment
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.versions import CHAMPION


class RegisteredModels:
    """Implements `assay.shell.models.Models` by the deployment's settings."""

    def __init__(self) -> None:
        deployment = Deployment()
        make_importable(deployment.settings.extensions_dir)
        self._registry: MlflowModelRegistry = deployment.resources["model_registry"]

    def model(self, name: str, version: str) -> TrainedModel:
        """Load a version by its number, or the current champion, as the journal names it."""
        if version != CHAMPION:
            return self._registry.recorded(name, version).model
        found = self._registry.current_champion(name)
        if found is None:
            raise TrackingError(
                "there is no champion",
                where=f"registered model {name}",
                expected="a promoted model",
                remedy="promote one, or name a version: models:/<name>/<version>",
            )
        return found.model
