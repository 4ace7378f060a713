"""The sensors that start runs for new or changed objects of the sources that a pipeline's features join.

They scan, request and retry as the sensor of the pipeline's own source does. What is new concerns the partitions whose
source rows were read before it came; any other reads the newest objects when it is first made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from assay.arrivals.names import PLACEHOLDER
from assay.arrivals.scan import Arrival
from assay.specs import PipelineSpec
from assay.specs.dataset import DatasetSpec
from assay.specs.other_sources import OtherSource
from ml_assets.dagster_internals import AssetJob
from ml_assets.pipeline.new_data import Watched, arrivals_sensor
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.run_context import asset_key


def watched_by_sensors(spec: PipelineSpec) -> tuple[OtherSource, ...]:
    """Return the joined sources that sensors watch; conditions watch those that are assets."""
    return tuple(each for each in spec.watched_sources if each.dataset.reference is None)


def joined_data_sensors(spec: PipelineSpec, job: AssetJob) -> tuple[dg.SensorDefinition, ...]:
    """Return `<pipeline>_<table>_new_data_sensor` for each joined source of files.

    Raises:
        SpecError: the names of a source's objects do not identify the partition that is new.
    """
    return tuple(_sensor(spec, job, each) for each in watched_by_sensors(spec))


def _sensor(spec: PipelineSpec, job: AssetJob, joined: OtherSource) -> dg.SensorDefinition:
    watched = Watched(
        _dataset(spec, joined), f"{spec.name}.{joined.table}", f"{spec.name}_{joined.table}_new_data_sensor", True
    )

    def runs_of(arrivals: Sequence[Arrival], instance: dg.DagsterInstance) -> Iterator[Arrival]:
        made = _made(spec, instance)
        for arrival in arrivals:
            yield from concerned(arrival, made, all_partitions=spec.automation.joined_partitions == "all")

    description = f"Starts {job.name} for new or changed objects of {joined.table}, which features join."
    return arrivals_sensor(spec, job, watched, runs_of, description=description)


def concerned(arrival: Arrival, made: Sequence[str] | None, *, all_partitions: bool) -> Iterator[Arrival]:
    """Yield the runs of an arrival: of the partitions that were made and that it concerns.

    Args:
        arrival: with a partition where its object is of one, or where it repeats a failed run.
        made: the partitions of which source rows were read, oldest first; None without partitions.
        all_partitions: whether an object of all partitions concerns them all, or the newest.
    """
    if made is None:
        yield arrival
    elif arrival.partition_key is not None:
        yield from [arrival] if arrival.partition_key in made else []
    else:
        for key in made if all_partitions else made[-1:]:
            plain = key.replace("@", "%40")  # a run key with @ is of one object
            yield replace(arrival, run_key=f"{arrival.run_key} {plain}", partition_key=key)


def _made(spec: PipelineSpec, instance: dg.DagsterInstance) -> list[str] | None:
    partitions = partitions_of(spec)
    if partitions is None:
        return None
    made = instance.get_materialized_partitions(asset_key(spec, "raw_dataset"))
    return [key for key in partitions.get_partition_keys(dynamic_partitions_store=instance) if key in made]


def _dataset(spec: PipelineSpec, joined: OtherSource) -> DatasetSpec:
    """Return how a joined source is read, with the pipeline's partitions where each has objects of its own."""
    if PLACEHOLDER not in joined.source:
        return joined.dataset
    return joined.dataset.model_copy(update={"partitions": spec.dataset.partitions})
