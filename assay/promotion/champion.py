"""Which model is champion: the record of a decision, and the model itself as later stages meet it."""

from dataclasses import dataclass

from assay.data.dataset import ValidatedDataset
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ChampionRecord(Spec):
    """What the registry says after a decision."""

    pipeline: str
    registered_name: str
    decision: PromotionDecision
    version: str | None
    """The champion's version in the registry; missing while there is no champion."""
    previous_version: str | None = None
    """The champion before this decision."""


@dataclass(frozen=True, slots=True)
class ChampionInForce:
    """The champion as scoring and monitoring meet it.

    Attributes:
        model: loaded and verified.
        version: in the registry.
        value_at_promotion: its primary metric then; None where that was not recorded.
    """

    model: TrainedModel
    version: str
    value_at_promotion: float | None

    def training_digests(self, spec: PipelineSpec) -> dict[str, str]:
        """Digests of the partitions whose rows it learned from; the holdout, the newest by time, is none of them."""
        digests = dict(self.model.manifest.data_digests)
        if spec.split.by == "time":
            digests.pop(max(digests))
        return digests

    def learned_from(self, partition: str | None, dataset: ValidatedDataset, spec: PipelineSpec) -> bool:
        """Whether these very rows are among those that it was trained on."""
        return self.training_digests(spec).get(partition or "") == dataset.fingerprint.digest
