"""The champion: the record of a promotion decision, and the current champion as later stages use it."""

from dataclasses import dataclass

from assay.data.dataset import ValidatedDataset
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ChampionRecord(Spec):
    """The outcome of a promotion decision, stored as the commit of `champion_model`."""

    pipeline: str
    registered_name: str
    decision: PromotionDecision
    version: str | None
    """The champion's version in the registry; missing while there is no champion."""
    previous_version: str | None = None
    """The champion that this decision replaced."""


@dataclass(frozen=True, slots=True)
class CurrentChampion:
    """The current champion, as scoring and monitoring use it.

    Attributes:
        model: loaded and verified.
        version: in the registry.
        value_at_promotion: its primary metric at promotion; None where that was not recorded.
    """

    model: TrainedModel
    version: str
    value_at_promotion: float | None

    def training_digests(self, spec: PipelineSpec) -> dict[str, str]:
        """Return the digests of its training partitions; split by time, the newest is the holdout and left out."""
        digests = dict(self.model.manifest.data_digests)
        if spec.split.by == "time":
            digests.pop(max(digests))
        return digests

    def learned_from(self, partition: str | None, dataset: ValidatedDataset, spec: PipelineSpec) -> bool:
        """Return whether it was trained on these rows."""
        return self.training_digests(spec).get(partition or "") == dataset.fingerprint.digest
