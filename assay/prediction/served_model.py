"""A model as `mlflow.pyfunc` loads it: MLflow calls `_load_pyfunc` of this module with the bundle's folder.

MLflow puts the model's own copy of this package first on the path of a process that has none yet. It hands rows over as
they are: the signature says what they should be, and `assay.prediction.rows` reads what they are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import DigestMismatchError
from assay.prediction.predictor import Predictor
from assay.results.bundle import bundle_digest

if TYPE_CHECKING:
    import pandas as pd

DIGEST = "bundle_digest"
"""Key of the model's configuration; `load_model(uri, model_config={...})` may state the digest that is expected."""
PROBABILITIES, INTERVAL = "probabilities", "interval"
"""Parameters of the signature, of classifications and of regressions."""


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> "ServedModel":
    """Load a bundle, as MLflow asks for it.

    Raises:
        DigestMismatchError: its files are not those of the digest in the configuration.
        UntrustedModelError: it holds a type that is not on our allow-list.
    """
    from assay.learning.persistence import load_model

    expected, found = (model_config or {}).get(DIGEST), bundle_digest(Path(path))
    if expected != found:
        raise DigestMismatchError(
            "the model's files are not those that were registered",
            where=path,
            found=f"digest {found[:16]}",
            expected=f"digest {str(expected)[:16]}",
            remedy="fetch the model again, or register it again",
        )
    return ServedModel(Predictor(load_model(Path(path)).for_predictions()))


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What MLflow predicts with."""

    predictor: Predictor

    def predict(self, rows: Any, params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Predict rows; see `Predictor.predict`.

        Args:
            rows: in any form; over HTTP records or columns.
            params: of the signature.

        Raises:
            AssayError: as of `Predictor.predict`.
        """
        asked = params or {}
        return self.predictor.predict(
            rows,
            probabilities=bool(asked.get(PROBABILITIES, True)),
            interval=float(asked.get(INTERVAL, 0.0)),
        )
