"""The champion: the record of a promotion decision, the entries of its journal, and the current champion itself."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import Field

from assay.data.dataset import ValidatedDataset
from assay.promotion.decision import PromotionDecision, Verdict
from assay.results.learned_rows import Mask
from assay.results.trained_model import TrainedModel
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec


class ChampionChange(Spec):
    """What a promotion decision or a roll-back did to the champion."""

    registered_name: str
    outcome: Verdict | Literal["rolled_back", "withdrawn", "approved", "rejected", "rollback_proposed"]
    version: str | None
    """The champion's version afterwards; missing while there is no champion."""
    previous_version: str | None
    """The version that it replaced, if any."""
    proposed_version: str | None = None
    """The version that a person is asked about, or rejected."""
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
    proposed_version: str | None = None
    """The version that waits for a person's approval."""
    space: str = ""
    """Where this was decided; empty for production."""
    production_version: str | None = None
    """In another space: production's champion, with which the challenger was compared as well."""
    against_production: PromotionDecision | None = None
    """What the decision would be in production; nothing follows from it."""

    @property
    def change(self) -> ChampionChange:
        """What the decision did to the champion."""
        return ChampionChange(
            registered_name=self.registered_name,
            outcome=self.decision.verdict,
            version=self.version,
            previous_version=self.previous_version,
            proposed_version=self.proposed_version,
            reason=self.decision.reason,
        )


JournalEvent: TypeAlias = Literal[
    "promoted", "rolled_back", "adopted", "withdrawn", "awaiting_approval", "approved", "rejected"
]
"""`adopted`: the registry had a champion before the journal began; `withdrawn`: there is no champion any more;
`awaiting_approval`, `rejected`: the champion stays; `approved`: the version that waited is champion."""


class ChampionEntry(Spec):
    """One entry of a champion journal; the newest one that changes the champion names the current champion."""

    format_version: Literal[1] = 1
    number: int = Field(ge=1)
    """Position in the journal: 1, 2, 3 ... without gaps."""
    event: JournalEvent
    registered_name: str
    version: str
    """The version that the event is about: the champion; of a withdrawal, the former champion."""
    digest: str
    """Of the files of the version's bundle."""
    files_digest: str = ""
    """Of all files of the version, MLflow's flavour included; empty for entries of version 0.1."""
    replaced: str | None = None
    """Version of the champion that it was compared with or that it replaced; missing for the first one."""
    against: int | None = None
    """Number of that champion's entry, 0 without a champion; missing in entries of version 0.2 and earlier."""
    value_at_promotion: float | None = None
    """Its primary metric on the holdout when it was compared; missing where that was not recorded."""
    decision: PromotionDecision | None = None
    """Of a promotion, or of a decision that waits for a person."""
    evidence: str = ""
    """Digest of the evaluation report and the decision."""
    taken_back: tuple[str, ...] | None = None
    """Versions whose models are not promoted again unless a person asks; missing in earlier entries."""
    reason: str = ""
    """One sentence for people."""
    by: str = ""
    """The person who asked for it; empty for what a run decided."""
    pipeline: str = ""
    """Whose model it is."""
    run_id: str = ""
    """The Dagster run that appended the entry; empty for a command of the shell."""
    created_at: dt.datetime

    @property
    def changes_champion(self) -> bool:
        """Whether another champion, or none, is current by this entry."""
        return self.event not in {"awaiting_approval", "rejected"}

    @property
    def names_champion(self) -> bool:
        """Whether the version is champion by this entry."""
        return self.changes_champion and self.event != "withdrawn"


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
        """Return the digests of its training partitions; split by time, the newest is left out if it is the holdout."""
        digests = dict(self.model.manifest.data_digests)
        if spec.split.by == "time" and self.model.manifest.refit is None:
            digests.pop(max(digests))
        return digests

    def may_have_learned(self, table: pa.Table, partition: str | None, spec: PipelineSpec) -> Mask | None:
        """Return which rows of a partition its evaluated fit may have learned from; None where that is not known."""
        keys, is_time = _partition_of_rows(table, partition), spec.dataset.partitions.is_time
        return self.model.manifest.may_have_learned(table, keys, time_partitions=is_time)

    def measured_on(self, table: pa.Table, partition: str | None, spec: PipelineSpec) -> TrainedModel:
        """Return the deployed model where it has learned from none of these rows, else the evaluated one."""
        keys, is_time = _partition_of_rows(table, partition), spec.dataset.partitions.is_time
        return self.model.measured_on(table, keys, time_partitions=is_time)

    def unlearned(self, table: pa.Table, partition: str | None, spec: PipelineSpec) -> pa.Table | None:
        """Return the rows of a partition that its evaluated fit has not learned from; None where that is not known."""
        learned = self.may_have_learned(table, partition, spec)
        return None if learned is None else table.filter(pa.array(~learned))

    def learned_from(self, partition: str | None, dataset: ValidatedDataset, spec: PipelineSpec) -> bool:
        """Return whether it was trained on these rows."""
        return self.training_digests(spec).get(partition or "") == dataset.fingerprint.digest


def _partition_of_rows(table: pa.Table, partition: str | None) -> np.ndarray:
    return np.full(table.num_rows, partition or "", dtype=object)


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
