"""The champion: the record of a promotion decision, the entries of its journal, and the current champion itself."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from assay.data.dataset import ValidatedDataset
from assay.promotion.decision import PromotionDecision, Verdict
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ChampionChange(Spec):
    """What a promotion decision or a roll-back did to the champion."""

    registered_name: str
    outcome: Verdict | Literal["rolled_back", "withdrawn"]
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


class ChampionEntry(Spec):
    """One entry of a registered model's champion journal; the newest entry names the current champion."""

    format_version: Literal[1] = 1
    number: int = Field(ge=1)
    """Position in the journal: 1, 2, 3 ... without gaps."""
    event: Literal["promoted", "rolled_back", "adopted", "withdrawn"]
    """`adopted`: the registry had a champion before the journal began; `withdrawn`: there is no champion any more."""
    registered_name: str
    version: str
    """The champion's version in the registry; of a withdrawal, the version that was champion."""
    digest: str
    """Of the files of the version's bundle."""
    files_digest: str = ""
    """Of all files of the version, MLflow's flavour included; empty for entries of version 0.1."""
    replaced: str | None = None
    """Version of the champion that it was compared with and that it replaced; missing for the first one."""
    value_at_promotion: float | None = None
    """Its primary metric on the holdout when it was promoted; missing where that was not recorded."""
    decision: PromotionDecision | None = None
    """Of a promotion."""
    reason: str = ""
    """One sentence for people."""
    pipeline: str = ""
    """Whose model was promoted."""
    run_id: str = ""
    """The Dagster run that appended the entry."""
    created_at: dt.datetime

    @property
    def names_champion(self) -> bool:
        """Whether the version is champion by this entry."""
        return self.event != "withdrawn"


@dataclass(frozen=True, slots=True)
class CurrentChampion:
    """The current champion, as promotion, scoring and monitoring use it.

    Attributes:
        model: loaded and verified.
        entry: of the journal.
    """

    model: TrainedModel
    entry: ChampionEntry

    @property
    def version(self) -> str:
        """Its version in the registry."""
        return self.entry.version

    @property
    def value_at_promotion(self) -> float | None:
        """Its primary metric at promotion; None where that was not recorded."""
        return self.entry.value_at_promotion

    def training_digests(self, spec: PipelineSpec) -> dict[str, str]:
        """Return the digests of its training partitions; split by time, the newest is the holdout and left out."""
        digests = dict(self.model.manifest.data_digests)
        if spec.split.by == "time":
            digests.pop(max(digests))
        return digests

    def learned_from(self, partition: str | None, dataset: ValidatedDataset, spec: PipelineSpec) -> bool:
        """Return whether it was trained on these rows."""
        return self.training_digests(spec).get(partition or "") == dataset.fingerprint.digest


def promoted_by(run_id: str, challenger: TrainedModel, champion: CurrentChampion) -> ChampionRecord | None:
    """Return the record of a promotion that a run has carried out already; None if it has not."""
    entry, training = champion.entry, "mlflow_run_id"
    is_challenger = champion.model.manifest.annotations.get(training) == challenger.manifest.annotations.get(training)
    if entry.event != "promoted" or entry.decision is None or entry.run_id != run_id or not is_challenger:
        return None
    return ChampionRecord(
        pipeline=entry.pipeline,
        registered_name=entry.registered_name,
        decision=entry.decision,
        version=entry.version,
        previous_version=entry.replaced,
    )
