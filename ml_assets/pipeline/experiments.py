"""Steps of runs with parameters: what they make is observed, and never stands for production's version of an asset.

Dagster knows one history for each asset. A materialization or check of an experiment in it would be taken for
production's newest: by automation conditions, staleness, freshness and the asset's page. So a step of an experiment
publishes to its space and reports one observation for each partition, with the metadata, the outcome of the checks and
the name of the space. Observations start nothing.

A branch deployment has an instance of its own: there, materializations are the branch's.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import wraps
from inspect import isgenerator
from typing import Any

import dagster as dg

from assay.errors import ChecksFailedError
from assay.specs import PipelineSpec
from assay.specs.space import Space
from ml_assets.dagster_internals import silent_outputs
from ml_assets.pipeline.partitions import keys_of, partitions_of
from ml_assets.pipeline.run_context import asset_key, attempt_of, location_of, makes_range, partition_of
from ml_assets.supervision.step import Body
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.step_inputs import RangeOutcome
from resources.artifacts.store import ArtifactStore

EXPERIMENT = "experiment"
"""Key of the metadata that names the space of an experiment."""


def observed_in_experiments(step: Body) -> Body:
    """Return a step that reports observations in a run with parameters, and what it reports itself in any other.

    Args:
        step: takes the context, and the pipeline as `run_spec`; returns a value or a generator of events.
    """

    @wraps(step)
    def observed(context: dg.AssetExecutionContext, **arguments: Any) -> Any:
        made, space = step(context, **arguments), arguments["run_spec"].space
        if not space.experiment:
            return made
        return _Experiment(context, space).events(made if isgenerator(made) else iter([made]))

    return observed


def is_experiment(event: dg.AssetMaterialization | dg.AssetObservation) -> bool:
    """Return whether an event is of a run with parameters."""
    return EXPERIMENT in event.metadata


def made_partitions(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, spec: PipelineSpec, name: str
) -> Collection[str]:
    """Return the partitions of an asset that were made: by Dagster's history, of an experiment by its space."""
    key = asset_key(spec, name)
    if not spec.space.experiment:
        return set(context.instance.get_materialized_partitions(key))
    return [each for each in keys_of(context, partitions_of(spec)) if artifacts.log.newest(tuple(key.path), each)]


@dataclass
class _Experiment:
    """One step of an experiment; `metadata` and `checks` are what it has reported of the current partition."""

    context: dg.AssetExecutionContext
    space: Space
    metadata: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, str]] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    outputs: list[dg.Output[Any]] = field(default_factory=list)

    def events(self, results: Iterator[Any]) -> Iterator[Any]:
        """Publish the step's values to the space; yield observations, then the outputs for the later steps.

        Raises:
            ChecksFailedError: a blocking check failed, which ends the step of any run.
        """
        partition = partition_of(self.context)
        try:
            for result in results:
                if (other := _partition_of(result, partition)) != partition:
                    yield from self._observation(partition)
                    partition = other
                self._note(result)
        except Exception:
            yield from self._observation(partition)  # of a refusal: which rules failed, and why
            raise
        yield from self._observation(partition)
        if self.blocked:
            raise ChecksFailedError(
                "blocking checks failed",
                where=f"{location_of(self.context)}, space {self.space.name}",
                found=", ".join(self.blocked),
                remedy="the observation of this step shows what they found",
            )
        yield from self.outputs or silent_outputs(self.context)

    def _note(self, result: Any) -> None:
        if isinstance(result, dg.AssetCheckResult | dg.AssetCheckEvaluation):
            self._note_check(result)
        elif isinstance(result, dg.AssetMaterialization):  # of a range, which has published it
            self.metadata |= result.metadata
        elif makes_range(self.context):
            self.outputs.append(result)
        else:
            self.metadata |= self._published(result)
            self.outputs = silent_outputs(self.context, RangeOutcome({}, {}))

    def _note_check(self, result: dg.AssetCheckResult | dg.AssetCheckEvaluation) -> None:
        name, severity = str(result.check_name), result.severity.value.lower()
        outcome = "passed" if result.passed else f"failed ({severity})"
        row = {"check": name, "outcome": outcome, "observed": result.description or ""}
        self.checks.append(row)
        if result.passed:
            return
        self.metadata |= {f"{name}: {key}": value for key, value in (result.metadata or {}).items()}
        specs = {spec.name: spec for spec in self.context.assets_def.check_specs}
        if isinstance(result, dg.AssetCheckResult) and severity == "error" and specs[name].blocking:
            self.blocked.append(name)

    def _published(self, result: Any) -> dict[str, Any]:
        artifacts: ArtifactIOManager = self.context.resources.artifact_io_manager
        output = result if isinstance(result, dg.Output) else dg.Output(result)
        attempt = attempt_of(self.context, artifacts)
        stored = artifacts.published(self.context.asset_key, partition_of(self.context), output.value, attempt)
        return {**output.metadata, **stored}

    def _observation(self, partition: str | None) -> Iterator[dg.AssetObservation]:
        if self.metadata or self.checks:
            self._log(partition)
            rows = [dg.TableRecord(row) for row in self.checks]
            table = {"checks": dg.MetadataValue.table(rows)} if rows else {}
            metadata = {EXPERIMENT: self.space.name, **self.metadata, **table}
            yield dg.AssetObservation(self.context.asset_key, partition=partition, metadata=metadata)
        self.metadata, self.checks = {}, []

    def _log(self, partition: str | None) -> None:
        asset = self.context.asset_key.to_user_string() + (f", partition {partition}" if partition else "")
        failed = [row["check"] for row in self.checks if row["outcome"] != "passed"]
        named = f"; failed checks: {', '.join(failed)}" if failed else ""
        self.context.log.info("%s is in the space %s, production stays as it is%s", asset, self.space.name, named)


def _partition_of(result: Any, current: str | None) -> str | None:
    """Return the partition that an event names; the current one where it names none."""
    of_partition = isinstance(result, dg.AssetMaterialization | dg.AssetCheckEvaluation)
    return (result.partition if of_partition else None) or current
