"""What a retraining would make, and why: each asset's newest commit against its code, its inputs and the source.

An asset is unchanged if its code version is the one that its newest commit records, and if the commit has read rows and
values that are still the newest. Whatever reads an asset whose value may change is made again. A change that decides
only the gate's verdict (a bound of a rule) makes the gate run again, and nothing after it: the rows stay the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import dagster as dg

from assay.features.reach import earlier_keys, reach_of
from assay.specs import PipelineSpec
from assay.specs.references import FEATURE_SET
from ml_assets.pipeline.asset import Phase, Stage
from ml_assets.pipeline.code_version import changed_parts
from ml_assets.pipeline.partitions import partitions_of, upstream_keys
from ml_assets.pipeline.run_context import asset_key
from ml_assets.stages import STAGES
from resources.artifacts.store import ArtifactStore
from resources.joined_sources import recorded_digests
from resources.store.commit_record import Commit

Action: TypeAlias = Literal["run", "unchanged", "blocked"]


class SourceRows(Protocol):
    """Reads a source as it is now."""

    def __call__(self, partition: str | None, table: str = "", /) -> str:
        """Return the data version of a partition's rows, or of those of a joined source by its name."""


@dataclass(frozen=True, slots=True)
class PlannedAsset:
    """What a retraining would do with one asset's partition.

    Attributes:
        asset: its name in the pipeline.
        partition: its key; None without partitions.
        action: `blocked` where it reads rows that the gate refused and would refuse again.
        reason: why, in one sentence.
        changes_value: whether its value may become another one.
    """

    asset: str
    partition: str | None
    action: Action
    reason: str
    changes_value: bool


@dataclass(frozen=True)
class Planner:
    """Plans the assets from the source to promotion.

    Attributes:
        spec: the pipeline.
        artifacts: the deployment's store.
        source_rows: asked for `raw_dataset`, once for each partition that was made before, and for each joined source
            that the commit of a feature set names.
        stages: the assets' declarations.
    """

    spec: PipelineSpec
    artifacts: ArtifactStore
    source_rows: SourceRows
    stages: Sequence[Stage] = STAGES
    _planned: dict[tuple[str, str | None], PlannedAsset] = field(default_factory=dict)
    _reads: dict[str, tuple[dg.AssetDep, ...]] = field(default_factory=dict)

    def plan(self, partition: str | None) -> list[PlannedAsset]:
        """Return the plan of one model, upstream first.

        Args:
            partition: the model's; its window is planned with it. None without partitions.

        Raises:
            AssayError: the store or the source cannot be read.
        """
        for stage in self._made_by_retraining(Phase.LEARNING):
            self._of(stage, partition)
        names = [stage.name for stage in self.stages]
        return sorted(self._planned.values(), key=lambda each: (names.index(each.asset), each.partition or ""))

    def _made_by_retraining(self, *phases: Phase) -> list[Stage]:
        return [stage for stage in self.stages if stage.phase in phases and stage.wanted(self.spec)]

    def _of(self, stage: Stage, partition: str | None) -> PlannedAsset:
        key = (stage.name, partition)
        if key not in self._planned:
            self._planned[key] = self._judged(stage, partition, list(self._upstream(stage, partition)))
        return self._planned[key]

    def _judged(self, stage: Stage, partition: str | None, upstream: Sequence[PlannedAsset]) -> PlannedAsset:
        newest = self.artifacts.log.newest((self.spec.name, stage.name), partition)
        changing = [each for each in upstream if each.action == "run" and each.changes_value]
        action: Action = "run"
        changes_value = True
        if blocked := [each for each in upstream if each.action == "blocked"]:
            action, reason = "blocked", f"{_named(blocked)}: {blocked[0].reason}"
        elif newest is None:
            reason = "it was never made"
        elif changed := changed_parts(newest.code_version, stage.code_version(self.spec)):
            reason = f"changed: {', '.join(changed)}"
            changes_value = (
                bool(changing) or newest.status == "rejected" or not set(changed) <= set(stage.verdict_parts)
            )
        elif changing:
            reason = f"{_named(changing)} may change"
        elif other := self._other_inputs(newest, upstream):
            reason = other
        elif newest.status == "rejected":
            action, reason = "blocked", f"the gate refused version {newest.number}, and nothing has changed since"
        else:
            action, reason = "unchanged", f"version {newest.number} is of the same code and inputs"
            changes_value = False
        return PlannedAsset(stage.name, partition, action, reason, changes_value)

    def _other_inputs(self, newest: Commit, upstream: Sequence[PlannedAsset]) -> str:
        """Return how the newest inputs differ from those that a commit has read; empty where they do not."""
        if not upstream:
            now = self.source_rows(newest.partition)
            if not now:
                return "the source is an asset that the platform does not store, so that its rows are not compared"
            return "" if now == newest.data_version else "the source has other rows"
        read = {name: version.partition(":")[2] for name, version in newest.inputs.items()}
        for each in upstream:
            commit = self.artifacts.log.newest((self.spec.name, each.asset), each.partition)
            name = f"{self.spec.name}/{each.asset}" + (f"@{each.partition}" if each.partition is not None else "")
            if commit is None or read.get(name) != commit.data_version:
                return f"it was not made of the newest {_named([each])}"
        outdated = [f"it was not made of the newest {name}" for name in self._outdated(read)]
        outdated += [f"the joined source {name} has other rows" for name in self._changed_joins(newest)]
        return outdated[0] if outdated else ""

    def _changed_joins(self, newest: Commit) -> Iterator[str]:
        """Yield the joined sources that have other rows now than a commit was made of."""
        joined = {join.table for join in self.spec.features.other_sources} if self.spec.features is not None else set()
        for name, digest in recorded_digests(newest.properties).items():
            if name in joined and self.source_rows(newest.partition, name) != digest:
                yield name

    def _outdated(self, read: Mapping[str, str]) -> Iterator[str]:
        """Yield the assets of others that have other values now than a commit has read."""
        for name, version in read.items():
            path, _, partition = name.partition("@")
            asset = tuple(path.split("/"))
            commit = self.artifacts.log.newest(asset, partition or None) if asset[0] != self.spec.name else None
            if commit is not None and commit.data_version != version:
                yield name

    def _upstream(self, stage: Stage, partition: str | None) -> Iterator[PlannedAsset]:
        """Yield the plan of everything that an asset's partition reads."""
        by_key = {asset_key(self.spec, each.name): each for each in self.stages}
        partitions = partitions_of(self.spec)
        for dep in self._deps_of(stage):
            keys: Sequence[str | None] = [None]
            if partitions is not None and partition is not None:
                keys = upstream_keys(dep.partition_mapping, partitions, partition)
            if partition is not None and stage.name == FEATURE_SET and dep.asset_key in by_key:
                keys = [*self._earlier(tuple(dep.asset_key.path), partition), partition]
            if dep.asset_key in by_key:  # what others make is compared, not planned
                yield from (self._of(by_key[dep.asset_key], key) for key in keys)

    def _earlier(self, asset: tuple[str, ...], partition: str) -> Iterator[str]:
        """Yield the earlier partitions that windows see: those that were made, unless the file requires all."""
        partitions, features = self.spec.dataset.partitions, self.spec.features
        for key in earlier_keys(partitions, partition, reach_of(features, partitions)):
            newest = self.artifacts.log.newest(asset, key)
            is_made = newest is not None and newest.status == "published"
            if is_made or (features is not None and features.earlier_partitions == "require"):
                yield key

    def _deps_of(self, stage: Stage) -> tuple[dg.AssetDep, ...]:
        if stage.name not in self._reads:
            (declared,) = stage.build(self.spec, stage).specs
            self._reads[stage.name] = tuple(declared.deps)
        return self._reads[stage.name]


def _named(assets: Sequence[PlannedAsset]) -> str:
    first = assets[0]
    others = f" and {len(assets) - 1} more" if len(assets) > 1 else ""
    return first.asset + (f" of {first.partition}" if first.partition is not None else "") + others
