"""The pure domain library of Assay: specs, tables, the gate, learning, promotion.

Belongs here: functions and frozen types that work on values handed to them.
Does not belong here: Dagster, MLflow, the network, the environment, the clock.
"""

from typing import TYPE_CHECKING

from assay.moved_modules import install_finder

if TYPE_CHECKING:
    from assay.prediction.predictor import Predictor

__version__ = "0.1.0"

install_finder()


def load(uri: str) -> "Predictor":
    """Load a model to predict with: `assay.load("models:/flats@champion").predict(frame)`.

    Args:
        uri: the folder of a bundle, local or `s3://`; or `models:/<name>@champion` or `models:/<name>/<version>` in the
            registry of the deployment whose settings the environment has.

    Raises:
        AssayError: there is no such model, or it cannot be loaded.
    """
    from assay.shell.models import load as loaded

    return loaded(uri)
