"""The correction of a badly calibrated model's probabilities that a search found."""

from assay.specs.base import Spec


class Recalibration(Spec):
    """A sigmoid for the probabilities, found on rows that the predicting fits had not learned from."""

    curves: tuple[tuple[float, float], ...]
    """Slope and intercept on the log-odds: of the positive class, or of each class against the rest."""
    log_loss_before: float
    """Of the validation rows."""
    log_loss_after: float
    """Of the validation rows; each part of them is corrected by a sigmoid that was found on the others."""

    @property
    def in_words(self) -> str:
        """Say why the probabilities are corrected."""
        return (
            f"probabilities are corrected by a sigmoid, which lowers the log loss of validation rows from "
            f"{self.log_loss_before:.4g} to {self.log_loss_after:.4g}"
        )
