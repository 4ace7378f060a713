"""The champion: the record of a promotion decision, and the current champion as later stages use it."""

from dataclasses import dataclass
from typing import Literal

from assay.data.dataset import ValidatedDataset
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ChampionChange(Spec):
    """What a promotion decision or a roll-back did to the champion."""

    registered_name: str
    outcome: Literal["promoted", "kept_champion", "rejected_below_minimum", "rolled_back"]
    version: str | None
    """The champion's version afterwards; missing while there is no champion."""
    previous_version: str | None
    """The version that it replaced, if any."""
    reason: str


class ChampionRecord(Spec):
    """The outcome of a promotion decision, stored as the commit of `champion_model`."""

    pipeline: str
    registered_name: str
    decision: PromotionDecision
    version: str | None
    """The champion's version in the registry; missing while there is no champion."""
    previous_version: str | None = None
    """The champion that this decision replaced."""

    @property
    def change(self) -> ChampionChange:
        """What the decision did to the champion."""
        return ChampionChange(
            registered_name=self.registered_name,
            outcome=self.decision.verdict,
            version=self.version,
            previous_version=self.previous_version,
            reason=self.decision.reason,
        )


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
